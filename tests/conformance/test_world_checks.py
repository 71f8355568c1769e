"""The published checks of a world, checked: each catches what it is there for."""

from __future__ import annotations

import gc
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

import pytest

from codex_oauth import HttpxWorld
from codex_oauth.testing import (
    LISTENING_CHECKS,
    SCENARIOS,
    TLS_CHECKS,
    WORLD_CHECKS,
    Tolerance,
    check_world,
    loopback,
    places,
    prompt,
    tolerating,
    world_cancel_checks,
    world_checks,
    world_event_checks,
    world_failure_checks,
    world_leak_checks,
    world_listening_checks,
    world_time_checks,
)
from codex_oauth.testing.world_failure_checks import FAILURE_CHECKS
from codex_oauth.testing.world_log_checks import LOG_CHECKS
from codex_oauth.testing.world_route_checks import ROUTE_CHECKS
from codex_oauth.worlds import sync_world
from codex_oauth_core import Event, SendRequest, SignInEffect
from tests.conformance.broken_answers import DropsHeaders
from tests.conformance.broken_listening import HearsOneSource
from tests.conformance.broken_worlds import BROKEN, close_what_was_left

CHECKS: dict[str, Callable[[Any], None]] = {
    **{check.__name__: check for check in WORLD_CHECKS},
    **{check.__name__: check for check in LISTENING_CHECKS},
}
CAUGHT = [(what, name) for what, broken in BROKEN.items() for name in broken.caught_by]


@pytest.fixture(autouse=True)
def broken_worlds_leave_nothing_to_other_tests() -> Generator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        close_what_was_left()
        gc.collect()


@pytest.fixture
def short_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken world reaches every bound: here they are close."""
    monkeypatch.setattr(loopback, "PATIENCE", 2.5)
    for checks in (world_time_checks, world_listening_checks):
        monkeypatch.setattr(checks, "SOON", 0.5)
        monkeypatch.setattr(checks, "_LONG", 0.8)
    for late in (world_failure_checks, world_leak_checks):
        monkeypatch.setattr(late, "SOON", 0.3)
    monkeypatch.setattr(prompt, "TRIES", 1)
    monkeypatch.setattr(world_cancel_checks, "_LIMIT", 1.2)
    monkeypatch.setattr(world_cancel_checks, "_LONG", 0.8)
    monkeypatch.setattr(places, "_LOOKUP", 1.5)
    monkeypatch.setattr(world_event_checks, "_SLICE", 0.7)
    monkeypatch.setattr(sync_world, "SLICE", 0.2)


@pytest.mark.usefixtures("short_bounds")
@pytest.mark.parametrize(("what", "name"), CAUGHT, ids=[" | ".join(row) for row in CAUGHT])
def test_a_broken_world_fails_the_check_that_is_there_for_it(what: str, name: str) -> None:
    with pytest.raises(Exception) as failed:  # noqa: PT011  # a check may also meet what the world raises
        CHECKS[name](BROKEN[what].make)
    if isinstance(failed.value, AssertionError):
        assert len(str(failed.value)) > 15


def test_each_check_catches_two_broken_worlds() -> None:
    caught = Counter(name for _, name in CAUGHT)
    assert {name for name in CHECKS if caught[name] < 2} == set()
    assert set(caught) <= set(CHECKS)


def test_each_check_has_a_name_of_its_own() -> None:
    assert len(CHECKS) == len(WORLD_CHECKS) + len(LISTENING_CHECKS)


def test_every_scenario_is_a_check() -> None:
    assert {scenario.name.replace(" ", "_") for scenario in SCENARIOS} < set(CHECKS)


def test_a_broken_world_fails_by_name() -> None:
    with pytest.raises(
        AssertionError, match=r"^headers_are_delivered: the header Retry-After of an answer: "
    ):
        check_world(DropsHeaders)


def test_a_world_that_listens_is_held_to_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_checks, "WORLD_CHECKS", ())
    check_world(HttpxWorld)
    with pytest.raises(AssertionError, match=r"^sources_start_before_the_wait_is_shown"):
        check_world(HttpxWorld, listening=HearsOneSource)


def test_a_world_without_tls_is_held_to_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(HttpxWorld):
        def perform(self, effect: SignInEffect) -> Event:
            if isinstance(effect, SendRequest) and effect.request.url.startswith("https:"):
                raise RuntimeError("no TLS here")
            return super().perform(effect)

    for check in TLS_CHECKS:
        with pytest.raises((RuntimeError, AssertionError)):
            check(Plain)
    with tolerating(Tolerance(tls=False)):
        for name in {check.__name__ for check in (*FAILURE_CHECKS, *ROUTE_CHECKS, *LOG_CHECKS)}:
            if CHECKS[name] not in TLS_CHECKS:
                CHECKS[name](Plain)
    monkeypatch.setattr(world_checks, "WORLD_CHECKS", TLS_CHECKS)
    check_world(Plain, tls=False)
    with pytest.raises(AssertionError, match=r": RuntimeError was raised$"):
        check_world(Plain)


def test_what_a_world_raises_is_told_with_its_cause() -> None:
    class Unfinished(HttpxWorld):
        def perform(self, effect: SignInEffect) -> Event:
            raise NotImplementedError

    with pytest.raises(AssertionError, match=r": NotImplementedError was raised$") as failed:
        check_world(Unfinished)
    assert isinstance(failed.value.__cause__, NotImplementedError)


def test_a_scenario_says_what_was_expected_and_what_was_found() -> None:
    with pytest.raises(AssertionError, match=r"expected 35\.5 s after the start, found 15\.5\d\d s"):
        CHECKS["429_slows_down_and_keeps_its_Retry-After_once"](DropsHeaders)


def test_the_checks_need_no_test_framework_and_no_assertions() -> None:
    code = """
import sys
from codex_oauth.testing import check_world
from codex_oauth.worlds.httpx_world import HttpxWorld
assert False, "assertions are off"
class Broken(HttpxWorld):
    now = lambda self: (0.0, 0.0)
try:
    check_world(Broken)
except AssertionError as error:
    print(str(error).partition(":")[0], "pytest" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("the_clocks_are_the_ones_given False\n", "")
