"""What a loopback server does with a request: answers of every kind, good and bad.

Rules of this file: an act sends its bytes as they are, so that answers may break every rule of HTTP.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from codex_oauth.testing.loopback import PATIENCE, Act, Received, reset, until_left

__all__ = ["OK", "answer", "chunked", "closing", "in_turn", "resetting", "silent", "trickling"]


def answer(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer, with its length."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(body: bytes, *, end: bool = True) -> bytes:
    """A whole answer in chunks (RFC 9112 §7.1); without its last chunk, if `end` is false."""
    pieces = [body[at : at + 4096] for at in range(0, len(body), 4096)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + (b"0\r\n\r\n" if end else b"")


OK: Final = answer(200, b"ok")


def in_turn(*answers: bytes) -> Act:
    """One answer after the other, and then the last one for ever."""
    left = list(answers)

    def act(sock: socket.socket, request: Received) -> None:
        sock.sendall(left.pop(0) if len(left) > 1 else left[0])

    return act


def closing(sent: bytes) -> Act:
    """Send this, and then nothing more: the connection ends."""

    def act(sock: socket.socket, request: Received) -> None:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        until_left(sock)

    return act


def trickling(head: bytes, drips: Iterable[bytes]) -> Act:
    """Send `head`, and then a drip 20 times a second, until all are out or patience ends."""
    drips = tuple(drips)[: int(PATIENCE / 0.05)]

    def act(sock: socket.socket, request: Received) -> None:
        for piece in (head, *drips):
            sock.sendall(piece)
            time.sleep(0.05)

    return act


def silent(sock: socket.socket, request: Received) -> None:
    """Read everything, answer nothing."""
    until_left(sock)
    sock.shutdown(socket.SHUT_RDWR)


def resetting(sock: socket.socket, request: Received) -> None:
    """Reset the connection."""
    reset(sock)
