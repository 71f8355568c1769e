"""A login is ended: lock, reserve, revoke at the server (RFC 7009), delete, release.

Rules of this file: every move is a row of the table, and `docs/diagrams/revoke_login.mmd` is drawn from it;
whatever the server says or does not say, the login is deleted here; the lock is held from the look to the
deletion, so that no renewal can bring the login back, and what is revoked is the latest there is; whatever is
waited for, the lock is given back before, and the login is looked at again after it. A token that was copied
from another program is that program's to revoke.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, Request, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Cancelled, Event, ResponseReceived, Started
from codex_oauth_core.facts import TryAgain
from codex_oauth_core.flows.machine import FlowMachine, Move
from codex_oauth_core.flows.storing import MOST_LOOKS, StoringFlow, busy_too_long, is_lost
from codex_oauth_core.outcomes import Revoked
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import identified
from codex_oauth_core.record import Record, without_intent
from codex_oauth_core.renewal_times import REVOKE_WITHIN, WAIT_EXPIRED
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Lock,
    LockBusy,
    Locked,
    Release,
    StorageAnswer,
    StoreFailed,
)

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "Revocation", "State", "Trigger"]


# -- the moves -----------------------------------------------------------------------------------------


@unique
class State(Enum):
    """Where a revocation stands."""

    IDLE = "idle"
    LOCKING = "locking"
    QUEUED = "queued"
    RESERVING = "reserving"
    REVOKING = "revoking"
    DELETING = "deleting"
    RELEASING = "releasing"
    RELEASING_TO_RETRY = "releasing_to_retry"
    BACKING_OFF = "backing_off"
    REVOKING_UNSTORED = "revoking_unstored"
    BACKING_OFF_UNSTORED = "backing_off_unstored"
    DONE = "done"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    START_UNSTORED = "start_unstored"
    LOCKED = "locked"
    BUSY = "busy"
    DUE = "due"
    EXHAUSTED = "exhausted"
    NOTHING_TO_REVOKE = "nothing_to_revoke"
    RESERVED = "reserved"
    ANSWERED = "answered"
    RETRY_LATER = "retry_later"
    DELETED = "deleted"
    CONFLICT = "conflict"
    RENEWED = "renewed"
    LOCK_LOST = "lock_lost"
    STORE_FAILED = "store_failed"
    RELEASED = "released"
    CANCEL = "cancel"


FINAL: Final = (State.DONE,)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.LOCKING),
    (Trigger.START_UNSTORED, State.IDLE, State.REVOKING_UNSTORED),
    (Trigger.BUSY, State.LOCKING, State.QUEUED),
    (Trigger.EXHAUSTED, State.LOCKING, State.DONE),
    (Trigger.STORE_FAILED, State.LOCKING, State.DONE),
    (Trigger.DUE, State.QUEUED, State.LOCKING),
    (Trigger.LOCKED, State.LOCKING, State.RESERVING),
    (Trigger.NOTHING_TO_REVOKE, State.LOCKING, State.DELETING),
    (Trigger.CONFLICT, State.LOCKING, State.RELEASING),
    (Trigger.RESERVED, State.RESERVING, State.REVOKING),
    (Trigger.LOCK_LOST, State.RESERVING, State.RELEASING_TO_RETRY),
    (Trigger.STORE_FAILED, State.RESERVING, State.DELETING),
    (Trigger.ANSWERED, State.REVOKING, State.DELETING),
    (Trigger.RETRY_LATER, State.REVOKING, State.RELEASING_TO_RETRY),
    (Trigger.CONFLICT, State.DELETING, State.RELEASING),
    (Trigger.RENEWED, State.DELETING, State.RELEASING_TO_RETRY),
    (Trigger.LOCK_LOST, State.DELETING, State.RELEASING_TO_RETRY),
    (Trigger.DELETED, State.DELETING, State.RELEASING),
    (Trigger.STORE_FAILED, State.DELETING, State.RELEASING),
    (Trigger.RELEASED, State.RELEASING, State.DONE),
    (Trigger.START_UNSTORED, State.RELEASING, State.REVOKING_UNSTORED),
    (Trigger.RELEASED, State.RELEASING_TO_RETRY, State.BACKING_OFF),
    (Trigger.DUE, State.BACKING_OFF, State.LOCKING),
    (Trigger.CANCEL, State.BACKING_OFF, State.LOCKING),
    (Trigger.ANSWERED, State.REVOKING_UNSTORED, State.DONE),
    (Trigger.RETRY_LATER, State.REVOKING_UNSTORED, State.BACKING_OFF_UNSTORED),
    (Trigger.DUE, State.BACKING_OFF_UNSTORED, State.REVOKING_UNSTORED),
    (Trigger.CANCEL, State.BACKING_OFF_UNSTORED, State.DONE),
    *((Trigger.CANCEL, state, State.DONE) for state in (State.IDLE, State.QUEUED)),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)


# -- the flow ------------------------------------------------------------------------------------------


_FIRST_PAUSE: Final = 0.5
_LEAST_TIME: Final = 1.0  # seconds that a request needs to be worth a try


@attrs.define(eq=False, kw_only=True)
class Revocation(StoringFlow[Revoked]):
    """End the stored login of one account. With `credential`, end a login that is not stored.

    `expected`: the login that the caller expects in the store; another login there is left alone. `provider`:
    where to revoke the login; None asks no server. A server that cannot do it now is asked again, for 10 s in
    all; a cancellation stops these requests, but not the deletion. `lock_limit`: seconds to wait for another
    process. The flow ends with `Revoked`, or with a `SignInError` if the login could not be deleted.
    """

    machine = MACHINE

    provider: Provider | None
    credential: Credential | None = None
    expected: Record | None = None
    lock_limit: float = WAIT_EXPIRED
    state: State = attrs.field(default=State.IDLE, init=False)
    _record: Record | None = attrs.field(init=False, repr=False)
    _unreadable: bool = attrs.field(default=False, init=False, repr=False)
    _looks: int = attrs.field(default=0, init=False, repr=False)
    _tries: int = attrs.field(default=0, init=False, repr=False)
    _revoke_until: float | None = attrs.field(default=None, init=False, repr=False)
    _due_at: float = attrs.field(default=0.0, init=False, repr=False)
    _cause: ErrorKind | None = attrs.field(default=None, init=False, repr=False)  # of the last failure
    _revoke_deleted: Credential | None = attrs.field(default=None, init=False, repr=False)
    _confirmed: bool | None = attrs.field(default=None, init=False, repr=False)
    _error: SignInError | None = attrs.field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._record = self.expected

    def _start(self, event: Started) -> Effect:
        if self.credential is None:
            self._move(Trigger.START)
            return Lock()
        self._move(Trigger.START_UNSTORED)
        return self._request(self.credential) or self._answered()

    def _next(self, event: Event) -> Effect:
        if isinstance(event, Cancelled) and self.state is State.BACKING_OFF:
            # give up the server, and not the deletion
            self._revoke_until, self._confirmed = self._now, bool(self._confirmed)
            self._move(Trigger.CANCEL)
            return Lock()
        if isinstance(event, Cancelled) and self.state is State.BACKING_OFF_UNSTORED:
            self._move(Trigger.CANCEL)
            return self._over()
        return super()._next(event)

    # -- the login ----------------------------------------------------------------------------------------

    def _stored(self, answer: StorageAnswer) -> Effect:
        match self.state:
            case State.LOCKING:
                return self._locked(answer)
            case State.RESERVING:
                return self._reserved(answer)
            case State.DELETING:
                return self._deleted(answer)
            case State.RELEASING:
                return self._released()
            case State.RELEASING_TO_RETRY:
                self._move(Trigger.RELEASED)
                return self._back_off()
            case _:
                return self._unexpected(answer)

    def _locked(self, answer: StorageAnswer) -> Effect:
        match answer:
            case StoreFailed():
                return self._fail(Trigger.STORE_FAILED, answer.error)
            case LockBusy():
                if self._waited_for(self.lock_limit):
                    return self._fail(Trigger.EXHAUSTED, busy_too_long(answer.intent))
                self._move(Trigger.BUSY)
                return self._queue(answer, self.lock_limit)
            case Locked():
                return self._has_the_lock(answer)
            case _:
                return self._unexpected(answer)

    def _has_the_lock(self, locked: Locked) -> Effect:
        """What cannot be read cannot be revoked, and is deleted all the same."""
        self._looks += 1
        self._revoke_deleted = None  # what is here now counts
        record, before = locked.record, self._record
        if before is not None and record is not None:
            if not _is_of_one_sign_in(record, before):
                return self._leave_alone()
            if record.fingerprint != before.fingerprint:  # what the server confirmed was of another token
                self._confirmed = False
        self._record = record
        self._unreadable = locked.problem is not None
        if self._unreadable and self.provider is not None:
            self._confirmed = False
        if record is None or not self._may_be_revoked(record.credential):
            self._move(Trigger.NOTHING_TO_REVOKE)
            return self._delete()
        self._move(Trigger.LOCKED)
        return self._reserve(without_intent(record))

    def _leave_alone(self) -> Effect:
        self._error = _changed()
        self._move(Trigger.CONFLICT)
        return Release()

    def _reserved(self, answer: StorageAnswer) -> Effect:
        """Where others cannot be warned, the login is deleted first: then nobody else can use it."""
        record = self._record
        assert record is not None  # there was something to revoke
        if isinstance(answer, StoreFailed):
            if is_lost(answer.error) and self._looks < MOST_LOOKS:
                return self._begin_again(Trigger.LOCK_LOST)
            self._revoke_deleted = record.credential
            self._move(Trigger.STORE_FAILED)
            return self._delete()
        self._move(Trigger.RESERVED)
        return self._request(record.credential) or self._answered()

    def _delete(self) -> Delete:
        return Delete(None if self._record is None else self._record.fingerprint, even_corrupt=True)

    def _deleted(self, answer: StorageAnswer) -> Effect:
        """Of what is gone already nothing is left to do; what was renewed meanwhile is to be ended too."""
        match answer:
            case Conflict(record) if record is not None and self._record is not None:
                if _is_of_one_sign_in(record, self._record) and self._looks < MOST_LOOKS:
                    return self._begin_again(Trigger.RENEWED)
                return self._leave_alone()
            case Conflict(record) if record is not None:
                # what could not be read at the look can be read now: look again
                again = self._unreadable and self._looks < MOST_LOOKS
                return self._begin_again(Trigger.RENEWED) if again else self._leave_alone()
            case StoreFailed():
                if is_lost(answer.error) and self._looks < MOST_LOOKS:
                    return self._begin_again(Trigger.LOCK_LOST)
                self._error, self._revoke_deleted = answer.error, None
                self._move(Trigger.STORE_FAILED)
            case _:
                self._move(Trigger.DELETED)
        return Release()

    def _begin_again(self, trigger: Trigger) -> Effect:
        self._due_at = self._now + _FIRST_PAUSE * (self._looks > 1)
        self._move(trigger)
        return Release()

    def _released(self) -> Effect:
        credential = self._revoke_deleted
        request = None if credential is None else self._request(credential)
        if request is None:
            self._move(Trigger.RELEASED)
            return self._over()
        self._move(Trigger.START_UNSTORED)
        return request

    def _on_time(self) -> Effect:
        unstored = self.state is State.BACKING_OFF_UNSTORED
        self._move(Trigger.DUE)
        if not unstored:
            return Lock()
        credential = self._revoke_deleted or self.credential
        assert credential is not None  # there was a request to repeat
        return self._request(credential) or self._answered()

    # -- the server ---------------------------------------------------------------------------------------

    def _may_be_revoked(self, credential: Credential) -> bool:
        """Whether there is somebody to ask, something of ours to end, and time for it."""
        provider = self.provider
        if provider is None or credential.refresh_token is None or self._confirmed:
            return False
        if (credential.issuer, credential.client_id) != (provider.issuer, provider.client_id):
            self._confirmed = False
            return False
        if self._revocation(provider, credential.refresh_token) is None:  # it ends no login
            self._confirmed = False
            return False
        return self._revoke_until is None or self._now + _LEAST_TIME <= self._revoke_until

    def _request(self, credential: Credential) -> SendRequest | None:
        """The request that ends a login, in what is left of the time; None where there is none to send."""
        if not self._may_be_revoked(credential):
            return None
        assert self.provider is not None
        assert credential.refresh_token is not None
        if self._revoke_until is None:
            self._revoke_until = self._now + REVOKE_WITHIN
        self._tries += 1
        request = self._revocation(self.provider, credential.refresh_token)
        assert request is not None  # it may be revoked
        return SendRequest(request, self._revoke_until - self._now, once=True)

    @staticmethod
    def _revocation(provider: Provider, token: Secret[str]) -> Request | None:
        return provider.dialect.revocation_request(provider, token, "refresh_token")

    def _on_response(self, response: ResponseReceived) -> Effect:
        assert self.provider is not None  # without one nothing was sent
        said = self.provider.dialect.read_revocation(self.provider, response)
        return self._on_request_failed(said) if isinstance(said, TryAgain) else self._answered(confirmed=said)

    def _on_request_failed(self, failure: TryAgain) -> Effect:
        """To revoke twice is harmless: it is tried again while there is time (RFC 7009 §2.2.1)."""
        until = self._revoke_until or self._now
        due_at = self._now + max(_FIRST_PAUSE * 2.0 ** (self._tries - 1), failure.retry_after or 0.0)
        if failure.kind is ErrorKind.TLS_UNTRUSTED or due_at + _LEAST_TIME > until:
            return self._answered(confirmed=False)
        self._confirmed, self._due_at, self._cause = False, due_at, failure.kind
        self._move(Trigger.RETRY_LATER)
        return self._back_off() if self.state is State.BACKING_OFF_UNSTORED else Release()

    def _back_off(self) -> Wait:
        limited = self._cause is ErrorKind.RATE_LIMITED
        return Wait(self._due_at, Why.RATE_LIMITED if limited else Why.RETRY, cause=self._cause)

    def _answered(self, *, confirmed: bool | None = None) -> Effect:
        self._confirmed = self._confirmed if confirmed is None else confirmed
        self._move(Trigger.ANSWERED)
        return self._over() if self.state is State.DONE else self._delete()

    # -- the end ------------------------------------------------------------------------------------------

    def _fail(self, trigger: Trigger, error: SignInError) -> Finished:
        self._move(trigger)
        return Finished(error)

    def _over(self) -> Finished:
        return Finished(self._error or Revoked(confirmed=self._confirmed))


def _is_of_one_sign_in(record: Record, read: Record) -> bool:
    """Whether `record` is what was read, or what has become of that by renewals: no sign-in of its own."""
    if record.fingerprint == read.fingerprint:
        return True
    ours, theirs = (
        identified(record.credential),
        identified(read.credential),
    )
    same = ours.identity.fits(theirs.identity)
    return same and record.parent is not None and record.generation > read.generation


def _changed() -> SignInError:
    return SignInError.of(ErrorKind.AUTH_WRITE_FAILED, _CHANGED, reason="contended")


_CHANGED: Final = "A new sign-in has replaced this login meanwhile. It was left as it is."
