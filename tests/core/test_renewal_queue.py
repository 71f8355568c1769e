"""Whom a renewal waits for, and for how long: R0, R4, F8, to the instant.

Rules of this file: what happens at an instant is told to the flow event by event; whole runs are driven
against a store.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Started, StoreAnswered, TimeReached
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.renewal_policy import RenewalPolicy
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.storage import Load, Loaded, Lock, LockBusy, Locked, Reserve, StorageAnswer
from tests.core.storing import (
    ADVISORY,
    CURRENT,
    DAY,
    EXPIRED,
    MANDATORY,
    NOT_SENT,
    THEM,
    StoreWorld,
    error_of,
    login,
)
from tests.support import T0, W0, tokens

LOOK: Final = ["Load", "Lock"]
ONCE: Final = [*LOOK, "Reserve", "SendRequest", "Save", "Release"]
FOR_EVER: Final = T0 + 1e6


def told(answer: StorageAnswer, after: float) -> StoreAnswered:
    return StoreAnswered(T0 + after, W0 + after, answer)


def queued(flow: Renewal, record: Record, holder: Intent | None = THEM) -> Any:
    """The flow has found its lock busy at `T0`."""
    flow.receive(Started(T0, W0))
    flow.receive(told(Loaded(record), 0.0))
    return flow.receive(told(LockBusy(holder), 0.0))


def looks_again(flow: Renewal, after: float, record: Record, holder: Intent | None = THEM) -> Any:
    """`after` seconds later it wakes up, reads the login, and finds its lock busy."""
    assert isinstance(flow.receive(TimeReached(T0 + after)), Load)
    assert isinstance(flow.receive(told(Loaded(record), after)), Lock)
    return flow.receive(told(LockBusy(holder), after))


def busy(holder: Intent | None) -> tuple[ErrorKind, dict[str, Any], str]:
    who, told = "Another process", {}
    if holder is not None:
        who = f"Process {holder.pid} on {holder.host}"
        told = {"pid": holder.pid, "host": holder.host}
    text = f"{who} has held the login's lock for too long; the login is as it was."
    return ErrorKind.NETWORK, {"reason": "lock_busy", **told}, text


def parts_of(error: SignInError) -> tuple[ErrorKind, Any, str]:
    return error.kind, error.details, error.message


def test_r4_f8_in_the_advisory_window_a_busy_lock_means_the_old_token_at_once() -> None:
    world = StoreWorld(ADVISORY, busy_until=FOR_EVER)
    assert world.run(Renewal()) == NotRenewed(ADVISORY, NotRenewedReason.BUSY)
    assert world.order == LOOK
    assert world.net.at == T0


def waits_until(world: StoreWorld) -> list[float]:
    return [effect.until - T0 for effect in world.effects if isinstance(effect, Wait)]


def test_r4_f8_in_the_mandatory_window_it_looks_again_every_25_ms() -> None:
    world = StoreWorld(MANDATORY, [tokens()], busy_until=T0 + 0.1)
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.order == [*LOOK, *["Wait", *LOOK] * 4, *ONCE[2:]]
    assert waits_until(world) == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert {effect.why for effect in world.effects if isinstance(effect, Wait)} == {Why.QUEUED}


# -- to the instant (R0) -------------------------------------------------------------------------------


@pytest.mark.parametrize("forced", [False, True])
def test_r0_f8_after_20_s_it_goes_on_with_the_old_token_while_that_lives(forced: bool) -> None:
    stored = CURRENT if forced else MANDATORY
    flow = Renewal(forced=forced)
    assert isinstance(queued(flow, stored), Wait)
    assert isinstance(looks_again(flow, 19.999, stored), Wait)
    assert isinstance(flow.receive(TimeReached(T0 + 20.0)), Wait)  # not due yet
    ended = looks_again(flow, 20.024, stored)
    assert isinstance(ended, Finished)
    assert ended.outcome == NotRenewed(stored, NotRenewedReason.FAILED, error_of(ended.outcome))
    assert parts_of(error_of(ended.outcome)) == busy(THEM)


@pytest.mark.parametrize("after", [20.0, 3600.0])
def test_r0_f8_after_20_s_exactly_or_any_time_later(after: float) -> None:
    stored = login(DAY / 2, life=60 * DAY)
    flow = Renewal(forced=True)
    queued(flow, stored)
    ended: Any = looks_again(flow, after, stored)
    assert (ended.outcome.record, ended.outcome.why) == (stored, NotRenewedReason.FAILED)


@pytest.mark.parametrize("rejected", [False, True])
def test_r0_c11_c19_with_a_dead_token_it_waits_for_210_s(rejected: bool) -> None:
    stored = CURRENT if rejected else EXPIRED
    flow = Renewal(rejected=stored.credential.access_token if rejected else None)
    queued(flow, stored)
    for after in (20.0, 105.0, 209.9):
        assert isinstance(looks_again(flow, after, stored), Wait)
    ended: Any = looks_again(flow, 210.0, stored)
    assert parts_of(ended.outcome) == busy(THEM)


def test_r0_c11_it_is_one_total_whoever_has_the_lock_and_whatever_is_stored_meanwhile() -> None:
    flow = Renewal()
    queued(flow, EXPIRED)
    other = Intent(1, "else", W0 + 100, "others")
    for after, number in ((50.0, 2), (150.0, 3)):
        assert isinstance(looks_again(flow, after, login(-5.0, number=number), other), Wait)
    ended: Any = looks_again(flow, 210.0, login(-5.0, number=4), other)
    assert parts_of(ended.outcome) == busy(other)


def test_r0_c11_nor_does_it_begin_again_after_a_try_of_its_own() -> None:
    """It had the lock at 100 s, could not send, and found it busy again: 210 s in all."""

    def step(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait) and effect.why is Why.RETRY:
            world.busy_until = FOR_EVER

    world = StoreWorld(EXPIRED, [NOT_SENT], busy_until=T0 + 100, before=step)
    outcome = world.run(Renewal())
    assert parts_of(outcome) == busy(THEM)
    assert world.net.at - T0 == pytest.approx(210.0, abs=0.03)
    assert len(world.sent) == 1


def test_r0_a_token_that_dies_while_it_waits_is_not_given_out_and_waited_for_longer() -> None:
    stored = login(10.0, life=3600.0)
    flow = Renewal()
    first = queued(flow, stored)
    assert looks_again(flow, 9.9, stored).give_up_at == first.give_up_at == T0 + 20.0
    assert looks_again(flow, 20.0, stored).give_up_at == T0 + 210.0
    assert isinstance(looks_again(flow, 209.9, stored), Wait)
    ended: Any = looks_again(flow, 210.0, stored)
    assert parts_of(ended.outcome) == busy(THEM)


@pytest.mark.parametrize(("left", "lives"), [(20.001, True), (20.0, False)])
def test_r0_whether_it_lives_is_judged_at_the_end_of_the_wait(left: float, lives: bool) -> None:
    stored = login(left, life=3600.0)
    flow = Renewal()
    queued(flow, stored)
    after: Any = looks_again(flow, 20.0, stored)
    assert isinstance(after, Finished) is lives
    assert not lives or (after.outcome.record, after.outcome.why) == (stored, NotRenewedReason.FAILED)


@pytest.mark.parametrize(("stored", "after"), [(MANDATORY, 20.0), (EXPIRED, 210.0), (EXPIRED, 7200.0)])
def test_r0_c19_who_wakes_up_late_looks_once_more_before_it_gives_up(stored: Record, after: float) -> None:
    flow = Renewal()
    queued(flow, stored)
    assert isinstance(flow.receive(TimeReached(T0 + after)), Load)
    flow.receive(told(Loaded(stored), after))
    assert isinstance(flow.receive(told(Locked(stored), after)), Reserve)


def test_r0_f8_the_waits_are_as_long_as_the_policy_says() -> None:
    policy = RenewalPolicy(lock_limit=1.0, expired_lock_limit=2.0)
    for stored, limit in ((MANDATORY, 1.0), (EXPIRED, 2.0)):
        flow = Renewal(policy=policy)
        assert queued(flow, stored).give_up_at == T0 + limit
        assert isinstance(looks_again(flow, limit - 0.01, stored), Wait)
        assert isinstance(looks_again(flow, limit + 0.02, stored), Finished)


# -- whom it waits for ---------------------------------------------------------------------------------


@pytest.mark.parametrize("holder", [THEM, None])
def test_r0_a_wait_says_for_whom_and_until_when(holder: Intent | None) -> None:
    flow = Renewal()
    assert queued(flow, EXPIRED, holder) == Wait(T0 + 0.025, Why.QUEUED, holder=holder, give_up_at=T0 + 210.0)
    other = attrs.evolve(THEM, pid=1)
    assert looks_again(flow, 0.5, EXPIRED, other) == Wait(
        T0 + 0.525, Why.QUEUED, holder=other, give_up_at=T0 + 210.0
    )
    ended: Any = looks_again(flow, 210.0, EXPIRED, holder)
    assert parts_of(ended.outcome) == busy(holder)
    assert ended.outcome.next_actions == (
        "End a program that uses this login and hangs.",
        "Try again.",
    )


def test_f8_the_wait_ends_when_the_others_have_renewed_it_and_the_lock_stays_theirs() -> None:
    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait) and len(waits_until(world)) == 3:
            world.stored = login(9 * DAY, number=2)

    world = StoreWorld(EXPIRED, busy_until=FOR_EVER, before=meanwhile)
    assert world.run(Renewal()) == Adopted(login(9 * DAY, number=2))
    assert world.order == [*LOOK, *["Wait", *LOOK] * 2, "Wait", "Load"]


def test_r1_what_is_newer_than_at_the_first_look_is_adopted_at_any_later_one() -> None:
    """Renewed by others and due again at the second look; at the third the clock has been set back."""

    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        looks = world.order.count("Load")
        if isinstance(effect, Wait) and looks == 1:
            world.stored = login(200.0, number=2)
        if isinstance(effect, Wait) and looks == 2:
            world.net.wall -= 2 * DAY

    world = StoreWorld(CURRENT, busy_until=FOR_EVER, before=meanwhile)
    assert world.run(Renewal(forced=True)) == Adopted(login(200.0, number=2))


def test_f32_the_wall_clock_does_not_matter_to_the_wait() -> None:
    def jump(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.net.wall -= 60

    stored = login(-9000.0)
    world = StoreWorld(stored, busy_until=FOR_EVER, before=jump)
    world.run(Renewal(policy=RenewalPolicy(lock_limit=0.5, expired_lock_limit=0.5)))
    assert world.net.at - T0 == pytest.approx(0.5, abs=0.03)
    assert world.net.wall < W0
