"""Checks of a world: its `with` block closes everything that it opened, however the block ends.

Rules of this file: what leaks, leaks every time: files that others open meanwhile do not count.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from codex_oauth.testing.checked_clock import CheckedClock
from codex_oauth.testing.checking import fail, true
from codex_oauth.testing.loopback import LoopbackServer
from codex_oauth.testing.loopback_acts import OK, in_turn, silent
from codex_oauth.testing.performing import MakeAsyncWorld, post, response, soon, wait
from codex_oauth.testing.world_failure_checks import LIMIT, SOON, nobody_listens
from codex_oauth_core.events import Event

__all__ = ["CLOSING_CHECKS", "all_left"]

_ROUNDS: Final = 3
_FILES: Final = Path("/dev/fd")
"""Where a POSIX system lists what this process has open."""


class _OfTheCaller(Exception):
    pass


async def connections_are_closed_at_the_end(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with LoopbackServer(in_turn(OK)) as server:
        async with make(now=clock) as world:
            for once in (False, True):
                response(await world.perform(post(server.url, once=once)))
        await all_left(server, make)
    with LoopbackServer(silent) as server:
        async with make(now=clock) as world:
            await world.perform(post(server.url, LIMIT))
        await all_left(server, make)


async def an_exception_closes_everything_and_comes_out(make: MakeAsyncWorld) -> None:
    with LoopbackServer(in_turn(OK)) as server:
        try:
            async with make(now=CheckedClock()) as world:
                _raise_after(await world.perform(post(server.url)))
        except _OfTheCaller:
            await all_left(server, make)
            return
    fail("an exception that leaves the `with` block of a world must come out of it")


def _raise_after(event: Event) -> None:
    response(event)
    raise _OfTheCaller


async def nothing_stays_open_at_the_end(make: MakeAsyncWorld) -> None:
    async def round_trips() -> None:
        with LoopbackServer(in_turn(OK)) as server, nobody_listens() as url:
            async with make(now=CheckedClock()) as world:
                await world.perform(post(server.url))
                await world.perform(post(url))
                await world.perform(wait(CheckedClock(), -1.0))
            await all_left(server, make)

    await _leaves_nothing(round_trips)


async def a_cancelled_run_leaves_nothing_open(make: MakeAsyncWorld) -> None:
    async def cancelled_run() -> None:
        clock = CheckedClock()
        with LoopbackServer(silent) as server:
            async with make(now=clock) as world:
                with soon(world.cancel, 0.05):
                    await world.perform(post(server.url, LIMIT))
                await world.perform(wait(clock, 1.0))
            await all_left(server, make)

    await _leaves_nothing(cancelled_run)


async def all_left(server: LoopbackServer, make: MakeAsyncWorld) -> None:
    """Every connection to the server is closed by its client, soon."""
    give_up_at = time.monotonic() + SOON
    while server.open_connections and time.monotonic() < give_up_at:
        await _a_moment(make)
    true(server.open_connections == 0, "a connection is still open after the end of the `with` block")


async def _a_moment(make: MakeAsyncWorld) -> None:
    """Let the event loop, if there is one, and the server do what they still have to do."""
    clock = CheckedClock()
    async with make(now=clock) as world:
        await world.perform(wait(clock, 0.01))


async def _leaves_nothing(work: Callable[[], Awaitable[None]]) -> None:
    grown: list[int] = []
    await work()  # what is loaded or built once stays
    for _ in range(_ROUNDS):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResourceWarning)
            before = _open_files()
            await work()
            gc.collect()
            grown.append(_open_files() - before)
        lost = [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)]
        true(not lost, f"something was not closed: {lost[:1]}")
    true(min(grown) <= 0, f"each run leaves {min(grown)} files or sockets open")


def _open_files() -> int:
    return len(list(_FILES.iterdir())) if _FILES.is_dir() else 0


CLOSING_CHECKS: Final = (
    connections_are_closed_at_the_end,
    an_exception_closes_everything_and_comes_out,
    nothing_stays_open_at_the_end,
    a_cancelled_run_leaves_nothing_open,
)
