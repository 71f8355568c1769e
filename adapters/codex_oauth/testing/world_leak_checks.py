"""Checks of a world: nothing stays when it has ended, whatever happened in it.

Rules of this file: a table of what may happen. What leaks, leaks every time: so each row is run several
times, and fails if every run left something; what a library keeps for all its users, once, does not count.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import ssl
import sys
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from codex_oauth.testing.checking import case, collecting_what_is_new, true
from codex_oauth.testing.loopback import (
    OK_ANSWER,
    Act,
    LoopbackServer,
    answer,
    chunked,
    closing,
    in_turn,
    resetting,
    silent,
)
from codex_oauth.testing.performing import CheckedClock, MakeAsyncWorld, post, soon, wait
from codex_oauth.testing.places import known_as
from codex_oauth.testing.untrusted import untrusted_context
from codex_oauth.testing.world_failure_checks import SOON, all_left, nobody_listens
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = ["LEAK_CHECKS", "LEAK_OVER_TLS"]

_ROUNDS: Final = 3
_SHORT: Final = 0.05
_FILES: Final = Path("/dev/fd")

_ACTS: Final[Mapping[str, Act]] = {
    "an answer": in_turn(OK_ANSWER),
    "an answer that says it closes": in_turn(answer(200, b"ok", {"Connection": "close"})),
    "a reset": resetting,
    "an end without an answer": closing(b""),
    "a truncated answer": closing(answer(200, b"half" * 9)[:60]),
    "a truncated chunk": closing(chunked(b"half", end=False)),
    "too large an answer": in_turn(answer(200, b"x" * (MAX_BODY + 1))),
    "too large an answer in chunks": in_turn(chunked(b"x" * (2 * MAX_BODY))),
    "no HTTP": closing(b"220 mail.example ESMTP\r\n\r\n"),
    "a redirect": in_turn(answer(302, b"", {"Location": "http://127.0.0.1:9/"})),
    "silence": silent,
}


async def nothing_stays_whatever_was_answered(make: MakeAsyncWorld) -> None:
    for name, act in _ACTS.items():

        async def run(act: Act = act) -> None:
            with LoopbackServer(act) as server:
                async with make(now=CheckedClock()) as world:
                    for once in (False, True):
                        await world.perform(post(server.url, _SHORT if act is silent else 5.0, once=once))
                await all_left(server, make)

        with case(name):
            await _leaves_nothing(run)


async def nothing_stays_of_what_was_not_reached(make: MakeAsyncWorld) -> None:
    async def run() -> None:
        with nobody_listens() as url, known_as(lambda _: []) as nobody:
            async with make(now=CheckedClock()) as world:
                for once in (False, True):
                    await world.perform(post(url, once=once))
                    await world.perform(post(f"http://{nobody}/", once=once))
                    await world.perform(post(url, once=once, write_by=0.0))

    await _leaves_nothing(run)


async def nothing_stays_of_a_bad_handshake(make: MakeAsyncWorld) -> None:
    without_a_certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    rows: dict[str, Callable[[], LoopbackServer]] = {
        "a certificate that nobody trusts": lambda: LoopbackServer(in_turn(OK_ANSWER), untrusted),
        "no certificate": lambda: LoopbackServer(in_turn(OK_ANSWER), without_a_certificate),
        "a reset": lambda: LoopbackServer(resetting, raw=True),
        "no TLS": lambda: LoopbackServer(closing(b"220 mail.example\r\n"), raw=True),
        "silence": lambda: LoopbackServer(silent, raw=True),
    }
    untrusted = untrusted_context()
    for name, opened in rows.items():

        async def run(
            opened: Callable[[], LoopbackServer] = opened, limit: float = _SHORT if name == "silence" else 3.0
        ) -> None:
            with opened() as server:
                url = server.url.replace("http:", "https:")
                async with make(now=CheckedClock()) as world:
                    for once in (False, True):
                        await world.perform(post(url, limit, once=once))
                await all_left(server, make)

        with case(name):
            await _leaves_nothing(run)


async def nothing_stays_of_what_was_cancelled(make: MakeAsyncWorld) -> None:
    """Nor of an exception that leaves the block, and of a world that did nothing."""

    async def cancelled() -> None:
        clock = CheckedClock()
        with LoopbackServer(silent) as server:
            async with make(now=clock) as world:
                with soon(world.cancel, _SHORT):
                    await world.perform(post(server.url, 2.0))
                await world.perform(wait(clock, 1.0))
            world.cancel()
            await all_left(server, make)

    async def cancelled_in_a_wait() -> None:
        clock = CheckedClock()
        async with make(now=clock) as world:
            with soon(world.cancel, _SHORT):
                await world.perform(wait(clock, 60.0))

    async def raised() -> None:
        with LoopbackServer(in_turn(OK_ANSWER)) as server, contextlib.suppress(LookupError):
            async with make(now=CheckedClock()) as world:
                await world.perform(post(server.url))
                raise LookupError
        await all_left(server, make)

    async def nothing() -> None:
        async with make(now=CheckedClock()):
            pass

    rows = {
        "a request": cancelled,
        "a wait": cancelled_in_a_wait,
        "an exception of the caller": raised,
        "a world that did nothing": nothing,
    }
    for name, run in rows.items():
        with case(name):
            await _leaves_nothing(run)


@attrs.frozen
class _Open:
    """How much is open: files and sockets, threads, tasks, timers."""

    files: int
    threads: int
    tasks: int
    timers: int

    def less(self, before: _Open) -> dict[str, int]:
        """By how much each has grown."""
        return {
            "files or sockets": self.files - before.files,
            "threads": self.threads - before.threads,
            "tasks": self.tasks - before.tasks,
            "timers": self.timers - before.timers,
        }


def _open() -> _Open:
    loop = _asyncio_loop()
    tasks = len(asyncio.all_tasks(loop)) if loop is not None else 0
    scheduled: Any = getattr(loop, "_scheduled", ())
    timers = sum(1 for handle in scheduled if not handle.cancelled())
    threads = sum(1 for thread in threading.enumerate() if thread.is_alive())
    return _Open(len(list(_FILES.iterdir())) if _FILES.is_dir() else 0, threads, tasks, timers + _alarms())


def _asyncio_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _alarms() -> int:
    if sys.platform == "win32":
        return 0
    return sum(1 for kind in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL) if signal.getitimer(kind)[0] > 0)


async def _leaves_nothing(run: Callable[[], Awaitable[None]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        await run()  # what is loaded or built once stays
    grown: list[dict[str, int]] = []
    lost: list[str] = []
    for _ in range(_ROUNDS):
        with warnings.catch_warnings(record=True) as caught, collecting_what_is_new():
            warnings.simplefilter("always", ResourceWarning)
            before = _open()
            await run()
            gc.collect()
            found = await _settled(before)
        lost = [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)]
        if not found and not lost:
            return
        grown.append(found)
    true(not lost, f"something was not closed: {lost[:1]}")
    for kind in grown[0]:
        least = min(each.get(kind, 0) for each in grown)
        true(least <= 0, f"each run leaves {least} {kind} open")


async def _settled(before: _Open) -> dict[str, int]:
    """What is open that was not, after a moment in which a thread may end."""
    give_up_at = time.monotonic() + SOON / 4
    while True:
        found = {kind: more for kind, more in _open().less(before).items() if more > 0}
        if not found or time.monotonic() > give_up_at:
            return found
        if _asyncio_loop() is not None:
            await asyncio.sleep(0.005)
        else:
            time.sleep(0.005)  # noqa: ASYNC251  # a blocking world's, or trio's: nothing else has to run


LEAK_OVER_TLS: Final = (nothing_stays_of_a_bad_handshake,)
"""Those that need TLS."""

LEAK_CHECKS: Final = (
    nothing_stays_whatever_was_answered,
    nothing_stays_of_what_was_not_reached,
    *LEAK_OVER_TLS,
    nothing_stays_of_what_was_cancelled,
)
