"""Checks of an asynchronous world: what becomes of its effects when the task that performs them is cancelled.

Rules of this file: tasks are cancelled by anyio, so these checks run on asyncio and on trio; on asyncio
they are cancelled by `Task.cancel()` as well, which comes once and goes through shields. (An anyio scope
cancels again and again: a world that swallows one cancellation is found by the other way alone.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.lowlevel

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import LoopbackServer, silent
from codex_oauth.testing.performing import CheckedClock, MakeAsyncWorld, post, wait
from codex_oauth.testing.prompt import Stopwatch, promptly
from codex_oauth.testing.world_cancel_checks import IN_A_HANDSHAKE, PLACES, asked_at, asks_elsewhere
from codex_oauth.testing.world_failure_checks import SOON, all_left
from codex_oauth.testing.world_time_checks import SlowAnswer
from codex_oauth_core.effect_unions import SignInEffect

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


# -- Task.cancel() of asyncio --------------------------------------------------------------------------


_AFTER: Final = 0.05
_LONG: Final = 3.0
"""Seconds of a wait that is to be cut."""


async def a_task_that_asyncio_cancels_leaves_an_effect_soon(make: MakeAsyncWorld) -> None:
    """A wait, and a request wherever it is; the cancellation comes out, and nothing stays open."""
    if not _on_asyncio():
        return

    async def waiting() -> float:
        return await _leaves(make, lambda clock: wait(clock, _LONG))

    with case("in a wait"):
        await promptly("a cancelled task", waiting)
    for place, opened in PLACES.items():
        if place == IN_A_HANDSHAKE:
            continue

        async def requesting(place: str = place, opened: Callable[[], Any] = opened) -> float:
            with opened() as url:
                return await _leaves(make, lambda _: asked_at(place, url, 3.5), place)

        with case(place):
            await promptly("a cancelled task", requesting)


async def _leaves(
    make: MakeAsyncWorld, effect: Callable[[CheckedClock], SignInEffect], place: str = ""
) -> float:
    clock = CheckedClock()

    async def perform() -> object:
        async with make(now=clock) as world:
            return await world.perform(effect(clock))

    task = asyncio.get_running_loop().create_task(perform())
    await asyncio.wait([task], timeout=_AFTER)
    watch = Stopwatch()
    task.cancel()
    await asyncio.wait([task], timeout=2 * SOON)
    watch.stop()
    if task.done() and not task.cancelled() and task.exception() is None:
        event: Any = task.result()
        if asks_elsewhere(place, event):
            return 0.0
        fail(f"a cancelled task goes on, with the event {type(event).__name__}")
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=SOON)
    elif not task.cancelled():
        fail(f"a cancelled task ends with {type(task.exception()).__name__}")
    return watch.took or 0.0


async def a_once_request_outlives_the_cancellation_of_asyncio(make: MakeAsyncWorld) -> None:
    """However often its task is cancelled it is answered; the cancellation is raised afterwards, not lost."""
    if not _on_asyncio():
        return
    for often in (1, 3):
        with case(
            "a task that is cancelled once" if often == 1 else f"a task that is cancelled {often} times"
        ):
            slow = SlowAnswer()
            events: list[Any] = []
            clock = CheckedClock()

            async def perform(url: str, events: list[Any] = events, clock: CheckedClock = clock) -> None:
                async with make(now=clock) as world:
                    events.append(await world.perform(post(url, once=True)))
                    await asyncio.sleep(0)
                    events.append(await world.perform(wait(clock, _LONG)))

            with LoopbackServer(slow) as server:
                task = asyncio.get_running_loop().create_task(perform(server.url))
                for _ in range(often):
                    await asyncio.sleep(_AFTER)
                    task.cancel()
                await asyncio.wait([task], timeout=2 * SOON)
                same(
                    slow.answered, 1, "the number of `once` requests that were answered when their task ended"
                )
                same(slow.cut, 0, "the number of `once` requests that were left before they were answered")
                same(len(server.received), 1, "the number of requests that came for one")
                if not task.done():
                    task.cancel()
                    await asyncio.wait([task], timeout=SOON)
                    fail("the cancellation was lost: the task goes on after its `once` request")
                same(
                    [type(event).__name__ for event in events[1:]], [], "the events after the `once` request"
                )
                true(task.cancelled(), "the cancellation must be raised after the `once` request")
                await all_left(server, make)


async def a_time_limit_of_the_caller_is_one(make: MakeAsyncWorld) -> None:
    """`asyncio.timeout` and `wait_for` cancel a task, and tell their own cancellation from others."""
    if not _on_asyncio():
        return
    limits: dict[str, Callable[[Awaitable[object]], Awaitable[object]]] = {
        "asyncio.timeout": _within_a_timeout,
        "asyncio.wait_for": lambda work: asyncio.wait_for(work, _AFTER),
    }
    for name, limited in limits.items():
        with case(name), LoopbackServer(silent) as server:
            clock = CheckedClock()
            async with make(now=clock) as world:
                for effect in (wait(clock, _LONG), post(server.url)):
                    try:
                        event = await limited(world.perform(effect))
                    except TimeoutError:
                        continue
                    fail(f"a time limit of the caller ended in the event {type(event).__name__}")


async def _within_a_timeout(work: Awaitable[object]) -> object:
    async with asyncio.timeout(_AFTER):
        return await work


async def a_cancel_is_no_cancellation_of_the_task(make: MakeAsyncWorld) -> None:
    """`world.cancel()` is an event: the task goes on, also when it cancels from within its own event loop."""
    for during in ("a wait", "a request"):
        clock = CheckedClock()
        with case(during), LoopbackServer(silent) as server:
            async with make(now=clock) as world:
                came: list[str] = []
                async with anyio.create_task_group() as group:
                    group.start_soon(_cancel_later, world.cancel)
                    effect = wait(clock, _LONG) if during == "a wait" else post(server.url)
                    try:
                        came.append(type(await world.perform(effect)).__name__)
                    except anyio.get_cancelled_exc_class():
                        came.append("a cancellation")
                same(came, ["Cancelled"], "what came of it")
                await anyio.lowlevel.checkpoint()
                for _ in range(2):
                    again = await world.perform(wait(clock, _LONG))
                    same(type(again).__name__, "Cancelled", "the event of what follows")
            await anyio.sleep(0.001)  # a cancellation that was left behind would come out here


async def _cancel_later(cancel: Callable[[], None]) -> None:
    await anyio.sleep(_AFTER)
    cancel()


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


TASK_CHECKS: Final = (
    a_cancelled_task_leaves_a_wait,
    a_cancelled_task_leaves_a_request_and_nothing_open,
    a_cancelled_task_never_cuts_a_once_request,
    other_tasks_go_on_meanwhile,
    a_task_that_asyncio_cancels_leaves_an_effect_soon,
    a_once_request_outlives_the_cancellation_of_asyncio,
    a_time_limit_of_the_caller_is_one,
    a_cancel_is_no_cancellation_of_the_task,
)
