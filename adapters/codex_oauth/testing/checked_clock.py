"""The clock that checks of a world hand over: real time, plus what was stepped over; and it can stand still.

Rules of this file: it never goes back; it starts at an odd large number, so that a mix-up with a clock of the
world's own shows.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator
from typing import Final

__all__ = ["CheckedClock"]

START: Final = 1_000_003.25
WALL: Final = 1_800_000_007.5


class CheckedClock:
    """Gives the instant and Unix time when it is called, as a `Clock` does. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = START - time.monotonic()
        self._standing_at: float | None = None

    def __call__(self) -> tuple[float, float]:
        """The instant and Unix time, both in seconds."""
        instant = self.instant()
        return instant, WALL - START + instant

    def instant(self) -> float:
        """The instant, in seconds."""
        with self._lock:
            return self._instant()

    def step(self, seconds: float) -> None:
        """Go forward by so much at once; not at all if it is less than nothing."""
        with self._lock:
            self._offset += max(0.0, seconds)
            if self._standing_at is not None:
                self._standing_at += max(0.0, seconds)

    @contextlib.contextmanager
    def stopped(self, seconds: float) -> Generator[None]:
        """Whoever asks waits until the block ends, and finds that so much time has passed: as if the machine
        were suspended. What happens in the block has happened when it wakes.
        """
        with self._lock:
            yield
            self._offset += seconds

    @contextlib.contextmanager
    def standing(self) -> Generator[None]:
        """Time passes by `step` alone until the block ends, or in a block of `running` within it."""
        self._stand()
        try:
            yield
        finally:
            self._run()

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Real time passes until the block ends; then it stands again."""
        self._run()
        try:
            yield
        finally:
            self._stand()

    def _stand(self) -> None:
        with self._lock:
            self._standing_at = self._instant()

    def _run(self) -> None:
        with self._lock:
            self._offset = self._instant() - time.monotonic()
            self._standing_at = None

    def _instant(self) -> float:
        return time.monotonic() + self._offset if self._standing_at is None else self._standing_at
