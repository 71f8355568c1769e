"""A finished sign-in is never lost: stored, kept beside, or told (F8, F11, F12, F14, F16, R11)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Wait, Why
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import Cancelled, Started, StoreAnswered, TimeReached
from codex_oauth_core.flows.store_login import MOST_CONFLICTS, StoreLogin
from codex_oauth_core.outcomes import LoginStored
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.storage import Conflict, Lock, LockBusy, Locked, Rescue, Save, StorageAnswer
from tests.core.storing import (
    CORRUPT,
    CURRENT,
    EXPIRED,
    READ_FAILED,
    THEM,
    WRITE_FAILED,
    StoreWorld,
    borrowed,
    failed,
    login,
)
from tests.support import T0, W0

E = ErrorKind
NEW = login(864_000.0, number=5, generation=0)
LENT = borrowed(864_000.0, number=6)
ORDER = ["Lock", "Save", "Release"]
FOR_EVER = T0 + 1e6


@pytest.mark.parametrize("stored", [None, EXPIRED, CURRENT, login(0.0, dead_code="invalid_grant")])
def test_r1_a_sign_in_is_stored_under_the_lock_in_place_of_what_was_read_there(stored: Record | None) -> None:
    world = StoreWorld(stored)
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, stored)
    assert world.order == ORDER
    assert world.stored == NEW
    assert world.saves == [Save(NEW, stored.fingerprint if stored else None, replace_corrupt=True)]


def test_r7_a_new_login_clears_every_mark_of_the_old_one() -> None:
    world = StoreWorld(login(0.0, dead_code="invalid_grant", spent=True, uncertain_at=1.0))
    world.run(StoreLogin(record=NEW))
    assert world.stored == NEW


def test_f16_a_sign_in_while_another_process_renews_waits_for_it_and_wins() -> None:
    renewed = login(9e5, number=2)

    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.stored = renewed

    world = StoreWorld(EXPIRED, busy_until=T0 + 0.06, before=meanwhile)
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, renewed)
    assert world.order == [*["Lock", "Wait"] * 3, *ORDER]
    waits = [effect for effect in world.effects if isinstance(effect, Wait)]
    assert [wait.until - T0 for wait in waits] == pytest.approx([0.025, 0.05, 0.075])
    assert {wait.why for wait in waits} == {Why.QUEUED}


@pytest.mark.parametrize("limit", [210.0, 0.5])
def test_f8_a_lock_that_stays_busy_leaves_the_sign_in_beside(limit: float) -> None:
    world = StoreWorld(EXPIRED, busy_until=FOR_EVER)
    assert world.run(StoreLogin(record=NEW, lock_limit=limit)) == LoginStored(NEW, rescued=True)
    assert world.net.at - T0 == pytest.approx(limit, abs=0.03)
    assert (world.beside, world.stored) == ([NEW], EXPIRED)
    assert set(world.order[:-1]) == {"Lock", "Wait"}


def test_r0_f8_the_limit_is_210_s_unless_told() -> None:
    assert StoreLogin(record=NEW).lock_limit == 210.0


def told(answer: StorageAnswer, after: float) -> StoreAnswered:
    return StoreAnswered(T0 + after, W0 + after, answer)


@pytest.mark.parametrize("holder", [THEM, None])
def test_r0_c11_a_busy_lock_is_looked_at_for_210_s_whoever_has_it(holder: Intent | None) -> None:
    flow = StoreLogin(record=NEW)
    flow.receive(Started(T0, W0))

    def wait(until: float) -> Wait:
        return Wait(T0 + until, Why.QUEUED, holder=holder, give_up_at=T0 + 210.0)

    assert flow.receive(told(LockBusy(holder), 0.0)) == wait(0.025)
    assert flow.receive(TimeReached(T0 + 209.9)) == Lock()
    assert flow.receive(told(LockBusy(holder), 209.9)) == wait(209.925)
    assert flow.receive(TimeReached(T0 + 210.0)) == Lock()
    assert flow.receive(told(LockBusy(holder), 210.0)) == Rescue(NEW)


@pytest.mark.parametrize("after", [210.0, 7200.0])
def test_r0_c19_who_wakes_up_late_looks_once_more_before_it_gives_up(after: float) -> None:
    flow = StoreLogin(record=NEW)
    flow.receive(Started(T0, W0))
    flow.receive(told(LockBusy(), 0.0))
    assert flow.receive(TimeReached(T0 + after)) == Lock()
    assert isinstance(flow.receive(told(Locked(EXPIRED), after)), Save)


def test_f8_who_cancels_the_wait_does_not_cancel_the_sign_in() -> None:
    world = StoreWorld(EXPIRED, busy_until=FOR_EVER)
    world.net.cancel_at = T0 + 1
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, rescued=True)
    assert world.beside == [NEW]
    assert world.net.at == T0 + 1


def test_cancelled_before_it_began_it_asks_for_nothing() -> None:
    finished: Any = StoreLogin(record=NEW).receive(Cancelled(T0))
    assert finished.outcome.kind is E.CANCELLED


def test_f8_f12_what_cannot_be_kept_beside_either_is_told() -> None:
    world = StoreWorld(EXPIRED, busy_until=FOR_EVER, answers={Rescue: [failed()]})
    assert world.run(StoreLogin(record=NEW)) is WRITE_FAILED


# -- a store that fails --------------------------------------------------------------------------------


def test_f11_f13_without_a_lock_nothing_is_changed() -> None:
    world = StoreWorld(EXPIRED, answers={Lock: [failed()]})
    assert world.run(StoreLogin(record=NEW)) is WRITE_FAILED
    assert (world.order, world.stored) == (["Lock"], EXPIRED)


@pytest.mark.parametrize("error", [CORRUPT, READ_FAILED])
def test_f14_what_cannot_be_read_is_replaced(error: Any) -> None:
    world = StoreWorld(None, answers={Lock: [Locked(None, error)]})
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, None)
    assert world.saves == [Save(NEW, None, replace_corrupt=True)]
    assert world.order == ORDER


def test_f14_c9_and_so_is_what_can_be_read_again_when_it_is_saved() -> None:
    world = StoreWorld(CURRENT, answers={Lock: [Locked(None, READ_FAILED)]})
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, CURRENT)
    assert [save.expected for save in world.saves] == [None, CURRENT.fingerprint]
    assert world.stored == NEW


def test_f12_what_cannot_be_stored_is_told() -> None:
    world = StoreWorld(EXPIRED, answers={Save: [failed()]})
    assert world.run(StoreLogin(record=NEW)) is WRITE_FAILED
    assert (world.order, world.stored) == (ORDER, EXPIRED)


def test_r11_f12_what_the_store_kept_beside_counts_as_deposited() -> None:
    world = StoreWorld(EXPIRED, answers={Save: [failed(rescued=True)]})
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, EXPIRED, rescued=True)
    assert world.order == ORDER


# -- somebody who takes no lock ------------------------------------------------------------------------


def test_f16_a_conflict_is_answered_with_another_try() -> None:
    other = login(1.0, number=3)
    world = StoreWorld(EXPIRED, answers={Save: [Conflict(other), Conflict(None)]})
    world.stored = None
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, None)
    assert [save.expected for save in world.saves] == [None, other.fingerprint, None]
    assert world.order == ["Lock", "Save", "Save", "Save", "Release"]


def test_f16_what_was_replaced_after_a_conflict_is_told() -> None:
    world = StoreWorld(EXPIRED)

    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Save) and len(world.saves) == 1:
            world.stored = CURRENT

    world.before = meanwhile
    world.stored = login(3.0, number=9)
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, CURRENT)


@pytest.mark.parametrize("conflicts", [MOST_CONFLICTS - 1, MOST_CONFLICTS, MOST_CONFLICTS + 1])
def test_f16_the_tries_are_bounded(conflicts: int) -> None:
    others: list[Any] = [Conflict(login(1.0, number=n)) for n in range(conflicts)]
    world = StoreWorld(EXPIRED, answers={Save: others})
    world.before = lambda world, effect: setattr(world, "stored", _last(world)) if others == [] else None
    outcome = world.run(StoreLogin(record=NEW))
    if conflicts <= MOST_CONFLICTS:
        assert isinstance(outcome, LoginStored)
        assert len(world.saves) == conflicts + 1
        return
    assert (outcome.kind, outcome.details) == (E.AUTH_WRITE_FAILED, {"reason": "contended"})
    assert len(world.saves) == 6


def _last(world: StoreWorld) -> Record | None:
    """What the last conflict told, so that the next try finds it."""
    return login(1.0, number=len(world.saves) - 2) if world.order[-1] == "Save" else world.stored


# -- borrowed logins -----------------------------------------------------------------------------------


NOT_RENEWABLE = {
    "nothing": None,
    "a borrowed one": borrowed(5.0),
    "a dead one": login(0.0, dead_code="invalid_grant"),
    "a spent one": login(0.0, spent=True),
}


@pytest.mark.parametrize("stored", NOT_RENEWABLE.values(), ids=NOT_RENEWABLE.keys())
def test_a_borrowed_login_is_stored_where_none_can_be_renewed(stored: Record | None) -> None:
    world = StoreWorld(stored)
    assert world.run(StoreLogin(record=LENT)) == LoginStored(LENT, stored)


def test_a_borrowed_login_is_stored_over_what_cannot_be_read() -> None:
    world = StoreWorld(None, answers={Lock: [Locked(None, CORRUPT)]})
    assert world.run(StoreLogin(record=LENT)) == LoginStored(LENT, None)


@pytest.mark.parametrize("stored", [EXPIRED, CURRENT, login(0.0, uncertain_at=W0)])
def test_a_borrowed_login_never_replaces_one_that_can_be_renewed(stored: Record) -> None:
    world = StoreWorld(stored)
    outcome = world.run(StoreLogin(record=LENT))
    assert (outcome.kind, outcome.details) == (E.INVALID_REQUEST, {"reason": "renewable_login"})
    assert "cannot" in outcome.message
    assert (world.stored, world.order) == (stored, ["Lock", "Release"])


def test_f16_nor_one_that_somebody_stores_meanwhile() -> None:
    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Save):
            world.stored = CURRENT

    world = StoreWorld(None, before=meanwhile)
    outcome = world.run(StoreLogin(record=LENT))
    assert (outcome.kind, outcome.details) == (E.INVALID_REQUEST, {"reason": "renewable_login"})
    assert (world.stored, world.order) == (CURRENT, ORDER)


def test_c9_nor_one_that_could_not_be_read_for_a_moment() -> None:
    world = StoreWorld(CURRENT, answers={Lock: [Locked(None, READ_FAILED)]})
    outcome = world.run(StoreLogin(record=LENT))
    assert (outcome.kind, outcome.details) == (E.INVALID_REQUEST, {"reason": "renewable_login"})
    assert (world.stored, world.order) == (CURRENT, ORDER)


@pytest.mark.parametrize("cancelled", [False, True])
def test_f8_nor_from_beside_it(cancelled: bool) -> None:
    """Kept beside, it would take the place of whatever is stored. It is still where it was borrowed."""
    world = StoreWorld(CURRENT, busy_until=FOR_EVER)
    world.net.cancel_at = T0 + 1 if cancelled else None
    outcome = world.run(StoreLogin(record=LENT))
    assert outcome.kind is E.NETWORK
    assert outcome.details == {"reason": "lock_busy", "pid": THEM.pid, "host": THEM.host}
    assert outcome.message.startswith("Process 815 on there has held the login's lock for too long")
    assert world.net.at - T0 == pytest.approx(1.0 if cancelled else 210.0, abs=0.03)
    assert (world.beside, world.stored) == ([], CURRENT)


def test_unless_that_is_asked_for() -> None:
    world = StoreWorld(CURRENT)
    assert world.run(StoreLogin(record=LENT, force=True)) == LoginStored(LENT, CURRENT)
    beside = StoreWorld(CURRENT, busy_until=FOR_EVER)
    assert beside.run(StoreLogin(record=LENT, force=True)) == LoginStored(LENT, rescued=True)
    assert beside.beside == [LENT]


def test_a_login_that_can_be_renewed_replaces_a_borrowed_one() -> None:
    world = StoreWorld(LENT)
    assert world.run(StoreLogin(record=NEW)) == LoginStored(NEW, LENT)


def test_its_deadline_counts_from_the_first_busy_answer_and_by_the_monotonic_clock() -> None:
    flow = StoreLogin(record=NEW, lock_limit=1.0)
    world = StoreWorld(EXPIRED, busy_until=FOR_EVER)
    world.before = lambda world, effect: setattr(world.net, "wall", world.net.wall - 100)
    assert isinstance(flow.receive(Started(T0 - 500, W0)), Lock)
    effect: Any = Lock()
    while not isinstance(effect, Rescue):
        effect = flow.receive(world.perform(effect))
    assert world.net.at - T0 == pytest.approx(1.0, abs=0.03)


def test_what_is_deposited_is_stored_as_it_is() -> None:
    odd = attrs.evolve(NEW, generation=3, unknown={"later": [1]}, server_offset=-4.0)
    world = StoreWorld(None)
    world.run(StoreLogin(record=odd))
    assert world.stored is odd
