"""A logout that is tried again: because the server cannot do it now, because the login was renewed meanwhile, or
because nothing can be reserved (RFC 7009 §2.2.1; R0, F9, F13, F16, F17).

Rules of this file: instants are seconds after `T0`, when the first request goes out; each answer takes a
quarter of a second.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from codex_oauth.testing import Lost, Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Cause, Phase, ResponseReceived
from codex_oauth_core.facts import TryAgain
from codex_oauth_core.flows.revoke_login import Revocation
from codex_oauth_core.flows.storing import MOST_LOOKS
from codex_oauth_core.outcomes import Revoked
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record
from codex_oauth_core.storage import Conflict, Delete, Lock, Locked, Reserve
from tests.core.storing import (
    ANOTHER,
    CURRENT,
    DAY,
    EXPIRED,
    LOCK_LOST,
    MAYBE_SENT,
    NOT_SENT,
    READ_FAILED,
    WRITE_FAILED,
    StoreWorld,
    failed,
    login,
    marked,
    token_of,
)
from tests.support import T0, W0, as_json, page

E = ErrorKind
ORDER: Final = ["Lock", "Reserve", "SendRequest", "Delete", "Release"]
AGAIN: Final = ["Lock", "Reserve", "SendRequest", "Release", "Wait"]
DELETED_FIRST: Final = ["Lock", "Reserve", "Delete", "Release", "SendRequest"]
OK: Final = as_json(200, {})
NOT_NOW: Final = as_json(503, {})
TRIES: Final = (0.0, 0.75, 2.0, 4.25, 8.5)
RENEWED: Final = login(9 * DAY, number=2, parent=CURRENT.fingerprint, generation=8)
RENEWED_TWICE: Final = login(9 * DAY, number=3, parent=RENEWED.fingerprint, generation=9)


def revocation(**changes: Any) -> Revocation:
    return Revocation(provider=changes.pop("provider", CODEX), **changes)


def numbers_sent(world: StoreWorld) -> list[int]:
    """The numbers of the logins whose refresh token was revoked, in order."""
    return [n for request in world.sent for n in range(9) if f"canary-old-refresh-{n}" in token_of(request)]


# -- the server cannot do it now (RFC 7009 §2.2.1) -----------------------------------------------------

TEMPORARY: Final[tuple[Reply | Lost, ...]] = (
    as_json(429, {}),
    Reply(429),
    as_json(408, {}),
    as_json(500, {}),
    page(502),
    as_json(503, {}),
    page(504),
    page(403),
    as_json(302, {}),
    NOT_SENT,
    MAYBE_SENT,
    Lost(Cause.TLS_EOF, Phase.NOT_SENT),
    Lost(Cause.TOO_BIG),
)


@pytest.mark.parametrize("reply", TEMPORARY, ids=repr)
def test_what_the_server_cannot_do_now_is_asked_again_and_the_lock_is_given_back_before(
    reply: Reply | Lost,
) -> None:
    world = StoreWorld(CURRENT, [reply, OK])
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == [*AGAIN, *ORDER]
    assert world.when(SendRequest) == [0.0, 0.75]
    (wait,) = [effect for effect in world.effects if isinstance(effect, Wait)]
    asked_for_fewer = isinstance(reply, Reply) and reply.status == 429
    assert wait.why is (Why.RATE_LIMITED if asked_for_fewer else Why.RETRY)
    assert (wait.cause is ErrorKind.RATE_LIMITED) is asked_for_fewer
    assert (wait.trouble is not None) is isinstance(reply, Lost)
    assert world.stored is None


@pytest.mark.parametrize("times", range(1, 5))
def test_each_pause_is_twice_as_long(times: int) -> None:
    world = StoreWorld(CURRENT, [NOT_NOW] * times + [OK])
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == [*AGAIN * times, *ORDER]
    assert world.when(SendRequest) == list(TRIES[: times + 1])


def test_all_tries_together_have_ten_seconds_and_then_the_login_is_deleted() -> None:
    world = StoreWorld(CURRENT, [NOT_NOW] * 5)
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == [*AGAIN * 4, *ORDER]
    assert world.when(SendRequest) == list(TRIES)
    sends = [effect for effect in world.effects if isinstance(effect, SendRequest)]
    assert [(sent.timeout, sent.once) for sent in sends] == [(10.0 - at, True) for at in TRIES]
    assert world.stored is None


def test_a_server_that_says_nothing_has_ten_seconds_in_all() -> None:
    world = StoreWorld(CURRENT, [NOT_NOW, Lost(delay=60.0)])
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == [*AGAIN, *ORDER]
    assert world.net.at == T0 + 10.0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "at"), [("0", 0.75), ("1", 1.25), ("3", 3.25), ("8", 8.25)])
def test_f28_it_is_asked_again_when_the_server_says(status: int, header: str, at: float) -> None:
    world = StoreWorld(CURRENT, [as_json(status, {}, {"retry-after": header}), OK])
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.when(SendRequest) == [0.0, at]


@pytest.mark.parametrize("header", ["9", "10", "3600"])
def test_f28_but_not_where_less_than_a_second_would_be_left(header: str) -> None:
    world = StoreWorld(CURRENT, [as_json(429, {}, {"retry-after": header})])
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == ORDER
    assert world.net.at == T0 + 0.25


@pytest.mark.parametrize(("slept", "asked"), [(8.25, 2), (8.26, 1), (3600.0, 1)])
def test_f33_who_wakes_up_late_asks_if_a_second_is_left_and_deletes_in_any_case(
    slept: float, asked: int
) -> None:
    def asleep(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.net.at = effect.until + slept

    world = StoreWorld(CURRENT, [NOT_NOW, OK], before=asleep)
    assert world.run(revocation()) == Revoked(confirmed=asked == 2)
    assert len(world.sent) == asked
    assert world.stored is None


def test_who_cancels_that_gives_up_the_server_and_not_the_deletion() -> None:
    world = StoreWorld(CURRENT, [NOT_NOW])
    world.net.cancel_at = T0 + 0.5
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == [*AGAIN, "Lock", "Delete", "Release"]
    assert (world.net.at, world.stored) == (T0 + 0.5, None)


def test_a_request_that_may_not_go_out_any_more_is_begun_again() -> None:
    """F9: and what was reserved for it is taken back."""
    world = StoreWorld(CURRENT, [OK], refuse=1)
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == [*AGAIN, *ORDER]
    assert numbers_sent(world) == [1]


def test_a_dialect_says_what_to_ask_again() -> None:
    said: list[bool | TryAgain] = [TryAgain(E.NETWORK, retry_after=2.0), True]

    def read(provider: Provider, response: ResponseReceived) -> bool | TryAgain:
        return said.pop(0)

    provider = attrs.evolve(CODEX, dialect=attrs.evolve(CODEX.dialect, read_revocation=read))
    world = StoreWorld(CURRENT, [OK, OK])
    assert world.run(revocation(provider=provider)) == Revoked(confirmed=True)
    assert world.when(SendRequest) == [0.0, 2.25]


# -- what is not stored --------------------------------------------------------------------------------


def test_s22_a_login_that_is_not_stored_is_asked_about_again_without_a_store() -> None:
    world = StoreWorld(CURRENT, [NOT_NOW, as_json(429, {}, {"retry-after": "2"}), OK])
    assert world.run(revocation(credential=EXPIRED.credential)) == Revoked(confirmed=True)
    assert world.order == ["SendRequest", "Wait", "SendRequest", "Wait", "SendRequest"]
    assert world.when(SendRequest) == [0.0, 0.75, 3.0]
    sends = [effect for effect in world.effects if isinstance(effect, SendRequest)]
    assert [sent.timeout for sent in sends] == [10.0, 9.25, 7.0]
    assert world.stored == CURRENT


def test_s22_for_ten_seconds_in_all() -> None:
    world = StoreWorld(None, [NOT_NOW] * 5)
    assert world.run(revocation(credential=EXPIRED.credential)) == Revoked(confirmed=False)
    assert world.when(SendRequest) == list(TRIES)


def test_s22_or_until_that_is_cancelled() -> None:
    world = StoreWorld(None, [NOT_NOW])
    world.net.cancel_at = T0 + 0.5
    assert world.run(revocation(credential=EXPIRED.credential)) == Revoked(confirmed=False)
    assert world.net.at == T0 + 0.5


# -- the login is renewed meanwhile (F17) --------------------------------------------------------------


def changing(stored: Record | None, at: type[Effect]) -> Any:
    """Another process stores this when such an effect is asked for the first time."""

    def step(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, at) and world.order.count(at.__name__) == 1:
            world.stored = stored

    return step


@pytest.mark.parametrize("renewed", [RENEWED, RENEWED_TWICE], ids=["once", "twice"])
def test_f17_what_was_renewed_while_it_backed_off_is_revoked_and_deleted(renewed: Record) -> None:
    world = StoreWorld(CURRENT, [NOT_NOW, OK], before=changing(renewed, Wait))
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == [*AGAIN, *ORDER]
    assert numbers_sent(world) == [1, 3 if renewed is RENEWED_TWICE else 2]
    assert world.stored is None


@pytest.mark.parametrize(("reply", "confirmed"), [(OK, True), (as_json(400, {}), False)])
def test_f17_what_was_renewed_in_spite_of_the_lock_is_revoked_and_deleted_too(
    reply: Reply, confirmed: bool
) -> None:
    """What the server confirmed before was of another token."""
    world = StoreWorld(CURRENT, [OK, reply], before=changing(RENEWED, Delete))
    assert world.run(revocation()) == Revoked(confirmed=confirmed)
    assert world.order == [*ORDER, "Wait", *ORDER]
    assert numbers_sent(world) == [1, 2]
    assert world.stored is None


def test_f17_what_was_renewed_when_the_time_is_over_is_deleted_and_not_confirmed() -> None:
    def late(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Delete) and world.order.count("Delete") == 1:
            world.net.at, world.stored = T0 + 9.5, RENEWED

    world = StoreWorld(CURRENT, [OK], before=late)
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == [*ORDER, "Wait", "Lock", "Delete", "Release"]
    assert world.stored is None


def test_f17_what_was_confirmed_is_not_revoked_again_where_only_a_mark_changed() -> None:
    world = StoreWorld(CURRENT, [OK], answers={Delete: [Conflict(marked(CURRENT))]})
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == [*ORDER, "Wait", "Lock", "Delete", "Release"]


@pytest.mark.parametrize("at", [Wait, Delete])
def test_f16_a_login_of_another_sign_in_is_left_as_it_is(at: type[Effect]) -> None:
    world = StoreWorld(CURRENT, [NOT_NOW if at is Wait else OK], before=changing(ANOTHER, at))
    outcome = world.run(revocation())
    assert isinstance(outcome, SignInError)
    assert (outcome.kind, outcome.details) == (E.AUTH_WRITE_FAILED, {"reason": "contended"})
    assert outcome.message == "A new sign-in has replaced this login meanwhile. It was left as it is."
    assert world.order == ([*AGAIN, "Lock", "Release"] if at is Wait else ORDER)
    assert (world.stored, numbers_sent(world)) == (ANOTHER, [1])


@pytest.mark.parametrize(
    "changes",
    [
        {"generation": 7},
        {"parent": None},
        {"issuer": "https://else.example"},
        {"client_id": "app_else"},
        {"account_id": "acct_other"},
    ],
    ids=repr,
)
def test_f16_what_does_not_come_of_the_login_is_another_sign_in(changes: dict[str, Any]) -> None:
    inner = {name: value for name, value in changes.items() if hasattr(RENEWED.credential, name)}
    outer = {name: value for name, value in changes.items() if name not in inner}
    other = attrs.evolve(RENEWED, credential=attrs.evolve(RENEWED.credential, **inner), **outer)
    world = StoreWorld(CURRENT, [OK], before=changing(other, Delete))
    assert world.run(revocation()).details == {"reason": "contended"}
    assert world.stored == other


def test_f17_a_login_that_somebody_else_ended_meanwhile_has_ended() -> None:
    world = StoreWorld(CURRENT, [NOT_NOW], before=changing(None, Wait))
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == [*AGAIN, "Lock", "Delete", "Release"]


def test_f17_the_looks_are_bounded() -> None:
    """Somebody who takes no lock renews it again and again."""

    def renew(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Delete):
            world.stored = attrs.evolve(
                login(9 * DAY, number=len(world.sent) + 1),
                parent=CURRENT.fingerprint,
                generation=7 + len(world.sent),
            )

    world = StoreWorld(CURRENT, [OK] * MOST_LOOKS, before=renew)
    assert world.run(revocation()).details == {"reason": "contended"}
    assert world.order.count("Lock") == MOST_LOOKS
    assert numbers_sent(world) == list(range(1, MOST_LOOKS + 1))


# -- nothing can be reserved (F11, F13) ----------------------------------------------------------------


def test_f11_where_others_cannot_be_warned_the_login_is_deleted_first() -> None:
    world = StoreWorld(CURRENT, [OK], answers={Reserve: [failed()]})
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == DELETED_FIRST
    assert world.stored is None


def test_f11_and_its_revocation_is_tried_again_without_the_lock() -> None:
    world = StoreWorld(CURRENT, [NOT_NOW, OK], answers={Reserve: [failed()]})
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == [*DELETED_FIRST, "Wait", "SendRequest"]
    assert numbers_sent(world) == [1, 1]


def test_f11_until_that_is_cancelled() -> None:
    world = StoreWorld(CURRENT, [NOT_NOW], answers={Reserve: [failed()]})
    world.net.cancel_at = T0 + 0.5
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == [*DELETED_FIRST, "Wait"]


def test_f13_where_it_cannot_be_deleted_either_nothing_is_revoked() -> None:
    """A login that stays here stays good."""
    world = StoreWorld(CURRENT, answers={Reserve: [failed()], Delete: [failed(READ_FAILED)]})
    assert world.run(revocation()) is READ_FAILED
    assert world.order == ["Lock", "Reserve", "Delete", "Release"]
    assert (world.stored, world.sent) == (CURRENT, [])


def test_f17_what_was_renewed_before_it_was_deleted_first_is_what_is_revoked() -> None:
    world = StoreWorld(
        CURRENT, [as_json(400, {})], answers={Reserve: [failed()]}, before=changing(RENEWED, Delete)
    )
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == ["Lock", "Reserve", "Delete", "Release", "Wait", *ORDER]
    assert numbers_sent(world) == [2]


LOST: Final = [failed(SignInError.of(E.AUTH_WRITE_FAILED, reason=why)) for why in ("lock_lost", "changed")]


@pytest.mark.parametrize("lost", LOST)
def test_f9_a_lock_that_is_lost_before_the_deletion_is_taken_again_and_nothing_revoked_twice(
    lost: Any,
) -> None:
    world = StoreWorld(CURRENT, [OK], answers={Delete: [lost]})
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == [*ORDER, "Wait", "Lock", "Delete", "Release"]
    assert world.stored is None


def test_f9_and_one_that_is_lost_at_each_deletion_is_told() -> None:
    world = StoreWorld(CURRENT, [OK], answers={Delete: [failed(LOCK_LOST)] * MOST_LOOKS})
    assert world.run(revocation()) is LOCK_LOST
    assert world.order.count("Lock") == MOST_LOOKS
    assert numbers_sent(world) == [1]


@pytest.mark.parametrize("lost", LOST)
def test_f9_a_lock_that_was_lost_is_taken_again(lost: Any) -> None:
    world = StoreWorld(CURRENT, [OK], answers={Reserve: [lost]}, before=changing(RENEWED, Wait))
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == ["Lock", "Reserve", "Release", "Wait", *ORDER]
    assert numbers_sent(world) == [2]


def test_f9_and_one_that_is_lost_each_time_leads_to_the_deletion_first() -> None:
    world = StoreWorld(CURRENT, [OK], answers={Reserve: [failed(LOCK_LOST)] * MOST_LOOKS})
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == [*["Lock", "Reserve", "Release", "Wait"] * (MOST_LOOKS - 1), *DELETED_FIRST]
    assert world.net.at - T0 == pytest.approx(0.5 * (MOST_LOOKS - 2) + 0.25)


def test_f9_who_cancels_that_is_told_that_nothing_was_confirmed() -> None:
    world = StoreWorld(CURRENT, answers={Reserve: [failed(LOCK_LOST)]})
    world.net.cancel_at = T0
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == ["Lock", "Reserve", "Release", "Wait", "Lock", "Delete", "Release"]


# -- one look, and what it leaves ----------------------------------------------------------------------


def test_f2_the_intent_of_a_crash_is_taken_over_as_a_doubt() -> None:
    world = StoreWorld(marked(CURRENT, -300.0), [NOT_NOW, OK])
    assert world.run(revocation()) == Revoked(confirmed=True)
    reserved = [effect.record for effect in world.effects if isinstance(effect, Reserve)]
    assert reserved[0] == attrs.evolve(CURRENT, uncertain_at=W0 - 300.0)


def test_c9_what_becomes_unreadable_while_it_backs_off_is_deleted_and_not_confirmed() -> None:
    answers: dict[Any, Any] = {Lock: [None, Locked(None, READ_FAILED)], Delete: [None]}
    world = StoreWorld(CURRENT, [NOT_NOW], answers=answers, before=changing(None, Wait))
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.effects[-2] == Delete(None, even_corrupt=True)


@pytest.mark.parametrize("answer", [failed(), failed(WRITE_FAILED, rescued=True)])
def test_f13_a_lock_that_fails_after_a_back_off_is_told(answer: Any) -> None:
    world = StoreWorld(CURRENT, [NOT_NOW], answers={Lock: [None, answer]})
    assert world.run(revocation()) is WRITE_FAILED
    assert (world.order, world.stored) == ([*AGAIN, "Lock"], CURRENT)
