"""What a task sleeps on until something happens.

Rules of this file: it remembers nothing; who sleeps looks first, and sleeps without an `await` in between.
"""

from __future__ import annotations

from anyio import Event

__all__ = ["Bell"]


class Bell:
    """Wakes everybody who waits for it; does nothing if nobody does."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: Event | None = None

    async def wait(self) -> None:
        """Return when it rings next."""
        if self._event is None:
            self._event = Event()
        await self._event.wait()

    def ring(self) -> None:
        """Wake whoever waits now."""
        event, self._event = self._event, None
        if event is not None:
            event.set()
