"""Every world that sends requests, as a function: one effect in, one event out, by a clock of the caller's.

Rules of this file: a world is entered, does one thing, and is left, with no task behind it; its library is imported when it is
used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import Any

from codex_oauth.clock import Clock
from codex_oauth_core import Event, SendRequest

__all__ = ["WORLDS", "Perform", "each_at_debug"]

Perform = Callable[[SendRequest, Clock], Event]


def _blocking(module: str, name: str) -> Perform:
    def perform(effect: SendRequest, clock: Clock) -> Event:
        with getattr(import_module(module), name)(now=clock) as world:
            event: Event = world.perform(effect)
        return event

    return perform


def _awaiting(module: str, name: str, backend: str) -> Perform:
    def perform(effect: SendRequest, clock: Clock) -> Event:
        import anyio

        from tests.asynchronous.running import nothing_left

        async def once() -> Event:
            async with nothing_left(), getattr(import_module(module), name)(now=clock) as world:
                event: Event = await world.perform(effect)
            return event

        return anyio.run(once, backend=backend)

    return perform


def each_at_debug(work: Callable[[], Any]) -> Any:
    """Run it in asyncio's debug mode, with a record of every step however fast."""

    async def debugged() -> Any:
        asyncio.get_running_loop().slow_callback_duration = 0.0
        return await work()

    return asyncio.run(debugged(), debug=True)


WORLDS: dict[str, Perform] = {
    "httpx": _blocking("codex_oauth.worlds.httpx_world", "HttpxWorld"),
    "httpx, asyncio": _awaiting("codex_oauth.worlds.async_httpx_world", "AsyncHttpxWorld", "asyncio"),
    "httpx, trio": _awaiting("codex_oauth.worlds.async_httpx_world", "AsyncHttpxWorld", "trio"),
    "urllib": _blocking("codex_oauth.worlds.urllib_world", "UrllibWorld"),
    "aiohttp": _awaiting("codex_oauth.worlds.aiohttp_world", "AiohttpWorld", "asyncio"),
    "aiohttp, polls": _awaiting("tests.transport.polls", "PollWorld", "asyncio"),
    "twisted": _blocking("tests.ports.reactors", "ReactorWorld"),
}
