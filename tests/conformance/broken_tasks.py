"""Asynchronous worlds that do not mind their tasks, each in one way: to test the checks with."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anyio
import attrs

from codex_oauth import AsyncHttpxWorld, HttpxWorld
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth_core import Cancelled, Cause, Event, Phase, RequestFailed, SendRequest, SignInEffect, Wait

__all__ = ["BROKEN_TASKS", "KEPT", "OF_ASYNCIO"]


class CallsItCancelled(AsyncHttpxWorld):
    """A cancelled task gets an event, and goes on."""

    async def perform(self, effect: SignInEffect) -> Event:
        try:
            return await super().perform(effect)
        except anyio.get_cancelled_exc_class():
            return Cancelled(self.now()[0])


class ShieldsEverything(AsyncHttpxWorld):
    async def perform(self, effect: SignInEffect) -> Event:
        event: Event | None = None
        with anyio.CancelScope(shield=True):
            event = await super().perform(effect)
        assert event is not None
        return event


class ShieldsNothing(AsyncHttpxWorld):
    async def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            effect = attrs.evolve(effect, once=False)
        return await super().perform(effect)


class Blocks(AsyncHttpxWorld):
    """Sends with a blocking client."""

    async def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait):
            return await super().perform(effect)
        with HttpxWorld(now=self.now) as world:
            event: Event = world.perform(effect)
        return event


class SleepsInTheLoop(AsyncHttpxWorld):
    async def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait):
            time.sleep(max(0.0, effect.until - self.now()[0]))  # noqa: ASYNC251  # the mistake itself
        return await super().perform(effect)


class SwallowsOneCancellation(AsyncHttpxWorld):
    """Tries again what was cancelled: a scope of anyio cancels that too, asyncio does not."""

    async def perform(self, effect: SignInEffect) -> Event:
        try:
            return await super().perform(effect)
        except asyncio.CancelledError:
            return await super().perform(effect)


class TurnsItIntoAFailure(AsyncHttpxWorld):
    """Takes a cancellation for a failure of the network."""

    async def perform(self, effect: SignInEffect) -> Event:
        try:
            return await super().perform(effect)
        except asyncio.CancelledError:
            return RequestFailed(self.now()[0], Phase.MAYBE_SENT, Cause.RESET)


class ShieldsAsAsyncioDoes(AsyncHttpxWorld):
    """Leaves a `once` request to itself: nobody waits for its answer."""

    async def perform(self, effect: SignInEffect) -> Event:
        if not isinstance(effect, SendRequest) or not effect.once:
            return await super().perform(effect)
        task = asyncio.get_running_loop().create_task(AsyncHttpxTransport(now=self.now)(effect))
        KEPT.append(task)
        return await asyncio.shield(task)


class LosesTheCancellation(AsyncHttpxWorld):
    """Waits for a `once` request however often it is cancelled, and then goes on as if it were not."""

    async def perform(self, effect: SignInEffect) -> Event:
        if not isinstance(effect, SendRequest) or not effect.once:
            return await super().perform(effect)
        task = asyncio.get_running_loop().create_task(AsyncHttpxTransport(now=self.now)(effect))
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        return task.result()


KEPT: list[Any] = []


class CancelsItsTask(AsyncHttpxWorld):
    """Its way to cancel an effect is to cancel the task, which raises."""

    _task: Any = None

    def cancel(self) -> None:
        if self._task is not None:
            loop = self._task.get_loop()
            loop.call_soon_threadsafe(self._task.cancel)

    async def perform(self, effect: SignInEffect) -> Event:
        self._task = asyncio.current_task()
        return await super().perform(effect)


class CancelsItsTaskAndSaysSo(CancelsItsTask):
    """The same, told as an event, for the effect that was under way."""

    async def perform(self, effect: SignInEffect) -> Event:
        try:
            return await super().perform(effect)
        except asyncio.CancelledError:
            return Cancelled(self.now()[0])


class CutsItsFirst(AsyncHttpxWorld):
    """Shields what it can see: it looks at the instant it is cancelled, and only then."""

    async def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and effect.once:
            with anyio.move_on_after(0.15, shield=True):
                return await AsyncHttpxTransport(now=self.now)(effect)
            return RequestFailed(self.now()[0], Phase.MAYBE_SENT, Cause.TIMEOUT)
        return await super().perform(effect)


LEAVES = "a_task_that_asyncio_cancels_leaves_an_effect_soon"
OUTLIVES = "a_once_request_outlives_the_cancellation_of_asyncio"
LIMIT = "a_time_limit_of_the_caller_is_one"
NO_CANCELLATION = "a_cancel_is_no_cancellation_of_the_task"
OF_ASYNCIO = frozenset({LEAVES, OUTLIVES, LIMIT, NO_CANCELLATION})
"""Checks that cancel as asyncio does, or worlds that do."""

BROKEN_TASKS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "calls it cancelled": (
        CallsItCancelled,
        ("a_cancelled_task_leaves_a_wait", "a_cancelled_task_leaves_a_request_and_nothing_open"),
    ),
    "shields everything": (
        ShieldsEverything,
        ("a_cancelled_task_leaves_a_wait", "a_cancelled_task_leaves_a_request_and_nothing_open"),
    ),
    "shields nothing": (ShieldsNothing, ("a_cancelled_task_never_cuts_a_once_request", OUTLIVES)),
    "cuts after a moment": (CutsItsFirst, ("a_cancelled_task_never_cuts_a_once_request",)),
    "swallows one cancellation": (SwallowsOneCancellation, (LEAVES, LIMIT)),
    "turns a cancellation into a failure": (TurnsItIntoAFailure, (LEAVES, LIMIT)),
    "shields as asyncio does": (ShieldsAsAsyncioDoes, (OUTLIVES,)),
    "loses a cancellation": (LosesTheCancellation, (OUTLIVES,)),
    "cancels its task": (CancelsItsTask, (NO_CANCELLATION,)),
    "cancels its task and says so": (CancelsItsTaskAndSaysSo, (NO_CANCELLATION,)),
    "blocks": (
        Blocks,
        ("a_cancelled_task_leaves_a_request_and_nothing_open", "other_tasks_go_on_meanwhile"),
    ),
    "sleeps in the loop": (
        SleepsInTheLoop,
        ("a_cancelled_task_leaves_a_wait", "other_tasks_go_on_meanwhile"),
    ),
}
"""What is wrong: the world, and the checks that are there to catch it."""
