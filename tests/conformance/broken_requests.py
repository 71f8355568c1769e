"""Worlds that begin too late, read too little, repeat or tell what they read: to test the checks with."""

from __future__ import annotations

import logging
import math
import sys
import warnings

import attrs
import httpx

from codex_oauth import HttpxWorld
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

LOGGER = logging.getLogger("codex_oauth.broken")
LOGGER.propagate = False


class ChangesWriteBy(HttpxWorld):
    """Takes another instant for `write_by`."""

    def other(self, write_by: float) -> float | None:
        return write_by

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and effect.write_by is not None:
            effect = attrs.evolve(effect, write_by=self.other(effect.write_by))
        return super().perform(effect)


@breaks(
    "nothing_goes_out_from_write_by_on",
    "a_request_that_is_late_after_connecting_is_not_sent",
    "the_time_counts_from_the_first_byte",
    "a_handshake_is_limited_by_write_by_alone",
)
class KnowsNoWriteBy(ChangesWriteBy):
    def other(self, write_by: float) -> float | None:
        return None


@breaks("a_request_that_is_late_after_connecting_is_not_sent")
class LooksBeforeItConnectsAndNeverAgain(ChangesWriteBy):
    def perform(self, effect: SignInEffect) -> Event:
        at, _ = self.now()
        if isinstance(effect, SendRequest) and effect.write_by is not None and at >= effect.write_by:
            return RequestFailed(at, Phase.NOT_SENT, Cause.TIMEOUT)
        return super().perform(effect)

    def other(self, write_by: float) -> float | None:
        return write_by + 1e6


@breaks("nothing_goes_out_from_write_by_on", "a_request_that_is_late_after_connecting_is_not_sent")
class TakesTheInstantItselfForEarlyEnough(ChangesWriteBy):
    def other(self, write_by: float) -> float | None:
        return math.nextafter(write_by, math.inf)


@breaks("the_time_counts_from_the_first_byte", "a_handshake_is_limited_by_write_by_alone")
class LimitsConnectingByTheTimeout(ChangesWriteBy):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and effect.write_by is not None:
            by = min(effect.write_by, self.now()[0] + effect.timeout)
            effect = attrs.evolve(effect, write_by=by)
        return super().perform(effect)


@breaks("write_by_is_no_limit_for_the_answer")
class DropsAnswersAfterWriteBy(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        by = effect.write_by if isinstance(effect, SendRequest) else None
        if by is not None and isinstance(event, ResponseReceived) and event.at > by:
            return RequestFailed(event.at, Phase.MAYBE_SENT, Cause.TIMEOUT)
        return event


@breaks("what_arrived_while_the_machine_slept_is_read", "what_arrived_while_the_process_stood_still_is_read")
class DropsLateAnswers(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(effect, SendRequest) and isinstance(event, ResponseReceived):
            late = event.at > event.sent_at + effect.timeout
            return RequestFailed(event.at, Phase.MAYBE_SENT, Cause.TIMEOUT) if late else event
        return event


@breaks("no_method_is_repeated")
class RepeatsWhatIsIdempotent(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        idempotent = isinstance(effect, SendRequest) and effect.request.method in ("GET", "PUT", "DELETE")
        return super().perform(effect) if idempotent and isinstance(event, RequestFailed) else event


@breaks("nothing_of_a_request_or_an_answer_is_logged")
class LeavesItToItsLibrary(WithClient):
    """What httpcore logs at DEBUG."""

    def client(self) -> httpx.Client:
        return httpx.Client(trust_env=False, verify=False)  # it loads no certificates, which takes time

    def request(self, effect: SendRequest) -> SendOutcome:
        request, (at, wall) = effect.request, self.now()
        try:
            with self.client() as client:
                answer = client.request(
                    request.method,
                    request.url,
                    headers=dict(request.plain_headers()),
                    content=request.body.reveal(),
                )
        except httpx.HTTPError:
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.RESET)
        return ResponseReceived(at, at, wall, answer.status_code, answer.headers, answer.content)


class Tells(Altered):
    """Says what an answer holds, in a way of its own."""

    def tell(self, text: str) -> None:
        raise NotImplementedError

    def answered(self, event: ResponseReceived) -> Event:
        self.tell(str(event.body.reveal()))
        return event


@breaks("nothing_of_a_request_or_an_answer_is_logged")
class LogsAtNoLevelThatIsEverShown(Tells):
    def tell(self, text: str) -> None:
        LOGGER.log(1, "received %s", text)


@breaks("nothing_of_a_request_or_an_answer_is_logged")
class Prints(Tells):
    def tell(self, text: str) -> None:
        print(text)


@breaks("nothing_of_a_request_or_an_answer_is_logged")
class Complains(Tells):
    def tell(self, text: str) -> None:
        print(text, file=sys.stderr)


@breaks("nothing_of_a_request_or_an_answer_is_logged")
class Warns(Tells):
    def tell(self, text: str) -> None:
        warnings.warn(text, stacklevel=2)


@breaks("nothing_of_a_request_or_an_answer_is_logged")
class TellsInAnExceptionThatIsLogged(Tells):
    def tell(self, text: str) -> None:
        try:
            dict[str, str]()[text]
        except KeyError:
            LOGGER.exception("it is not there")


@breaks("nothing_of_a_request_or_an_answer_is_logged")
class LogsTheRequest(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest):
            LOGGER.debug("asking %s", effect.request.url)
        return super().perform(effect)
