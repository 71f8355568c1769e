"""Worlds whose limits, cancels, waits and instants are not what they should be: a row for each way.

Rules of this file: as in `broken_on_the_wire`: each row is one thing that somebody writes by mistake. What
is late is late by a second, and no more.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import httpx

from codex_oauth import HttpxWorld
from codex_oauth.transport.deadline import Deadline
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.protocol import SendOutcome, never
from codex_oauth_core import (
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInEffect,
    TimeReached,
    Wait,
)
from tests.conformance.breakage import GoOn, WithClient, answering, broken, failing, performing

LATE: Final = 1.3
SENT, NOT_SENT = Phase.MAYBE_SENT, Phase.NOT_SENT


# -- limits --------------------------------------------------------------------------------------------

PLACES: Final = "every_place_has_the_time_limit"
ONCE: Final = "a_once_request_has_the_time_limit_too"
HANDSHAKE: Final = "a_handshake_has_the_time_limit"
WHOLE: Final = "the_time_limit_is_one_for_the_whole_exchange"


def limiting(other: Callable[[SendRequest], float]) -> type[HttpxWorld]:
    """A world with another time limit."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        return go_on(
            attrs.evolve(effect, timeout=other(effect)) if isinstance(effect, SendRequest) else effect
        )

    return performing(do)


def _is_tls(effect: SendRequest) -> bool:
    return effect.request.url.startswith("https:")


broken(
    "adds a second to a limit", limiting(lambda effect: effect.timeout + LATE), PLACES, ONCE, HANDSHAKE, WHOLE
)
broken("knows a least limit", limiting(lambda effect: max(effect.timeout, 2.0)), PLACES, ONCE, HANDSHAKE)
broken(
    "limits no `once` request",
    limiting(lambda effect: effect.timeout + (LATE if effect.once else 0)),
    ONCE,
    HANDSHAKE,
)
broken(
    "limits no handshake",
    limiting(lambda effect: effect.timeout + (LATE if _is_tls(effect) else 0)),
    HANDSHAKE,
)
broken("halves a limit", limiting(lambda effect: effect.timeout / 4), PLACES, WHOLE)
broken(
    "takes seconds for milliseconds", limiting(lambda effect: effect.timeout / 1000), PLACES, ONCE, HANDSHAKE
)


class LimitsEachStep(WithClient):
    """As a client does that was given a timeout: each read has it."""

    def request(self, effect: SendRequest) -> SendOutcome:
        request, (at, _) = effect.request, self.now()
        try:
            with httpx.Client(timeout=effect.timeout, trust_env=False, verify=False) as client:
                found = client.request(
                    request.method,
                    request.url,
                    headers=dict(request.plain_headers()),
                    content=request.body.reveal(),
                )
        except httpx.TimeoutException as error:
            phase = NOT_SENT if isinstance(error, httpx.ConnectTimeout) else SENT
            return RequestFailed(self.now()[0], phase, Cause.TIMEOUT)
        except httpx.HTTPError:
            return RequestFailed(self.now()[0], SENT, Cause.RESET)
        return ResponseReceived(at, *self.now(), found.status_code, dict(found.headers), found.content)


broken("limits each step", LimitsEachStep, PLACES, WHOLE, "an_answer_that_does_not_end_is_left")


class BeginsToCountWithTheHead(LimitsEachStep):
    """The limit on the body is another one."""

    def request(self, effect: SendRequest) -> SendOutcome:
        event = HttpxTransport(now=self.now)(effect)
        late = isinstance(event, RequestFailed) and event.cause is Cause.TIMEOUT and effect.timeout > 0.5
        if late:
            time.sleep(0.6)
        return event


broken("begins to count with the head", BeginsToCountWithTheHead, WHOLE)


class ReadsAll(LimitsEachStep):
    """Keeps whatever comes until its time is up."""

    def request(self, effect: SendRequest) -> SendOutcome:
        parts, at = urlsplit(effect.request.url), self.now()[0]
        if not parts.port:
            return HttpxTransport(now=self.now)(effect)
        kept: list[bytes] = []
        give_up_at = time.monotonic() + effect.timeout
        with socket.create_connection((parts.hostname, parts.port), 1.0) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            while time.monotonic() < give_up_at:
                sock.settimeout(0.2)
                try:
                    kept.append(sock.recv(1 << 20))
                except OSError:
                    break
        return RequestFailed(at, SENT, Cause.RESET)


broken("reads all that comes", ReadsAll, "an_answer_that_does_not_end_is_left")
broken(
    "takes a time limit for a reset",
    failing(lambda event: attrs.evolve(event, cause=Cause.RESET) if event.cause is Cause.TIMEOUT else event),
    PLACES,
    ONCE,
    HANDSHAKE,
)
broken(
    "is never sure at a time limit",
    failing(lambda event: attrs.evolve(event, phase=SENT) if event.cause is Cause.TIMEOUT else event),
    PLACES,
    HANDSHAKE,
)
broken(
    "is always sure at a time limit",
    failing(lambda event: attrs.evolve(event, phase=NOT_SENT) if event.cause is Cause.TIMEOUT else event),
    PLACES,
    ONCE,
    "nothing_that_had_no_time_is_sent_again",
)


class KeepsItsFirstLimit(HttpxWorld):
    """One timeout for all requests: that of the first."""

    first: float | None = None

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            self.first = effect.timeout if self.first is None else self.first
            effect = attrs.evolve(effect, timeout=self.first)
        return super().perform(effect)


class KeepsItsShortestLimit(HttpxWorld):
    """One timeout for all requests: the shortest so far."""

    least = 1e9

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            self.least = min(self.least, effect.timeout)
            effect = attrs.evolve(effect, timeout=self.least)
        return super().perform(effect)


