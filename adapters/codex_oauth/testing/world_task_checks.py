"""Checks of an asynchronous world: what becomes of its effects when the task that performs them is cancelled.

Rules of this file: tasks are cancelled by anyio, so these checks run on asyncio and on trio.
"""

from __future__ import annotations

import time
from typing import Final

import anyio

from codex_oauth.testing.checked_clock import CheckedClock
from codex_oauth.testing.checking import same, true
from codex_oauth.testing.loopback import LoopbackServer
from codex_oauth.testing.loopback_acts import silent
from codex_oauth.testing.performing import MakeAsyncWorld, post, wait
from codex_oauth.testing.world_closing_checks import all_left
from codex_oauth.testing.world_failure_checks import SOON
from codex_oauth.testing.world_time_checks import SlowAnswer

__all__ = ["TASK_CHECKS"]

_SHORTLY: Final = 0.1
"""Seconds after which a task is cancelled."""


async def a_cancelled_task_leaves_a_wait(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    begun = time.monotonic()
    with anyio.move_on_after(_SHORTLY) as scope:
        async with make(now=clock) as world:
            await world.perform(wait(clock, SOON + 1))
    true(scope.cancelled_caught, "a cancelled task must not be answered with an event: it leaves `perform`")
    true(time.monotonic() - begun < SOON, "a cancelled task must leave a wait at once")


async def a_cancelled_task_leaves_a_request_and_nothing_open(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    begun = time.monotonic()
    with LoopbackServer(silent) as server:
        with anyio.move_on_after(_SHORTLY) as scope:
            async with make(now=clock) as world:
                await world.perform(post(server.url, SOON + 1))
        true(
            scope.cancelled_caught, "a cancelled task must not be answered with an event: it leaves `perform`"
        )
        true(time.monotonic() - begun < SOON, "a cancelled task must leave a request at once")
        await all_left(server, make)


async def a_cancelled_task_never_cuts_a_once_request(make: MakeAsyncWorld) -> None:
    slow = SlowAnswer()
    with LoopbackServer(slow) as server:
        with anyio.move_on_after(_SHORTLY):
            async with make(now=CheckedClock()) as world:
                await world.perform(post(server.url, once=True))
        await all_left(server, make)
        same(len(server.received), 1, "the number of `once` requests that came")
    same(slow.cut, 0, "the number of `once` requests that were left before they were answered")


async def other_tasks_go_on_meanwhile(make: MakeAsyncWorld) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await anyio.sleep(0.01)
            ticks += 1

    clock = CheckedClock()
    ticked: list[tuple[str, int]] = []
    with LoopbackServer(SlowAnswer()) as server:
        async with anyio.create_task_group() as group, make(now=clock) as world:
            group.start_soon(tick)
            for effect in (wait(clock, 0.3), post(server.url), post(server.url, once=True)):
                ticks = 0
                await world.perform(effect)
                ticked.append((type(effect).__name__, ticks))
            group.cancel_scope.cancel()
    for name, count in ticked:
        true(count >= 2, f"the event loop stood still during a {name}")


TASK_CHECKS: Final = (
    a_cancelled_task_leaves_a_wait,
    a_cancelled_task_leaves_a_request_and_nothing_open,
    a_cancelled_task_never_cuts_a_once_request,
    other_tasks_go_on_meanwhile,
)
