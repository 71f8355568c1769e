"""Worlds that fail badly, late, twice, or not at all, each in one way: to test the checks with."""

from __future__ import annotations

import ssl
from typing import Any

import attrs
import httpcore
import httpx

from codex_oauth import HttpxWorld
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.protocol import SendOutcome
from codex_oauth_core import (
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInEffect,
)
from tests.conformance.breakage import Altered, WithClient, breaks

SENT, NOT_SENT = Phase.MAYBE_SENT, Phase.NOT_SENT


@breaks("gone after a lost answer and then a pending is expired")
class LosesPendings(Altered):
    def answered(self, event: ResponseReceived) -> Event:
        lost = b"authorization_pending" in event.body.reveal()
        return RequestFailed(event.at, SENT, Cause.RESET) if lost else event


@breaks(
    "a_refused_connection_was_not_sent",
    "an_untrusted_certificate_is_refused",
    "gone after a poll that was not sent is expired",
    "the exchange is not reached, twice",
)
class AlwaysMaybeSent(Altered):
    def failed(self, event: RequestFailed) -> Event:
        return attrs.evolve(event, phase=SENT)


@breaks("a_refused_connection_was_not_sent", "three tries for a code and no more")
class RaisesWhenRefused(Altered):
    def failed(self, event: RequestFailed) -> Event:
        if event.cause is Cause.CONNECT:
            raise ConnectionRefusedError
        return event


@breaks(
    "a_reset_connection_may_have_been_sent",
    "a_connection_that_ends_without_an_answer_may_have_been_sent",
    "what_is_not_http_is_no_answer",
    "gone after a lost answer: the approval was lost",
    "a lost first answer is remembered over the first gone",
)
class NeverSent(Altered):
    def failed(self, event: RequestFailed) -> Event:
        return attrs.evolve(event, phase=NOT_SENT)


@breaks("a_connection_that_ends_without_an_answer_may_have_been_sent")
class CallsItAnEmptyAnswer(Altered):
    def failed(self, event: RequestFailed) -> Event:
        at, wall = self.now()
        return ResponseReceived(at, at, wall, 500, {}, b"") if event.cause is Cause.RESET else event


@breaks("a_truncated_body_is_no_answer")
class DeliversHalf(Altered):
    def failed(self, event: RequestFailed) -> Event:
        at, wall = self.now()
        return ResponseReceived(at, at, wall, 200, {}, b"half") if event.cause is Cause.TRUNCATED else event


@breaks("what_is_not_http_is_no_answer")
class RaisesWhatItCannotRead(WithClient):
    def request(self, effect: SendRequest) -> SendOutcome:
        answer = super().request(effect)
        if isinstance(answer, RequestFailed) and answer.phase is SENT:
            raise httpcore.RemoteProtocolError
        return answer


@breaks("a_silent_server_is_left_at_the_time_limit")
class WaitsForEver(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            effect = attrs.evolve(effect, timeout=60.0)
        return super().perform(effect)


@breaks("a_trickling_server_is_left_at_the_time_limit")
class LimitsEachRead(WithClient):
    """As a client does that was given a timeout."""


@breaks("a_silent_server_is_left_at_the_time_limit")
class GivesUpAtOnce(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and effect.timeout < 1:
            effect = attrs.evolve(effect, timeout=0.05)
        return super().perform(effect)


@breaks("an_untrusted_certificate_is_refused", "an untrusted certificate at the start ends it")
class TrustsEverybody(WithClient):
    def client(self) -> httpx.Client:
        return httpx.Client(verify=_nobody_checks(), trust_env=False)


def _nobody_checks() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@breaks(
    "an_untrusted_certificate_is_refused",
    "an untrusted certificate at the start ends it",
    "an untrusted certificate in polls is transient, and named at the end",
    "an untrusted certificate at the exchange",
)
class CallsItUnreachable(Altered):
    def failed(self, event: RequestFailed) -> Event:
        untrusted = event.cause is Cause.TLS_CERTIFICATE
        return attrs.evolve(event, cause=Cause.CONNECT) if untrusted else event


@breaks("a_failed_handshake_is_no_exception")
class RaisesInHandshakes(Altered):
    def failed(self, event: RequestFailed) -> Event:
        if event.cause is Cause.TLS_EOF:
            raise ssl.SSLEOFError
        return event


@breaks("nothing_is_sent_twice", "a lost first answer is remembered over the first gone")
class TriesAgain(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, RequestFailed) and event.cause is Cause.RESET:
            return super().perform(effect)
        return event


@breaks("nothing_is_sent_twice")
class TriesOnceAgain(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        once = isinstance(effect, SendRequest) and effect.once
        return super().perform(effect) if once and isinstance(event, RequestFailed) else event


class KeepsAlive(HttpxWorld):
    """Reuses connections, and closes them at the end."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._kept = httpx.Client(trust_env=False)

    def perform(self, effect: SignInEffect) -> Event:
        return self.request(effect) if isinstance(effect, SendRequest) else super().perform(effect)

    def request(self, effect: SendRequest) -> Event:
        request = effect.request
        sent = self._kept.build_request(
            request.method, request.url, headers=list(request.plain_headers()), content=request.body.reveal()
        )
        at, wall = self.now()
        found = self._kept.send(sent)
        return ResponseReceived(
            at, self.now()[0], wall, found.status_code, dict(found.headers), found.content
        )

    def __exit__(self, *exc_info: object) -> None:
        self._kept.close()
        super().__exit__(*exc_info)


@breaks("a_once_request_has_a_connection_of_its_own")
class ReusesConnections(KeepsAlive):
    pass


@breaks("a_once_request_has_a_connection_of_its_own")
class ReusesThoseOfOnceRequests(KeepsAlive):
    def request(self, effect: SendRequest) -> Event:
        return super().request(effect) if effect.once else HttpxTransport(now=self.now)(effect)


@breaks("connections_are_closed_at_the_end", "an_exception_closes_everything_and_comes_out")
class LeavesConnections(KeepsAlive):
    def __exit__(self, *exc_info: object) -> None:
        _LEFT.append(self._kept)
        HttpxWorld.__exit__(self, *exc_info)


@breaks("an_exception_closes_everything_and_comes_out")
class ClosesOnSuccess(KeepsAlive):
    def __exit__(self, *exc_info: object) -> None:
        if exc_info[0] is None:
            self._kept.close()
        _LEFT.append(self._kept)
        HttpxWorld.__exit__(self, *exc_info)


_LEFT: list[httpx.Client] = []


def close_what_was_left() -> None:
    """For the test."""
    while _LEFT:
        _LEFT.pop().close()
