"""How long one request may still take, and whether it is still wanted.

Rules of this file: whoever blocks asks first for a slice, blocks no longer than that, and asks again;
so a time limit holds over any number of small steps, and a cancel or a resume from suspend is noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["SLICE", "Deadline", "StopRequested", "TimeUp"]

SLICE: Final = 0.25
"""Seconds that one step blocks at most."""


class TimeUp(Exception):  # not an error: the limit did its work
    """The time for the request is over."""


class StopRequested(Exception):  # not an error: somebody cancelled
    """The request is not wanted any more."""


class Deadline:
    """The end of one request, `seconds` from now on `clock`."""

    __slots__ = ("_clock", "_ends_at", "_stopped")

    def __init__(self, seconds: float, stopped: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stopped = stopped
        self._ends_at = clock() + seconds

    def slice(self) -> float:
        """Seconds, more than 0, for which the next step may block.

        Raises `StopRequested` if the request is not wanted any more, and `TimeUp` if no time is left.
        """
        if self._stopped():
            raise StopRequested
        left = self._ends_at - self._clock()
        if left <= 0:
            raise TimeUp
        return min(left, SLICE)
