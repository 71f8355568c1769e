"""Every consumer in its environment, against the model stub: answered, renewed once, and nothing at another host.

Rules of this file: `make consumers` builds the environments and runs it; a row says what a way of use can do, and
where it cannot, what it does instead, so that a row is wrong as soon as a new version can. The blocks of
docs/consumers.md that need such an environment are run as they stand; those that do not, in tests/clients.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from codex_oauth.authority import ModelFault
from tests.clients.page import FAULTS, Block, of
from tests.consumers.environments import ENVIRONMENTS, QUESTION, TEXT, Consumer, Outcome, stub

LEAKED: Final = ("chatgpt-account-id", "originator")


@attrs.frozen(kw_only=True)
class Use:
    """A way of use: a function of `uses/ENVIRONMENT.py`, and what it can do."""

    environment: str
    way: str
    says: str = TEXT
    requests: int = 1
    fails: str = ""
    """A part of how it fails, whatever the stub does; then all else but the headers is left out."""
    without_output: str | None = None
    """What it says, or a part of how it fails, when the last event leaves out the items; None: the same."""
    renews: bool = True
    follows: tuple[str, ...] | None = None
    """The headers of the login at another host to which it was redirected; None: nothing arrives there."""

    @property
    def name(self) -> str:
        """As `uses` calls it."""
        return f"{self.environment}.{self.way}"


DIALECT: Final = "BadRequestError"
"""How a request is refused that does not say what the backend wants."""

USES: Final = (
    Use(environment="agents", way="streamed"),
    Use(environment="agents", way="tools", requests=2),
    Use(environment="agents", way="plain"),
    Use(environment="agents", way="plain_without_dialect", fails=DIALECT),
    Use(environment="agents", way="websocket", renews=False, without_output="", follows=LEAKED),
    Use(environment="pydantic_ai", way="plain"),
    Use(environment="pydantic_ai", way="streamed"),
    Use(environment="pydantic_ai", way="structured", says=QUESTION),
    Use(environment="pydantic_ai", way="official"),
    Use(environment="pydantic_ai", way="usual_provider"),
    Use(environment="pydantic_ai", way="usual_provider_without_dialect", fails="Store must be set to false"),
    Use(environment="langchain", way="plain"),
    Use(environment="langchain", way="streamed"),
    Use(
        environment="langchain",
        way="structured",
        says=QUESTION,
        without_output="does not have a 'parsed' field",
    ),
    Use(environment="langchain", way="system", fails=DIALECT),
    Use(environment="langchain", way="defaults"),
    Use(environment="langchain", way="defaults_streamed"),
    Use(environment="langchain", way="defaults_structured", says=QUESTION),
    Use(environment="litellm", way="key", renews=False, follows=LEAKED),
    Use(environment="litellm", way="plain"),
    Use(environment="litellm", way="streamed"),
    Use(environment="litellm", way="responses"),
    Use(environment="litellm", way="smolagents", renews=False, follows=LEAKED),
    Use(environment="litellm", way="smolagents_openai", fails="NotFoundError"),
    Use(environment="llm", way="streamed"),
    Use(environment="llm", way="streamed_with_dialect"),
    Use(environment="llm", way="plain"),
    Use(environment="llm", way="plain_without_dialect", fails=DIALECT),
    Use(environment="instructor", way="plain", says=QUESTION),
    Use(environment="instructor", way="plain_without_dialect", fails="Stream must be set to true"),
    Use(environment="llamaindex", way="plain"),
    Use(environment="llamaindex", way="streamed"),
    Use(environment="llamaindex", way="plain_without_dialect", fails="Instructions are required"),
    Use(environment="niquests", way="streamed", follows=()),
    Use(environment="niquests", way="asynchronous", follows=()),
)


def rows(uses: tuple[Use, ...]) -> list[Any]:
    """One row a way of use; those of one environment stay in one process of pytest."""
    return [pytest.param(use, id=use.name, marks=pytest.mark.xdist_group(use.environment)) for use in uses]


every = pytest.mark.parametrize("use", rows(USES))
working = pytest.mark.parametrize("use", rows(tuple(use for use in USES if not use.fails)))


@pytest.fixture(scope="session")
def consumers(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, Consumer]]:
    """The processes that run, by the names of their environments."""
    found: dict[str, Consumer] = {}
    yield found
    for one in found.values():
        one.__exit__(None, None, None)


@pytest.fixture
def consumer(
    request: pytest.FixtureRequest,
    consumers: dict[str, Consumer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Consumer:
    """The process of a way of use, or of a block."""
    given = request.node.callspec.params
    name = str(given["use"].environment if "use" in given else given["block"].runs_in)
    if name not in consumers:
        python: Path = ENVIRONMENTS / name / "bin" / "python"
        if not python.exists():
            pytest.fail(f"{name}: this environment is missing; `make consumers` builds it")
        consumers[name] = Consumer(python, tmp_path_factory.mktemp(name))
    return consumers[name]


def check_headers(outcome: Outcome) -> None:
    """Each request that got an answer has the three headers of the login, and names this library."""
    account = outcome.server.authority.policy.account.account_id
    requests = outcome.requests()
    assert requests
    for one in requests:
        assert one.token is not None
        assert one.headers.get("chatgpt-account-id") == account
        assert one.headers.get("originator") == "codex-oauth"


def faults(answer: str, **more: Any) -> list[ModelFault]:
    """A misfortune, wherever a consumer asks: with a request or with an upgrade."""
    return [ModelFault(answer=answer, endpoint=name, **more) for name in ("responses", "websocket")]


@every
@pytest.mark.parametrize("empty", [True, False], ids=["without output", "with output"])
def test_it_is_answered(use: Use, consumer: Consumer, empty: bool) -> None:
    with stub(empty_output=empty) as server:
        outcome = consumer.ask(server, way=use.name)
        if use.fails:
            assert use.fails in (outcome.failed or ""), outcome
            return
        assert outcome.statuses() in ([200] * use.requests, [101]), outcome
        check_headers(outcome)
        if empty and use.without_output is not None:
            assert use.without_output in (outcome.failed or outcome.said or ""), outcome
            assert outcome.said != use.says
        else:
            assert outcome.said == use.says, outcome


@working
def test_a_401_is_renewed_once(use: Use, consumer: Consumer) -> None:
    with stub(*faults("token_invalidated", requests=1), empty_output=False) as server:
        outcome = consumer.ask(server, way=use.name)
        renewals = len(server.authority.received("refresh"))
        if use.renews:
            assert outcome.said == use.says, outcome
            assert outcome.statuses() == [401, *[200] * use.requests]
            first, second = (one.token.reveal() for one in outcome.requests()[:2])
            assert (renewals, first != second) == (1, True)
            check_headers(outcome)
        else:
            assert "401" in (outcome.failed or "") or "invalidated" in (outcome.failed or ""), outcome
            assert (set(outcome.statuses()), renewals) == ({401}, 0)


@working
def test_a_401_that_comes_always_ends_it(use: Use, consumer: Consumer) -> None:
    with stub(*faults("token_invalidated")) as server:
        outcome = consumer.ask(server, way=use.name)
        assert outcome.failed, outcome
        assert outcome.statuses() == ([401, 401] if use.renews else [401])


@every
def test_nothing_of_the_login_goes_to_another_host(use: Use, consumer: Consumer) -> None:
    with stub(*faults("redirect", requests=1)) as server:
        outcome = consumer.ask(server, way=use.name)
        there = outcome.requests("localhost")
        assert [one.token for one in there] == [None] * len(there)
        if use.follows is None:
            assert there == []
        else:
            assert there
            sent = {name for name in LEAKED if any(name in one.headers for one in there)}
            assert sent == {*use.follows}


# -- the blocks of the page -----------------------------------------------------------------------------

STRUCTURED: Final = "fake"
"""What a block prints that asks for an object: the stub's made-up text."""

BLOCKS: Final = [
    pytest.param(
        block, id=f"{block.runs_in}-line {block.line}", marks=pytest.mark.xdist_group(str(block.runs_in))
    )
    for block in of(*{use.environment for use in USES})
]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("fault", [*FAULTS, "with output"])
def test_a_block_of_the_page_runs(block: Block, fault: str, consumer: Consumer) -> None:
    with stub(*FAULTS.get(fault, ()), empty_output=fault != "with output") as server:
        outcome = consumer.ask(server, block=block.code)
        assert outcome.requests("localhost") == []
        if fault == "redirect":
            assert (outcome.said or "", outcome.statuses()) == ("", [307]), outcome
            return
        assert (outcome.said or "").strip() in (TEXT, STRUCTURED), outcome
        assert ("response_model" in block.code) == (outcome.said == f"{STRUCTURED}\n")
        assert outcome.statuses() == ([401, 200] if fault == "401" else [200])
        assert len(server.authority.received("refresh")) == int(fault == "401")
        check_headers(outcome)
