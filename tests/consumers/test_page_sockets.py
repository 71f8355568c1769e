"""The block of docs/consumers.md that opens a WebSocket: what befalls an upgrade, and a request on it."""

from __future__ import annotations

import pytest

from codex_oauth.authority import LimitKind, ModelFault, UsageLimit
from tests.clients.page import TEXT, Block, of, run

pytestmark = pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager")


@pytest.fixture
def block() -> Block:
    (found,) = (each for each in of("openai-3") if "connect(" in each.code)
    return found


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


def test_it_prints_the_answer(block: Block) -> None:
    seen = run(block)
    assert (seen.printed, seen.failed, seen.statuses) == (TEXT, "", [101])


def test_a_redirect_gets_the_account_and_no_token(block: Block) -> None:
    """As the page says: the library follows it."""
    seen = run(block, ModelFault(answer="redirect", endpoint="websocket", requests=1))
    assert (seen.printed, seen.failed, seen.statuses) == ("", "InvalidStatus", [307])
    assert seen.elsewhere == ["chatgpt-account-id", "originator"]


def test_a_refused_token_ends_it(block: Block) -> None:
    seen = run(block, ModelFault(answer="token_invalidated", endpoint="websocket"))
    assert (seen.printed, seen.failed, seen.statuses) == ("", "InvalidStatus", [401])


@pytest.mark.parametrize("answer", ["usage_limit", "too_many_requests", "overloaded"])
def test_a_request_that_is_refused_is_an_error(block: Block, answer: str) -> None:
    assert run(block, ModelFault(answer=answer, endpoint="message")).failed == "RuntimeError"


@pytest.mark.parametrize("answer", ["failed", "usage_limit_in_stream"])
def test_an_answer_that_fails_ends(block: Block, answer: str) -> None:
    assert run(block, ModelFault(answer=answer, endpoint="message")).failed == ""


def test_a_connection_that_is_cut_is_an_error(block: Block) -> None:
    assert run(block, ModelFault(answer="cut", endpoint="message")).failed == "ConnectionClosedError"


@pytest.mark.parametrize("answer", ["unknown_events", "huge_event"])
def test_what_is_only_odd_is_overlooked(block: Block, answer: str) -> None:
    seen = run(block, ModelFault(answer=answer, endpoint="message"))
    assert (seen.printed, seen.failed) == (TEXT, "")


def test_a_plan_without_models_is_told_at_the_upgrade(block: Block) -> None:
    seen = run(block, usage_limit=UsageLimit(kind=LimitKind.NOT_INCLUDED))
    assert (seen.failed, seen.statuses) == ("InvalidStatus", [429])
