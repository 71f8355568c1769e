"""Virtual time in a process of its own: a world that waits goes on at once, and its clock has moved by as much.

Rules of this file: only what a flow waits for is skipped (the next poll, a retry, a busy lock); a request takes
its real time, and a signal or a cancel is heard as ever. The calendar stays: what is stored is read by others.
"""

from __future__ import annotations

from typing import Any, Final

from codex_oauth import clock
from codex_oauth.worlds import sync_world

__all__ = ["skip_waits"]

_BREATH: Final = 0.002
"""Seconds that a wait takes all the same: who is waited for may want to run."""


def skip_waits() -> None:
    """From now on, in this process."""
    real_instant, sleep = clock.instant, sync_world._Waker.sleep
    skipped = [0.0]

    def skip(self: Any, seconds: float) -> None:
        begun = real_instant()
        sleep(self, min(seconds, _BREATH))
        if not self._rung and seconds > _BREATH:
            skipped[0] += seconds - (real_instant() - begun)

    sync_world._Waker.sleep = skip  # type: ignore[method-assign]  # for as long as the process lives
    clock.instant = lambda: real_instant() + skipped[0]  # type: ignore[misc]
