"""What becomes of a granted login: it is stored and put in use; what cannot be stored is ended.

Rules of this file: a login that was granted is stored, kept beside or ended, and what could not be done is
told: it is never forgotten. What cannot be looked at is not ended, for it may be stored. Nothing that fails
later ends a login that is stored. When it is in use, and not before, what was kept of the very same login
under a former name is removed: one of an earlier release, or of a time when less of it was known.
`StoreLogin` decides how a login is stored, and `Revocation` how one is ended: they are driven here, and none
of their rules is repeated. The diagram is drawn from the table.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final, Self

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished
from codex_oauth_core.errors import ErrorKind, IllegalEvent, SignInError
from codex_oauth_core.events import Cancelled, Event, ResponseReceived, Started
from codex_oauth_core.facts import TryAgain
from codex_oauth_core.flows.machine import FlowMachine, Move
from codex_oauth_core.flows.revoke_login import Revocation
from codex_oauth_core.flows.store_login import StoreLogin
from codex_oauth_core.flows.storing import StoringFlow
from codex_oauth_core.outcomes import LoginStored, Outcome, Revoked, SignedIn
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import for_login, identified, provider_of
from codex_oauth_core.record import Record
from codex_oauth_core.renewal_times import WAIT_EXPIRED
from codex_oauth_core.storage import Find, Found, Load, Loaded, Select, StorageAnswer, StoreFailed

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "FinishSignIn", "State", "Trigger"]


@unique
class State(Enum):
    """Where a granted login stands."""

    IDLE = "idle"
    STORING = "storing"
    SELECTING = "selecting"
    REVOKING_REPLACED = "revoking_replaced"
    LOOKING_BACK = "looking_back"
    ENDING_FORMER = "ending_former"
    LOOKING = "looking"
    REVOKING_GRANTED = "revoking_granted"
    DONE = "done"
    FAILED = "failed"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    CANCEL = "cancel"
    STORED = "stored"
    NOT_STORED = "not_stored"
    NOT_OURS = "not_ours"
    SELECTED = "selected"
    REPLACED = "replaced"
    STORE_FAILED = "store_failed"
    KEPT_ALL_THE_SAME = "kept_all_the_same"
    NOT_KEPT = "not_kept"
    REVOKED = "revoked"
    FORMER = "former"
    ENDED = "ended"
    NO_FORMER = "no_former"


FINAL: Final = (State.DONE, State.FAILED)
LIVE: Final = tuple(state for state in State if state not in FINAL)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.STORING),
    (Trigger.STORED, State.STORING, State.SELECTING),
    (Trigger.SELECTED, State.SELECTING, State.LOOKING_BACK),
    (Trigger.REPLACED, State.SELECTING, State.REVOKING_REPLACED),
    (Trigger.REVOKED, State.REVOKING_REPLACED, State.LOOKING_BACK),
    (Trigger.FORMER, State.LOOKING_BACK, State.ENDING_FORMER),
    (Trigger.ENDED, State.ENDING_FORMER, State.LOOKING_BACK),
    (Trigger.NO_FORMER, State.LOOKING_BACK, State.DONE),
    (Trigger.STORE_FAILED, State.SELECTING, State.FAILED),
    (Trigger.NOT_STORED, State.STORING, State.LOOKING),
    (Trigger.CANCEL, State.IDLE, State.LOOKING),
    (Trigger.KEPT_ALL_THE_SAME, State.LOOKING, State.FAILED),
    (Trigger.NOT_KEPT, State.LOOKING, State.REVOKING_GRANTED),
    (Trigger.REVOKED, State.REVOKING_GRANTED, State.FAILED),
    *((Trigger.NOT_OURS, state, State.FAILED) for state in (State.IDLE, State.STORING)),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)

FORMER_LIMIT: Final = 10.0
"""Seconds to wait for the lock of a login under its former name: the next sign-in looks back again."""


def _as_record(granted: Credential | Record) -> Record:
    return granted if isinstance(granted, Record) else Record(granted)


@attrs.define(eq=False, kw_only=True)
class FinishSignIn(StoringFlow[SignedIn]):
    """Store a new login under its key and make it the current one. It replaces the old login, also one that
    is stored under a former name. If it cannot be stored, end it at the server.

    `record`: the login, or its `Credential`. `provider`: the server that granted it; None for a copy of
    another program's login, which only that program may end. `revoke_old`: also end the login that it
    replaces, at that login's own provider. `force`, `lock_limit`: see `StoreLogin`.

    The flow ends with `SignedIn` or with a `SignInError`: one of `StoreLogin`, or one of a store that could
    not make the login current. `details.revoked` in the error means that the login is not stored, and says
    whether the server confirmed that it ended the login. Without `details.revoked` the login is stored, or
    may be.

    If the first event is `Cancelled`, the flow stores nothing: it ends the login, unless that is stored
    already.
    """

    machine = MACHINE

    record: Record = attrs.field(converter=_as_record)
    provider: Provider | None
    revoke_old: bool = False
    force: bool = False
    lock_limit: float = WAIT_EXPIRED
    state: State = attrs.field(default=State.IDLE, init=False)
    _leg: StoreLogin | Revocation | None = attrs.field(default=None, init=False, repr=False)
    _deposited: LoginStored | None = attrs.field(default=None, init=False, repr=False)
    _names: tuple[str, ...] = attrs.field(default=(), init=False, repr=False)
    _former: Record | None = attrs.field(default=None, init=False, repr=False)
    _asked: bool = attrs.field(default=False, init=False, repr=False)
    """Whether a login that was replaced is to be ended at its server."""
    _replaced_revoked: bool | None = attrs.field(default=None, init=False, repr=False)
    _error: SignInError | None = attrs.field(default=None, init=False, repr=False)

    @property
    def _own(self) -> tuple[Provider, ...]:
        """Who granted it, beside the providers that are known to all."""
        return () if self.provider is None else (self.provider,)

    @property
    def is_undecided(self) -> bool:
        """Whether the login is neither stored nor being ended. A driver that must stop now, because of an
        exception for example, gives the login to a new flow and feeds that `Cancelled` first.
        """
        return self.state in (State.IDLE, State.STORING, State.LOOKING)

    def __copy__(self) -> Self:
        twin = super().__copy__()
        leg = self._leg  # unlike all else that a flow holds it is not frozen
        twin._leg = None if leg is None else leg.__copy__()  # noqa: SLF001
        return twin

    def _next(self, event: Event) -> Effect:
        leg = self._leg
        if leg is None and isinstance(event, Cancelled):
            return self._not_stored(Trigger.CANCEL, SignInError.of(ErrorKind.CANCELLED))
        if leg is None:
            return super()._next(event)
        effect = leg.receive(event)
        if not isinstance(effect, Finished):
            return effect
        self._leg = None
        return self._leg_over(effect.outcome)

    def _start(self, event: Started) -> Effect:
        self._leg = StoreLogin(record=self.record, force=self.force, lock_limit=self.lock_limit)
        self._move(Trigger.START)
        return self._leg.receive(event)

    def _leg_over(self, outcome: Outcome) -> Effect:
        """Storing is over, or a revocation."""
        if isinstance(outcome, LoginStored):
            self._deposited = outcome
            self._move(Trigger.STORED)
            return Select()
        if self.state is State.STORING:
            assert isinstance(outcome, SignInError)
            return self._not_stored(Trigger.NOT_STORED, outcome)
        confirmed = isinstance(outcome, Revoked) and outcome.confirmed is True
        if self.state in (State.REVOKING_REPLACED, State.ENDING_FORMER):
            return self._replaced_ended(confirmed=confirmed)
        self._move(Trigger.REVOKED)
        assert self._error is not None  # why it was not kept
        error = self._error
        return Finished(attrs.evolve(error, details={**error.details, "revoked": confirmed}))

    def _stored(self, answer: StorageAnswer) -> Effect:
        match self.state:
            case State.SELECTING:
                return self._selected(answer)
            case State.LOOKING_BACK:
                return self._looked_back(answer)
            case _:
                return self._looked(answer)

    # -- it is stored: nothing ends it any more -------------------------------------------------------------

    def _selected(self, answer: StorageAnswer) -> Effect:
        if isinstance(answer, StoreFailed):
            self._move(Trigger.STORE_FAILED)
            return Finished(answer.error)
        assert self._deposited is not None  # only what was stored is put in use
        self._names = self.record.credential.identity.names[1:]
        replaced = self._deposited.replaced
        self._asked = replaced is not None and self._is_to_be_revoked(replaced)
        if replaced is None or not self._asked:
            self._move(Trigger.SELECTED)
            return Find(self._names)
        self._move(Trigger.REPLACED)
        return self._revoke(replaced.credential, provider_of(replaced.credential, self._own))

    def _is_to_be_revoked(self, replaced: Record) -> bool:
        """Whether a login that was replaced is ended at its server. With the same refresh token it is the new
        one.
        """
        same = replaced.credential.refresh_token == self.record.credential.refresh_token
        return self.revoke_old and not same

    def _replaced_ended(self, *, confirmed: bool) -> Effect:
        """A login that was replaced is ended, or not; whatever came of it, the new one is stored."""
        is_former = self.state is State.ENDING_FORMER
        self._move(Trigger.ENDED if is_former else Trigger.REVOKED)
        if self._asked:
            self._replaced_revoked = confirmed and self._replaced_revoked is not False
        return Find(self._names)

    def _looked_back(self, answer: StorageAnswer) -> Effect:
        """The login may be kept under a former name, too; another's that is found there is left alone."""
        if not isinstance(answer, Found) or answer == Found():
            self._move(Trigger.NO_FORMER)
            return self._signed_in()
        found = answer.record
        if found is None or answer.name not in self._names:
            raise IllegalEvent(f"StoreAnswered is no answer in state {self.state.name}")
        self._names = self._names[self._names.index(answer.name) + 1 :]
        if not self._is_superseded(found):
            return Find(self._names)
        self._former = self._former or found
        self._move(Trigger.FORMER)
        self._asked = self._is_to_be_revoked(found)
        provider = provider_of(found.credential, self._own) if self._asked else None
        limit = min(self.lock_limit, FORMER_LIMIT)
        self._leg = Revocation(provider=provider, expected=found, lock_limit=limit)
        return self._leg.receive(Started(self._now, self._wall))

    def _is_superseded(self, former: Record) -> bool:
        """Whether it is the very same login's, and worth no more than the new one."""
        is_copy = self.record.credential.refresh_token is None
        if is_copy and former.is_renewable and not self.force:
            return False
        ours, theirs = (identified(record.credential, self._own) for record in (self.record, former))
        return ours.identity == theirs.identity

    def _signed_in(self) -> Finished:
        assert self._deposited is not None
        stored = self._deposited
        replaced = stored.replaced or self._former
        return Finished(SignedIn(stored.record, replaced, stored.rescued, self._replaced_revoked))

    # -- it is not: look, and end it ------------------------------------------------------------------------

    def _not_stored(self, trigger: Trigger, error: SignInError) -> Effect:
        if self.provider is None:
            self._move(Trigger.NOT_OURS)
            return Finished(error)
        self._error = error
        self._move(trigger)
        return Load()

    def _looked(self, answer: StorageAnswer) -> Effect:
        if self._may_be_stored(answer):
            assert self._error is not None
            self._move(Trigger.KEPT_ALL_THE_SAME)
            return Finished(self._error)
        self._move(Trigger.NOT_KEPT)
        granted, provider = self.record.credential, self.provider
        return self._revoke(granted, None if provider is None else for_login(provider, granted))

    def _may_be_stored(self, answer: StorageAnswer) -> bool:
        """Whether the login is stored, or its renewal, or nobody can tell. What is torn is no login."""
        match answer:
            case StoreFailed():
                return answer.error.kind is not ErrorKind.CORRUPT_AUTH
            case Loaded(record) if record is not None:
                return self.record.fingerprint in (record.fingerprint, record.parent)
            case _:
                return False

    def _revoke(self, credential: Credential, provider: Provider | None) -> Effect:
        revocation = Revocation(provider=provider, credential=credential)
        effect = revocation.receive(Started(self._now, self._wall))
        if isinstance(effect, Finished):  # there is nobody to ask
            return self._leg_over(effect.outcome)
        self._leg = revocation
        return effect

    # -- what only its parts are told -----------------------------------------------------------------------

    def _on_response(self, response: ResponseReceived) -> Effect:
        raise IllegalEvent("only a revocation sends something")

    def _on_request_failed(self, failure: TryAgain) -> Effect:
        raise IllegalEvent("only a revocation sends something")

    def _on_time(self) -> Effect:
        raise IllegalEvent("only storing or revoking waits")
