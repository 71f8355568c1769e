"""What a token source remembers between two calls, and what it makes of it.

Rules of this file: no I/O, no lock, no thread; the caller guards it. A renewal that failed or was not due
is not begun again for a while, so that a server that is down does not see a storm of requests.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto, unique
from typing import Final, assert_never

import attrs

from codex_oauth.tokens.renewing import Failure, Landing, Place
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.renewal_policy import Freshness, RenewalPolicy, freshness
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret

__all__ = ["Fresh", "Memory", "Step"]

_FAILED_FOR: Final = 30.0  # seconds, and up to twice that
_PAUSES: Final = {
    NotRenewedReason.CURRENT: 1.0,
    NotRenewedReason.BUSY: 1.0,
    NotRenewedReason.UNCERTAIN: _FAILED_FOR,
    NotRenewedReason.SPACED: _FAILED_FOR,
    NotRenewedReason.FAILED: _FAILED_FOR,
}
"""Seconds, and up to twice that, before the next look at a login that was kept as it is."""

_UNSAVED_FOR: Final = 1.0  # seconds, and up to twice that, before the next try to store what is only here
_JUDGED_FOR: Final = 1.0
"""Seconds for which a token that was found current counts as current, and its place as where it is."""


@unique
class Step(Enum):
    """What to do for a caller who wants a token."""

    USE = auto()
    USE_AND_RENEW = auto()
    """Use the old token, and begin a renewal for those who come later."""
    RENEW = auto()


@attrs.frozen
class Fresh:
    """A record that needs no thought from `since` to `until` (Unix seconds), and its access token."""

    record: Record
    token: Secret[str]
    since: float
    until: float


def _never(_: Record) -> bool:
    return False


@attrs.define(eq=False, kw_only=True)
class Memory:
    """All that is remembered. `jitter` is from 0 to 1. `is_off` says of a login that it is good and may not
    be used: then it is looked for anew at every call, for its person may change that.
    """

    policy: RenewalPolicy
    jitter: float
    is_off: Callable[[Record], bool] = attrs.field(default=_never, repr=False)
    record: Record | None = None
    had: Record | None = None
    """The last record that there was, also when it is gone: whose login it is does not change by that."""
    fresh: Fresh | None = None
    refused: Secret[str] | None = None
    """The record's access token, if a server refused it and nothing else has been had since."""
    failure: Failure | None = None
    unsaved: SignInError | None = None
    """Why the record is nowhere but here, if so: it is stored before anything else is done."""
    _seen: tuple[Place, float] | None = attrs.field(default=None, init=False)
    _quiet_until: float = attrs.field(default=float("-inf"), init=False)
    _failed_until: float = attrs.field(default=float("-inf"), init=False)
    _force_from: float = attrs.field(default=float("-inf"), init=False)

    def step(self, rejected: Secret[str] | None, at: float, wall: float) -> Step:
        """What to do now, at the instant `at`, for a caller whose token `rejected` was refused, if any."""
        record = self.record
        if record is None or self.refused is not None or self.is_off(record):
            return Step.RENEW
        if rejected is not None and record.credential.access_token == rejected:
            return Step.USE if at < max(self._force_from, self._failed_until) else Step.RENEW
        how = freshness(record, wall, self.policy, self.jitter)
        match how:
            case Freshness.CURRENT if self.unsaved is not None:
                return Step.USE if at < self._quiet_until else Step.USE_AND_RENEW
            case Freshness.CURRENT:
                until = wall + _JUDGED_FOR
                # a token that lives for seconds may be dead by then
                if freshness(record, until, self.policy, self.jitter) is not Freshness.EXPIRED:
                    self.fresh = Fresh(record, record.credential.access_token, wall, until)
                return Step.USE
            case Freshness.ADVISORY:
                return Step.USE if at < self._quiet_until else Step.USE_AND_RENEW
            case Freshness.MANDATORY:
                return Step.USE if at < self._quiet_until else Step.RENEW
            case Freshness.EXPIRED:
                return Step.RENEW
            case _:
                assert_never(how)

    def see(self, place: Place, at: float) -> None:
        """Take in where the login was found at the instant `at`, whatever is to be done about it."""
        self._seen = place, at

    def seen_just_now(self, at: float) -> Place | None:
        """Where the login was found a moment before the instant `at`, for a renewal that follows at once."""
        seen, self._seen = self._seen, None
        return seen[0] if seen is not None and at - seen[1] < _JUDGED_FOR else None

    def begin(self, rejected: Secret[str] | None, at: float) -> Secret[str] | None:
        """Take in that a renewal begins at the instant `at`; which token it must replace whatever its age."""
        ours = None if self.record is None else self.record.credential.access_token
        if rejected is None or ours not in (None, rejected):
            return self.refused
        self._force_from = at + self.policy.spacing
        self.refused, self.fresh = rejected, None
        return rejected

    def learn(self, landing: Landing, at: float) -> None:
        """Take in how a renewal ended, at the instant `at`."""
        self.fresh = None
        outcome = landing.outcome
        match outcome:
            case Renewed():
                self._have(outcome.record)
                self.unsaved = outcome.unsaved
                self._quiet_until = at + self._jittered(_UNSAVED_FOR)
            case Adopted():
                self._have(outcome.record)
            case NotRenewed():
                unsaved = self.unsaved if outcome.record == self.record else None
                self._have(outcome.record)
                self.unsaved = unsaved
                self._quiet_until = at + self._jittered(_PAUSES[outcome.why])
                if outcome.why is NotRenewedReason.FAILED:
                    self._failed_until = self._quiet_until
            case SignInError():
                if not landing.recalled:
                    self._fail(outcome, landing, at)
            case _:
                assert_never(outcome)

    def _have(self, record: Record) -> None:
        self.record = self.had = record
        self.refused = self.failure = self.unsaved = None

    def _fail(self, error: SignInError, landing: Landing, at: float) -> None:
        if error.kind is not ErrorKind.CANCELLED:
            self.failure = Failure(error, landing.seen, at + self._jittered(_FAILED_FOR))
        # where its file is away for a moment nobody is signed in; what is only here is not forgotten
        ended = self.unsaved is None or "code" in error.details
        if error.kind is ErrorKind.LOGIN_REQUIRED and ended:
            self.record = self.unsaved = None

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 + self.jitter)
