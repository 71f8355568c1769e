"""A world without a third-party library: `SyncWorld` over `http.client` and `urllib`.

Rules of this file: nothing beyond the core and the standard library is imported, so a program that must
not have httpx can sign in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from codex_oauth.clock import Clock, now
from codex_oauth.transport.urllib_transport import UrllibTransport
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.sync_world import SyncWorld
from codex_oauth_core.effects import Wait

__all__ = ["UrllibWorld"]


class UrllibWorld(SyncWorld):
    """`SyncWorld` with `UrllibTransport`; the parameters are theirs."""

    def __init__(
        self,
        *,
        on_wait: Callable[[Wait], None] | None = None,
        on_tick: Callable[[Wait, float], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        transport = UrllibTransport(now=now)
        super().__init__(transport, on_wait=on_wait, on_tick=on_tick, callbacks=callbacks, now=now)
