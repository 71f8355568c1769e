"""The order of a renewal, and when it tries again: R0, R1, R3, R9, R10, F5, F9, F11, F18, F28."""

from __future__ import annotations

from typing import Any, Final

import pytest

from codex_oauth.testing import Lost, Reply
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Cancelled, Cause, Phase
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.storing import MOST_LOOKS
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.record import Record
from codex_oauth_core.storage import Load, Lock, LockBusy, Locked, Release, Reserve, StoreFailed
from tests.core.storing import (
    ADVISORY,
    CORRUPT,
    CURRENT,
    DAY,
    EXPIRED,
    MANDATORY,
    NOT_SENT,
    READ_FAILED,
    WRITE_FAILED,
    StoreWorld,
    error_of,
    failed,
    login,
    token_of,
)
from tests.support import T0, as_json, tokens

ONCE: Final = ["Load", "Lock", "Reserve", "SendRequest", "Save", "Release"]
RETRIED: Final = ["Load", "Lock", "Reserve", "SendRequest", "Release", "Wait"]
FOR_EVER: Final = T0 + 1e6

# -- the order (R1) ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [ADVISORY, MANDATORY, EXPIRED], ids=["advisory", "mandatory", "expired"])
def test_r1_the_order_of_a_renewal(stored: Record) -> None:
    world = StoreWorld(stored, [tokens()])
    outcome = world.run(Renewal())
    assert isinstance(outcome, Renewed)
    assert outcome.unsaved is None
    assert world.order == ONCE
    assert world.stored is outcome.record


def test_r1_what_is_reserved_for_is_what_is_stored_and_what_is_saved_replaces_it() -> None:
    world = StoreWorld(EXPIRED, [tokens()])
    world.run(Renewal())
    assert next(effect for effect in world.effects if isinstance(effect, Reserve)).record == EXPIRED
    assert [save.expected for save in world.saves] == [EXPIRED.fingerprint]
    assert not world.saves[0].replace_corrupt


def test_r0_the_request_is_sent_once_within_15_s_of_the_reservation_and_answered_within_60_s() -> None:
    def slow(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Reserve):  # the disk takes its time, after it was asked
            world.net.at += 4.0

    world = StoreWorld(EXPIRED, [tokens()], before=slow)
    world.run(Renewal())
    sent = next(effect for effect in world.effects if isinstance(effect, SendRequest))
    assert (sent.once, sent.timeout, sent.write_by) == (True, 60.0, T0 + 15.0)
    assert "refresh_token=canary-old-refresh-1" in token_of(sent.request)


def test_r1_what_is_sent_is_what_was_read_under_the_lock() -> None:
    """Another process renewed it in between, and its token is due again already."""
    newer = login(100.0, number=2)

    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Lock):
            world.stored = newer

    world = StoreWorld(EXPIRED, [tokens()], before=meanwhile)
    outcome = world.run(Renewal())
    assert "refresh_token=canary-old-refresh-2" in token_of(world.requests[0])
    assert world.saves[0].expected == newer.fingerprint
    assert outcome.record.parent == newer.fingerprint


def test_r9_f5_a_token_that_is_not_due_takes_no_lock() -> None:
    world = StoreWorld(CURRENT, busy_until=FOR_EVER)
    assert world.run(Renewal()) == NotRenewed(CURRENT, NotRenewedReason.CURRENT)
    assert world.order == ["Load"]


@pytest.mark.parametrize("rejected", [False, True])
def test_f5_what_another_process_renewed_before_we_had_the_lock_is_adopted(rejected: bool) -> None:
    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Lock):
            world.stored = login(9 * DAY, number=2)

    world = StoreWorld(EXPIRED, before=meanwhile)
    outcome = world.run(Renewal(rejected=EXPIRED.credential.access_token if rejected else None))
    assert outcome == Adopted(login(9 * DAY, number=2))
    assert world.order == ["Load", "Lock", "Release"]


def test_r6_another_token_than_the_refused_one_is_used_without_lock_or_network() -> None:
    world = StoreWorld(login(200.0, number=2))
    outcome = world.run(Renewal(rejected=CURRENT.credential.access_token))
    assert outcome == Adopted(login(200.0, number=2))
    assert world.order == ["Load"]


def test_r6_a_refused_token_is_renewed_although_it_is_current() -> None:
    world = StoreWorld(CURRENT, [tokens()])
    assert isinstance(world.run(Renewal(rejected=CURRENT.credential.access_token)), Renewed)
    assert world.order == ONCE


def test_a_forced_renewal_renews_what_is_current() -> None:
    world = StoreWorld(CURRENT, [tokens()])
    assert isinstance(world.run(Renewal(forced=True)), Renewed)
    assert world.order == ONCE


