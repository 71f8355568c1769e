"""Worlds with wrong clocks, waits and cancels, or that leave something open: to test the checks with."""

from __future__ import annotations

import socket
import time
from typing import Any

import attrs

from codex_oauth import HttpxWorld, clock
from codex_oauth_core import (
    Cancelled,
    Event,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInEffect,
    TimeReached,
    Wait,
)
from tests.conformance.breakage import Altered, breaks


@breaks("the_clocks_are_the_ones_given", "approved at once")
class HasItsOwnClock(HttpxWorld):
    def __init__(self, **options: Any) -> None:
        super().__init__()


@breaks("an_answer_says_when_it_was_sent_and_when_it_came")
class SentWhenItCame(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        return attrs.evolve(event, sent_at=event.at)


@breaks(
    "an_answer_says_when_it_was_sent_and_when_it_came",
    "approved at once",
    "approved after a pending",
    "a short life halves the first wait",
    "slow_down adds five seconds for good",
    "slow_down at 200 and 429 counts alike",
    "slow_down with a larger interval",
    "slow_down with a smaller interval still adds five",
    "an interval of our own",
    "an unknown code is pending until a known one was seen",
    "a bare 403 is pending but no known pending",
)
class CameWhenItWasSent(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        return attrs.evolve(event, at=event.sent_at)


@breaks("an_answer_says_when_it_was_sent_and_when_it_came")
class HasItsOwnCalendar(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        return attrs.evolve(event, wall=clock.now()[1])


@breaks(
    "a_failure_says_when_it_happened",
    "failures back off beside the interval and are forgotten",
    "back-off is capped at a minute",
    "a back-off is never shorter than the interval",
    "that last poll never comes before the interval has passed",
)
class FailsInTheFuture(Altered):
    def failed(self, event: RequestFailed) -> Event:
        return attrs.evolve(event, at=event.at + 1.0)


@breaks("a_wait_ends_at_its_time_and_not_before", "approved at once")
class Spins(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        return TimeReached(self.now()[0]) if isinstance(effect, Wait) else super().perform(effect)


@breaks(
    "a_wait_ends_at_its_time_and_not_before",
    "approved at once",
    "a back-off past the deadline runs two seconds before it",
)
class SaysThatItWaited(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        return TimeReached(effect.until) if isinstance(effect, Wait) else super().perform(effect)


@breaks("a_wait_ends_at_its_time_and_not_before", "approved at once")
class CancelsItself(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        return Cancelled(self.now()[0]) if isinstance(effect, Wait) else super().perform(effect)


@breaks("a_wait_ends_at_its_time_and_not_before")
class Oversleeps(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(effect, Wait):
            time.sleep(2.1)
            return attrs.evolve(event, at=self.now()[0])
        return event


class Sleeps(HttpxWorld):
    """Blocks in `time.sleep`, where nobody can reach it."""

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, Wait):
            self.sleep(effect.until - self.now()[0])
        return super().perform(effect)


@breaks("a_wait_that_is_over_ends_at_once")
class SleepsBackwards(Sleeps):
    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@breaks("a_wait_that_is_over_ends_at_once")
class SleepsALittleAnyhow(Sleeps):
    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.7, seconds))


@breaks("a_cancel_ends_a_wait", "a_cancel_beforehand_is_remembered")
class HearsNothingInItsSleep(Sleeps):
    pass


@breaks("a_cancel_beforehand_is_remembered")
class HearsACancelOnlyWhenItWaits(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            effect = attrs.evolve(effect, once=True)
        return super().perform(effect)


@breaks("a_cancel_beforehand_is_remembered", "a_cancelled_request_ends_by_its_limit")
class IsCancelledOnce(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        self._cancelled = False
        return event


@breaks("a_cancelled_request_ends_by_its_limit")
class WaitsForASecondCancel(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(effect, SendRequest) and isinstance(event, Cancelled):
            self._cancelled = False
        return event


@breaks("a_cancel_never_cuts_a_once_request")
class CutsEverything(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            effect = attrs.evolve(effect, once=False)
        return super().perform(effect)


@breaks("a_cancel_never_cuts_a_once_request")
class CallsAFinishedRequestCancelled(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        return Cancelled(self.now()[0]) if self._cancelled else event


@breaks("a_cancel_after_the_end_does_no_harm")
class CannotBeCancelledLate(HttpxWorld):
    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        self._over = True

    def cancel(self) -> None:
        if hasattr(self, "_over"):
            raise RuntimeError("it is over")
        super().cancel()


@breaks("a_cancel_after_the_end_does_no_harm")
class CancelsAllOfItsKind(HttpxWorld):
    cancelled: list[bool] = []  # noqa: RUF012  # the mistake itself

    def cancel(self) -> None:
        self.cancelled.append(True)
        super().cancel()

    def perform(self, effect: SignInEffect) -> Event:
        return Cancelled(self.now()[0]) if self.cancelled else super().perform(effect)


@breaks("an_exception_closes_everything_and_comes_out")
class SwallowsExceptions(HttpxWorld):
    def __exit__(self, *exc_info: object) -> bool:  # type: ignore[override]  # the mistake itself
        super().__exit__(*exc_info)
        return True


LEFT: list[socket.socket] = []


@breaks("nothing_stays_open_at_the_end")
class OpensTooMuch(HttpxWorld):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        LEFT.append(socket.socket())


@breaks("nothing_stays_open_at_the_end")
class LosesWhatItOpened(HttpxWorld):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        socket.socket()


@breaks("a_cancelled_run_leaves_nothing_open")
class LeavesItsAlarm(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, Cancelled):
            LEFT.append(socket.socket())
        return event
