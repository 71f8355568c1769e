"""A small HTTP server for checks of a world: on loopback, scripted, and attentive to how its client behaves.

Rules of this file: the standard library alone; nothing waits for longer than `PATIENCE`, so that a world
without limits fails its check and does not hang it; at the end every socket is closed and every thread
over.

What a loopback server does with a request: answers of every kind, good and bad.

Rules of this file: an act sends its bytes as they are, so that answers may break every rule of HTTP.

A process that stands still while its peer does not: within one process, for checks of a world.

Rules of this file: all threads stop, because one that holds the interpreter sleeps in C; where that is not
to be had (Windows, a Python without a global lock) nothing stops, and a check finds nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, Self

import attrs

__all__ = [
    "NO_REQUEST",
    "OK_ANSWER",
    "PATIENCE",
    "Act",
    "LoopbackRequest",
    "LoopbackServer",
    "answer",
    "chunked",
    "closing",
    "has_left",
    "in_turn",
    "reset",
    "resetting",
    "sent_at_a_standstill",
    "silent",
    "trickling",
    "until_left",
]


PATIENCE: Final = 4.0
"""Seconds after which the server gives up on a client."""

_HEAD_END: Final = b"\r\n\r\n"
_LINGER_ZERO: Final = struct.pack("HH", 1, 0) if os.name == "nt" else struct.pack("ii", 1, 0)


@attrs.frozen
class LoopbackRequest:
    """A request as it came. `connection` counts from 1."""

    connection: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    def header(self, name: str) -> tuple[str, ...]:
        """Every value of a header, by its name in any case."""
        return tuple(value for key, value in self.headers if key.lower() == name.lower())


NO_REQUEST: Final = LoopbackRequest(0, "", "", (), b"")
"""What a connection brings of which nothing was read."""

Act = Callable[[socket.socket, LoopbackRequest], None]
"""Answers one request. The connection stays open for the next one, unless the act shuts it down."""


class LoopbackServer:
    """Listens on `host` while its `with` block lasts. `received` is what came in.

    `raw`: the act gets each connection as it comes, with `NO_REQUEST`, and nothing is read before; little
    fits in its buffers, so that a client that uploads has to wait.
    """

    def __init__(
        self,
        act: Act,
        tls: ssl.SSLContext | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        raw: bool = False,
    ) -> None:
        self._act = act
        self._tls = tls
        self._host = host
        self._raw = raw
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        if raw:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port: int = self._listener.getsockname()[1]
        self.received: list[LoopbackRequest] = []
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended = False
        self._threads = [threading.Thread(target=self._accept, name="loopback server", daemon=True)]

    @property
    def url(self) -> str:
        """Where it is, without a trailing slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections the clients have not closed yet."""
        with self._lock:
            return len(self._open)

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._ended:
                sock.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True)
            self._threads.append(thread)
            with self._lock:
                self._open.add(sock)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # the client left: often the point of a check
            with contextlib.suppress(OSError, ValueError), self._secured(sock) as line:
                if self._raw:
                    self._act(line, NO_REQUEST)
                while not self._raw:
                    request = _read(line, number)
                    self.received.append(request)
                    self._act(line, request)
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _secured(self, sock: socket.socket) -> contextlib.AbstractContextManager[socket.socket]:
        return self._tls.wrap_socket(sock, server_side=True) if self._tls else contextlib.nullcontext(sock)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended = True
        with contextlib.suppress(OSError), socket.socket(self._listener.family) as waker:
            waker.connect((self._host, self.port))
        self._threads[0].join()
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()


def _read(sock: socket.socket, number: int) -> LoopbackRequest:
    """One request. OSError if the client leaves before it is whole, ValueError if it is no HTTP."""
    data = b""
    while _HEAD_END not in data:
        data += _more(sock)
    head, _, body = data.partition(_HEAD_END)
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:]))
    found = LoopbackRequest(number, method, target, headers, b"")
    length = int(next(iter(found.header("Content-Length")), "0"))
    while len(body) < length:
        body += _more(sock)
    return attrs.evolve(found, body=body)


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


def until_left(sock: socket.socket) -> None:
    """Wait until the client goes away, or patience ends."""
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


def has_left(sock: socket.socket, seconds: float) -> bool:
    """Whether the client goes away within so many seconds, which pass if it does not."""
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        return not sock.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(before)


def reset(sock: socket.socket) -> None:
    """End the connection by a reset (RST)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    sock.close()
    raise ConnectionResetError


# -- what it does with a request -----------------------------------------------------------------------


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


OK_ANSWER: Final = answer(200, b"ok")


def in_turn(*answers: bytes) -> Act:
    """One answer after the other, and then the last one for ever; to HEAD without their bodies."""
    left = list(answers)

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        sent = left.pop(0) if len(left) > 1 else left[0]
        if request.method == "HEAD":
            sent = sent.partition(_HEAD_END)[0] + _HEAD_END
        sock.sendall(sent)

    return act


def closing(sent: bytes) -> Act:
    """Send this, and then nothing more: the connection ends."""

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        until_left(sock)

    return act


def trickling(head: bytes, drips: Iterable[bytes]) -> Act:
    """Send `head`, and then a drip 20 times a second, until all are out or patience ends."""
    drips = tuple(drips)[: int(PATIENCE / 0.05)]

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        for piece in (head, *drips):
            sock.sendall(piece)
            time.sleep(0.05)

    return act


def silent(sock: socket.socket, request: LoopbackRequest) -> None:
    """Read everything, answer nothing."""
    until_left(sock)
    sock.shutdown(socket.SHUT_RDWR)


def resetting(sock: socket.socket, request: LoopbackRequest) -> None:
    """Reset the connection."""
    reset(sock)


# -- a process that stands still -----------------------------------------------------------------------


def sent_at_a_standstill(sock: socket.socket, data: bytes, seconds: float) -> None:
    """Send `data`, and let no other thread run for so many seconds, from before it is out."""
    libc = _libc()
    if libc is None:
        sock.sendall(data)
        return
    interval = sys.getswitchinterval()
    sys.setswitchinterval(10 * seconds)  # nobody asks this thread to let go between two calls
    try:
        time.sleep(0.02)  # who has asked already gets its turn, and from then on waits that long
        libc.send(sock.fileno(), data, len(data), 0)
        libc.poll(None, 0, int(seconds * 1000))
    finally:
        sys.setswitchinterval(interval)


def _libc() -> Any:
    """The C library, called without letting go of the interpreter."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.PyDLL(None)
        libc.send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
        libc.send.restype = ctypes.c_ssize_t
        libc.poll.argtypes = (ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int)
        return libc if os.name == "posix" else None
    return None
