"""Browser connections, without blocking: one of them, and all of one sign-in.

Rules of this file: nothing here blocks, waits, raises or knows a thread; a socket is closed by whoever
accepted it, once its connection is over or gave way. The end of a connection is RFC 9112 §9.6's: stop
writing, read on for a moment, then close, since closing on unread bytes would reset the connection and take
the answer with it.
"""

from __future__ import annotations

import contextlib
import errno
import math
import socket
from collections.abc import Iterator
from enum import Enum, auto, unique
from typing import Final, assert_never

from codex_oauth_core.callback import Accepted, CallbackRule
from codex_oauth_core.receiver import CallbackGate, CallbackReceiver
from codex_oauth_core.secret import Secret

__all__ = [
    "LINGER_LIMIT",
    "MOST_LISTENED_TO",
    "PAUSE",
    "REQUEST_LIMIT",
    "Connection",
    "Connections",
    "accept",
    "backlog",
]


REQUEST_LIMIT: Final = 5.0
"""Seconds in which a request must have come, however slowly its bytes trickle."""

LINGER_LIMIT: Final = 1.0
"""Seconds for an answer to leave and for the peer to close."""

_CHUNK: Final = 64 * 1024


@unique
class _Phase(Enum):
    READING = auto()
    ANSWERING = auto()
    LEAVING = auto()
    OVER = auto()


class Connection:
    """A peer that was accepted at `now`. `deadline` is when it must be closed, on the clock of `now`."""

    def __init__(self, sock: socket.socket, receiver: CallbackReceiver, now: float) -> None:
        self.sock = sock
        self.deadline = now + REQUEST_LIMIT
        self._latest = math.inf
        self._receiver = receiver
        self._answer = b""
        self._phase = _Phase.READING
        self._ended_by_peer = False

    @property
    def complete(self) -> bool:
        """Whether a whole request has come."""
        return self._receiver.complete

    @property
    def answered(self) -> bool:
        """Whether the answer has been sent, or cannot be sent any more."""
        return self._phase in (_Phase.LEAVING, _Phase.OVER)

    @property
    def over(self) -> bool:
        """Whether there is nothing more to do than to close the socket."""
        return self._phase is _Phase.OVER

    @property
    def writing(self) -> bool:
        """Whether the next turn is due when the socket is writable, and not when it is readable."""
        return self._phase is _Phase.ANSWERING

    def turn(self, now: float) -> None:
        """Do what can be done at once."""
        before = None
        while before is not self._phase:  # an answer is sent in the turn that read the request
            before = self._phase
            try:
                self._step(now)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # the peer is gone
                self._phase = _Phase.OVER

    def hurry(self, latest: float) -> None:
        """Be over by `latest`."""
        self._latest = latest
        self.deadline = min(self.deadline, latest)

    def _step(self, now: float) -> None:
        match self._phase:
            case _Phase.READING:
                self._read(now)
            case _Phase.ANSWERING:
                self._write()
            case _Phase.LEAVING:
                if not self.sock.recv(_CHUNK):
                    self._phase = _Phase.OVER
            case _Phase.OVER:
                pass
            case _:
                assert_never(self._phase)

    def _read(self, now: float) -> None:
        data = self.sock.recv(_CHUNK)
        self._answer += self._receiver.receive(data)
        self._ended_by_peer = not data
        if self._receiver.closed or self._ended_by_peer:
            self.deadline = min(now + LINGER_LIMIT, self._latest)
            self._phase = _Phase.ANSWERING

    def _write(self) -> None:
        if self._answer:
            self._answer = self._answer[self.sock.send(self._answer) :]
        if not self._answer:
            self.sock.shutdown(socket.SHUT_WR)
            self._phase = _Phase.OVER if self._ended_by_peer else _Phase.LEAVING


# -- all of one sign-in --------------------------------------------------------------------------------


MOST_LISTENED_TO: Final = 32
"""Connections at once; a person's browser needs about three."""

PAUSE: Final = 0.05
"""Seconds until the next connection is accepted, where the system has no room and nobody gives way."""

_NOT_NOW: Final = frozenset(
    {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ECONNABORTED, errno.ECONNRESET, errno.EPROTO}
)


class Connections:
    """The connections that are judged by one rule."""

    def __init__(self, rule: CallbackRule) -> None:
        self._gate = CallbackGate(rule)
        self._accepted: Accepted | None = None
        self._genuine: Connection | None = None
        self._open: dict[Connection, None] = {}  # in the order in which they came
        self._latest: float | None = None

    @property
    def accepted(self) -> Accepted | None:
        """The genuine redirect, as soon as it has been read."""
        return self._accepted

    @property
    def answered(self) -> bool:
        """Whether the browser that brought it has its answer, or is gone."""
        genuine = self._genuine
        return genuine is not None and (genuine.answered or genuine not in self._open)

    @property
    def finished(self) -> bool:
        """Whether it is too late for a redirect."""
        return self._latest is not None

    @property
    def deadline(self) -> float | None:
        """When the first connection is to be closed."""
        return min((each.deadline for each in self._open), default=None)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open))

    def admit(self, sock: socket.socket, now: float) -> Connection:
        """A connection that was accepted just now. Give it its first turn."""
        connection = Connection(sock, CallbackReceiver(self._gate), now)
        if self._latest is not None:
            connection.hurry(self._latest)
        self._open[connection] = None
        return connection

    def turn(self, connection: Connection, now: float) -> None:
        """Let it do what it can do at once."""
        connection.turn(now)
        if self._accepted is None and self._latest is None and self._gate.accepted is not None:
            self._accepted, self._genuine = self._gate.accepted, connection
        if connection.over:
            self.forget(connection)

    def forget(self, connection: Connection) -> None:
        """It is closed, or about to be."""
        self._open.pop(connection, None)

    def late(self, now: float) -> list[Connection]:
        """Those to be closed now."""
        return [each for each in self._open if each.deadline <= now]

    def surplus(self) -> Connection | None:
        """The one to be closed before another is admitted: the oldest that has sent no whole request."""
        return self.oldest() if len(self._open) >= MOST_LISTENED_TO else None

    def spare(self) -> list[Connection]:
        """Those to be closed where the system has no room for another: the older half of those that have sent
        no whole request. Several, because many may come at once, and somebody's redirect is behind them.
        """
        silent = [each for each in self._open if not each.complete]
        return silent[: (len(silent) + 1) // 2] or list(self._open)[:1]

    def oldest(self) -> Connection | None:
        """The oldest that has sent no whole request, or else the oldest of all."""
        silent = (each for each in self._open if not each.complete)
        return next(silent, next(iter(self._open), None))

    def finish(self, now: float) -> float:
        """Nobody's redirect counts any more; when the last connection will be closed."""
        self._latest = now + LINGER_LIMIT
        if self._gate.accepted is None:
            self._gate.accepted = Accepted(Secret(""))  # whoever comes now is told that it has been used
        for each in self._open:
            each.hurry(self._latest)
        return self._latest


def accept(listening: socket.socket) -> socket.socket | None:
    """The next connection; None if there is none after all. Raises OSError if there is no room for it."""
    try:
        sock, _ = listening.accept()
    except OSError as error:
        if error.errno in _NOT_NOW:
            return None
        raise
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:  # some systems: it has gone already
        sock.close()
        return None
    return sock


def backlog(listening: socket.socket, most: int) -> Iterator[socket.socket]:
    """Those who have connected and were not accepted yet; `most` of them at most."""
    with contextlib.suppress(OSError):
        for _ in range(most):
            sock = accept(listening)
            if sock is None:
                return
            yield sock
