"""httpcore's way to the network on asyncio and trio; and an `httpx` transport over it for one request.

Rules of this file: no time limit is set here: the caller does, by cancelling. What it opened it closes,
also when httpcore has lost sight of it, as it does where a handshake is cancelled. The system's resolver
runs on a daemon thread, which a cancellation abandons; a silent address delays the next by a quarter of a
second, a refused one not at all (Happy Eyeballs, RFC 8305 §5).
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar, cast

import anyio
import attrs
import httpcore
import httpx

from codex_oauth.event_loops import on_this_loop
from codex_oauth.transport.dial import Address, begun, is_literal, lookup
from codex_oauth.transport.httpx_messages import Proxy, tls_for, to_httpcore, to_httpcore_proxy, usable_proxy
from codex_oauth.transport.progress import Progress, Stage
from codex_oauth.transport.protocol import KEPT_ALIVE

__all__ = ["AnyioNetwork", "AsyncBoundedTransport", "adial", "aresolve", "arun_in_worker"]


ASYNC_STAGGER: Final = 0.25
"""Seconds after which the next address is tried beside the others."""

T = TypeVar("T")

Connect = Callable[[Address], Awaitable[httpcore.AsyncNetworkStream]]


async def aresolve(host: str, port: int) -> tuple[Address, ...]:
    """The addresses of `host`, in the system's order of preference (RFC 6724).

    Raises OSError (`socket.gaierror`) or UnicodeError if there are none.
    """
    if is_literal(host):
        return lookup(host, port)
    return await arun_in_worker(lambda: lookup(host, port))


async def arun_in_worker(call: Callable[[], T]) -> T:
    """What `call` returns or raises, unless a cancellation comes first: then its thread is abandoned.

    Raises OSError, too, if no thread can be started.
    """
    soon, done = on_this_loop(), anyio.Event()
    future = begun(call)
    future.add_done_callback(lambda _: soon(done.set))
    await done.wait()
    return future.result()


async def adial(addresses: Iterable[Address], connect: Connect) -> httpcore.AsyncNetworkStream:
    """The first connection that `connect` makes. Raises what the last failure was, or OSError for none."""
    race = _Race(connect)
    try:
        async with anyio.create_task_group() as tasks:
            for address in addresses:
                settled = anyio.Event()
                tasks.start_soon(race.run, address, settled, tasks.cancel_scope)
                with anyio.move_on_after(ASYNC_STAGGER):
                    await settled.wait()
    except BaseException:
        await race.drop()
        raise
    if race.winner is None:
        raise race.failure
    return race.winner


class _Race:
    """Attempts to connect, side by side."""

    def __init__(self, connect: Connect) -> None:
        self.winner: httpcore.AsyncNetworkStream | None = None
        self.failure: Exception = OSError("no address to connect to")
        self._connect = connect

    async def run(self, address: Address, settled: anyio.Event, others: anyio.CancelScope) -> None:
        """One attempt. The first to succeed ends the others."""
        try:
            stream = await self._connect(address)
        except (OSError, httpcore.ConnectError) as error:
            self.failure = error
            settled.set()
            return
        if self.winner is None:
            self.winner = stream
            others.cancel()
            return
        await _close(stream)

    async def drop(self) -> None:
        """Close what was won, for nobody wants it any more."""
        if self.winner is not None:
            await _close(self.winner)


async def _close(stream: httpcore.AsyncNetworkStream) -> None:
    with anyio.CancelScope(shield=True):
        await stream.aclose()


# -- for httpcore --------------------------------------------------------------------------------------


_NO_DELAY: Final = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)


class AnyioNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections. `aclose()` closes those that are still open."""

    def __init__(self) -> None:
        self._backend: Any = httpcore.AnyIOBackend()  # untyped where anyio is not installed
        self._open: set[_Stream] = set()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface, here and below
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A stream to `host`. Raises `httpcore.ConnectError` because of an OSError or UnicodeError."""
        del timeout, local_address, socket_options  # the whole request has a limit; nobody sets the others
        try:
            stream = _Stream(await adial(await aresolve(host, port), self._connect), self._open)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        self._open.add(stream)
        return stream

    async def aclose(self) -> None:
        """Close every connection."""
        for stream in tuple(self._open):
            await stream.aclose()

    async def _connect(self, address: Address) -> httpcore.AsyncNetworkStream:
        host, port = address.sockaddr[:2]
        stream: httpcore.AsyncNetworkStream = await self._backend.connect_tcp(
            host, port, socket_options=_NO_DELAY
        )
        return stream


class _Stream(httpcore.AsyncNetworkStream):
    """A connection, or TLS over it, which `opened` holds as long as it is open."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, opened: set[_Stream]) -> None:
        self._stream = stream
        self._opened = opened

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # as above
        """See httpcore."""
        return await self._stream.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # as above
        """See httpcore."""
        await self._stream.write(buffer)

    async def aclose(self) -> None:
        """Close it, whatever is cancelled; twice does no harm."""
        self._opened.discard(self)
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # as above
    ) -> httpcore.AsyncNetworkStream:
        """TLS over it. Where that fails or is cancelled, it is closed."""
        try:
            secured = _Stream(await self._stream.start_tls(ssl_context, server_hostname), self._opened)
        except BaseException:
            await self.aclose()
            raise
        self._opened.discard(self)
        self._opened.add(secured)
        return secured

    def get_extra_info(self, info: str) -> Any:
        """See httpcore."""
        return self._stream.get_extra_info(info)


# -- for httpx -----------------------------------------------------------------------------------------


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
    return await arun_in_worker(lambda: usable_proxy(url)) if _ASKS_THE_SYSTEM else usable_proxy(url)
