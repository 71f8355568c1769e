"""What never becomes of a granted login, whatever a store and a server do, and whoever gives up when: as properties.

The store here is honest about what is stored, and may fail before or after each thing that it does. So there is a
truth to compare with: at the end a login is stored and in use, or kept beside, or its revocation was tried and is
told, or nobody can tell whether it is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth.testing import Lost
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cancelled, Event, RequestFailed, ResponseReceived, Started, StoreAnswered
from codex_oauth_core.flows.finish_sign_in import FinishSignIn
from codex_oauth_core.outcomes import SignedIn
from codex_oauth_core.record import Record
from codex_oauth_core.storage import (
    Conflict,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Rescue,
    Save,
    Select,
    StorageAnswer,
    StoreFailed,
)
from tests.core.storing import (
    CORRUPT,
    DAY,
    MAYBE_SENT,
    NOT_SENT,
    READ_FAILED,
    StoreWorld,
    borrowed,
    failed,
    login,
)
from tests.core.test_finish_sign_in import ended
from tests.support import T0, as_json

many = settings(max_examples=5 * settings().max_examples)

NEW: Final = login(10 * DAY, number=5, generation=0)
RENEWED: Final = login(11 * DAY, number=10, parent=NEW.fingerprint, generation=1)
OLD: Final = (
    None,
    login(number=1),
    login(3.0, number=5),
    borrowed(number=6),
    login(dead_code="invalid_grant"),
)
REPLIES: Final = (
    as_json(200, {}),
    as_json(400, {}),
    as_json(503, {}),
    as_json(429, {}, {"retry-after": "3"}),
    MAYBE_SENT,
    NOT_SENT,
    Lost(delay=30.0),
)
Draw = Callable[[st.SearchStrategy[Any]], Any]


@attrs.define
class Run:
    """One granted login, and what became of it. Every fault is a draw."""

    draw: Draw
    flow: FinishSignIn
    stored: Record | None
    begun: bool = True
    """Or given up before that."""
    world: StoreWorld = attrs.field(init=False)
    outcome: SignedIn | SignInError | None = None
    asked_while_stored: bool = False
    looked_in_vain: bool = False
    confirmed: set[str] = attrs.field(factory=set[str])
    """The refresh tokens of which a server said that they are ended."""

    def run(self) -> SignedIn | SignInError:
        self.world = StoreWorld(self.stored, iter(lambda: self._one_of(*REPLIES), None))
        at, wall = self.world.net.now()
        effect: Any = self.flow.receive(Started(at, wall) if self.begun else Cancelled(at))
        while not isinstance(effect, Finished):
            assert len(self.world.effects) < 20_000, "this never ends"
            effect = self.flow.receive(self._answer(effect))
        assert not self.world.held, "the lock was not given back"
        outcome = effect.outcome
        assert isinstance(outcome, SignedIn | SignInError)
        self.outcome = outcome
        return outcome

    @property
    def is_stored(self) -> bool:
        """Whether the granted login is in its place, or what it was renewed to."""
        stored = self.world.stored
        return stored is not None and NEW.fingerprint in (stored.fingerprint, stored.parent)

    @property
    def is_beside(self) -> bool:
        return NEW in self.world.beside

    @property
    def ended(self) -> list[str]:
        """The numbers of the logins that a server was asked to end."""
        return ended(self.world)

    def _answer(self, effect: Effect) -> Event:
        world = self.world
        if isinstance(effect, Wait) and self.draw(st.integers(0, 5)) == 0:
            return Cancelled(world.net.at)
        if isinstance(effect, SendRequest):
            return self._send(effect)
        said, after = (None, False) if isinstance(effect, Wait) else self._trouble(effect)
        if said is not None and not after:
            world.answers[type(effect)] = [said]  # type: ignore[index]  # no wait has trouble
            return world.perform(effect)  # type: ignore[arg-type]
        event = world.perform(effect)  # type: ignore[arg-type]
        if said is None or not isinstance(event, StoreAnswered):
            return event
        return attrs.evolve(event, answer=said)

    def _send(self, effect: SendRequest) -> Event:
        count = len(self.world.sent)
        event = self.world.perform(effect)
        asked = self.ended[count:]
        self.asked_while_stored |= asked == ["5"] and (self.is_stored or self.is_beside)
        if isinstance(event, ResponseReceived) and event.status == 200:
            self.confirmed.update(asked)
        assert isinstance(event, ResponseReceived | RequestFailed)
        return event

    def _trouble(self, effect: Effect) -> tuple[StorageAnswer | None, bool]:
        """What the store says in place of the truth, and whether it has done what it was asked for."""
        world = self.world
        match effect:
            case Load() if self.is_beside:
                return self._one_of(Loaded(NEW), failed(READ_FAILED)), False
            case Load():
                if self.is_stored and self.draw(st.booleans()):
                    world.stored = RENEWED  # by another process
                said = self._one_of(None, None, failed(READ_FAILED), failed(CORRUPT))
                if said == failed(CORRUPT):
                    world.stored = None  # torn
                self.looked_in_vain = said == failed(READ_FAILED)
                return said, False
            case Lock():
                busy: Any = (LockBusy(), LockBusy(), LockBusy())
                return self._one_of(None, None, *busy, failed(), Locked(None, READ_FAILED)), False
            case Save():
                return self._save(effect)
            case Rescue() | Select():
                return self._one_of(None, None, failed()), self._one_of(True, False)
            case _:
                return None, False

    def _save(self, effect: Save) -> tuple[StorageAnswer | None, bool]:
        world = self.world
        said = self._one_of(None, None, failed(), failed(rescued=True), Conflict(None), Conflict(NEW))
        if isinstance(said, Conflict):
            world.stored = None if said.record is None else login(number=self.draw(st.integers(7, 9)))
            return Conflict(world.stored), False
        if isinstance(said, StoreFailed) and said.rescued:
            world.beside.append(effect.record)
            return said, False
        return said, self._one_of(True, False) and world.stored is self._expected(effect)

    def _expected(self, effect: Save) -> Record | None:
        stored = self.world.stored
        return stored if (None if stored is None else stored.fingerprint) == effect.expected else NEW

    def _one_of(self, *things: Any) -> Any:
        return self.draw(st.sampled_from(things))


def runs(data: Any, **options: Any) -> Run:
    drawn: dict[str, Any] = {"provider": CODEX, "revoke_old": data.draw(st.booleans()), **options}
    flow = FinishSignIn(record=NEW, lock_limit=data.draw(st.sampled_from([0.0, 0.05, 5.0])), **drawn)
    run = Run(data.draw, flow, data.draw(st.sampled_from(OLD)), begun=data.draw(st.integers(0, 9)) > 0)
    run.run()
    return run


@many
@given(data=st.data())
def test_a_login_is_stored_and_in_use_or_ended_or_nobody_can_tell(data: Any) -> None:
    run = runs(data)
    outcome, tried = run.outcome, "5" in run.ended
    if isinstance(outcome, SignedIn):
        assert run.is_stored or run.is_beside
        assert outcome.rescued or run.is_stored
        assert run.world.selected
        assert not tried
        return
    assert isinstance(outcome, SignInError)
    if "revoked" in outcome.details:
        assert tried
        assert outcome.details["revoked"] is ("5" in run.confirmed)
        return
    assert not tried
    assert run.is_stored or run.is_beside or run.looked_in_vain


@many
@given(data=st.data())
def test_a_login_that_is_stored_is_never_ended(data: Any) -> None:
    run = runs(data)
    assert not run.asked_while_stored
    assert not (run.confirmed and "5" in run.confirmed and (run.is_stored or run.is_beside))


@many
@given(data=st.data())
def test_the_old_login_is_ended_only_if_asked_for_and_after_the_new_one_is_in_use(data: Any) -> None:
    run = runs(data)
    outcome, others = run.outcome, set(run.ended) - {"5"}
    if not others:
        told = outcome.replaced_revoked if isinstance(outcome, SignedIn) else None
        assert not told
        return
    assert run.flow.revoke_old
    assert isinstance(outcome, SignedIn)
    assert outcome.replaced is not None
    assert others == {str(outcome.replaced.credential.refresh_token.reveal()).rpartition("-")[2]}  # type: ignore[union-attr]
    assert outcome.replaced_revoked is (others <= run.confirmed)
    order = run.world.order
    assert order.index("Select") < order.index("SendRequest")
    assert run.is_stored or run.is_beside


@many
@given(data=st.data())
def test_it_ends_in_time_and_without_a_store_that_is_locked(data: Any) -> None:
    run = runs(data)
    lock_limit, revoking = run.flow.lock_limit + 0.03, 10.0
    assert run.world.net.at - T0 <= lock_limit + revoking + 0.01 * len(run.world.effects) + 1.0


@given(data=st.data())
def test_a_copy_of_another_programs_login_is_never_ended(data: Any) -> None:
    run = runs(data, provider=None, revoke_old=False)
    assert run.ended == []
    assert run.outcome is not None
    assert isinstance(run.outcome, SignedIn) or "revoked" not in run.outcome.details