OWN: Final = "every_time_limit_of_an_effect_is_its_own"
broken("keeps its first limit", KeepsItsFirstLimit, OWN)
broken("keeps its shortest limit", KeepsItsShortestLimit, OWN)


# -- cancels -------------------------------------------------------------------------------------------

ANYWHERE: Final = "a_cancel_ends_a_request_soon_wherever_it_is"
IN_HANDSHAKES: Final = "a_cancel_ends_a_handshake_soon"
BEFORE: Final = "a_cancel_before_the_run_is_remembered"
AFTER: Final = "every_effect_after_a_cancel_is_cancelled"


class HearsNothingInRequests(HttpxWorld):
    """Finishes a request first."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and not self._cancelled:
            return self.finished(effect, HttpxTransport(now=self.now)(effect, never))
        return super().perform(effect)

    def finished(self, effect: SendRequest, event: Event) -> Event:
        return Cancelled(self.now()[0]) if self._cancelled and not effect.once else event


class CancelsASecondLate(HttpxWorld):
    """Looks once a second."""

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, Cancelled) and isinstance(effect, SendRequest):
            time.sleep(LATE)
        return attrs.evolve(event, at=self.now()[0]) if isinstance(event, Cancelled) else event


class CallsACancelAFailure(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        cut = isinstance(event, Cancelled) and isinstance(effect, SendRequest)
        return RequestFailed(self.now()[0], SENT, Cause.RESET) if cut else event


class HearsNothingInHandshakes(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and _is_tls(effect):
            return HttpxTransport(now=self.now)(effect, never)
        return super().perform(effect)


broken("hears nothing in requests", HearsNothingInRequests, ANYWHERE, IN_HANDSHAKES)
broken("cancels a second late", CancelsASecondLate, ANYWHERE, IN_HANDSHAKES)
broken("calls a cancel a failure", CallsACancelAFailure, ANYWHERE, IN_HANDSHAKES, AFTER)
broken("hears nothing in handshakes", HearsNothingInHandshakes, IN_HANDSHAKES)


class ForgetsOnEntry(HttpxWorld):
    """Begins anew with its block."""

    def __enter__(self) -> Any:
        self._cancelled = False
        return super().__enter__()


class CannotBeCancelledEarly(HttpxWorld):
    """Has nothing to cancel before its block."""

    def cancel(self) -> None:
        if self._alarm is None:
            raise RuntimeError("it has not begun")
        super().cancel()


class ForgetsAfterOne(HttpxWorld):
    """A cancel ends one effect."""

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, Cancelled):
            self._cancelled = False
        return event


class ForgetsInOnceRequests(HttpxWorld):
    """What came during a `once` request is gone."""

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(effect, SendRequest) and effect.once:
            self._cancelled = False
        return event


class FinishesWaitsThatAreOver(HttpxWorld):
    """Looks at the time before it looks at the cancel."""

    def perform(self, effect: SignInEffect) -> Event:
        at = self.now()[0]
        return TimeReached(at) if isinstance(effect, Wait) and at >= effect.until else super().perform(effect)


broken("forgets a cancel on entry", ForgetsOnEntry, BEFORE)
broken("cannot be cancelled early", CannotBeCancelledEarly, BEFORE)
broken("is cancelled for one effect", ForgetsAfterOne, AFTER, BEFORE)
broken("forgets a cancel during a `once` request", ForgetsInOnceRequests, AFTER)
broken("finishes waits that are over", FinishesWaitsThatAreOver, AFTER)


class CancelsUnderALock(HttpxWorld):
    """A cancel waits for what is under way."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lock = threading.RLock()

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and effect.once:
            with self._lock:
                return super().perform(effect)
        return super().perform(effect)

    def cancel(self) -> None:
        with self._lock:
            super().cancel()


class CancelsAndWaits(HttpxWorld):
    """A cancel comes back when it is over."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._idle = threading.Event()
        self._idle.set()

    def perform(self, effect: SignInEffect) -> Event:
        self._idle.clear()
        try:
            return super().perform(effect)
        finally:
            self._idle.set()

    def cancel(self) -> None:
        super().cancel()
        self._idle.wait(5.0)


broken("cancels under a lock", CancelsUnderALock, "a_cancel_does_not_block")
broken("cancels and waits for the end", CancelsAndWaits, "a_cancel_does_not_block")


class Cuts(HttpxWorld):
    """Cuts `once` requests, if they have no `write_by` or if they have one."""

    with_write_by = False

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and (effect.write_by is not None) is self.with_write_by:
            return HttpxTransport(now=self.now)(effect, lambda: self._cancelled)
        return super().perform(effect)


class HurriesOnceRequests(HttpxWorld):
    """Gives a cancelled `once` request a fraction of its time."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and effect.once:
            begun: list[float] = []

            def hurried() -> bool:
                if self._cancelled and not begun:
                    begun.append(time.monotonic())
                return bool(begun) and time.monotonic() - begun[0] > 0.05

            event = HttpxTransport(now=self.now)(effect, hurried)
            cut = isinstance(event, Cancelled)
            return RequestFailed(event.at, SENT, Cause.TIMEOUT) if cut else event
        return super().perform(effect)


CUTS: Final = "a_cancel_cuts_no_once_request_wherever_it_is"
broken("cuts `once` requests", Cuts, CUTS)
broken("cuts `once` requests of a renewal", type("Cuts", (Cuts,), {"with_write_by": True}), CUTS)
broken("hurries `once` requests", HurriesOnceRequests, CUTS)


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


# -- waits ---------------------------------------------------------------------------------------------

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
