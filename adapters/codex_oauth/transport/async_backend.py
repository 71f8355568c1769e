"""httpcore's way to the network on asyncio and trio.

Rules of this file: what it opened it closes, also when httpcore has lost sight of it, as it does where a
handshake is cancelled; httpcore's own time limits count each step anew, so they are not used.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from typing import Any, Final

import anyio
import httpcore

from codex_oauth.transport.async_dial import dial, resolve
from codex_oauth.transport.resolve import Address

__all__ = ["AnyioNetwork"]

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
            stream = _Stream(await dial(await resolve(host, port), self._connect), self._open)
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
