"""Worlds that begin too late, read too little, repeat or tell what they read: to test the checks with."""

from __future__ import annotations

import math

import attrs

from codex_oauth.worlds.httpx_world import HttpxWorld
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived, SendRequest, Wait
from codex_oauth_core.events import Event
from tests.conformance.breakage import breaks


class ChangesWriteBy(HttpxWorld):
    """Takes another instant for `write_by`."""

    def other(self, write_by: float) -> float | None:
        return write_by

    def perform(self, effect: SendRequest | Wait) -> Event:
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
    def perform(self, effect: SendRequest | Wait) -> Event:
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
    def perform(self, effect: SendRequest | Wait) -> Event:
        if isinstance(effect, SendRequest) and effect.write_by is not None:
            by = min(effect.write_by, self.now()[0] + effect.timeout)
            effect = attrs.evolve(effect, write_by=by)
        return super().perform(effect)


@breaks("write_by_is_no_limit_for_the_answer")
class DropsAnswersAfterWriteBy(HttpxWorld):
    def perform(self, effect: SendRequest | Wait) -> Event:
        event = super().perform(effect)
        by = effect.write_by if isinstance(effect, SendRequest) else None
        if by is not None and isinstance(event, ResponseReceived) and event.at > by:
            return RequestFailed(event.at, Phase.MAYBE_SENT, Cause.TIMEOUT)
        return event


@breaks("what_arrived_while_the_machine_slept_is_read", "what_arrived_while_the_process_stood_still_is_read")
class DropsLateAnswers(HttpxWorld):
    def perform(self, effect: SendRequest | Wait) -> Event:
        event = super().perform(effect)
        if isinstance(effect, SendRequest) and isinstance(event, ResponseReceived):
            late = event.at > event.sent_at + effect.timeout
            return RequestFailed(event.at, Phase.MAYBE_SENT, Cause.TIMEOUT) if late else event
        return event


@breaks("no_method_is_repeated")
class RepeatsWhatIsIdempotent(HttpxWorld):
    def perform(self, effect: SendRequest | Wait) -> Event:
        event = super().perform(effect)
        idempotent = isinstance(effect, SendRequest) and effect.request.method in ("GET", "PUT", "DELETE")
        return super().perform(effect) if idempotent and isinstance(event, RequestFailed) else event
