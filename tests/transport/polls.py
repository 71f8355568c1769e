"""A world over the transport for polls, which closes what was kept when it is left."""

from __future__ import annotations

from typing import Any

from codex_oauth.clock import Clock, now
from codex_oauth.transport.aiohttp_poll_transport import AiohttpPollTransport
from codex_oauth.worlds.anyio_world import AnyioWorld

__all__ = ["PollWorld"]


class PollWorld(AnyioWorld):
    """`AnyioWorld` with `AiohttpPollTransport`, on asyncio."""

    def __init__(self, *, now: Clock = now, **options: Any) -> None:
        self._transport = AiohttpPollTransport(now=now)
        super().__init__(self._transport, now=now, **options)

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await super().__aexit__(*exc_info)
        finally:
            await self._transport.aclose()
