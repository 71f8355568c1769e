"""The checks that every world passes: run them against a port of your own.

Rules of this file: no test framework; each check starts a loopback server of its own, makes new worlds, and
raises an `AssertionError` that says what is wrong.

    check_world(MyWorld)                                  # MyWorld(now=...) makes one
    check_world(MyWorld, listening=MyWorld)               # one that takes callbacks= and on_wait= too

or, a test for each check:

    @pytest.mark.parametrize("check", WORLD_CHECKS, ids=lambda check: check.__name__)
    def test_my_world(check: WorldCheck) -> None:
        check(MyWorld)

What a port must offer is one parameter: `now`, a clock that it takes every instant of its events from, and
measures `Wait.until` against. The checks hand over clocks of their own, and step them past what a flow
waits for between two effects: so no port needs a way to skip a wait, and no check sleeps for long. Real time
passes on these clocks while a wait or a time limit is measured; sleeping and limits may run on any clock.
A blocking check runs on a thread of its own, so that a port that hangs ends its check and not the run.

The checks that every asynchronous world passes: run them against a port of your own, in its event loop.

Rules of this file: as in `world_checks`; the checks need nothing of an event loop but `await`, so that they
run in any; only those of `TASK_CHECKS` cancel tasks, by anyio.

    async def test_my_world() -> None:
        await check_async_world(MyWorld)                 # MyWorld(now=...) makes one

or, a test for each check:

    @pytest.mark.parametrize("check", ASYNC_WORLD_CHECKS, ids=lambda check: check.__name__)
    def test_my_world(check: AsyncWorldCheck) -> None:
        asyncio.run(check(MyWorld))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol, TypeVar

import attrs

from codex_oauth.clock import Clock
from codex_oauth.testing.checking import check_error
from codex_oauth.testing.kit_limit import run_limited, run_limited_async
from codex_oauth.testing.performing import Awaited, MakeAsyncListeningWorld, MakeAsyncWorld, completed
from codex_oauth.testing.tolerance import Tolerance, tolerating
from codex_oauth.testing.world_answer_checks import ANSWER_CHECKS
from codex_oauth.testing.world_bug_checks import BUG_CHECKS
from codex_oauth.testing.world_cancel_checks import CANCEL_CHECKS, CANCEL_OVER_TLS
from codex_oauth.testing.world_delivery_checks import DELIVERY_CHECKS
from codex_oauth.testing.world_event_checks import EVENT_CHECKS
from codex_oauth.testing.world_failure_checks import CLOSING_CHECKS, FAILURE_CHECKS, OVER_TLS
from codex_oauth.testing.world_first_byte_checks import FIRST_BYTE_CHECKS, FIRST_BYTE_OVER_TLS
from codex_oauth.testing.world_leak_checks import LEAK_CHECKS, LEAK_OVER_TLS
from codex_oauth.testing.world_limit_checks import LIMIT_CHECKS, LIMIT_OVER_TLS
from codex_oauth.testing.world_listening_checks import ASYNC_LISTENING_CHECKS
from codex_oauth.testing.world_log_checks import LOG_CHECKS, LOG_OVER_TLS
from codex_oauth.testing.world_request_checks import REQUEST_CHECKS
from codex_oauth.testing.world_resend_checks import RESEND_CHECKS
from codex_oauth.testing.world_route_checks import ROUTE_CHECKS, ROUTE_OVER_TLS
from codex_oauth.testing.world_scenario_checks import SCENARIO_CHECKS
from codex_oauth.testing.world_task_checks import TASK_CHECKS
from codex_oauth.testing.world_time_checks import TIME_CHECKS
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.world import World
from codex_oauth_core.effects import Wait

__all__ = [
    "ASYNC_LISTENING_CHECKS",
    "ASYNC_TLS_CHECKS",
    "ASYNC_WORLD_CHECKS",
    "LISTENING_CHECKS",
    "TASK_CHECKS",
    "TLS_CHECKS",
    "WORLD_CHECKS",
    "AsyncListeningCheck",
    "AsyncWorldCheck",
    "ListeningCheck",
    "MakeAsyncListeningWorld",
    "MakeAsyncWorld",
    "MakeListeningWorld",
    "MakeWorld",
    "WorldCheck",
    "check_async_world",
    "check_world",
]


_M = TypeVar("_M")


class AsyncWorldCheck(Protocol):
    """One check of an asynchronous world. Its name says what must be true."""

    __name__: str

    async def __call__(self, make: MakeAsyncWorld, /) -> None:
        """Run the check. Raises AssertionError if a world from `make` fails it."""
        ...


class AsyncListeningCheck(Protocol):
    """One check of an asynchronous world that takes callbacks. Its name says what must be true."""

    __name__: str

    async def __call__(self, make: MakeAsyncListeningWorld, /) -> None:
        """Run the check. Raises AssertionError if a world from `make` fails it."""
        ...


ASYNC_WORLD_CHECKS: Final[tuple[AsyncWorldCheck, ...]] = (
    *TIME_CHECKS,
    *ANSWER_CHECKS,
    *FAILURE_CHECKS,
    *REQUEST_CHECKS,
    *DELIVERY_CHECKS,
    *BUG_CHECKS,
    *ROUTE_CHECKS,
    *RESEND_CHECKS,
    *FIRST_BYTE_CHECKS,
    *LIMIT_CHECKS,
    *CANCEL_CHECKS,
    *EVENT_CHECKS,
    *LOG_CHECKS,
    *CLOSING_CHECKS,
    *LEAK_CHECKS,
    *SCENARIO_CHECKS,
)
"""The checks, in the best order to build a new world."""

ASYNC_TLS_CHECKS: Final[tuple[AsyncWorldCheck, ...]] = (
    *(check for check in FAILURE_CHECKS if check in OVER_TLS),
    *FIRST_BYTE_OVER_TLS,
    *ROUTE_OVER_TLS,
    *LIMIT_OVER_TLS,
    *CANCEL_OVER_TLS,
    *LOG_OVER_TLS,
    *LEAK_OVER_TLS,
    *(check for check in SCENARIO_CHECKS if check.over_tls),
)
"""The checks that need TLS."""


async def check_async_world(
    make: MakeAsyncWorld,
    *,
    listening: MakeAsyncListeningWorld | None = None,
    tasks: bool = True,
    tls: bool = True,
    tolerate: Tolerance | None = None,
) -> None:
    """Run every check of `ASYNC_WORLD_CHECKS` with `make`. With `listening`, also run those of
    `ASYNC_LISTENING_CHECKS`. Set `tls` to false for a world without TLS in the test: this skips
    `ASYNC_TLS_CHECKS`. Set `tasks` to false for an event loop with tasks that anyio cannot cancel: this skips
    `TASK_CHECKS`. `tolerate`: the differences that the stack cannot avoid.

    Raises AssertionError at the first check that fails: its text names the check and says what is wrong. Its
    cause is the exception that the world raised, if there is one.
    """
    checks: tuple[AsyncWorldCheck, ...] = (*ASYNC_WORLD_CHECKS, *(TASK_CHECKS if tasks else ()))
    with tolerating(attrs.evolve(tolerate or Tolerance(), tls=tls)):
        for check in checks:
            if tls or check not in ASYNC_TLS_CHECKS:
                await _anamed(check, make)
        if listening is not None:
            for listening_check in ASYNC_LISTENING_CHECKS:
                await _anamed(listening_check, listening)


async def _anamed(check: Callable[[_M], Awaitable[None]], make: _M) -> None:
    try:
        await run_limited_async(lambda: check(make))
    except Exception as error:  # noqa: BLE001  # raised again, with the check's name
        raise check_error(check, error)  # noqa: B904  # it has its cause


# -- blocking worlds -----------------------------------------------------------------------------------


class MakeWorld(Protocol):
    """Makes a new world. Usually the class of the world."""

    def __call__(self, *, now: Clock) -> World:
        """Return a world that has not been entered, on the clock `now`."""
        ...


class MakeListeningWorld(Protocol):
    """Makes a new world that takes callbacks. Usually the class of the world."""

    def __call__(
        self, *, now: Clock, callbacks: Iterable[CallbackSource], on_wait: Callable[[Wait], None]
    ) -> World:
        """Return a world that has not been entered. The parameters mean the same as those of `SyncWorld`."""
        ...


class WorldCheck(Protocol):
    """One check of a world. Its name says what must be true."""

    __name__: str

    def __call__(self, make: MakeWorld, /) -> None:
        """Run the check. Raises AssertionError if a world from `make` fails it."""
        ...


class ListeningCheck(Protocol):
    """One check of a world that takes callbacks. Its name says what must be true."""

    __name__: str

    def __call__(self, make: MakeListeningWorld, /) -> None:
        """Run the check. Raises AssertionError if a world from `make` fails it."""
        ...


def _of_worlds(check: AsyncWorldCheck) -> WorldCheck:
    def blocking(make: MakeWorld, /) -> None:
        def awaited(*, now: Clock) -> Awaited:
            return Awaited(make(now=now))

        run_limited(lambda: completed(check(awaited)))

    blocking.__name__ = check.__name__
    return blocking


def _of_listening_worlds(check: AsyncListeningCheck) -> ListeningCheck:
    def blocking(make: MakeListeningWorld, /) -> None:
        def awaited(
            *, now: Clock, callbacks: Iterable[CallbackSource], on_wait: Callable[[Wait], None]
        ) -> Awaited:
            return Awaited(make(now=now, callbacks=callbacks, on_wait=on_wait))

        run_limited(lambda: completed(check(awaited)))

    blocking.__name__ = check.__name__
    return blocking


WORLD_CHECKS: Final = tuple(_of_worlds(check) for check in ASYNC_WORLD_CHECKS)
"""The checks, in the best order to build a new world."""

_OVER_TLS: Final = {check.__name__ for check in ASYNC_TLS_CHECKS}
TLS_CHECKS: Final = tuple(check for check in WORLD_CHECKS if check.__name__ in _OVER_TLS)
"""The checks that need TLS."""

LISTENING_CHECKS: Final = tuple(_of_listening_worlds(check) for check in ASYNC_LISTENING_CHECKS)
"""The checks of a world that takes callbacks."""


def check_world(
    make: MakeWorld,
    *,
    listening: MakeListeningWorld | None = None,
    tls: bool = True,
    tolerate: Tolerance | None = None,
) -> None:
    """Run every check of `WORLD_CHECKS` with `make`. With `listening`, also run those of `LISTENING_CHECKS`.
    Set `tls` to false for a world without TLS in the test: this skips `TLS_CHECKS`. `tolerate`: the
    differences that the stack cannot avoid.

    Raises AssertionError at the first check that fails: its text names the check and says what is wrong. Its
    cause is the exception that the world raised, if there is one.
    """
    with tolerating(attrs.evolve(tolerate or Tolerance(), tls=tls)):
        for check in WORLD_CHECKS:
            if tls or check not in TLS_CHECKS:
                _named(check, make)
        if listening is not None:
            for listening_check in LISTENING_CHECKS:
                _named(listening_check, listening)


def _named(check: Callable[[_M], None], make: _M) -> None:
    try:
        check(make)
    except Exception as error:  # noqa: BLE001  # raised again, with the check's name
        raise check_error(check, error)  # noqa: B904  # it has its cause
