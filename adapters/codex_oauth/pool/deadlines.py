"""What a pool's one task sleeps on: the deadlines of all flows, and a bell that ends the sleep.

Rules of this file: one heap, whatever the number of flows, and one small object in it for each flow that
waits; whoever does not wait any more is skipped when its turn comes, and swept out before such entries are
more than half of the heap. The bell remembers nothing: who sleeps looks first, and sleeps without an
`await` in between.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, Protocol, TypeVar

from anyio import Event as AnyioEvent

from codex_oauth_core.events import CallbackReceived, Event, TimeReached
from codex_oauth_core.secret import Secret
from codex_oauth_core.short_repr import Named

__all__ = ["AsyncWaker", "Beginning", "CalledBack", "Deadlines", "Due", "Waiting", "drawn"]


@Named
def drawn() -> float:
    """A random number from 0 to 1, by which waits are spread."""
    return random.random()  # noqa: S311  # nobody must be unable to guess it


class Waiting(Protocol):
    """Whoever waits for a deadline: `at` is its entry for as long as it does."""

    at: Any


W = TypeVar("W", bound=Waiting)

FEW: Final = 64
"""Entries below which the heap is not worth sweeping."""


class Due(float):
    """The instant from which a flow is to be told `event()`, and whose it is.

    It is a number, so that the heap compares it without calling Python.
    """

    __slots__ = ("handle",)
    handle: Any

    def event(self, at: float, wall: float) -> Event:
        """What the flow is told, at the instant `at` and the Unix time `wall`."""
        return TimeReached(at)


class Beginning(Due):
    """A flow that has not begun: `begin` makes its first event."""

    __slots__ = ("begin",)
    begin: Callable[[float, float], Event]

    def event(self, at: float, wall: float) -> Event:
        """The first event."""
        return self.begin(at, wall)


class CalledBack(Due):
    """A flow whose redirect came in, with this query."""

    __slots__ = ("query",)
    query: Secret[str]

    def event(self, at: float, wall: float) -> Event:
        """The redirect."""
        return CallbackReceived(at, self.query)


class Deadlines(Generic[W]):
    """Flows in the order in which they are due. An entry counts as long as its handle holds it as `at`."""

    __slots__ = ("_heap", "_stale")

    def __init__(self) -> None:
        self._heap: list[Due] = []
        self._stale = 0

    @property
    def next(self) -> float:
        """The instant of the first; infinity if there is none."""
        heap = self._heap
        while heap and heap[0].handle.at is not heap[0]:
            heapq.heappop(heap)
            self._stale -= 1
        return heap[0] if heap else math.inf

    def put(self, due: Due, handle: W) -> None:
        """Let `handle` wait for `due`, and for nothing else any more."""
        self.drop(handle)
        due.handle = handle
        handle.at = due
        heapq.heappush(self._heap, due)

    def take(self, at: float) -> Due | None:
        """The first that is due at the instant `at`, and not any more in here."""
        if self.next > at or not self._heap:
            return None
        due = heapq.heappop(self._heap)
        due.handle.at = None
        return due

    def drop(self, handle: W) -> None:
        """Let `handle` wait no more."""
        if not isinstance(handle.at, Due):
            return
        handle.at = None
        self._stale += 1
        if self._stale > FEW and self._stale * 2 > len(self._heap):
            self._heap = [due for due in self._heap if due.handle.at is due]
            heapq.heapify(self._heap)
            self._stale = 0

    def __iter__(self) -> Iterator[W]:
        """The handles that wait, in no order."""
        return (due.handle for due in self._heap if due.handle.at is due)


# -- the bell ------------------------------------------------------------------------------------------


class AsyncWaker:
    """Wakes everybody who waits for it; does nothing if nobody does."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: AnyioEvent | None = None

    async def wait(self) -> None:
        """Return when it rings next."""
        if self._event is None:
            self._event = AnyioEvent()
        await self._event.wait()

    def ring(self) -> None:
        """Wake whoever waits now."""
        event, self._event = self._event, None
        if event is not None:
            event.set()
