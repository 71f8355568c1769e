"""The time limit of one request on asyncio and trio, by the clock that its world was given.

Rules of this file: an event loop sleeps by a clock of its own, which may stand still while the machine is
suspended: so it sleeps in slices, and asks. Once the request is out, the loop gets some turns at the end to
read what has arrived: a process may have been stopped, and its timers are over when it wakes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from codex_oauth.event_loops import outlive_the_loop
from codex_oauth.transport.deadline import NETWORK_SLICE, Deadline, TimeUp

__all__ = ["LATE_TURNS", "TURN", "within"]

T = TypeVar("T")

LATE_TURNS: Final = 10
TURN: Final = 0.02
"""Seconds that a late turn takes. In each the loop first looks at its sockets, however late it is."""


async def within(deadline: Deadline, call: Callable[[], Awaitable[T]]) -> T:
    """Return what `call` returns, or raise what it raises. Raises `TimeUp` if `deadline` comes first, and
    cancels the call.
    """
    returned: list[T] = []
    raised: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch, deadline, tasks.cancel_scope)
        try:
            returned.append(await call())
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001  # raised below: a task group would wrap it
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised
    if not returned:
        raise TimeUp
    return returned[0]


async def _watch(deadline: Deadline, scope: anyio.CancelScope) -> None:
    outlive_the_loop()  # else the end of `asyncio.run` would end the limit, and with it the request
    while (left := deadline.left()) > 0:  # noqa: ASYNC110  # time passes, and nobody says so
        await anyio.sleep(min(left, NETWORK_SLICE))
    if deadline.begun:
        for _ in range(LATE_TURNS):
            await anyio.sleep(TURN)
    scope.cancel()
