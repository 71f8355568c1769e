"""Real HTTP in virtual time: requests go over loopback, waits are skipped, and both sides see one clock."""

from __future__ import annotations

import time

from codex_oauth.worlds.httpx_world import HttpxWorld
from codex_oauth_core.effects import Wait

__all__ = ["SkippingClock", "skipping_world"]


class SkippingClock:
    """Real time, plus all that was skipped."""

    def __init__(self) -> None:
        self._skipped = 1_000_003.25
        self.waited: list[tuple[float, str]] = []

    def instant(self) -> float:
        return time.monotonic() + self._skipped

    def wall(self) -> float:
        return time.time() + self._skipped

    def now(self) -> tuple[float, float]:
        return self.instant(), self.wall()

    def skip(self, wait: Wait) -> None:
        left = wait.until - self.instant()
        self.waited.append((left, wait.why.value))
        self._skipped += max(0.0, left)


def skipping_world(clock: SkippingClock) -> HttpxWorld:
    return HttpxWorld(now=clock.now, on_wait=clock.skip)
