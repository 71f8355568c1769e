"""The transport for many polls: over aiohttp, on connections that are used again.

Rules of this file: as in `aiohttp_transport`, which sends what must be sent once. A connection is not used
again after it was idle for nearly as long as servers keep one, time in suspend included; one that dies
under a poll is told as it is, and nothing is repeated here. `make bench ROWS=P14` says what a poll costs:
what is the same for every poll is made once a second.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import attrs
from yarl import URL

from codex_oauth.clock import Clock, now
from codex_oauth.transport.aiohttp_transport import (
    AiohttpConnector,
    AiohttpProgress,
    AiohttpTransport,
    close_session,
    in_thread,
    new_session,
    proxy_headers,
    proxy_url,
    received,
    request_failed_of,
    url_as_it_is,
)
from codex_oauth.transport.progress import Stage
from codex_oauth.transport.protocol import KEPT_ALIVE, AsyncSendOutcome
from codex_oauth.transport.proxies import http_proxy_for
from codex_oauth.transport.tls import tls_context
from codex_oauth.transport.unlogged import unlogged
from codex_oauth.transport.writable import check_writable
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.events import ResponseReceived

__all__ = ["AiohttpPollTransport"]


ROUTE_LIFE: Final = 1.0
"""Seconds after which the settings of proxies and certificates are looked at again."""

MOST_ROUTES: Final = 64

_ASKS_THE_SYSTEM: Final = sys.platform in ("win32", "darwin")
"""Whether the search for a proxy may ask DNS, and so block."""

_PROGRESS: ContextVar[AiohttpProgress] = ContextVar("codex_oauth_aiohttp_progress")


class AiohttpPollTransport:
    """Sends requests of thousands of sign-ins, on asyncio: polls, and all else that may be repeated, on
    connections that are kept; a `once` request, and one with `write_by`, on one of its own. Knows plain HTTP
    proxies, no SOCKS. Proxies and certificates that are set meanwhile count within a second.

    Close it by `aclose()`, or the end of an `async with` block, when nothing is in flight any more. One event
    loop uses it at a time: in another one, or in a forked process, it begins with new connections.
    """

    def __init__(self, *, now: Clock = now) -> None:
        self._now = now
        self._send_once = AiohttpTransport(now=now)
        self._routes: dict[str, _Route] = {}
        self._kept: _Kept | None = None

    async def __call__(self, effect: SendRequest) -> AsyncSendOutcome:
        """Send, within `effect.timeout` seconds. Raises ValueError for what cannot be written as HTTP."""
        if effect.once or effect.write_by is not None:
            return await self._send_once(effect)
        check_writable(effect.request)
        sent_at, _ = self._now()
        progress = AiohttpProgress(_always)
        before = _PROGRESS.set(progress)
        try:
            with unlogged():
                async with asyncio.timeout(effect.timeout):
                    status, headers, body = await self._poll(effect.request, sent_at, progress)
            return ResponseReceived(sent_at, *self._now(), status, headers, body)
        except BaseException as error:  # noqa: BLE001  # what is no failure is raised again
            return request_failed_of(error, progress, self._now()[0])
        finally:
            _PROGRESS.reset(before)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that were kept. A later request opens new ones."""
        kept, self._kept = self._kept, None
        self._routes.clear()
        if kept is not None and kept.is_ours():
            await close_session(kept.session)

    async def _poll(
        self, request: Request, at: float, progress: AiohttpProgress
    ) -> tuple[int, dict[str, str], bytes]:
        route = self._routes.get(request.url)
        if route is None or not 0 <= at - route.made_at < ROUTE_LIFE:
            route = await self._found(request.url, at)
        if route.proxy is not None:
            progress.stage, progress.proxy_setting = Stage.PROXY, route.proxy_setting
        kept = await self._connections(at)
        kept.busy += 1
        try:
            response = await kept.session.request(
                request.method,
                route.url,
                headers=(*request.plain_headers(), *route.headers),
                data=request.body.reveal(),
                allow_redirects=False,
                proxy=route.proxy,
                proxy_headers=route.proxy_headers,
                ssl=route.ssl,
            )
            try:
                return await received(response, progress)
            finally:
                response.close()  # of a connection, if the answer was not read to its end
        finally:
            kept.busy -= 1
            kept.used_at = self._now()[0]
            if kept is not self._kept and not kept.busy:
                await close_session(kept.session)

    async def _connections(self, at: float) -> _Kept:
        """The session whose connections are young enough at the instant `at`."""
        kept = self._kept
        if kept is not None and at - kept.used_at <= KEPT_ALIVE and kept.is_ours():
            return kept
        self._kept = _Kept(at)
        if kept is not None and kept.is_ours() and not kept.busy:
            await close_session(kept.session)
        return self._kept

    async def _found(self, url: str, at: float) -> _Route:
        """How to get there, by the settings of now. Raises UnusableSettingError."""
        parts = urlsplit(url)
        proxy = await in_thread(lambda: http_proxy_for(parts)) if _ASKS_THE_SYSTEM else http_proxy_for(parts)
        route = _Route(
            at,
            url_as_it_is(url),
            tls_context() if parts.scheme == "https" else True,
            tuple(proxy_headers(proxy, url, "http")),
            proxy_url(proxy),
            dict(proxy_headers(proxy, url, "https")) or None,
            proxy.setting if proxy is not None else None,
        )
        if len(self._routes) >= MOST_ROUTES:
            self._routes.clear()
        self._routes[url] = route
        return route


def _always() -> None:
    """A poll may go out at any time."""


@attrs.frozen(eq=False)
class _Route:
    """How to get to a URL, as it was found at the instant `made_at`. `headers` go with each request."""

    made_at: float
    url: URL
    ssl: SSLContext | bool
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    proxy: URL | None
    proxy_headers: dict[str, str] | None = attrs.field(repr=False)
    proxy_setting: str | None


class _Kept:
    """A session with its connections, of one event loop and process; made and last used at the instant `at`.
    `busy`: how many requests are under way.
    """

    __slots__ = ("_loop", "_process", "busy", "session", "used_at")

    def __init__(self, at: float) -> None:
        self.session = new_session(_KeepingConnector())
        self._loop, self._process = asyncio.get_running_loop(), os.getpid()
        self.used_at = at
        self.busy = 0

    def is_ours(self) -> bool:
        """Whether this process and event loop opened it: another one's is not even closed here."""
        return self._loop is asyncio.get_running_loop() and self._process == os.getpid()


class _KeepingConnector(AiohttpConnector):
    """Keeps any number of connections for the next request, and sees when a request begins to go out."""

    def __init__(self) -> None:
        super().__init__(keepalive_timeout=KEPT_ALIVE, limit=0)

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109  # aiohttp's names
        """A connection for a request: it goes out on it at once."""
        progress = _PROGRESS.get()
        if progress.stage >= Stage.SENT:  # aiohttp repeats what it takes for harmless: GET, PUT, DELETE
            raise aiohttp.ClientConnectionError("a request is sent once")
        connection = await super().connect(req, traces, timeout)
        progress.stage = Stage.SENT
        return connection
