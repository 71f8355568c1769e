"""The network between a client and PostgreSQL or PgBouncer, as a test wants it: cut, silent, or an answer lost.

Rules of this file: bytes go on as they are, as whole messages of PostgreSQL's protocol 3; a request is what a client
sends up to the message after which the server answers (Query, or Sync); an answer that is lost was given: the
server is through with the request before the connection is cut, as a client cannot tell from the one that never came.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Generator
from typing import Final, Literal, Self

import attrs

from tests.fleet.cluster import SUPERUSER, dsn_of

__all__ = ["Cutter", "Loss"]

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)
_ENDS: Final = (b"Q", b"S", b"F")
_READY: Final = b"Z"
_SILENCE: Final = 0.05
"""Seconds after which a silent connection looks whether it was cut."""


@attrs.define
class Loss:
    """A request that will be cut, and whether it was: `done` is set right before the cut."""

    what: Literal["answer", "request"]
    of: bytes
    skip: int
    done: threading.Event = attrs.field(factory=threading.Event)


class Cutter:
    """Listens on 127.0.0.1 while its `with` block lasts, and connects each client to `server_port`."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._lock = threading.Lock()
        self._lines: set[_Line] = set()
        self._loss: Loss | None = None
        self._open = threading.Event()
        self._open.set()
        self._ended = False
        self._threads = [threading.Thread(target=self._accept, name="cutter")]

    def dsn(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Where a database is, through this network."""
        return dsn_of(self.port, database, user)

    def cut(self) -> int:
        """Reset every connection, now; how many there were."""
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.cut()
        return len(lines)

    @contextlib.contextmanager
    def silence(self) -> Generator[None]:
        """Let no byte through, in either direction, for as long as the block lasts: packets are lost, and come
        afterwards. New connections are accepted, and are silent too.
        """
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def lose_answer(self, of: str = "", *, skip: int = 0) -> Loss:
        """Cut the connection of the next request that contains `of`, after `skip` of them, once the server has
        answered it and before the client hears it.
        """
        return self._lose(Loss("answer", of.encode(), skip))

    def lose_request(self, of: str = "", *, skip: int = 0) -> Loss:
        """Cut the connection of the next request that contains `of`, after `skip` of them, before the server
        hears it.
        """
        return self._lose(Loss("request", of.encode(), skip))

    def _lose(self, loss: Loss) -> Loss:
        with self._lock:
            self._loss = loss
        return loss

    def _judge(self, request: bytes) -> Loss | None:
        """The loss that this request meets."""
        with self._lock:
            loss = self._loss
            if loss is None or loss.of not in request:
                return None
            if loss.skip:
                loss.skip -= 1
                return None
            self._loss = None
            return loss

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._ended:
                client.close()
                return
            self.connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                _reset(client)  # the server is away
                continue
            line = _Line(self, client, server)
            with self._lock:
                self._lines.add(line)
            self._threads += line.threads
            for thread in line.threads:
                thread.start()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended = True
        with socket.socket() as waker:
            waker.connect(("127.0.0.1", self.port))
        self._threads[0].join()
        self._listener.close()
        self._open.set()
        self.cut()
        for thread in self._threads[1:]:
            thread.join()


class _Line:
    """One client's connection, and its one to the server."""

    def __init__(self, cutter: Cutter, client: socket.socket, server: socket.socket) -> None:
        self._cutter = cutter
        self._client = client
        self._server = server
        self._losing: Loss | None = None
        self._over = threading.Event()
        self._left = 2
        self._lock = threading.Lock()
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.threads = [
            threading.Thread(target=self._run, args=(pump,), name="cutter") for pump in (self._up, self._down)
        ]

    def cut(self) -> None:
        """End both connections; the client sees a reset, or an end where the system has it so."""
        self._over.set()
        for sock in (self._client, self._server):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _run(self, pump: Callable[[], None]) -> None:
        try:
            with contextlib.suppress(OSError, EOFError):
                pump()
            with contextlib.suppress(EOFError):
                self._until_heard()  # nor is it heard that one side left
        finally:
            self.cut()
            with self._lock:
                self._left -= 1
                last = self._left == 0
            if last:
                self._client.close()
                self._server.close()
                with self._cutter._lock:
                    self._cutter._lines.discard(self)

    def _up(self) -> None:
        """From the client to the server, one request at a time."""
        self._pass(self._server, _startup(self._client))
        request = b""
        while True:
            kind, message = _message(self._client)
            request += message
            if kind in _ENDS:
                loss = self._cutter._judge(request)
                if loss is not None and loss.what == "request":
                    loss.done.set()
                    self.cut()
                    return
                self._losing = loss  # before the server can answer
                self._pass(self._server, request)
                if loss is not None:
                    self._over.wait()
                    return
                request = b""
            elif kind not in b"PBDEC":  # what waits for no Sync: a password, a Flush, rows of COPY, the end
                self._pass(self._server, request)
                request = b""

    def _down(self) -> None:
        """From the server to the client."""
        while True:
            kind, message = _message(self._server)
            loss = self._losing
            if loss is None:
                self._pass(self._client, message)
            elif kind == _READY:
                loss.done.set()
                self.cut()
                return

    def _pass(self, sock: socket.socket, data: bytes) -> None:
        self._until_heard()
        sock.sendall(data)

    def _until_heard(self) -> None:
        while not self._cutter._open.wait(_SILENCE):
            if self._over.is_set():
                raise EOFError


def _startup(client: socket.socket) -> bytes:
    """The first message of a client, which has no type. One that asks for encryption ends here: `dsn` says no."""
    head = _exactly(client, 4)
    return head + _exactly(client, int.from_bytes(head, "big") - 4)


def _message(sock: socket.socket) -> tuple[bytes, bytes]:
    """The type of a message, and the whole of it."""
    head = _exactly(sock, 5)
    return head[:1], head + _exactly(sock, int.from_bytes(head[1:], "big") - 4)


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    sock.close()
