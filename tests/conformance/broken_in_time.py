"""Worlds whose limits and cancels are not what they should be: a row for each way.

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
from tests.conformance.breakage import GoOn, WithClient, broken, failing, performing

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
