"""Byte streams for httpcore that obey one deadline: a socket, and TLS over any stream.

Rules of this file: every operation blocks in slices of the deadline, whatever `timeout` the caller
names; TLS works on memory buffers, so that it nests (TLS to a proxy, and TLS through it).
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar

import httpcore

from codex_oauth.transport.deadline import Deadline, TimeUp

__all__ = ["SocketStream", "TlsStream"]

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
