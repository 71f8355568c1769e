"""The checks that every asynchronous world passes: run them against a port of your own, in its event loop.

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

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from codex_oauth.testing.checking import told
from codex_oauth.testing.performing import MakeAsyncListeningWorld, MakeAsyncWorld
from codex_oauth.testing.world_answer_checks import ANSWER_CHECKS
from codex_oauth.testing.world_closing_checks import CLOSING_CHECKS
from codex_oauth.testing.world_failure_checks import FAILURE_CHECKS, OVER_TLS
from codex_oauth.testing.world_first_byte_checks import FIRST_BYTE_CHECKS, FIRST_BYTE_OVER_TLS
from codex_oauth.testing.world_listening_checks import ASYNC_LISTENING_CHECKS
from codex_oauth.testing.world_log_checks import LOG_CHECKS
from codex_oauth.testing.world_scenario_checks import SCENARIO_CHECKS
from codex_oauth.testing.world_task_checks import TASK_CHECKS
from codex_oauth.testing.world_time_checks import TIME_CHECKS

__all__ = [
    "ASYNC_LISTENING_CHECKS",
    "ASYNC_TLS_CHECKS",
    "ASYNC_WORLD_CHECKS",
    "TASK_CHECKS",
    "AsyncListeningCheck",
    "AsyncWorldCheck",
    "MakeAsyncListeningWorld",
    "MakeAsyncWorld",
    "check_async_world",
]

_M = TypeVar("_M")


class AsyncWorldCheck(Protocol):
    """One check. Its name says what must hold."""

    __name__: str

    async def __call__(self, make: MakeAsyncWorld, /) -> None:
        """Raises AssertionError if it does not hold of worlds from `make`."""
        ...


class AsyncListeningCheck(Protocol):
    """One check of a world that takes callbacks. Its name says what must hold."""

    __name__: str

    async def __call__(self, make: MakeAsyncListeningWorld, /) -> None:
        """Raises AssertionError if it does not hold of worlds from `make`."""
        ...


ASYNC_WORLD_CHECKS: Final[tuple[AsyncWorldCheck, ...]] = (
    *TIME_CHECKS,
    *ANSWER_CHECKS,
    *FAILURE_CHECKS,
    *FIRST_BYTE_CHECKS,
    *LOG_CHECKS,
    *CLOSING_CHECKS,
    *SCENARIO_CHECKS,
)
"""In the order in which a new world is best built."""

ASYNC_TLS_CHECKS: Final[tuple[AsyncWorldCheck, ...]] = (
    *(check for check in FAILURE_CHECKS if check in OVER_TLS),
    *FIRST_BYTE_OVER_TLS,
    *(check for check in SCENARIO_CHECKS if check.over_tls),
)
"""Those that need TLS."""


async def check_async_world(
    make: MakeAsyncWorld,
    *,
    listening: MakeAsyncListeningWorld | None = None,
    tasks: bool = True,
    tls: bool = True,
) -> None:
    """Run every check of `ASYNC_WORLD_CHECKS` with `make`, but those of `ASYNC_TLS_CHECKS` if `tls` is false
    (for a world that has no TLS where it is tested); of `TASK_CHECKS` unless `tasks` is false (for an event
    loop whose tasks anyio cannot cancel); and of `ASYNC_LISTENING_CHECKS` with `listening` if given.

    Raises AssertionError at the first that fails: its text names the check and says what is wrong. What a
    world raised, it has as its cause.
    """
    checks: tuple[AsyncWorldCheck, ...] = (*ASYNC_WORLD_CHECKS, *(TASK_CHECKS if tasks else ()))
    for check in checks:
        if tls or check not in ASYNC_TLS_CHECKS:
            await _named(check, make)
    if listening is not None:
        for listening_check in ASYNC_LISTENING_CHECKS:
            await _named(listening_check, listening)


async def _named(check: Callable[[_M], Awaitable[None]], make: _M) -> None:
    try:
        await check(make)
    except Exception as error:
        raise told(check, error) from error
