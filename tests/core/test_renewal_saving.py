"""What was renewed and cannot be saved: tried again with the lock, told meanwhile, and never forgotten (R0, R6a,
R11, C7, C8).

Rules of this file: the server's answer comes a quarter of a second after `T0`; instants are seconds after
that answer.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from codex_oauth.testing import Reply
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Conflict, Load, Lock, Locked, Save, StorageAnswer, StorageEffect
from tests.core.storing import (
    CORRUPT,
    CURRENT,
    DAY,
    EXPIRED,
    MANDATORY,
    READ_FAILED,
    WRITE_FAILED,
    StoreWorld,
    error_of,
    failed,
    login,
    marked,
)
from tests.support import T0, W0, account_token, tokens

E = ErrorKind
TO_SAVE: Final = ["Load", "Lock", "Reserve", "SendRequest", "Save"]
ANSWERED: Final = 0.25
SAVES: Final = (0.0, 0.25, 0.75, 1.75, 3.75, 7.75, 12.75, 17.75, 22.75, 27.75, 30.0)
"""When a save is tried while it fails, in seconds after the answer: the last one at thirty exactly."""
NEW: Final = Secret("canary-refresh-token-5566")
OTHERS: Final = tokens(access_token=account_token("acct_other"), id_token=...)
FAIL: Final = failed()


def saved_at(world: StoreWorld) -> list[float]:
    return [at - ANSWERED for at in world.when(Save)]


def failing(times: int, stored: Record = EXPIRED, **changes: Any) -> StoreWorld:
    """A world whose disk fails so many saves."""
    return StoreWorld(stored, [tokens()], answers={Save: [FAIL] * times}, **changes)


# -- tried again, with the lock (C7) -------------------------------------------------------------------


@pytest.mark.parametrize("times", range(1, 11))
def test_r0_c7_a_save_that_fails_is_tried_again_with_the_lock(times: int) -> None:
    """The store world sees to it that nothing else is done with the lock than to wait for the disk."""
    world = failing(times)
    outcome = world.run(Renewal())
    assert outcome == Renewed(world.saves[0].record)
    assert world.order == [*TO_SAVE, *["Wait", "Save"] * times, "Release"]
    assert saved_at(world) == pytest.approx(SAVES[: times + 1])
    assert world.stored == outcome.record
    waits = [effect for effect in world.effects if isinstance(effect, Wait)]
    assert {(wait.why, wait.cause) for wait in waits} == {(Why.SAVING, E.AUTH_WRITE_FAILED)}
    assert world.saves == [Save(outcome.record, EXPIRED.fingerprint)] * (times + 1)


@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_r0_c7_after_30_s_exactly_it_is_used_from_memory_and_the_intent_stays(stored: Record) -> None:
    world = failing(11, stored)
    outcome = world.run(Renewal())
    assert isinstance(outcome, Renewed)
    assert outcome.unsaved is WRITE_FAILED
    assert outcome.record.credential.refresh_token == NEW
    assert saved_at(world) == pytest.approx(SAVES)
    assert world.order == [*TO_SAVE, *["Wait", "Save"] * 10, "Release"]
    assert world.stored == marked(stored)


def test_r0_c7_who_wakes_up_late_tries_once_more() -> None:
    def asleep(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.net.at += 3600

    world = failing(1, before=asleep)
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.order == [*TO_SAVE, "Wait", "Save", "Release"]


@pytest.mark.parametrize("times", [1, 5])
def test_r11_what_is_kept_beside_at_a_later_try_is_not_tried_again(times: int) -> None:
    world = StoreWorld(EXPIRED, [tokens()], answers={Save: [*[FAIL] * times, failed(rescued=True)]})
    outcome = world.run(Renewal())
    assert (outcome.unsaved, len(world.saves)) == (WRITE_FAILED, times + 1)


@pytest.mark.parametrize("stored", [None, login(9 * DAY, number=2)], ids=["signed out", "signed in"])
def test_f16_f17_what_somebody_else_did_meanwhile_counts_at_a_later_try_too(stored: Record | None) -> None:
    world = StoreWorld(EXPIRED, [tokens()], answers={Save: [FAIL, Conflict(stored)]})
    outcome = world.run(Renewal(keep_saving=True))
    if stored is None:
        assert (outcome.kind, outcome.message) == (E.LOGIN_REQUIRED, "No one is signed in.")
    else:
        assert outcome == Adopted(stored)
    assert world.order == [*TO_SAVE, "Wait", "Save", "Release"]


def test_f31_c7_that_our_token_is_spent_for_another_account_is_tried_again_too() -> None:
    world = StoreWorld(MANDATORY, [OTHERS], answers={Save: [FAIL, FAIL]})
    outcome = world.run(Renewal())
    assert error_of(outcome).kind is E.ACCOUNT_CHANGED
    assert world.stored == attrs.evolve(MANDATORY, spent=True)
    assert len(world.saves) == 3


@pytest.mark.parametrize(
    "reply",
    [tokens(access_token=...), tokens(refresh_token=...), tokens(refresh_token="canary-old-refresh-1")],
)
def test_c7_whatever_was_issued_is_tried_again(reply: Reply) -> None:
    world = StoreWorld(EXPIRED, [reply], answers={Save: [FAIL]})
    world.run(Renewal())
    assert len(world.saves) == 2
    assert world.stored == world.saves[0].record


# -- the callers are answered meanwhile (R6a, C8) ------------------------------------------------------


def seen_meanwhile(flow: Renewal, world: StoreWorld) -> list[tuple[float, Any]]:
    """What there was to answer callers with, and when (seconds after the answer), looked at after each effect."""
    seen: list[tuple[float, Any]] = []

    def look(world: StoreWorld, effect: Effect) -> None:
        if flow.meanwhile is not None:
            seen.append((world.net.at - T0 - ANSWERED, flow.meanwhile))

    world.before = look
    return seen


def test_r6a_c8_after_30_s_exactly_the_callers_are_answered_and_saving_goes_on_with_the_lock() -> None:
    flow = Renewal(keep_saving=True)
    world = failing(13)
    seen = seen_meanwhile(flow, world)
    outcome = world.run(flow)
    record = world.saves[0].record
    assert outcome == Renewed(record)
    assert world.stored == record
    assert [at for at, _ in seen] == pytest.approx([30.0, 35.0, 40.0])
    assert {answer for _, answer in map(_answer, seen)} == {(True, WRITE_FAILED.kind)}
    assert saved_at(world) == pytest.approx([*SAVES, 35.0, 40.0, 45.0])
    assert world.order == [*TO_SAVE, *["Wait", "Save"] * 13, "Release"]


def _answer(seen: tuple[float, Any]) -> tuple[float, tuple[bool, Any]]:
    at, answer = seen
    assert isinstance(answer, Renewed)
    assert answer.unsaved is not None
    return at, (answer.record.credential.refresh_token == NEW, answer.unsaved.kind)


def test_r6a_before_that_there_is_nothing_to_answer_with() -> None:
    flow = Renewal(keep_saving=True)
    world = failing(10)
    seen = seen_meanwhile(flow, world)
    assert isinstance(world.run(flow), Renewed)
    assert seen == []
    assert flow.meanwhile is None


def test_r6a_without_keep_saving_there_never_is() -> None:
    flow = Renewal()
    world = failing(11)
    seen = seen_meanwhile(flow, world)
    assert world.run(flow).unsaved is WRITE_FAILED
    assert seen == []


def test_r6a_meanwhile_says_what_the_renewal_would_have_ended_with() -> None:
    flow = Renewal(keep_saving=True)
    world = StoreWorld(MANDATORY, [OTHERS], answers={Save: [FAIL] * 11})
    seen = seen_meanwhile(flow, world)
    outcome = world.run(flow)
    assert [answer for _, answer in seen] == [outcome]
    assert (outcome.why, outcome.error.kind) == (NotRenewedReason.FAILED, E.ACCOUNT_CHANGED)


# -- cancelled while it saves --------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "keep_saving"), [(0.5, False), (29.0, False), (29.0, True), (100.0, True)])
def test_c7_c8_who_cancels_it_gets_one_more_save_and_the_lock_back(after: float, keep_saving: bool) -> None:
    world = failing(1000)
    world.net.cancel_at = T0 + ANSWERED + after
    outcome = world.run(Renewal(keep_saving=keep_saving))
    assert isinstance(outcome, Renewed)
    assert outcome.unsaved is WRITE_FAILED
    assert world.order[-4:] == ["Save", "Wait", "Save", "Release"]
    assert saved_at(world)[-1] == after
    assert world.stored == marked(EXPIRED)


def test_c7_and_that_save_may_succeed() -> None:
    world = StoreWorld(EXPIRED, [tokens()], answers={Save: [FAIL]})
    world.net.cancel_at = T0 + ANSWERED + 0.125
    outcome = world.run(Renewal())
    assert outcome == Renewed(world.saves[0].record)
    assert world.stored == outcome.record
    assert saved_at(world) == [0.0, 0.125]


# -- what this process had last is saved first (R6a) ---------------------------------------------------

KNOWN: Final = login(9 * DAY, number=2, parent=EXPIRED.fingerprint, generation=8)
KNOWN_DUE: Final = login(-5.0, number=2, parent=EXPIRED.fingerprint, generation=8)
SAVED_FIRST: Final = ["Load", "Lock", "Save", "Release", "Wait", "Load"]


@pytest.mark.parametrize("changes", [{}, {"forced": True}, {"rejected": EXPIRED.credential.access_token}])
def test_r6a_what_is_known_is_saved_before_anything_is_sent(changes: dict[str, Any]) -> None:
    world = StoreWorld(EXPIRED)
    assert world.run(Renewal(known=KNOWN, **changes)) == Adopted(KNOWN)
    assert world.order == SAVED_FIRST
    assert world.saves == [Save(KNOWN, EXPIRED.fingerprint)]
    assert world.stored == KNOWN
    assert world.net.at == T0  # nobody waits for anything


@pytest.mark.parametrize("marks", [{"uncertain_at": W0 - 5}, {"dead_code": "invalid_grant"}, {"spent": True}])
def test_r6a_whatever_is_said_of_the_spent_token_that_is_stored(marks: dict[str, Any]) -> None:
    """A mark of another process that tried it: it is not the login any more."""
    world = StoreWorld(attrs.evolve(EXPIRED, **marks))
    assert world.run(Renewal(known=KNOWN)) == Adopted(KNOWN)
    assert world.stored == KNOWN


def test_r6a_also_in_place_of_an_interrupted_renewals_intent() -> None:
    world = StoreWorld(marked(EXPIRED))
    assert world.run(Renewal(known=KNOWN)) == Adopted(KNOWN)
    assert world.stored == KNOWN


def test_r6a_also_where_nothing_would_be_due() -> None:
    """What is stored looks current, and is spent all the same."""
    known = login(9 * DAY, number=2, parent=CURRENT.fingerprint, generation=8)
    world = StoreWorld(CURRENT)
    assert world.run(Renewal(known=known)).record == known
    assert (world.order, world.stored) == (SAVED_FIRST, known)


def test_r6a_then_the_renewal_begins_again_with_what_was_known() -> None:
    world = StoreWorld(EXPIRED, [tokens()])
    outcome = world.run(Renewal(known=KNOWN_DUE))
    assert isinstance(outcome, Renewed)
    assert outcome.record.parent == KNOWN_DUE.fingerprint
    assert outcome.record.generation == 9
    assert world.order == [*SAVED_FIRST, *TO_SAVE[1:], "Release"]
    assert b"canary-old-refresh-2" in world.sent[0].body.reveal()


NOT_ITS_SUCCESSOR: Final = {
    "the same": EXPIRED,
    "of another sign-in": login(9 * DAY, number=2),
    "of another refresh token": attrs.evolve(KNOWN, parent=login(number=3).fingerprint),
    "of another server": login(
        9 * DAY, number=2, parent=EXPIRED.fingerprint, generation=8, issuer="https://else.example"
    ),
    "of another account": login(
        9 * DAY, number=2, parent=EXPIRED.fingerprint, generation=8, account_id="acct_other"
    ),
}


@pytest.mark.parametrize("known", NOT_ITS_SUCCESSOR.values(), ids=NOT_ITS_SUCCESSOR.keys())
def test_r6a_what_does_not_succeed_the_stored_login_is_not_stored(known: Record) -> None:
    world = StoreWorld(EXPIRED, [tokens()])
    assert isinstance(world.run(Renewal(known=known)), Renewed)
    assert world.order == [*TO_SAVE, "Release"]
    assert len(world.saves) == 1


def test_f17_a_login_that_was_ended_is_not_brought_back() -> None:
    world = StoreWorld(None)
    assert world.run(Renewal(known=KNOWN)).kind is E.LOGIN_REQUIRED
    assert (world.order, world.stored) == (["Load"], None)


def test_r6a_what_is_known_is_found_under_the_lock_too() -> None:
    """A backup was put back between the first look and the lock."""

    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Lock) and world.order.count("Lock") == 1:
            world.stored = EXPIRED

    world = StoreWorld(KNOWN_DUE, [tokens()], before=meanwhile)
    assert isinstance(world.run(Renewal(known=KNOWN_DUE)), Renewed)
    assert world.saves[0] == Save(KNOWN_DUE, EXPIRED.fingerprint)
    assert world.order == [*SAVED_FIRST, *TO_SAVE[1:], "Release"]
    assert b"canary-old-refresh-2" in world.sent[0].body.reveal()


@pytest.mark.parametrize("known", [KNOWN, KNOWN_DUE], ids=["alive", "dead"])
def test_r6a_a_store_that_forgets_what_was_saved_is_given_up(known: Record) -> None:
    def forget(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Load):
            world.stored = EXPIRED

    world = StoreWorld(EXPIRED, before=forget)
    outcome = world.run(Renewal(known=known))
    error = error_of(outcome)
    assert (error.kind, error.details) == (E.AUTH_WRITE_FAILED, {"reason": "contended"})
    assert outcome == (NotRenewed(known, NotRenewedReason.FAILED, error) if known is KNOWN else error)
    assert (world.saves, world.sent) == ([Save(known, EXPIRED.fingerprint)] * 4, [])


@pytest.mark.parametrize(("known", "why"), [(KNOWN, NotRenewedReason.BUSY), (KNOWN_DUE, None)])
def test_r6a_while_the_lock_is_busy_it_is_used_from_memory(
    known: Record, why: NotRenewedReason | None
) -> None:
    """It is not waited for where it is not pressing; what is stored would be dead."""
    world = StoreWorld(EXPIRED, busy_until=T0 + (1e6 if why else 1.0), server=[tokens()])
    outcome = world.run(Renewal(known=known))
    if why is None:
        assert isinstance(outcome, Renewed)
        assert world.saves[0] == Save(known, EXPIRED.fingerprint)
    else:
        assert outcome == NotRenewed(known, why)
        assert world.order == ["Load", "Lock"]


def test_r0_r6a_a_busy_lock_is_waited_for_for_20_s_where_what_is_known_is_usable() -> None:
    known = login(200.0, number=2, parent=EXPIRED.fingerprint, generation=8)
    world = StoreWorld(EXPIRED, busy_until=T0 + 1e6)
    outcome = world.run(Renewal(known=known))
    assert (outcome.record, outcome.why) == (known, NotRenewedReason.FAILED)
    assert world.net.at - T0 == pytest.approx(20.0, abs=0.03)


FAILURES: Final[dict[str, tuple[type[StorageEffect], list[StorageAnswer], SignInError]]] = {
    "a look in vain": (Lock, [Locked(None, READ_FAILED)], READ_FAILED),
    "no lock": (Lock, [FAIL], WRITE_FAILED),
    "no save": (Save, [FAIL] * 11, WRITE_FAILED),
}


@pytest.mark.parametrize("known", [KNOWN, KNOWN_DUE], ids=["alive", "dead"])
@pytest.mark.parametrize(("effect", "answers", "error"), FAILURES.values(), ids=FAILURES.keys())
def test_r6a_where_the_store_fails_it_is_used_from_memory_and_nothing_is_sent(
    effect: type[StorageEffect], answers: list[StorageAnswer], error: SignInError, known: Record
) -> None:
    world = StoreWorld(EXPIRED, answers={effect: [*answers]})
    outcome = world.run(Renewal(known=known))
    assert outcome == (NotRenewed(known, NotRenewedReason.FAILED, error) if known is KNOWN else error)
    assert (world.sent, world.stored) == ([], EXPIRED)


def test_r6a_c7_what_is_known_is_saved_for_30_s_too_and_the_callers_are_answered_then() -> None:
    flow = Renewal(known=KNOWN, keep_saving=True)
    world = StoreWorld(EXPIRED, answers={Save: [FAIL] * 11})
    seen = seen_meanwhile(flow, world)
    assert world.run(flow) == Adopted(KNOWN)
    assert seen == [(30.0 - ANSWERED, NotRenewed(KNOWN, NotRenewedReason.FAILED, WRITE_FAILED))]
    assert world.when(Save) == pytest.approx([*SAVES, 35.0])
    assert world.stored == KNOWN


def test_f16_somebody_who_signed_in_meanwhile_wins_over_what_is_known() -> None:
    theirs = login(9 * DAY, number=5)
    world = StoreWorld(EXPIRED, answers={Save: [Conflict(theirs)]})
    assert world.run(Renewal(known=KNOWN)) == Adopted(theirs)
    assert world.order == ["Load", "Lock", "Save", "Release"]


def test_r6a_what_is_known_and_was_kept_beside_is_used_from_memory() -> None:
    world = StoreWorld(EXPIRED, answers={Save: [failed(rescued=True)]})
    assert world.run(Renewal(known=KNOWN)) == NotRenewed(KNOWN, NotRenewedReason.FAILED, WRITE_FAILED)
    assert world.order == ["Load", "Lock", "Save", "Release"]


@pytest.mark.parametrize("error", [READ_FAILED, CORRUPT])
def test_r6a_what_cannot_be_read_at_first_is_told(error: SignInError) -> None:
    """Nobody knows whether it succeeds what is stored: whoever has it in memory may go on with it."""
    world = StoreWorld(EXPIRED, answers={Load: [failed(error)]})
    assert world.run(Renewal(known=KNOWN)) is error
    assert world.order == ["Load"]
