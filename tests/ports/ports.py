"""Each port as a function: one effect in, one event out, in a world of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from codex_oauth.worlds.aiohttp_world import AiohttpWorld
from codex_oauth.worlds.urllib_world import UrllibWorld
from codex_oauth_core import Event, SendRequest, Wait
from tests.ports.reactors import ReactorWorld

__all__ = ["PORTS", "Perform"]

Perform = Callable[[SendRequest | Wait], Event]


def with_urllib(effect: SendRequest | Wait) -> Event:
    with UrllibWorld() as world:
        return world.perform(effect)


def with_aiohttp(effect: SendRequest | Wait) -> Event:
    async def perform() -> Event:
        async with AiohttpWorld() as world:
            event = await world.perform(effect)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return event

    return asyncio.run(perform())


def with_twisted(effect: SendRequest | Wait) -> Event:
    with ReactorWorld() as world:
        return world.perform(effect)


PORTS: dict[str, Perform] = {
    "urllib": with_urllib,
    "aiohttp": with_aiohttp,
    "twisted": with_twisted,
}
