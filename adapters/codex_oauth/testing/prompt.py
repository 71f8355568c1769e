"""What must happen soon, on a machine that may be busy: it fails if it is late each time.

Rules of this file: a port that is late is late every time; a machine that is busy is not. So no bound here
is a guess about how fast a machine is.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from codex_oauth.testing.checking import fail

__all__ = ["PROMPT", "TRIES", "Stopwatch", "promptly"]

PROMPT: Final = 0.9
"""Seconds within which something is done that takes half a second at most."""

TRIES: Final = 4
"""How often it is tried again."""


class Stopwatch:
    """Seconds since it was started, and what was stopped by it."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.took: float | None = None

    def start(self) -> None:
        """Begin again. From any thread."""
        self.begun = time.monotonic()

    def stop(self) -> None:
        """It is over now."""
        self.took = time.monotonic() - self.begun


async def promptly(
    what: str, measured: Callable[[], Awaitable[float]], limit: float | None = None, least: float = 0.0
) -> None:
    """Fail if `measured` gives no time between `least` and `limit` (`PROMPT`), however often it is tried."""
    limit = PROMPT if limit is None else limit
    found: list[float] = []
    for _ in range(TRIES):
        took = await measured()
        if least <= took <= limit:
            return
        found.append(took)
    best = min(found, key=lambda took: max(took - limit, least - took))
    late = best > limit
    fail(f"{what} took {best:.2f} s, {'more' if late else 'less'} than {limit if late else least:.2f} s")
