"""Worlds that wait otherwise than they should, or tell another time: a row for each way.

Rules of this file: as in `broken_on_the_wire`: each row is one thing that somebody writes by mistake.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

import attrs

from codex_oauth import HttpxWorld
from codex_oauth.transport.deadline import Deadline
from codex_oauth_core import (
    Cancelled,
    Event,
    RequestFailed,
    ResponseReceived,
    SignInEffect,
    TimeReached,
    Wait,
)
from tests.conformance.breakage import answering, broken, failing

NEXT: Final = "one_wait_follows_another"
AGAIN: Final = "the_same_wait_again_is_as_good"
FAR: Final = "a_far_wait_is_no_exception"
SLICES: Final = "a_wait_notices_that_the_machine_slept"


class Waits(HttpxWorld):
    """Waits by `wait`, which gives the instant at which it says to have waited."""

    def wait(self, wait: Wait) -> float:
        raise NotImplementedError

    def perform(self, effect: SignInEffect) -> Event:
        if not isinstance(effect, Wait) or self._cancelled:
            return super().perform(effect)
        return TimeReached(self.wait(effect))


class CountsFromItsFirstWait(Waits):
    """Keeps the instant of its beginning."""

    begun: float | None = None

    def wait(self, wait: Wait) -> float:
        at = self.now()[0]
        self.begun = at if self.begun is None else self.begun
        time.sleep(max(0.0, min(wait.until - self.begun, 2.0)))
        return self.now()[0]


class RemembersThatItWaited(Waits):
    """Has waited once, and for all."""

    done = False

    def wait(self, wait: Wait) -> float:
        if not self.done:
            time.sleep(max(0.0, wait.until - self.now()[0]))
        self.done = True
        return self.now()[0]


class SleepsItsShareAnyhow(Waits):
    """A wait takes as long as it did the first time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._shares: dict[float, float] = {}

    def wait(self, wait: Wait) -> float:
        share = self._shares.setdefault(wait.until, max(0.0, wait.until - self.now()[0]))
        time.sleep(min(share * 20 if share and share < 0.06 else share, 1.2))
        return max(self.now()[0], wait.until)


class SpinsAtTheSame(Waits):
    """Is never asked the same twice, it thinks."""

    last: Wait | None = None

    def wait(self, wait: Wait) -> float:
        if wait == self.last:
            return wait.until - 1.0
        self.last = wait
        time.sleep(max(0.0, wait.until - self.now()[0]))
        return self.now()[0]


class SleepsInOne(HttpxWorld):
    """Asks nobody while it sleeps."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait) and self._alarm is not None and not self._cancelled:
            self._alarm.sleep(min(max(0.0, effect.until - self.now()[0]), 1e6))
            return self.woken()
        return super().perform(effect)

    def woken(self) -> Event:
        return Cancelled(self.now()[0]) if self._cancelled else TimeReached(self.now()[0])


class LooksOnceAMinute(HttpxWorld):
    """Sleeps in slices that are too long."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait) and self._alarm is not None and effect.until - self.now()[0] > 60.0:
            self._alarm.sleep(60.0)
        return super().perform(effect)


class WaitsByAnEvent(Waits):
    """Waits as long as it is asked to, whatever the system can count to."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._stopped = threading.Event()

    def cancel(self) -> None:
        super().cancel()
        self._stopped.set()

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        return Cancelled(self.now()[0]) if self._cancelled else event

    def wait(self, wait: Wait) -> float:
        self._stopped.wait(max(0.0, wait.until - self.now()[0]))
        return self.now()[0]


class CountsMilliseconds(WaitsByAnEvent):
    """In 32 bits."""

    def wait(self, wait: Wait) -> float:
        left = int(max(0.0, wait.until - self.now()[0]) * 1000)
        self._stopped.wait((left if left < 2**31 else left % 2**31 - 2**30) / 1000)
        return max(self.now()[0], wait.until)


broken("counts from its first wait", CountsFromItsFirstWait, NEXT)
broken("remembers that it waited", RemembersThatItWaited, NEXT)
broken("sleeps its share anyhow", SleepsItsShareAnyhow, AGAIN)
broken("spins at what it has seen", SpinsAtTheSame, AGAIN)
broken("sleeps in one", SleepsInOne, SLICES)
broken("looks once a minute", LooksOnceAMinute, SLICES)
broken("waits by an event", WaitsByAnEvent, FAR, SLICES)
broken("counts milliseconds", CountsMilliseconds, FAR)


# -- instants ------------------------------------------------------------------------------------------

SENT_AT: Final = "sent_at_is_before_it_connects"
LAST: Final = "an_answer_came_with_its_last_byte"
WHEN: Final = "a_failure_is_told_when_it_happened"


def _any(value: Any) -> Any:
    """A value of the wrong type."""
    return value


class SaysItWasSentWhenItWasWritten(HttpxWorld):
    """Takes the instant right before the first byte."""

    def perform(self, effect: SignInEffect) -> Event:
        written: list[float] = []
        theirs = Deadline.begin

        def begin(deadline: Deadline) -> None:
            theirs(deadline)
            written.append(self.now()[0])

        Deadline.begin = begin  # type: ignore[method-assign, assignment]
        try:
            event = super().perform(effect)
        finally:
            Deadline.begin = theirs  # type: ignore[method-assign]
        return (
            attrs.evolve(event, sent_at=written[0])
            if written and isinstance(event, ResponseReceived)
            else event
        )


broken("says that it was sent when it was written", SaysItWasSentWhenItWasWritten, SENT_AT)
broken(
    "says that it was sent when it came",
    answering(lambda event: attrs.evolve(event, sent_at=event.at)),
    SENT_AT,
    LAST,
)
broken(
    "says that it came when it was sent",
    answering(lambda event: attrs.evolve(event, at=event.sent_at)),
    SENT_AT,
    LAST,
)
broken(
    "says that it came before it was sent",
    answering(lambda event: attrs.evolve(event, sent_at=event.at + 1)),
    SENT_AT,
)
broken("takes one clock for both", answering(lambda event: attrs.evolve(event, wall=event.at)), LAST)
broken("takes its own calendar", answering(lambda event: attrs.evolve(event, wall=time.time())), LAST)
broken(
    "takes the calendar of the beginning",
    answering(lambda event: attrs.evolve(event, wall=event.wall - (event.at - event.sent_at))),
    LAST,
)
broken(
    "tells a status as text",
    answering(lambda event: attrs.evolve(event, status=_any(str(event.status)))),
    LAST,
)
broken(
    "tells headers as pairs",
    answering(lambda event: attrs.evolve(event, headers=_any(list(event.headers.items())))),
    LAST,
)
broken(
    "says that it failed at a time of its own",
    failing(lambda event: attrs.evolve(event, at=time.monotonic())),
    WHEN,
)


class FailsWhenItBegan(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        at = self.now()[0]
        event = super().perform(effect)
        return attrs.evolve(event, at=at) if isinstance(event, RequestFailed) else event


broken("fails when it began", FailsWhenItBegan, WHEN)
broken("fails in the future", failing(lambda event: attrs.evolve(event, at=event.at + 5.0)), WHEN)
