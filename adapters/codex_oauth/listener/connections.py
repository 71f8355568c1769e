"""All connections of one sign-in: who is let in, who gives way, and which of them brought the redirect.

Rules of this file: nothing here blocks, waits or knows a thread; a connection that is over, or that gave
way, is forgotten here, and its socket is closed by the caller.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Final

from codex_oauth.listener.connection import LINGER_LIMIT, Connection
from codex_oauth_core.callback import Accepted, CallbackRule
from codex_oauth_core.receiver import CallbackGate, CallbackReceiver
from codex_oauth_core.secret import Secret

__all__ = ["MOST", "PAUSE", "Connections", "accept", "backlog"]

MOST: Final = 32
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
        return self.oldest() if len(self._open) >= MOST else None

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
