"""The time as a driver tells it to a flow.

Rules of this file: the instant counts the time a machine is suspended, so that a code that expired
during sleep is seen to have expired; it is compared with nothing but itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

from codex_oauth_core.short_repr import Named

__all__ = ["Clock", "best_clock", "instant", "now", "wall_of"]

Clock = Callable[[], tuple[float, float]]
"""Gives the instant and Unix time, both in seconds."""

# Python's own monotonic clock stops in suspend on these systems; the clock named here does not.
_COUNTS_SUSPEND: Final = {
    "linux": "CLOCK_BOOTTIME",
    "android": "CLOCK_BOOTTIME",
    "darwin": "CLOCK_MONOTONIC",
}


def best_clock(platform: str) -> Callable[[], float]:
    """The clock that suits a system best; `platform` as in `sys.platform`."""
    clock_id: int | None = getattr(time, _COUNTS_SUSPEND.get(platform, ""), None)
    if clock_id is None:
        return time.monotonic
    try:
        time.clock_gettime(clock_id)
    except OSError:  # a kernel or sandbox without this clock
        return time.monotonic
    return lambda: time.clock_gettime(clock_id)


instant: Final = best_clock(sys.platform)
"""Seconds on a monotonic clock that counts suspended time where the system has one."""


@Named
def now() -> tuple[float, float]:
    """The instant, and Unix time; both in seconds."""
    return instant(), time.time()


def wall_of(clock: Clock) -> Callable[[], float]:
    """Unix time alone, by `clock`: for where it is asked before every request."""
    return time.time if clock is now else lambda: clock()[1]