def test_f17_a_login_that_was_ended_before_we_had_the_lock_is_gone() -> None:
    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Lock):
            world.stored = None

    world = StoreWorld(EXPIRED, before=meanwhile)
    outcome = world.run(Renewal())
    assert (outcome.kind, outcome.message) == (ErrorKind.LOGIN_REQUIRED, "No one is signed in.")
    assert world.order == ["Load", "Lock", "Release"]


# -- trying again (R3, F18, F28) -----------------------------------------------------------------------


def waits_until(world: StoreWorld) -> list[float]:
    return [effect.until - T0 for effect in world.effects if isinstance(effect, Wait)]


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_r1_f18_what_was_surely_not_sent_is_sent_again_after_the_lock_was_given_back(failures: int) -> None:
    world = StoreWorld(EXPIRED, [*[NOT_SENT] * failures, tokens()])
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.order == [*RETRIED * failures, *ONCE]


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_f18_there_are_three_retries_and_each_waits_twice_as_long(jitter: float) -> None:
    began: list[float] = []

    def note(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            began.append(world.net.at)

    world = StoreWorld(EXPIRED, [NOT_SENT] * 4, before=note)
    outcome = world.run(Renewal(jitter=jitter))
    assert (outcome.kind, outcome.details) == (ErrorKind.NETWORK, {"cause": "connect"})
    assert len(world.requests) == 4
    pauses = [until + T0 - start for until, start in zip(waits_until(world), began, strict=True)]
    assert pauses == pytest.approx([step * (0.75 + 0.5 * jitter) for step in (1, 2, 4)])
    assert world.stored == EXPIRED
    assert world.saves == []


@pytest.mark.parametrize("cause", [Cause.DNS, Cause.CONNECT, Cause.PROXY, Cause.TLS_EOF])
def test_f18_f19_every_failure_before_the_request_is_tried_again(cause: Cause) -> None:
    world = StoreWorld(EXPIRED, [Lost(cause, Phase.NOT_SENT), tokens()])
    assert isinstance(world.run(Renewal()), Renewed)
    wait = next(effect for effect in world.effects if isinstance(effect, Wait))
    assert (wait.why, wait.cause) == (Why.RETRY, ErrorKind.NETWORK)


def test_f19_a_certificate_is_not_tried_again() -> None:
    world = StoreWorld(EXPIRED, [Lost(Cause.TLS_CERTIFICATE, Phase.NOT_SENT)])
    assert world.run(Renewal()).kind is ErrorKind.TLS_UNTRUSTED
    assert world.order == [*ONCE[:4], "Release"]
    assert world.stored == EXPIRED


@pytest.mark.parametrize("stored", [ADVISORY, MANDATORY], ids=["advisory", "mandatory"])
@pytest.mark.parametrize("reply", [NOT_SENT, as_json(429, {}, {"retry-after": "2"})], ids=["NOT_SENT", "429"])
def test_r3_f18_with_a_living_token_nobody_waits_for_another_try(stored: Record, reply: Reply | Lost) -> None:
    world = StoreWorld(stored, [reply])
    outcome = world.run(Renewal())
    assert (outcome.record, outcome.why) == (stored, NotRenewedReason.FAILED)
    assert outcome.error.kind is (ErrorKind.NETWORK if isinstance(reply, Lost) else ErrorKind.RATE_LIMITED)
    assert world.order == [*ONCE[:4], "Release"]
    assert world.stored == stored


@pytest.mark.parametrize("forced", [False, True])
def test_r3_who_asks_for_another_token_waits_for_another_try(forced: bool) -> None:
    world = StoreWorld(MANDATORY, [NOT_SENT, tokens()])
    rejected = None if forced else MANDATORY.credential.access_token
    assert isinstance(world.run(Renewal(forced=forced, rejected=rejected)), Renewed)
    assert world.order == [*RETRIED, *ONCE]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("seconds", [0, 1, 5, 25])
def test_f28_f29_retry_after_is_honoured(status: int, seconds: int) -> None:
    limited = as_json(status, {}, {"retry-after": str(seconds)})
    world = StoreWorld(EXPIRED, [limited, tokens()])
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.order == [*RETRIED, *ONCE]
    wait = next(effect for effect in world.effects if isinstance(effect, Wait))
    assert wait.why is (Why.RATE_LIMITED if status == 429 else Why.RETRY)
    assert wait.until == pytest.approx(T0 + 0.25 + max(1.0, seconds))


@pytest.mark.parametrize("header", ["30", "61", "1000000000"])
def test_f28_a_retry_after_beyond_the_limit_ends_it_at_once(header: str) -> None:
    world = StoreWorld(EXPIRED, [as_json(429, {}, {"retry-after": header})])
    outcome = world.run(Renewal())
    assert (outcome.kind, outcome.details["status"]) == (ErrorKind.RATE_LIMITED, 429)
    assert world.order == [*ONCE[:4], "Release"]
    kept = StoreWorld(MANDATORY, [as_json(429, {}, {"retry-after": header})]).run(Renewal())
    assert (kept.why, kept.error.kind) == (NotRenewedReason.FAILED, ErrorKind.RATE_LIMITED)


def test_f18_f28_all_tries_together_take_no_longer_than_half_a_minute() -> None:
    limited = as_json(429, {}, {"retry-after": "14"})
    world = StoreWorld(EXPIRED, [limited] * 3)
    assert world.run(Renewal()).kind is ErrorKind.RATE_LIMITED
    assert len(world.requests) == 3
    assert world.net.at - T0 < 30


def test_f33_who_wakes_up_after_the_limit_tries_no_more() -> None:
    """The machine slept through it: the caller has waited long enough."""

    def asleep(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.net.at += 3600
            world.net.wall += 3600

    world = StoreWorld(EXPIRED, [NOT_SENT], before=asleep)
    outcome = world.run(Renewal())
    assert (outcome.kind, outcome.details) == (ErrorKind.NETWORK, {"cause": "connect"})
    assert world.order == RETRIED


def test_f18_what_another_process_renewed_during_the_back_off_is_adopted() -> None:
    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.stored = login(9 * DAY, number=2)

    world = StoreWorld(EXPIRED, [NOT_SENT], before=meanwhile)
    assert world.run(Renewal()) == Adopted(login(9 * DAY, number=2))
    assert world.order == [*RETRIED, "Load"]


def test_f8_f18_a_long_wait_for_others_leaves_time_to_try_again() -> None:
    world = StoreWorld(EXPIRED, [NOT_SENT, tokens()], busy_until=T0 + 19.5)
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.order[-12:] == [*RETRIED, *ONCE][-12:]


# -- cancelled -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "busy_until", "cancel_at"),
    [([], FOR_EVER, T0 + 5), ([NOT_SENT], T0, T0 + 0.6)],
    ids=["queued", "backing off"],
)
def test_a_wait_may_be_cancelled(server: list[Reply | Lost], busy_until: float, cancel_at: float) -> None:
    world = StoreWorld(EXPIRED, server, busy_until=busy_until)
    world.net.cancel_at = cancel_at
    outcome = world.run(Renewal())
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.CANCELLED
    assert world.net.at == cancel_at
    assert world.stored == EXPIRED


def test_r2_a_renewal_that_was_sent_is_not_cut() -> None:
    world = StoreWorld(EXPIRED, [tokens()])
    world.net.cancel_at = T0
    assert isinstance(world.run(Renewal()), Renewed)


def test_a_renewal_cancelled_before_it_began_asks_for_nothing() -> None:
    flow = Renewal()
    finished: Any = flow.receive(Cancelled(T0))
    assert finished.outcome.kind is ErrorKind.CANCELLED


# -- the store fails before anything is sent (F11, F13) ------------------------------------------------


LOST: Final[list[StoreFailed]] = [
    failed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason=why)) for why in ("lock_lost", "changed")
]
AGAIN: Final = ["Load", "Lock", "Reserve", "Release", "Wait"]


