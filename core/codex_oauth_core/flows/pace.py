"""When the next poll may run (RFC 8628 §3.5), and when a save that failed is tried again.

Rules of this file: the agreed interval only grows; the back-off after failures stands *beside* it and
is forgotten after a real answer; every wait runs from the end of the previous request; no poll starts
at or after the deadline, and none without a pause. All instants are the driver's monotonic seconds.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from codex_oauth_core.reading.times import DEFAULT_INTERVAL
from codex_oauth_core.renewal_times import SAVE_WITHIN

__all__ = ["Pace", "SavePace"]

SLOW_DOWN_STEP: Final = 5.0
"""Seconds that each `slow_down` adds for good."""

SHORTEST: Final = 1.0
"""Seconds between two polls at least, whatever a dialect says."""

LONGEST_BACK_OFF: Final = 60.0
LONGEST_RETRY_AFTER: Final = 60.0
LAST_CHANCE: Final = 2.0
"""Seconds before the deadline at which a last poll runs that a back-off would have missed."""


def _usable(interval: float) -> float:
    """A dialect's interval, at least a second: polls without a pause are an attack. For what is no number of
    seconds, the usual one.
    """
    return max(interval, SHORTEST) if 0 <= interval < math.inf else DEFAULT_INTERVAL


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Pace:
    """The rhythm of one device login."""

    interval: float = attrs.field(converter=_usable)
    deadline: float
    failures: int = 0

    def first(self, at: float) -> float:
        """The instant of the first poll: after one interval, or half the lifetime if that is shorter."""
        return at + min(self.interval, max(0.0, self.deadline - at) / 2)

    def answered(self, at: float, retry_after: float | None = None) -> float:
        """The instant of the next poll after a real answer at `at`."""
        self.failures = 0
        return self._until(at, max(self.interval, _capped(retry_after)))

    def slow_down(self, wished: float | None) -> None:
        """Lengthen the interval for good: by 5 s, or to what the server wished if that is more."""
        longer = wished if wished is not None and wished < math.inf else 0.0
        self.interval = max(self.interval + SLOW_DOWN_STEP, longer)

    def failed(self, at: float, retry_after: float | None = None) -> float:
        """The instant of the next poll after one more request without a real answer."""
        self.failures += 1
        back_off = min(LONGEST_BACK_OFF, self.interval * 2.0 ** min(self.failures, 10))
        soonest = max(self.interval, _capped(retry_after))
        return self._until(at, soonest, max(soonest, back_off))

    def _until(self, at: float, soonest: float, wanted: float | None = None) -> float:
        until = at + (soonest if wanted is None else wanted)
        if until >= self.deadline > at + soonest:
            until = max(self.deadline - LAST_CHANCE, at + soonest)
        return min(until, self.deadline)


def _capped(retry_after: float | None) -> float:
    return min(max(0.0, retry_after or 0.0), LONGEST_RETRY_AFTER)  # NaN is no wish: max() leaves it out


SAVE_PAUSES: Final = (0.25, 5.0)
"""Seconds before a save that failed is tried again: at first, and at the most."""


@attrs.frozen
class SavePace:
    """The rhythm in which a renewal repeats a save that fails, for `SAVE_WITHIN` seconds. It is frozen: each
    step makes the next.
    """

    until: float | None = None
    pause: float = SAVE_PAUSES[0]

    def begun(self, at: float) -> SavePace:
        """The time counts from `at` on: there is something to save."""
        return SavePace(at + SAVE_WITHIN, self.pause)

    def is_late(self, at: float) -> bool:
        """Whether that time is over."""
        return self.until is not None and at >= self.until

    def next(self, at: float, *, late_too: bool) -> float | None:
        """The instant of the next try, after one that failed; None where the time is over, unless
        `late_too`.
        """
        if self.until is None or at >= self.until:
            return at + self.pause if late_too else None
        return min(at + self.pause, self.until)  # the last look of those who wait is then, and not later

    def slower(self) -> SavePace:
        """After one more try: twice the pause, to a bound."""
        return SavePace(self.until, min(2 * self.pause, SAVE_PAUSES[1]))
