"""A renewal that meets a crash, a lost answer, another sign-in, a full disk or a clock that jumps: R3, R7, R11,
F2, F11 to F17, F22 and F32.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from codex_oauth.testing import Lost
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Cause, Phase
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Conflict, Load, Lock, Reserve, Save
from tests.core.storing import (
    ADVISORY,
    CORRUPT,
    CURRENT,
    DAY,
    EXPIRED,
    MANDATORY,
    MAYBE_SENT,
    NOT_SENT,
    READ_FAILED,
    WRITE_FAILED,
    StoreWorld,
    error_of,
    failed,
    login,
    marked,
)
from tests.support import T0, W0, as_json, code, tokens

E = ErrorKind
SENT_ONCE: Final = ["Load", "Lock", "Reserve", "SendRequest", "Save", "Release"]
NEW: Final = Secret("canary-refresh-token-5566")
THEIRS: Final = login(9 * DAY, number=2)
THEIRS_DEAD: Final = login(-5.0, number=2)

# -- the answer was lost (R3, F21, F22, F24) -----------------------------------------------------------


@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.RESET, Cause.TRUNCATED, Cause.TOO_BIG])
@pytest.mark.parametrize("stored", [ADVISORY, MANDATORY, EXPIRED], ids=["advisory", "mandatory", "dead"])
def test_r3_f22_a_lost_answer_is_marked_and_nothing_is_sent_again(cause: Cause, stored: Record) -> None:
    world = StoreWorld(stored, [Lost(cause, Phase.MAYBE_SENT, delay=3.0)])
    outcome = world.run(Renewal())
    assert world.order == SENT_ONCE
    assert world.stored == attrs.evolve(stored, uncertain_at=W0 + 3.25)
    assert isinstance(outcome, SignInError if stored is EXPIRED else NotRenewed)
    error = error_of(outcome)
    assert error.details == {"cause": cause.value, "uncertain": True}


def doubted(left: float, since: float = 600.0, **changes: Any) -> Record:
    return login(left, uncertain_at=W0 - since, **changes)


def test_r3_a_doubtful_token_is_not_sent_in_the_advisory_window() -> None:
    stored = doubted(0.5 * DAY)
    world = StoreWorld(stored)
    assert world.run(Renewal()) == NotRenewed(stored, NotRenewedReason.UNCERTAIN)
    assert world.run(Renewal(forced=True)) == NotRenewed(stored, NotRenewedReason.UNCERTAIN)
    assert set(world.order) == {"Load"}


@pytest.mark.parametrize("how", ["mandatory", "expired", "rejected"])
def test_r3_a_doubtful_token_is_sent_once_more_when_it_must_be(how: str) -> None:
    stored = doubted({"mandatory": 200.0, "expired": -60.0, "rejected": 5 * DAY}[how])
    world = StoreWorld(stored, [tokens()])
    outcome = world.run(Renewal(rejected=stored.credential.access_token if how == "rejected" else None))
    assert isinstance(outcome, Renewed)
    assert outcome.record.uncertain_at is None
    assert world.order == SENT_ONCE


def test_r3_f32_and_not_twice_within_a_minute() -> None:
    world = StoreWorld(EXPIRED, [MAYBE_SENT, MAYBE_SENT])
    world.run(Renewal())
    before = len(world.effects)
    outcome = world.run(Renewal())
    assert (outcome.kind, outcome.details) == (E.NETWORK, {"reason": "uncertain"})
    assert world.order[before:] == ["Load"]
    world.net.wall += 60
    assert world.run(Renewal()).details["uncertain"] is True
    assert len(world.requests) == 2


def test_r3_a_doubtful_token_that_is_refused_names_its_likely_reason() -> None:
    """F15: reused, and why."""
    outcome = StoreWorld(doubted(-60.0), [code("refresh_token_reused", 401)]).run(Renewal())
    assert outcome.kind is E.LOGIN_REQUIRED
    assert outcome.message.endswith(
        "An earlier renewal lost its answer after the refresh token was sent, or may have been."
    )
    assert outcome.message.startswith("The login's refresh token was already used")
    assert outcome.details == {"code": "refresh_token_reused", "status": 401, "uncertain_at": W0 - 600}


def test_r7_a_token_that_was_never_in_doubt_is_refused_without_a_history() -> None:
    outcome = StoreWorld(EXPIRED, [code("refresh_token_reused", 401)]).run(Renewal())
    assert "earlier" not in outcome.message
    assert "uncertain_at" not in outcome.details


# -- a process was interrupted (F2) --------------------------------------------------------------------

CRASH: Final = Intent(99, "there", W0 - 300)


def test_f2_the_intent_of_a_crash_is_taken_over_as_a_doubt() -> None:
    world = StoreWorld(login(-60.0, intent=CRASH), [NOT_SENT, MAYBE_SENT])
    world.run(Renewal())
    reserved = [effect.record for effect in world.effects if isinstance(effect, Reserve)]
    assert reserved == [login(-60.0, uncertain_at=CRASH.at)] * 2
    assert world.stored is not None
    assert world.stored.intent is None
    assert world.stored.uncertain_at == pytest.approx(W0 + 1.5, abs=0.1)


def test_f2_a_doubt_from_before_the_crash_keeps_its_date() -> None:
    world = StoreWorld(doubted(-60.0, since=900.0, intent=CRASH), [tokens()])
    world.run(Renewal())
    assert [e.record.uncertain_at for e in world.effects if isinstance(e, Reserve)] == [W0 - 900]


@pytest.mark.parametrize("tries", [0, 1])
def test_f2_the_end_of_a_login_names_the_crash_that_may_be_its_cause(tries: int) -> None:
    world = StoreWorld(login(-60.0, intent=CRASH), [*[NOT_SENT] * tries, code("refresh_token_reused", 401)])
    outcome = world.run(Renewal())
    assert outcome.kind is E.LOGIN_REQUIRED
    assert "An earlier renewal was interrupted after the refresh token was sent" in outcome.message
    assert outcome.details == {
        "code": "refresh_token_reused",
        "status": 401,
        "uncertain_at": CRASH.at,
        "pid": 99,
        "host": "there",
    }
    assert world.stored is not None
    assert (world.stored.dead_code, world.stored.intent) == ("refresh_token_reused", None)


def test_f2_a_crash_that_did_not_spend_the_token_costs_nothing() -> None:
    outcome = StoreWorld(login(200.0, intent=CRASH), [tokens()]).run(Renewal())
    assert isinstance(outcome, Renewed)
    assert (outcome.record.intent, outcome.record.uncertain_at) == (None, None)


@pytest.mark.parametrize(
    ("since", "why"), [(1.0, NotRenewedReason.BUSY), (300.0, NotRenewedReason.UNCERTAIN)]
)
def test_f2_f9_in_the_advisory_window_an_intent_is_left_alone(since: float, why: NotRenewedReason) -> None:
    stored = login(0.5 * DAY, intent=Intent(99, "there", W0 - since))
    world = StoreWorld(stored)
    assert world.run(Renewal()) == NotRenewed(stored, why)
    assert world.order == ["Load"]


# -- somebody signs in or out while the request is under way (F16, F17, R7) ----------------------------


def run_with(stored: Record, meanwhile: Record | None, reply: Any = None) -> tuple[StoreWorld, Any]:
    def step(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Save):
            world.stored = meanwhile

    world = StoreWorld(stored, [reply or tokens()], before=step)
    return world, world.run(Renewal())


def test_f16_a_newer_login_wins_over_a_renewal_of_the_old_one() -> None:
    world, outcome = run_with(EXPIRED, THEIRS)
    assert outcome == Adopted(THEIRS)
    assert world.stored == THEIRS
    assert world.order == SENT_ONCE


def test_f17_a_logout_wins_over_a_renewal() -> None:
    world, outcome = run_with(MANDATORY, None)
    assert (outcome.kind, outcome.message) == (E.LOGIN_REQUIRED, "No one is signed in.")
    assert world.stored is None
    assert world.order == SENT_ONCE


@pytest.mark.parametrize("reply", [code("refresh_token_reused", 401), as_json(500, {})], ids=["dead", "lost"])
def test_r7_a_mark_of_the_old_login_does_not_touch_a_newer_one(reply: Any) -> None:
    world, outcome = run_with(EXPIRED, THEIRS, reply)
    assert outcome == Adopted(THEIRS)
    assert world.stored == THEIRS


def test_f16_a_newer_login_that_is_of_no_use_is_told_and_left() -> None:
    world, outcome = run_with(EXPIRED, THEIRS_DEAD)
    assert (outcome.kind, outcome.details) == (E.AUTH_WRITE_FAILED, {"reason": "contended"})
    assert world.stored == THEIRS_DEAD


def test_f16_a_newer_login_with_the_refused_token_is_of_no_use() -> None:
    same = attrs.evolve(THEIRS, credential=attrs.evolve(THEIRS.credential, access_token=Secret("refused")))

    def step(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Save):
            world.stored = same

    first = attrs.evolve(CURRENT, credential=attrs.evolve(CURRENT.credential, access_token=Secret("refused")))
    world = StoreWorld(first, [tokens()], before=step)
    assert world.run(Renewal(rejected=Secret("refused"))).details == {"reason": "contended"}


# -- the storage fails (F11, F12, F13, F14) ------------------------------------------------------------


@pytest.mark.parametrize("error", [READ_FAILED, CORRUPT])
def test_f13_f14_what_cannot_be_read_at_first_is_the_end(error: SignInError) -> None:
    world = StoreWorld(CURRENT, answers={Load: [failed(error)]})
    assert world.run(Renewal(forced=True)) is error
    assert world.order == ["Load"]


@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_r11_f12_what_was_renewed_and_is_kept_beside_is_used_from_memory(stored: Record) -> None:
    """Whoever locks the login next finds it: there is nothing to try again."""
    world = StoreWorld(stored, [tokens()], answers={Save: [failed(rescued=True)]})
    outcome = world.run(Renewal())
    assert isinstance(outcome, Renewed)
    assert outcome.unsaved is WRITE_FAILED
    assert outcome.record.credential.refresh_token == NEW
    assert world.order == SENT_ONCE
    assert world.stored == marked(stored)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(as_json(500, {}), E.NETWORK), (code("refresh_token_reused", 401), E.LOGIN_REQUIRED)],
)
@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_f12_a_mark_that_cannot_be_saved_hides_no_reason(stored: Record, reply: Any, kind: ErrorKind) -> None:
    """And is not tried again: the intent stays, and says the same."""
    world = StoreWorld(stored, [reply], answers={Save: [failed()]})
    outcome = world.run(Renewal())
    assert (world.order, world.stored) == (SENT_ONCE, marked(stored))
    error = error_of(outcome)
    assert isinstance(outcome, NotRenewed) is (stored is MANDATORY)
    assert error.kind is kind


def test_f11_a_lock_that_fails_after_a_back_off_ends_it() -> None:
    world = StoreWorld(EXPIRED, [NOT_SENT], answers={Lock: [None, failed()]})
    assert world.run(Renewal()) is WRITE_FAILED
    assert world.order[-2:] == ["Load", "Lock"]


def test_f14_what_becomes_unreadable_during_a_back_off_is_told() -> None:
    world = StoreWorld(EXPIRED, [NOT_SENT], answers={Load: [None, failed(CORRUPT)]})
    assert world.run(Renewal()) is CORRUPT
    assert world.order[-2:] == ["Wait", "Load"]


# -- the clock jumps (F32) -----------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_f32_a_jump_during_the_request_is_where_the_new_token_counts_from(jump: float) -> None:
    def step(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, SendRequest):
            world.net.wall += jump

    world = StoreWorld(EXPIRED, [tokens()], before=step)
    outcome = world.run(Renewal())
    assert isinstance(outcome, Renewed)
    assert outcome.record.credential.expires_at == round((W0 + jump + 864_000) * 1000)


def test_f32_a_jump_while_it_waits_is_noticed() -> None:
    """Back before the window: nothing is due any more."""

    def step(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.net.wall -= 2 * DAY

    world = StoreWorld(MANDATORY, busy_until=T0 + 1e6, before=step)
    assert world.run(Renewal()) == NotRenewed(MANDATORY, NotRenewedReason.CURRENT)
    assert world.order == ["Load", "Lock", "Wait", "Load"]


@pytest.mark.parametrize("wall", [0.0, 5.0, 2.0**32, 2.0**33], ids=["1970", "1970 too", "2106", "2242"])
def test_f32_a_renewal_under_an_impossible_clock_keeps_what_was_issued(wall: float) -> None:
    world = StoreWorld(EXPIRED, [tokens()])
    world.net.wall = wall
    outcome = world.run(Renewal(forced=True))
    assert isinstance(outcome, Renewed)
    assert outcome.record.credential.refresh_token == NEW
    assert outcome.record.credential.expires_at is None
    world.net.wall = wall + 1
    assert world.run(Renewal()) == NotRenewed(outcome.record, NotRenewedReason.CURRENT)


def test_f32_the_time_of_a_request_that_failed_is_what_has_passed_since_the_last_time_told() -> None:
    world = StoreWorld(EXPIRED, [Lost(Cause.TIMEOUT, Phase.MAYBE_SENT, delay=90.0)])
    world.run(Renewal())
    assert world.saves[0].record.uncertain_at == W0 + 60.0


def test_f16_what_a_conflict_tells_is_adopted_whatever_else_is_loaded() -> None:
    world = StoreWorld(EXPIRED, [tokens()], answers={Save: [Conflict(THEIRS)]})
    assert world.run(Renewal()) == Adopted(THEIRS)


def test_a_token_that_dies_during_the_request_is_not_given_out() -> None:
    """R3: it lived when it was sent, and has died when the answer was lost."""
    stored = login(5.0, life=3600.0)
    world = StoreWorld(stored, [Lost(delay=8.0)])
    assert isinstance(world.run(Renewal()), SignInError)
