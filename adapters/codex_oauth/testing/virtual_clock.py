"""A clock that a test moves by hand: for worlds over real HTTP whose waits are to take no time.

Rules of this file: time stands still until somebody moves it; it is the time of a `FakeWorld`, so that a fake
world, a server and a test can share one.
"""

from __future__ import annotations

from codex_oauth.testing.fake_world import FakeWorld, scripted
from codex_oauth_core.effects import Wait

__all__ = ["VirtualClock"]


class VirtualClock:
    """The instant and Unix time of `world`, which moves them as it performs effects; of its own without one.

    Fits wherever a `Clock` does: `now=virtual_clock`.
    """

    def __init__(self, world: FakeWorld | None = None) -> None:
        self._world = world or FakeWorld(scripted(()))

    def __call__(self) -> tuple[float, float]:
        """The instant and Unix time, both in seconds."""
        return self._world.now()

    def instant(self) -> float:
        """The instant, in seconds: fits `serve(clock=...)`."""
        return self._world.at

    def wall(self) -> float:
        """Unix time, in seconds: fits `serve(wall=...)`."""
        return self._world.wall

    def step(self, seconds: float) -> None:
        """Go forward by so much. ValueError for less than nothing."""
        if seconds < 0:
            raise ValueError("a clock never goes back")
        self._world.at += seconds
        self._world.wall += seconds

    def skip(self, wait: Wait) -> None:
        """Go to the end of a wait: fits `HttpxWorld(on_wait=...)`. One for a redirect is not skipped."""
        if wait.callback is None:
            self.step(max(0.0, wait.until - self.instant()))
