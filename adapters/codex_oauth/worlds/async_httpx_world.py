"""The usual world of an asynchronous program: on asyncio or trio, over httpx."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import httpx

from codex_oauth.clock import Clock, now
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth.worlds.anyio_world import AnyioWorld
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core.effects import Wait

__all__ = ["AsyncHttpxWorld"]


class AsyncHttpxWorld(AnyioWorld):
    """`AnyioWorld` with `AsyncHttpxTransport`. It takes the parameters of both."""

    def __init__(
        self,
        client: httpx.AsyncClient | None = None,
        *,
        on_wait: Callable[[Wait], Awaitable[None] | None] | None = None,
        on_tick: Callable[[Wait, float], Awaitable[None] | None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        self._transport = AsyncHttpxTransport(client, now=now)
        super().__init__(self._transport, on_wait=on_wait, on_tick=on_tick, callbacks=callbacks, now=now)

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await super().__aexit__(*exc_info)
        finally:
            await self._transport.aclose()
