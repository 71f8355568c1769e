"""A connected socket under one deadline, plain or TLS, as `http.client` wants one; standard library alone.

Rules of this file: every step blocks in slices of the deadline; what is received has a limit, whatever the
peer says about lengths; one buffer serves all answers on a connection, so nothing read ahead is lost.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from codex_oauth.transport.deadline import Deadline
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = ["MOST", "BoundedSocket", "ReceivedTooMuch"]

MOST: Final = 8 * MAX_BODY
"""Bytes that are received at most. The largest body that is read fits, also in chunks of one byte."""


class ReceivedTooMuch(Exception):  # not an error: the limit did its work
    """The peer sends more than any answer may have."""


class BoundedSocket:
    """Takes over `sock`, which is connected. Closing it closes the connection."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._reader = _Reader(_Received(self._receive))

    def sendall(self, data: bytes) -> None:
        """Send all of `data`. Raises OSError, and what `Deadline.slice` raises."""
        unsent = memoryview(data)
        while unsent:
            part = unsent
            unsent = unsent[self._deadline.block(self._sock, lambda: self._sock.send(part)) :]  # noqa: B023  # called at once

    def makefile(self, mode: str) -> io.BufferedReader:
        """What is received, to be read: the same reader each time."""
        del mode
        return self._reader

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on over TLS with `host`. Raises OSError (`ssl.SSLError`), and what `Deadline.slice` raises."""
        self._sock = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        tls = self._sock
        self._deadline.block(tls, tls.do_handshake)
        self._reader = _Reader(_Received(self._receive))

    def close(self) -> None:
        """Close the connection; twice does no harm."""
        self._sock.close()

    def _receive(self, buffer: memoryview) -> int:
        return self._deadline.block(self._sock, lambda: self._sock.recv_into(buffer), reads=True)


class _Received(io.RawIOBase):
    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._receive = receive
        self._left = MOST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self._receive(memoryview(buffer))
        self._left -= size
        if self._left < 0:
            raise ReceivedTooMuch
        return size


class _Reader(io.BufferedReader):
    def close(self) -> None:
        """Nothing: an interim answer that is over would take the bytes of the next one with it."""
