"""A login is renewed: read, lock, reserve, send once, save, release.

Rules of this file: every move is a row of the table, and `docs/diagrams/renewal.mmd` is drawn from it; from
`LOCKING` to `RELEASING` the lock of the login is held, and in no other state. The refresh token rotates and
is spent by sending it, so nothing is sent before its successor's place is on the disk, and nothing is judged
before the successor is saved; one request for each time the lock is held; a wait for another process or for
the server is without the lock, one for the disk that a successor cannot be saved to is with it; nothing here
ever deletes a login.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final, assert_never

import attrs

from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Cancelled, Event, ResponseReceived, Started
from codex_oauth_core.facts import Granted, Refusal, Tokens, TryAgain
from codex_oauth_core.flows.machine import HOPELESS, FlowMachine, Move, error_of, refusal_of
from codex_oauth_core.flows.pace import SavePace
from codex_oauth_core.flows.renewal_policy import RenewalPolicy, RenewalRequest
from codex_oauth_core.flows.renewed_record import as_sign_in, renewed_record, unused_successor
from codex_oauth_core.flows.storing import StoringFlow, busy_too_long
from codex_oauth_core.leftovers import succeeds
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Intent, Record, without_intent
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import (
    Conflict,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Release,
    Rescue,
    Save,
    StorageAnswer,
    StoreFailed,
)

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "Renewal", "State", "Trigger"]


@unique
class State(Enum):
    """Where a renewal stands."""

    IDLE = "idle"
    READING = "reading"
    LOCKING = "locking"
    QUEUED = "queued"
    RESERVING = "reserving"
    SENDING = "sending"
    RESCUING = "rescuing"
    SAVING = "saving"
    SAVING_LATER = "saving_later"
    RELEASING = "releasing"
    RELEASING_TO_RETRY = "releasing_to_retry"
    BACKING_OFF = "backing_off"
    DONE = "done"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    CURRENT = "current"
    STALE = "stale"
    BUSY = "busy"
    QUEUE = "queue"
    UNREADABLE = "unreadable"
    UNSAVED = "unsaved"
    DUE = "due"
    RESERVED = "reserved"
    ANSWERED = "answered"
    UNCERTAIN = "uncertain"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    LOCK_LOST = "lock_lost"
    OTHER_ACCOUNT = "other_account"
    RESCUED = "rescued"
    SAVED = "saved"
    CONFLICT = "conflict"
    STORE_FAILED = "store_failed"
    TRY_LATER = "try_later"
    RESTORED = "restored"
    RELEASED = "released"
    EXHAUSTED = "exhausted"
    CANCEL = "cancel"


FINAL: Final = (State.DONE,)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.READING),
    (Trigger.CURRENT, State.READING, State.DONE),
    (Trigger.STALE, State.READING, State.LOCKING),
    (Trigger.STORE_FAILED, State.READING, State.DONE),
    (Trigger.BUSY, State.LOCKING, State.DONE),
    (Trigger.EXHAUSTED, State.LOCKING, State.DONE),
    (Trigger.QUEUE, State.LOCKING, State.QUEUED),
    (Trigger.STORE_FAILED, State.LOCKING, State.DONE),
    (Trigger.DUE, State.QUEUED, State.READING),
    (Trigger.UNREADABLE, State.LOCKING, State.RELEASING),
    (Trigger.CURRENT, State.LOCKING, State.RELEASING),
    (Trigger.UNSAVED, State.LOCKING, State.SAVING),
    (Trigger.STALE, State.LOCKING, State.RESERVING),
    (Trigger.RESERVED, State.RESERVING, State.SENDING),
    (Trigger.STORE_FAILED, State.RESERVING, State.RELEASING),
    (Trigger.LOCK_LOST, State.RESERVING, State.RELEASING_TO_RETRY),
    (Trigger.ANSWERED, State.SENDING, State.SAVING),
    (Trigger.UNCERTAIN, State.SENDING, State.SAVING),
    (Trigger.OTHER_ACCOUNT, State.SENDING, State.RESCUING),
    (Trigger.REFUSED, State.SENDING, State.RELEASING),
    (Trigger.NOT_SENT, State.SENDING, State.RELEASING_TO_RETRY),
    (Trigger.RESCUED, State.RESCUING, State.SAVING),
    (Trigger.STORE_FAILED, State.RESCUING, State.SAVING),
    (Trigger.SAVED, State.SAVING, State.RELEASING),
    (Trigger.CONFLICT, State.SAVING, State.RELEASING),
    (Trigger.RESTORED, State.SAVING, State.RELEASING_TO_RETRY),
    (Trigger.STORE_FAILED, State.SAVING, State.RELEASING),
    (Trigger.TRY_LATER, State.SAVING, State.SAVING_LATER),
    (Trigger.DUE, State.SAVING_LATER, State.SAVING),
    (Trigger.CANCEL, State.SAVING_LATER, State.SAVING),
    (Trigger.RELEASED, State.RELEASING, State.DONE),
    (Trigger.RELEASED, State.RELEASING_TO_RETRY, State.BACKING_OFF),
    (Trigger.DUE, State.BACKING_OFF, State.READING),
    (Trigger.EXHAUSTED, State.BACKING_OFF, State.DONE),
    *((Trigger.CANCEL, state, State.DONE) for state in (State.IDLE, State.QUEUED, State.BACKING_OFF)),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)


# -- the flow ------------------------------------------------------------------------------------------


_Result = Renewed | Adopted | NotRenewed | SignInError
_NOTHING_SENT: Final = (State.READING, State.LOCKING, State.RESERVING)


@attrs.define(eq=False, kw_only=True)
class Renewal(StoringFlow[Renewed | Adopted | NotRenewed]):
    """Renew the stored login of one account (RFC 6749 §6), if it is due.

    `rejected`: the access token that a server refused with 401. `forced`: renew even a current login.
    `jitter`: from 0 to 1, drawn once by each process. The flow ends with `Renewed`, `Adopted` (another
    process was faster), `NotRenewed` (the old access token is usable) or a `SignInError` (it is not).

    `known` is the record that this process had last. If it renews the stored record, it is stored first: an
    earlier save failed. A failed save is repeated for 30 s, then the flow ends. With `keep_saving` it keeps
    the lock until the record is saved or it is cancelled: read `meanwhile` after each effect.
    """

    machine = MACHINE

    provider: Provider = attrs.field(default=CODEX)
    rejected: Secret[str] | None = None
    forced: bool = False
    policy: RenewalPolicy = attrs.field(factory=RenewalPolicy)
    jitter: float = 0.5
    known: Record | None = attrs.field(default=None, repr=False)
    keep_saving: bool = False
    state: State = attrs.field(default=State.IDLE, init=False)
    _request: RenewalRequest = attrs.field(init=False, repr=False)
    _record: Record | None = attrs.field(default=None, init=False, repr=False)
    _first_seen: Record | None = attrs.field(default=None, init=False, repr=False)
    _crash: Intent | None = attrs.field(default=None, init=False, repr=False)
    _result: _Result | None = attrs.field(default=None, init=False, repr=False)
    _to_save: Record | None = attrs.field(default=None, init=False, repr=False)
    _save_failed: SignInError | None = attrs.field(default=None, init=False, repr=False)
    _saving: SavePace = attrs.field(default=SavePace(), init=False, repr=False)
    _restores: int = attrs.field(default=0, init=False, repr=False)
    _gave_up_saving: bool = attrs.field(default=False, init=False, repr=False)
    _retry_until: float | None = attrs.field(default=None, init=False, repr=False)
    _due_at: float = attrs.field(default=0.0, init=False, repr=False)
    _failure: TryAgain | None = attrs.field(default=None, init=False, repr=False)
    _tries: int = attrs.field(default=0, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._request = RenewalRequest.by(self)

    @property
    def meanwhile(self) -> Renewed | Adopted | NotRenewed | SignInError | None:
        """The outcome for waiting callers while the flow goes on saving; None while they must wait."""
        late = self.state is State.SAVING_LATER and self._saving.is_late(self._now)
        return self._unsaved() if late else None

    def _start(self, event: Started) -> Effect:
        self._move(Trigger.START)
        return Load()

    def _next(self, event: Event) -> Effect:
        if isinstance(event, Cancelled) and self.state is State.SAVING_LATER:
            self._gave_up_saving = True  # one more try, and the lock is given back
            return self._save(Trigger.CANCEL, self._being_saved())
        return super()._next(event)

    def _stored(self, answer: StorageAnswer) -> Effect:
        if isinstance(answer, StoreFailed) and self.state in _NOTHING_SENT:
            if self.state is State.RESERVING and self._looks_again(answer):
                return self._release_to_retry(Trigger.LOCK_LOST, self._now)
            return self._end_with(Trigger.STORE_FAILED, self._not_renewed_or(answer.error))
        match self.state:
            case State.READING:
                return self._read(answer)
            case State.LOCKING:
                return self._locked(answer)
            case State.RESERVING:
                return self._reserved()
            case State.RESCUING:  # what another account got is kept or not; ours is marked all the same
                trigger = Trigger.STORE_FAILED if isinstance(answer, StoreFailed) else Trigger.RESCUED
                return self._save(trigger, self._held_record())
            case State.SAVING:
                return self._saved(answer)
            case State.RELEASING:
                self._move(Trigger.RELEASED)
                assert self._result is not None  # what is released for is known
                return Finished(self._result)
            case State.RELEASING_TO_RETRY:
                self._move(Trigger.RELEASED)
                cause = None if self._failure is None else self._failure.kind
                limited = cause is ErrorKind.RATE_LIMITED
                return Wait(self._due_at, Why.RATE_LIMITED if limited else Why.RETRY, cause=cause)
            case _:
                return self._unexpected(answer)

    def _read(self, answer: StorageAnswer) -> Effect:
        assert isinstance(answer, Loaded)
        if (result := self._judged(answer.record)) is not None:
            return self._end_with(Trigger.CURRENT, result)
        self._move(Trigger.STALE)
        return Lock()

    def _judged(self, record: Record | None) -> _Result | None:
        """Take in what is stored: how the renewal ends with it, None if there is something to do."""
        verdict = self._request.decide(record, self._wall, self._first_seen)
        self._record, self._first_seen = record, self._first_seen or record
        return None if self._has_unsaved(record) else verdict

    def _has_unsaved(self, stored: Record | None) -> bool:
        """Whether what this process had last was exchanged for what is stored, which is spent therefore."""
        return self.known is not None and stored is not None and succeeds(self.known, stored)

    def _locked(self, answer: StorageAnswer) -> Effect:
        match answer:
            case LockBusy():
                return self._busy(answer)
            case Locked():
                return self._has_the_lock(answer)
            case _:
                return self._unexpected(answer)

    def _has_the_lock(self, locked: Locked) -> Effect:
        """Judge by the one look that the lock came with: another one could see what that one did not."""
        if locked.problem is not None:
            return self._end_with(Trigger.UNREADABLE, self._not_renewed_or(locked.problem))
        if (result := self._judged(locked.record)) is not None:
            return self._end_with(Trigger.CURRENT, result)
        record = self._held_record()
        if self.known is not None and self._has_unsaved(record):
            self._saving = self._saving.begun(self._now)
            return self._save(Trigger.UNSAVED, self.known)
        self._crash = record.intent or self._crash  # whose intent was left in it, and go on without that
        self._record = without_intent(record)
        self._move(Trigger.STALE)
        return self._reserve(self._record)

    def _busy(self, busy: LockBusy) -> Effect:
        record = self._latest()
        if not self._request.is_pressing(record, self._wall):
            self._move(Trigger.BUSY)
            return Finished(NotRenewed(record, NotRenewedReason.BUSY))
        limit = self._request.lock_limit(record, self._wall)
        if self._waited_for(limit):
            return self._end_with(Trigger.EXHAUSTED, self._not_renewed_or(busy_too_long(busy.intent)))
        self._move(Trigger.QUEUE)
        return self._queue(busy, limit)

    def _latest(self) -> Record:
        """The newest login that this process has: what is stored, or what could not be saved."""
        record = self._held_record()
        return self.known if self.known is not None and self._has_unsaved(record) else record

    def _not_renewed_or(self, error: SignInError) -> NotRenewed | SignInError:
        latest = None if self._record is None else self._latest()
        return self._request.not_renewed_or(error, latest, self._wall)

    def _reserved(self) -> Effect:
        token = self._held_record().credential.refresh_token
        request = None if token is None else self.provider.dialect.refresh_request(self.provider, token)
        assert request is not None  # the verdict has seen to it
        self._move(Trigger.RESERVED)
        if self._retry_until is None:
            self._retry_until = self._now + self.policy.retry_limit
        self._tries += 1
        return SendRequest(request, self.policy.request_timeout, once=True, write_by=self._write_by())

    def _on_response(self, response: ResponseReceived) -> Effect:
        self._saving = self._saving.begun(self._now)
        fact = self.provider.dialect.read_refresh(self.provider, response)
        match fact:
            case Granted():
                return self._granted(fact.tokens, response)
            case TryAgain():
                return self._on_request_failed(fact)
            case Refusal():
                return self._refused(fact)
            case _:
                assert_never(fact)

    def _granted(self, tokens: Tokens, response: ResponseReceived) -> Effect:
        """Save what was issued; what is to be said about it comes after that."""
        record = self._held_record()
        if tokens.access_token is None and tokens.refresh_token is None:
            return self._on_request_failed(TryAgain(ErrorKind.INVALID_RESPONSE, True, status=response.status))
        if tokens.refusal is not None or not self._request.is_of_its_account(record, tokens):
            return self._granted_another(record, tokens, response)
        renewed = renewed_record(record, tokens, response, self.provider)
        self._result = self._request.after_grant(renewed, tokens, self._wall)
        return self._save(Trigger.ANSWERED, renewed)

    def _granted_another(self, record: Record, tokens: Tokens, response: ResponseReceived) -> Effect:
        """Another account's tokens are kept under its id; the old refresh token is not sent again."""
        why = tokens.refusal or Refusal(ErrorKind.ACCOUNT_CHANGED)
        self._result = self._not_renewed_or(error_of(why, self._secrets(), texts=self.provider.texts))
        if tokens.refresh_token_unusable:
            return self._save(Trigger.ANSWERED, attrs.evolve(record, spent=True, uncertain_at=None))
        if tokens.refresh_token is None:
            self._move(Trigger.REFUSED)
            return Release()
        if tokens.refusal is not None:
            return self._save(Trigger.ANSWERED, unused_successor(record, tokens))
        self._record = attrs.evolve(record, spent=True, uncertain_at=None)
        self._move(Trigger.OTHER_ACCOUNT)
        return Rescue(as_sign_in(record, tokens, response))

    def _on_request_failed(self, failure: TryAgain) -> Effect:
        record = self._held_record()
        if failure.maybe_answered:
            lost = attrs.evolve(refusal_of(failure), uncertain=True)
            self._result = self._not_renewed_or(error_of(lost, self._secrets(), texts=self.provider.texts))
            return self._save(Trigger.UNCERTAIN, attrs.evolve(record, uncertain_at=self._wall))
        pause = self._request.pause_before_retry(record, self._wall, failure, self._tries)
        due_at, until = None if pause is None else self._now + pause, self._retry_until
        if failure.kind in HOPELESS or due_at is None or until is None or due_at >= until:
            return self._refused(refusal_of(failure))  # the caller is better served now
        return self._release_to_retry(Trigger.NOT_SENT, due_at, failure)

    def _release_to_retry(self, trigger: Trigger, due_at: float, failure: TryAgain | None = None) -> Release:
        self._due_at, self._failure = due_at, failure
        self._move(trigger)
        return Release()

    def _refused(self, fact: Refusal) -> Effect:
        record = self._held_record()
        error = error_of(fact, self._secrets(), texts=self.provider.texts)
        if fact.kind is not ErrorKind.LOGIN_REQUIRED:
            return self._end_with(Trigger.REFUSED, self._not_renewed_or(error))
        self._result = self._request.login_over(error, record, self._wall, self._crash)
        code = str(error.details.get("code") or "unauthorized")
        return self._save(Trigger.ANSWERED, attrs.evolve(record, dead_code=code))

    def _save(self, trigger: Trigger, record: Record) -> Effect:
        self._to_save = record
        self._move(trigger)
        return Save(record, self._held_record().fingerprint)

    def _being_saved(self) -> Record:
        assert self._to_save is not None  # no state that asks is reached without one
        return self._to_save

    def _saved(self, answer: StorageAnswer) -> Effect:
        match answer:
            case Conflict():
                self._result = self._request.after_conflict(answer.record, self._wall)
                self._move(Trigger.CONFLICT)
            case StoreFailed():
                return self._not_saved(answer)
            case _ if self._result is None:
                return self._restored()
            case _:
                self._move(Trigger.SAVED)
        return Release()

    def _restored(self) -> Effect:
        """What was known is stored now: begin again with it. A store that forgets it each time ends that."""
        self._restores += 1
        if self._request.may_repeat(self._restores):
            return self._release_to_retry(Trigger.RESTORED, self._now)
        contended = SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="contended")
        return self._end_with(Trigger.SAVED, self._not_renewed_or(contended))

    def _not_saved(self, failed: StoreFailed) -> Effect:
        """Try again, with the lock, what nobody else has: the stored refresh token is spent."""
        self._save_failed = failed.error
        record = self._being_saved()
        is_a_mark = (
            not record.spent and record.generation <= self._held_record().generation
        )  # as the intent is
        repeat = not (failed.rescued or self._gave_up_saving or is_a_mark)
        until = self._saving.next(self._now, late_too=self.keep_saving) if repeat else None
        if until is not None:
            self._saving = self._saving.slower()
            self._move(Trigger.TRY_LATER)
            return Wait(until, Why.SAVING, cause=failed.error.kind)
        return self._end_with(Trigger.STORE_FAILED, self._unsaved())

    def _unsaved(self) -> _Result:
        """How it ends where the last save failed: with what there is in memory, and the error to tell."""
        error, result = self._save_failed, self._result
        if error is not None and result is None:  # what was known
            return self._not_renewed_or(error)
        if isinstance(result, Renewed):
            return attrs.evolve(result, unsaved=error)
        assert result is not None
        return result

    def _on_time(self) -> Effect:
        if self.state is State.SAVING_LATER:
            return self._save(Trigger.DUE, self._being_saved())
        woken_late = self._retry_until is not None and self._now >= self._retry_until
        if self.state is State.BACKING_OFF and woken_late and self._failure is not None:
            error = error_of(refusal_of(self._failure), self._secrets())
            return self._end_with(Trigger.EXHAUSTED, self._not_renewed_or(error))
        self._move(Trigger.DUE)
        return Load()

    def _end_with(self, trigger: Trigger, result: _Result) -> Effect:
        """End with `result`; where the lock is held, after it is given back."""
        self._result = result
        self._move(trigger)
        return Release() if self.state is State.RELEASING else Finished(result)

    def _held_record(self) -> Record:
        assert self._record is not None  # no state that asks is reached without one
        return self._record

    def _secrets(self) -> tuple[Secret[str], ...]:
        token = None if self._record is None else self._record.credential.refresh_token
        return () if token is None else (token,)
