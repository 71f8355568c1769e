"""A port that hangs ends its check, and the others run; and what is passed over is said by whoever runs them."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import anyio
import pytest

from codex_oauth import AsyncHttpxWorld, HttpxWorld
from codex_oauth.testing import (
    ASYNC_WORLD_CHECKS,
    WORLD_CHECKS,
    Tolerance,
    check_async_world,
    check_world,
    kit_limit,
    tolerating,
    world_checks,
)
from codex_oauth.testing.checking import collecting_what_is_new
from codex_oauth.testing.tolerance import tolerated
from codex_oauth_core import Event, SignInEffect, Wait

OVER = threading.Event()
NAME = "a_wait_that_is_over_ends_at_once"


class Hangs(HttpxWorld):
    """Waits for what does not come."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait):
            OVER.wait(20.0)
        return super().perform(effect)


class HangsInAwait(AsyncHttpxWorld):
    async def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait):
            await anyio.sleep(20.0)
        return await super().perform(effect)


class SwallowsEverything(AsyncHttpxWorld):
    async def perform(self, effect: SignInEffect) -> Event:
        while isinstance(effect, Wait) and not OVER.is_set():
            try:
                await asyncio.sleep(20.0)
            except asyncio.CancelledError:
                continue
        return await super().perform(effect)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> Any:
    OVER.clear()
    monkeypatch.setattr(kit_limit, "WORLD_CHECK_LIMIT", 0.5)
    monkeypatch.setattr(kit_limit, "_ADIEU", 0.1)
    yield
    OVER.set()


def test_a_port_that_hangs_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = (check for check in WORLD_CHECKS if check.__name__ == NAME)
    monkeypatch.setattr(world_checks, "WORLD_CHECKS", (check,))
    with pytest.raises(AssertionError, match=rf"^{NAME}: .*Hangs\.perform.* had not come back after 0\.5 s$"):
        check_world(Hangs)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("make", [HangsInAwait, SwallowsEverything])
def test_an_asynchronous_one_is_cancelled(
    make: type[AsyncHttpxWorld], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if make is SwallowsEverything and backend == "trio":
        pytest.skip("it is about asyncio")
    (check,) = (check for check in ASYNC_WORLD_CHECKS if check.__name__ == NAME)
    monkeypatch.setattr(world_checks, "ASYNC_WORLD_CHECKS", (check,))
    monkeypatch.setattr(world_checks, "TASK_CHECKS", ())
    with pytest.raises(AssertionError, match=rf"^{NAME}: it did not end within"):
        anyio.run(check_async_world, make, backend=backend)
    OVER.set()
    gc.collect()  # what was abandoned ends here, and says so


def test_nothing_is_tolerated_unless_it_is_said() -> None:
    assert tolerated() == Tolerance()
    with tolerating(Tolerance(added_headers=("X-A",), methods=("TRACE",))):
        assert tolerated().added_headers == {"x-a"}
        assert tolerated().methods == {"TRACE"}
    assert tolerated() == Tolerance()


@pytest.mark.parametrize("name", ["Cookie", "authorization", "PROXY-Authorization"])
def test_no_credential_is_tolerated(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        Tolerance(added_headers=(name,))


def test_only_what_is_new_is_collected_where_a_check_looks_for_leaks() -> None:
    """A program with millions of objects would else spend the limit of a check on them."""
    frozen, kept = gc.get_freeze_count(), [[number] for number in range(5000)]
    with collecting_what_is_new():
        assert gc.get_freeze_count() >= frozen + len(kept)
        new: list[object] = []
        new.append(new)
        del new
        assert gc.collect() >= 1
    assert gc.get_freeze_count() == 0
