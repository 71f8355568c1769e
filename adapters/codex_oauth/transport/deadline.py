"""How long one request may still take, whether it may still begin, and whether it is still wanted.

Rules of this file: whoever blocks asks first for a slice, blocks no longer than that, and asks again;
so a time limit holds over any number of small steps, and a cancel or a resume from suspend is noticed. Once
the request is out, what has arrived by its end is still read: a process may have been stopped meanwhile.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final, Self, TypeVar

from codex_oauth.transport.protocol import never
from codex_oauth_core.effects import SendRequest

__all__ = ["LATE_READS", "NETWORK_SLICE", "Deadline", "StopRequested", "TimeUp"]

T = TypeVar("T")

NETWORK_SLICE: Final = 0.25
"""Seconds that one step blocks at most."""

LATE_READS: Final = 256
"""The number of reads after the end. The largest answer fits; a peer that never stops is cut off."""


class TimeUp(Exception):  # not an error: the limit did its work
    """The time for the request is over, or the time to begin it."""


class StopRequested(Exception):  # not an error: somebody cancelled
    """The caller does not want the request any more."""


class Deadline:
    """The end of one request, `seconds` from now on `clock`.

    With `write_by`, the end is that instant until the request begins, and then `seconds` after its first
    byte.
    """

    __slots__ = ("_clock", "_ends_at", "_late_reads", "_seconds", "_stopped", "_write_by", "begun")

    def __init__(
        self,
        seconds: float,
        stopped: Callable[[], bool],
        clock: Callable[[], float],
        write_by: float | None = None,
    ) -> None:
        self.begun = False
        self._clock = clock
        self._stopped = stopped
        self._seconds = seconds
        self._write_by = write_by
        self._ends_at = clock() + seconds if write_by is None else write_by
        self._late_reads = LATE_READS

    @classmethod
    def of(cls, effect: SendRequest, clock: Callable[[], float], stopped: Callable[[], bool] = never) -> Self:
        """The end of this request."""
        return cls(effect.timeout, stopped, clock, effect.write_by)

    def begin(self) -> None:
        """Call this right before bytes of the request itself go out: before the first byte, and before each
        later part that goes out separately.

        Raises `TimeUp` at `write_by` and later: then send nothing. The first call starts the time.
        """
        if self._write_by is not None:
            at = self._clock()
            if at >= self._write_by:
                raise TimeUp
            if not self.begun:
                self._ends_at = at + self._seconds
        self.begun = True

    def left(self) -> float:
        """Seconds from now until the end; 0 or less if it has come."""
        return self._ends_at - self._clock()

    def slice(self) -> float:
        """The seconds, more than 0, for which the next step may block.

        Raises `StopRequested` if the caller does not want the request any more, and `TimeUp` if no time is
        left.
        """
        if self._stopped():
            raise StopRequested
        left = self.left()
        if left <= 0:
            raise TimeUp
        return min(left, NETWORK_SLICE)

    def block(self, sock: socket.socket, step: Callable[[], T], *, reads: bool = False) -> T:
        """Return the result of `step`, which blocks on `sock`, in slices. Raises what `slice` and `step`
        raise.

        `reads`: the step reads from a peer. At the end such a step is tried again without blocking, as long
        as it gets data.
        """
        while True:
            try:
                sock.settimeout(self.slice())
            except TimeUp:
                if not (reads and self.begun and self._late_reads):
                    raise
                return self._at_once(sock, step)
            with contextlib.suppress(TimeoutError):
                return step()

    def _at_once(self, sock: socket.socket, step: Callable[[], T]) -> T:
        self._late_reads -= 1
        sock.settimeout(0.0)
        try:
            return step()
        except (BlockingIOError, ssl.SSLWantReadError):
            raise TimeUp from None