@pytest.mark.parametrize("lost", LOST)
def test_f9_a_lock_that_was_lost_before_anything_was_sent_is_taken_again(lost: StoreFailed) -> None:
    """Its holder was stopped for longer than a lease: others have had the lock since."""
    world = StoreWorld(EXPIRED, [tokens()], answers={Reserve: [lost, lost]})
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.order == [*AGAIN, *AGAIN, *ONCE]


@pytest.mark.parametrize("lost", LOST)
def test_f9_and_what_others_renewed_meanwhile_is_used(lost: StoreFailed) -> None:
    def renewed_by_others(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Reserve):
            world.stored = CURRENT

    world = StoreWorld(EXPIRED, [], answers={Reserve: [lost]}, before=renewed_by_others)
    outcome = world.run(Renewal())
    assert isinstance(outcome, Adopted | NotRenewed)
    assert outcome.record == CURRENT
    assert world.order == [*AGAIN, "Load"]


def test_f9_but_not_for_ever() -> None:
    world = StoreWorld(EXPIRED, [], answers={Reserve: [LOST[0]] * 99})
    assert error_of(world.run(Renewal())).details["reason"] == "lock_lost"
    assert world.order == [*AGAIN * (MOST_LOOKS - 1), "Load", "Lock", "Reserve", "Release"]


