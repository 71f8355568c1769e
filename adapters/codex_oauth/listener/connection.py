"""One browser connection, without blocking: bytes in, the receiver's answer out, an orderly end.

Rules of this file: a turn never blocks and never raises; the socket is closed by whoever accepted it, once
the connection is over. The end is RFC 9112 §9.6's: stop writing, read on for a moment, then close, since
closing on unread bytes would reset the connection and take the answer with it.
"""

from __future__ import annotations

import math
import socket
from enum import Enum, auto, unique
from typing import Final, assert_never

from codex_oauth_core.receiver import CallbackReceiver

__all__ = ["LINGER_LIMIT", "REQUEST_LIMIT", "Connection"]

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
