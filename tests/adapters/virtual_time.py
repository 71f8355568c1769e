"""Real HTTP in virtual time: requests go over loopback, waits are skipped, and both sides see one clock.

Rules of this file: in a skipping world time passes in a request only, so that no pause depends on the speed
of the machine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.protocol import SendOutcome
from codex_oauth.worlds.sync_world import SyncWorld
from codex_oauth_core import SendRequest, Wait

__all__ = ["SkippingClock", "skipping_world"]


class SkippingClock:
    """Real time while it is not stopped, plus all that was skipped."""

    def __init__(self) -> None:
        self._skipped = 1_000_003.25
        self._lost = time.time() - time.monotonic()
        self._stopped_at: float | None = None
        self.waited: list[tuple[float, str]] = []

    def instant(self) -> float:
        real = time.monotonic() if self._stopped_at is None else self._stopped_at
        return real + self._skipped

    def wall(self) -> float:
        return self.instant() + self._lost

    def stop(self, at: float | None = None) -> None:
        """Let no time pass from now on, or from the instant `at`, but what is skipped."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic() if at is None else at - self._skipped

    def go_on(self) -> None:
        """Let real time pass again, from where it stopped."""
        if self._stopped_at is not None:
            self._skipped -= time.monotonic() - self._stopped_at
            self._stopped_at = None

    def now(self) -> tuple[float, float]:
        return self.instant(), self.wall()

    def skip(self, wait: Wait) -> None:
        left = wait.until - self.instant()
        self.waited.append((left, wait.why.value))
        self._skipped += max(0.0, left)
        while self.instant() < wait.until:  # by a rounding
            self._skipped = math.nextafter(self._skipped, math.inf)


def skipping_world(clock: SkippingClock) -> SyncWorld:
    transport = HttpxTransport(None, now=clock.now)

    def send(effect: SendRequest, stopped: Callable[[], bool]) -> SendOutcome:
        clock.go_on()
        try:
            answer = transport(effect, stopped)
            clock.stop(answer.at)
            return answer
        finally:
            clock.stop()

    clock.stop()
    return SyncWorld(send, on_wait=clock.skip, now=clock.now)
