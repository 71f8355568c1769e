"""The world of an asyncio program that uses aiohttp: `AnyioWorld` over `AiohttpTransport`.

Rules of this file: as in `anyio_world`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from codex_oauth.clock import Clock, now
from codex_oauth.transport.aiohttp_transport import AiohttpTransport
from codex_oauth.worlds.anyio_world import AnyioWorld
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core.effects import Wait

__all__ = ["AiohttpTransport", "AiohttpWorld"]


class AiohttpWorld(AnyioWorld):
    """`AnyioWorld` with `AiohttpTransport`, on asyncio; the parameters are theirs."""

    def __init__(
        self,
        *,
        on_wait: Callable[[Wait], Awaitable[None] | None] | None = None,
        on_tick: Callable[[Wait, float], Awaitable[None] | None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        transport = AiohttpTransport(now=now)
        super().__init__(transport, on_wait=on_wait, on_tick=on_tick, callbacks=callbacks, now=now)