@pytest.mark.parametrize("effect", [Lock, Reserve])
@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_f11_f13_nothing_is_sent_where_nothing_can_be_saved(
    stored: Record, effect: type[Lock | Reserve]
) -> None:
    world = StoreWorld(stored, answers={effect: [failed()]})
    outcome = world.run(Renewal())
    assert outcome == (
        NotRenewed(stored, NotRenewedReason.FAILED, WRITE_FAILED) if stored is MANDATORY else WRITE_FAILED
    )
    assert world.requests == []
    assert world.order == (["Load", "Lock"] if effect is Lock else [*ONCE[:3], "Release"])
    assert world.stored == stored


def test_a_busy_answer_counts_although_the_lock_was_free_before() -> None:
    world = StoreWorld(EXPIRED, [NOT_SENT, tokens()], answers={Lock: [None, LockBusy()]})
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.order == [*RETRIED, "Load", "Lock", "Wait", *ONCE]


def test_c9_a_release_always_follows_a_lock_and_nothing_is_loaded_in_between() -> None:
    world = StoreWorld(EXPIRED, [NOT_SENT, tokens()])
    world.run(Renewal())
    kinds = [type(effect) for effect in world.effects if isinstance(effect, Load | Lock | Release)]
    assert kinds == [Load, Lock, Release] * 2


# -- one look (R10) ------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [READ_FAILED, CORRUPT])
@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_r10_c9_where_the_look_under_the_lock_was_in_vain_nothing_is_reserved(
    stored: Record, problem: SignInError
) -> None:
    """Although it can be read again a moment later: what was left beside it was dealt with by that look."""
    world = StoreWorld(stored, answers={Lock: [Locked(None, problem)]})
    outcome = world.run(Renewal())
    assert outcome == (
        NotRenewed(stored, NotRenewedReason.FAILED, problem) if stored is MANDATORY else problem
    )
    assert world.order == ["Load", "Lock", "Release"]
    assert world.stored == stored


def test_r10_c12_what_is_judged_is_what_the_lock_came_with() -> None:
    """A rescued sign-in took the place of what was stored, in the very look."""
    rescued = login(9 * DAY, number=2)
    world = StoreWorld(EXPIRED, answers={Lock: [Locked(rescued)]})
    assert world.run(Renewal()) == Adopted(rescued)
    assert world.order == ["Load", "Lock", "Release"]


# -- the store does not let the request go out (R0, F9) ------------------------------------------------


@pytest.mark.parametrize("times", [1, 2, 3])
def test_f9_c2_a_request_that_may_not_go_out_any_more_is_begun_again(times: int) -> None:
    world = StoreWorld(EXPIRED, [tokens()], refuse=times)
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.order == [*RETRIED * times, *ONCE]
    assert len(world.sent) == 1
    wait = next(effect for effect in world.effects if isinstance(effect, Wait))
    assert (wait.why, wait.cause) == (Why.RETRY, ErrorKind.NETWORK)


@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_f9_c2_a_request_that_never_may_go_out_leaves_the_login_as_it_was(stored: Record) -> None:
    world = StoreWorld(stored, refuse=4)
    outcome = world.run(Renewal())
    assert error_of(outcome).details == {"cause": "timeout"}
    assert isinstance(outcome, NotRenewed) is (stored is MANDATORY)
    assert (world.sent, world.saves, world.stored) == ([], [], stored)  # the intent is taken back


@pytest.mark.parametrize(("stopped", "sent"), [(14.75, 1), (15.0, 0)])
def test_r0_c3_a_holder_that_was_stopped_for_15_s_sends_nothing_and_looks_again(
    stopped: float, sent: int
) -> None:
    """By the time it goes on somebody else has renewed the login, unless it still was its own."""

    def stop(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, SendRequest):
            world.net.at += stopped
        if isinstance(effect, Wait):
            world.stored = login(9 * DAY, number=2)

    world = StoreWorld(EXPIRED, [tokens()], before=stop)
    assert isinstance(world.run(Renewal()), Renewed if sent else Adopted)
    assert len(world.sent) == sent
    assert world.order == (ONCE if sent else [*RETRIED, "Load"])


def test_r0_every_reservation_has_its_own_last_moment() -> None:
    world = StoreWorld(EXPIRED, [NOT_SENT, NOT_SENT, tokens()])
    world.run(Renewal())
    last = [effect.write_by for effect in world.effects if isinstance(effect, SendRequest)]
    assert last == [T0 + at + 15.0 for at in world.when(Reserve)]
    assert last[0] == T0 + 15.0
    assert len(set(last)) == 3
