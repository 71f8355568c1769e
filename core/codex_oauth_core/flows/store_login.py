"""A finished sign-in is stored: lock, save, release; or kept beside, if the lock cannot be had.

Rules of this file: every move is a row of the table, and `docs/diagrams/store_login.mmd` is drawn from it; a
login that was granted is stored, or kept beside, or the failure is told: it never just disappears. The
login stored last wins, except that a borrowed one (without a refresh token) never takes the place of one
that can be renewed, unless that is asked for.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final

import attrs

from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished
from codex_oauth_core.errors import ErrorKind, IllegalEvent, SignInError
from codex_oauth_core.events import Cancelled, Event, ResponseReceived, Started
from codex_oauth_core.facts import TryAgain
from codex_oauth_core.flows.machine import FlowMachine, Move
from codex_oauth_core.flows.storing import StoringFlow, busy_too_long
from codex_oauth_core.outcomes import LoginStored
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.renewal_times import WAIT_EXPIRED
from codex_oauth_core.storage import (
    Conflict,
    Lock,
    LockBusy,
    Locked,
    Release,
    Rescue,
    Save,
    StorageAnswer,
    StoreFailed,
)

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "Deposit", "State", "StoreLogin", "Trigger"]


# -- the moves -----------------------------------------------------------------------------------------


@unique
class State(Enum):
    """Where a login stands that is being stored."""

    IDLE = "idle"
    LOCKING = "locking"
    QUEUED = "queued"
    SAVING = "saving"
    RELEASING = "releasing"
    RESCUING = "rescuing"
    DONE = "done"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    LOCKED = "locked"
    BUSY = "busy"
    DUE = "due"
    CONFLICT = "conflict"
    SAVED = "saved"
    REFUSED = "refused"
    STORE_FAILED = "store_failed"
    EXHAUSTED = "exhausted"
    GAVE_UP = "gave_up"
    RESCUED = "rescued"
    RELEASED = "released"
    CANCEL = "cancel"


FINAL: Final = (State.DONE,)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.LOCKING),
    (Trigger.LOCKED, State.LOCKING, State.SAVING),
    (Trigger.REFUSED, State.LOCKING, State.RELEASING),
    (Trigger.BUSY, State.LOCKING, State.QUEUED),
    (Trigger.EXHAUSTED, State.LOCKING, State.RESCUING),
    (Trigger.GAVE_UP, State.LOCKING, State.DONE),
    (Trigger.STORE_FAILED, State.LOCKING, State.DONE),
    (Trigger.DUE, State.QUEUED, State.LOCKING),
    (Trigger.EXHAUSTED, State.QUEUED, State.RESCUING),
    (Trigger.GAVE_UP, State.QUEUED, State.DONE),
    (Trigger.CONFLICT, State.SAVING, State.SAVING),
    (Trigger.REFUSED, State.SAVING, State.RELEASING),
    (Trigger.SAVED, State.SAVING, State.RELEASING),
    (Trigger.STORE_FAILED, State.SAVING, State.RELEASING),
    (Trigger.RELEASED, State.RELEASING, State.DONE),
    (Trigger.RESCUED, State.RESCUING, State.DONE),
    (Trigger.STORE_FAILED, State.RESCUING, State.DONE),
    (Trigger.CANCEL, State.IDLE, State.DONE),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)


# -- the flow ------------------------------------------------------------------------------------------


MOST_CONFLICTS: Final = 5


@attrs.define(eq=False, kw_only=True)
class StoreLogin(StoringFlow[LoginStored]):
    """Store `record`, a new login, in place of the account's old one.

    `lock_limit`: seconds to wait for another process. After that, or when cancelled, the new login is kept
    beside the old one. `force`: a borrowed login may replace one that can be renewed. The flow ends with
    `LoginStored` or with a `SignInError` of kind `corrupt_auth`, `auth_read_failed` or `auth_write_failed`.
    For a borrowed login without `force` it may also be `invalid_request` (the stored login can be renewed) or
    `network` (another process held the lock).
    """

    machine = MACHINE

    record: Record
    lock_limit: float = WAIT_EXPIRED
    force: bool = False
    state: State = attrs.field(default=State.IDLE, init=False)
    _holder: Intent | None = attrs.field(default=None, init=False, repr=False)
    _replaced: Record | None = attrs.field(default=None, init=False, repr=False)
    _conflicts: int = attrs.field(default=0, init=False, repr=False)
    _result: LoginStored | SignInError | None = attrs.field(default=None, init=False, repr=False)

    def _start(self, event: Started) -> Effect:
        self._move(Trigger.START)
        return Lock()

    def _stored(self, answer: StorageAnswer) -> Effect:
        match self.state:
            case State.LOCKING:
                return self._locked(answer)
            case State.SAVING:
                return self._saved(answer)
            case State.RESCUING:
                return self._rescued(answer)
            case State.RELEASING:
                self._move(Trigger.RELEASED)
                return self._over()
            case _:
                return self._unexpected(answer)

    def _locked(self, answer: StorageAnswer) -> Effect:
        match answer:
            case StoreFailed():
                self._result = answer.error
                self._move(Trigger.STORE_FAILED)
                return self._over()
            case LockBusy():
                self._holder = answer.intent
                if self._waited_for(self.lock_limit):
                    return self._give_up_the_lock()
                self._move(Trigger.BUSY)
                return self._queue(answer, self.lock_limit)
            case Locked():  # what is stored is replaced, whatever it is: the new login is at hand, and whole
                return self._replace(Trigger.LOCKED, answer.record)
            case _:
                return self._unexpected(answer)

    def _next(self, event: Event) -> Effect:
        if isinstance(event, Cancelled) and self.state is State.QUEUED:
            return self._give_up_the_lock()  # and not the login
        return super()._next(event)

    def _on_time(self) -> Effect:
        self._move(Trigger.DUE)
        return Lock()

    def _give_up_the_lock(self) -> Effect:
        """Keep the login beside; not a borrowed one, which would take the place of whatever is stored."""
        if self._is_borrowed and not self.force:
            self._move(Trigger.GAVE_UP)
            return Finished(busy_too_long(self._holder))
        self._move(Trigger.EXHAUSTED)
        return Rescue(self.record)

    @property
    def _is_borrowed(self) -> bool:
        return self.record.credential.refresh_token is None

    def _replace(self, trigger: Trigger, stored: Record | None) -> Effect:
        if error := self._not_to_replace(stored):
            self._result = error
            self._move(Trigger.REFUSED)
            return Release()
        self._move(trigger)
        self._replaced = stored
        return Save(self.record, None if stored is None else stored.fingerprint, replace_corrupt=True)

    def _not_to_replace(self, stored: Record | None) -> SignInError | None:
        if stored is None or self.force or not self._is_borrowed or not stored.is_renewable:
            return None
        text = "This account has a login here that can be renewed. A copied token cannot be renewed."
        error = SignInError.of(ErrorKind.INVALID_REQUEST, text, reason="renewable_login")
        return attrs.evolve(error, next_actions=("Keep that login, or replace it with --force.",))

    def _saved(self, answer: StorageAnswer) -> Effect:
        if isinstance(answer, Conflict) and self._conflicts < MOST_CONFLICTS:
            self._conflicts += 1
            return self._replace(Trigger.CONFLICT, answer.record)
        self._result = LoginStored(self.record, self._replaced)
        if isinstance(answer, Conflict):
            self._result = SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="contended")
        if isinstance(answer, StoreFailed):
            rescued = LoginStored(self.record, self._replaced, rescued=True)
            self._result = rescued if answer.rescued else answer.error
        failed = isinstance(self._result, SignInError)
        self._move(Trigger.STORE_FAILED if failed else Trigger.SAVED)
        return Release()

    def _rescued(self, answer: StorageAnswer) -> Effect:
        if isinstance(answer, StoreFailed):
            self._result = answer.error
            self._move(Trigger.STORE_FAILED)
        else:
            self._result = LoginStored(self.record, rescued=True)
            self._move(Trigger.RESCUED)
        return self._over()

    def _over(self) -> Finished:
        assert self._result is not None
        return Finished(self._result)

    def _on_response(self, response: ResponseReceived) -> Effect:
        raise IllegalEvent("storing a login sends nothing")

    def _on_request_failed(self, failure: TryAgain) -> Effect:
        raise IllegalEvent("storing a login sends nothing")


Deposit = StoreLogin
"""The former name of `StoreLogin`, for one release."""
