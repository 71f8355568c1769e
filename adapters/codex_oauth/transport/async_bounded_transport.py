"""Carries requests over httpcore on asyncio and trio, with our TLS and proxies.

Rules of this file: it sets no time limit, its caller does, by cancelling; `aclose()` leaves no socket.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator
from typing import Final, cast

import anyio
import attrs
import httpcore
import httpx

from codex_oauth.transport.async_backend import AnyioNetwork
from codex_oauth.transport.async_dial import in_worker
from codex_oauth.transport.exchange import tls_for, to_httpcore, to_httpcore_proxy, usable_proxy
from codex_oauth.transport.progress import Progress, Stage
from codex_oauth.transport.proxies import Proxy

__all__ = ["AsyncBoundedTransport"]

KEPT_ALIVE: Final = 3.0
"""Seconds for which an idle connection is used again. Servers drop it after 5, and one that dies under a
request leaves open whether the server has seen it."""

_ASKS_THE_SYSTEM: Final = sys.platform in ("win32", "darwin")
"""Whether the search for a proxy may ask DNS, and so block."""


@attrs.frozen(eq=False)
class _Route:
    """A pool of connections that go the same way."""

    proxy: Proxy | None
    context: ssl.SSLContext | None
    pool: httpcore.AsyncConnectionPool


class AsyncBoundedTransport:
    """Carries requests, and uses connections again. Raises httpcore's exceptions as they are."""

    def __init__(self) -> None:
        self._network = AnyioNetwork()
        self._routes: list[_Route] = []

    async def carry(self, request: httpx.Request, progress: Progress) -> httpx.Response:
        """Send the request, and tell `progress` how far it came; the answer's body is still to be read."""
        progress.stage = Stage.CONNECTING
        proxy = await _proxy(request.url)
        progress.through(proxy.setting if proxy else None)
        pool = self._pool(proxy, tls_for(request.url, proxy))
        content = cast("httpx.AsyncByteStream", request.stream)
        answer = await pool.handle_async_request(to_httpcore(request, content))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    async def aclose(self) -> None:
        """Close every connection."""
        routes, self._routes = self._routes, []
        with anyio.CancelScope(shield=True):
            for route in routes:
                await route.pool.aclose()
            await self._network.aclose()

    def _pool(self, proxy: Proxy | None, context: ssl.SSLContext | None) -> httpcore.AsyncConnectionPool:
        for route in self._routes:
            if route.proxy == proxy and route.context is context:
                return route.pool
        pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            proxy=to_httpcore_proxy(proxy) if proxy else None,
            max_connections=None,
            max_keepalive_connections=20,
            keepalive_expiry=KEPT_ALIVE,
            network_backend=self._network,
        )
        self._routes.append(_Route(proxy, context, pool))
        return pool


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.aiter_stream()

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._answer.aclose()


async def _proxy(url: httpx.URL) -> Proxy | None:
    return await in_worker(lambda: usable_proxy(url)) if _ASKS_THE_SYSTEM else usable_proxy(url)
