"""The page about ports: its tables are complete, and its examples run and pass every check."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from importlib import import_module
from operator import itemgetter
from types import ModuleType
from typing import Any, get_args

import attrs
import pytest

from codex_oauth import HttpxWorld, testing
from codex_oauth.authority import Authority, Policy, serve
from codex_oauth.testing import (
    ASYNC_WORLD_CHECKS,
    LISTENING_CHECKS,
    TASK_CHECKS,
    WORLD_CHECKS,
    AsyncWorldCheck,
    WorldCheck,
    check_world,
)
from codex_oauth.testing.world_request_checks import REQUEST_CHECKS
from codex_oauth.worlds import world
from codex_oauth_core import CODEX, Cause, Credential, Effect, Event, Phase, SendRequest, SignInEffect
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "porting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LOOP, PORT, HELPERS, SIGN_IN, WORLD, TURNED, CHECK, TOLERANCE = BLOCKS


class _Fetching(HttpxWorld):
    """Does to requests what a browser's `fetch` does."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            named = [(name.lower(), value) for name, value in effect.request.plain_headers()]
            headers = sorted(named, key=itemgetter(0))
            request = attrs.evolve(effect.request, headers=(*headers, ("sec-fetch-mode", "cors")))
            effect = attrs.evolve(effect, request=request)
        return super().perform(effect)


def section(heading: str) -> str:
    return re.split(r"^## ", PAGE.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.fixture(scope="module")
def example() -> Any:
    """The code of the page, as a module."""
    module = ModuleType("example")
    exec(
        compile(PORT + HELPERS + SIGN_IN + WORLD + TURNED + CHECK + TOLERANCE, "docs/porting.md", "exec"),
        module.__dict__,
    )  # the page's own code
    return module


def test_the_contract_names_every_effect_and_every_event_once() -> None:
    contract = section("The contract of `perform`")
    names = [
        name
        for row in re.findall(r"^\| (`.*?) \|", contract, re.MULTILINE)
        for name in re.findall(r"`(\w+)", row)
    ]
    expected = {kind.__name__ for kind in (*get_args(Effect), *get_args(Event))} - {"Resumed"}
    assert sorted(names) == sorted(expected)


def test_the_table_of_failures_has_every_cause_in_its_phases() -> None:
    rows = re.findall(r"^\| .* \| `(\w+)` \| `(\w+)` \|$", section("Failures"), re.MULTILINE)
    assert {cause for _, cause in rows} == {cause.value for cause in Cause}
    assert {phase for phase, _ in rows} == {phase.value for phase in Phase}
    assert [cause for phase, cause in rows if phase == "not_sent"] == [
        "dns",
        "connect",
        "proxy",
        "proxy_auth",
        "misconfigured",
        "tls_certificate",
        "tls_eof",
        "timeout",
    ]


@pytest.mark.parametrize("dotted", sorted(set(re.findall(r"`(codex_oauth(?:\.\w+)+)`", PAGE))))
def test_what_the_page_names_exists(dotted: str) -> None:
    module, _, name = dotted.rpartition(".")
    try:
        import_module(dotted)
    except ImportError:
        assert hasattr(import_module(module), name)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(check_\w+)\(|`(\w+_CHECKS)`", PAGE))))
def test_the_checks_that_the_page_names_exist(name: tuple[str, str]) -> None:
    assert hasattr(testing, "".join(name))


def test_the_loop_is_the_one_that_runs() -> None:
    def loop(code: str) -> str:
        (node,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.While))
        return ast.unparse(node)

    assert loop(LOOP) == loop(inspect.getsource(world.run))


CHECKS = [*ASYNC_WORLD_CHECKS, *TASK_CHECKS]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("maker", ["make", "SmallWorld"])
def test_the_ports_of_the_page_pass(maker: str, check: AsyncWorldCheck, example: Any) -> None:
    asyncio.run(check(getattr(example, maker)))


@pytest.mark.parametrize("check", [*WORLD_CHECKS, *LISTENING_CHECKS], ids=lambda check: check.__name__)
def test_the_wrapper_of_the_page_passes(check: WorldCheck, example: Any) -> None:
    check(example.TurnedWorld)


def test_what_the_page_tolerates_is_what_fetch_does(example: Any) -> None:
    with pytest.raises(AssertionError, match="the header sec-fetch-mode was added"):
        check_world(_Fetching)
    with testing.tolerating(example.FETCH):
        for check in WORLD_CHECKS:
            if check.__name__ in {of_requests.__name__ for of_requests in REQUEST_CHECKS}:
                check(_Fetching)


def test_the_port_of_the_page_signs_in(example: Any) -> None:
    shown: list[str] = []
    with serve(Authority(policy=Policy(approve="auto", interval=1))) as server:
        outcome = asyncio.run(example.sign_in(shown.append, CODEX.at(server.url)))
    assert isinstance(outcome, Credential)
    assert len(shown) == 1


def test_the_ports_of_the_page_are_short() -> None:
    for code in (PORT + HELPERS, WORLD):
        assert len([line for line in code.splitlines() if line.strip()]) <= 90
