"""Asynchronous worlds that do not mind their tasks, each in one way: to test the checks with."""

from __future__ import annotations

import time
from typing import Any

import anyio
import attrs

from codex_oauth import AsyncHttpxWorld, HttpxWorld
from codex_oauth_core import Cancelled, Event, SendRequest, SignInEffect, Wait

__all__ = ["BROKEN_TASKS"]


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


BROKEN_TASKS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "calls it cancelled": (
        CallsItCancelled,
        ("a_cancelled_task_leaves_a_wait", "a_cancelled_task_leaves_a_request_and_nothing_open"),
    ),
    "shields everything": (
        ShieldsEverything,
        ("a_cancelled_task_leaves_a_wait", "a_cancelled_task_leaves_a_request_and_nothing_open"),
    ),
    "shields nothing": (ShieldsNothing, ("a_cancelled_task_never_cuts_a_once_request",)),
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
