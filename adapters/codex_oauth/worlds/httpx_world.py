"""The usual world: blocking, over httpx."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import httpx

from codex_oauth.clock import Clock, now
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.sync_world import SyncWorld
from codex_oauth_core.effects import Wait

__all__ = ["HttpxWorld"]


class HttpxWorld(SyncWorld):
    """`SyncWorld` with `HttpxTransport`. It takes the parameters of both."""

    def __init__(
        self,
        *,
        client: httpx.Client | None = None,
        on_wait: Callable[[Wait], None] | None = None,
        on_tick: Callable[[Wait, float], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        transport = HttpxTransport(client, now=now)
        super().__init__(transport, on_wait=on_wait, on_tick=on_tick, callbacks=callbacks, now=now)
