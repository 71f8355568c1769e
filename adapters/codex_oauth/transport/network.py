"""httpcore's way to the network, under one deadline; and an `httpx` transport over it for one request.

Rules of this file: every operation blocks in slices of the deadline, whatever `timeout` the caller names
(httpx's own limits count each read anew); TLS works on memory buffers, so that it nests (TLS to a proxy,
and TLS through it). What it opened it closes, also when httpcore has lost sight of it. One pool for one
request, so no connection is ever reused; TLS and proxies are ours and take no options.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final, Self, TypeVar

import httpcore
import httpx

from codex_oauth.transport.deadline import Deadline, TimeUp
from codex_oauth.transport.dial import dial, resolve, run_in_worker
from codex_oauth.transport.httpx_messages import tls_for, to_httpcore, to_httpcore_proxy, usable_proxy
from codex_oauth.transport.progress import Progress, Stage

__all__ = ["BoundedBackend", "BoundedTransport", "SocketStream", "TlsStream"]


T = TypeVar("T")

_RECORDS: Final = 64 * 1024
"""Bytes of TLS records that are read at once."""


@contextlib.contextmanager
def _failing_as(kind: type[Exception]) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise kind(str(error)) from error


class SocketStream(httpcore.NetworkStream):
    """A connected socket."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Up to `max_bytes`, at least one unless the peer has ended. Raises `httpcore.ReadError`."""
        del timeout  # the deadline covers it
        with _failing_as(httpcore.ReadError):
            return self._deadline.block(self._sock, lambda: self._sock.recv(max_bytes), reads=True)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`. Raises `httpcore.WriteError`."""
        del timeout
        unsent = memoryview(buffer)
        with _failing_as(httpcore.WriteError):
            while unsent:
                send = functools.partial(self._sock.send, unsent)
                unsent = unsent[self._deadline.block(self._sock, send) :]

    def close(self) -> None:
        """Close the socket; twice does no harm."""
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """TLS over this stream. Raises as `TlsStream.over` does."""
        del timeout
        return TlsStream.over(self, ssl_context, server_hostname)

    def get_extra_info(self, info: str) -> Any:
        """The socket, under that name."""
        return self._sock if info == "socket" else None


class TlsStream(httpcore.NetworkStream):
    """TLS over another stream. An end without `close_notify` counts as an end: HTTP sees truncation."""

    def __init__(
        self, under: httpcore.NetworkStream, context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        self._under = under
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=server_hostname)

    @classmethod
    def over(
        cls, under: httpcore.NetworkStream, context: ssl.SSLContext, server_hostname: str | None
    ) -> TlsStream:
        """A stream whose handshake is done. Raises `httpcore.ConnectError` because of an `SSLError`, or
        what `under` raises; whoever opened `under` closes it.
        """
        stream = cls(under, context, server_hostname)
        with _failing_as(httpcore.ConnectError):
            stream._pump(stream._tls.do_handshake)
        return stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Up to `max_bytes`, at least one unless the peer has ended. Raises `httpcore.ReadError`."""
        del timeout
        try:
            with _failing_as(httpcore.ReadError):
                return self._pump(lambda: self._tls.read(max_bytes))
        except httpcore.ReadError as error:
            if isinstance(error.__cause__, ssl.SSLEOFError):
                return b""
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`. Raises `httpcore.WriteError`."""
        del timeout
        unsent = memoryview(buffer)
        with _failing_as(httpcore.WriteError):
            while unsent:
                unsent = unsent[self._pump(functools.partial(self._tls.write, unsent[:_RECORDS])) :]

    def close(self) -> None:
        """Close what is under it."""
        self._under.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """TLS once more: to a server behind a proxy that itself is spoken to over TLS."""
        del timeout
        return TlsStream.over(self, ssl_context, server_hostname)

    def get_extra_info(self, info: str) -> Any:
        """The TLS session as `ssl_object` (httpcore asks it for ALPN), else what is under it knows."""
        return self._tls if info == "ssl_object" else self._under.get_extra_info(info)

    def _pump(self, step: Callable[[], T]) -> T:
        """Repeat a step of TLS, carrying bytes to and fro, until it is done."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                with contextlib.suppress(httpcore.WriteError, TimeUp):
                    self._flush()  # the alert that tells the peer why
                raise
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._to_send.pending:
            self._under.write(self._to_send.read())

    def _fill(self) -> None:
        if data := self._under.read(_RECORDS):
            self._received.write(data)
        else:
            self._received.write_eof()


# -- for httpcore --------------------------------------------------------------------------------------


class BoundedBackend(httpcore.NetworkBackend):
    """Opens connections for one request. A context manager: leaving it closes every socket."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._opened = contextlib.ExitStack()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A stream to `host`. Raises `httpcore.ConnectError` because of an OSError or UnicodeError."""
        del timeout, local_address, socket_options  # the deadline covers the first; nobody sets the others
        try:
            addresses = resolve(host, port, self._deadline)
            sock = self._opened.enter_context(dial(addresses, self._deadline))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        return SocketStream(sock, self._deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._opened.close()


# -- for httpx -----------------------------------------------------------------------------------------


class BoundedTransport(httpx.BaseTransport):
    """Carries one request within `deadline`, and tells `progress` how far it came.

    Raises httpcore's exceptions as they are, and what `Deadline.slice` raises.
    """

    def __init__(self, deadline: Deadline, progress: Progress) -> None:
        self._deadline = deadline
        self._progress = progress
        self._closing = contextlib.ExitStack()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; the answer's body is still to be read."""
        self._progress.stage = Stage.CONNECTING
        answer = self._pool(request.url).handle_request(to_httpcore(request, request.read()))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._closing.close()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy = run_in_worker(lambda: usable_proxy(url), self._deadline)
        self._progress.through(proxy.setting if proxy else None)
        pool = httpcore.ConnectionPool(
            ssl_context=tls_for(url, proxy),
            proxy=to_httpcore_proxy(proxy) if proxy else None,
            network_backend=self._closing.enter_context(BoundedBackend(self._deadline)),
        )
        return self._closing.enter_context(pool)


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
