"""A login is ended: lock, reserve, revoke, delete, release; and it is ended here whatever the server says."""

from __future__ import annotations

import json
from typing import Any, Final

import attrs
import pytest

from codex_oauth.testing import Lost, Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import (
    Cancelled,
    Cause,
    Phase,
    ResponseReceived,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.flows.revoke_login import Revocation
from codex_oauth_core.outcomes import Revoked
from codex_oauth_core.provider import Provider
from codex_oauth_core.record import Record
from codex_oauth_core.storage import Conflict, Delete, Lock, LockBusy, Locked
from tests.core.storing import (
    ANOTHER,
    CORRUPT,
    CURRENT,
    EXPIRED,
    READ_FAILED,
    THEM,
    WRITE_FAILED,
    StoreWorld,
    borrowed,
    error_of,
    failed,
    login,
    token_of,
)
from tests.support import T0, W0, as_json, code, page

E = ErrorKind
ORDER: Final = ["Lock", "Reserve", "SendRequest", "Delete", "Release"]
UNASKED: Final = ["Lock", "Delete", "Release"]
OK: Final = as_json(200, {})
FOR_EVER: Final = T0 + 1e6


def revocation(**changes: Any) -> Revocation:
    return Revocation(provider=changes.pop("provider", CODEX), **changes)


@pytest.mark.parametrize(
    "stored", [CURRENT, EXPIRED, login(0.0, dead_code="invalid_grant"), login(0.0, spent=True)]
)
def test_the_order_of_a_revocation(stored: Record) -> None:
    world = StoreWorld(stored, [OK])
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == ORDER
    assert world.stored is None
    assert [e for e in world.effects if isinstance(e, Delete)] == [
        Delete(stored.fingerprint, even_corrupt=True)
    ]


def test_s22_the_refresh_token_is_revoked_once_and_within_ten_seconds() -> None:
    world = StoreWorld(CURRENT, [OK])
    world.run(revocation())
    sent = next(effect for effect in world.effects if isinstance(effect, SendRequest))
    assert (sent.once, sent.timeout, sent.write_by) == (True, 10.0, None)
    assert sent.request.url == CODEX.revocation_endpoint
    assert json.loads(token_of(sent.request)) == {
        "token": "canary-old-refresh-1",
        "token_type_hint": "refresh_token",
        "client_id": CODEX.client_id,
    }


def test_f17_what_is_revoked_is_the_latest_there_is() -> None:
    """Another process renewed the login while we waited for its lock."""

    def meanwhile(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.stored = login(9e5, number=2)

    world = StoreWorld(EXPIRED, [OK], busy_until=T0 + 0.02, before=meanwhile)
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == ["Lock", "Wait", *ORDER]
    assert "canary-old-refresh-2" in token_of(world.requests[0])
    assert world.stored is None


@pytest.mark.parametrize("reply", [OK, as_json(204, {}), Reply(200, b"noise"), page(202)])
def test_any_2xx_confirms_it(reply: Reply) -> None:
    assert StoreWorld(CURRENT, [reply]).run(revocation()) == Revoked(confirmed=True)


UNCONFIRMED: Final[tuple[Reply | Lost, ...]] = (
    as_json(400, {}),
    as_json(404, {}),
    code("invalid_token", 401),
    code("unsupported_token_type", 400),
    as_json(429, {}, {"retry-after": "9"}),
    as_json(503, {}, {"retry-after": "3600"}),
    Lost(Cause.TLS_CERTIFICATE, Phase.NOT_SENT),
    Lost(delay=60.0),
)


@pytest.mark.parametrize("reply", UNCONFIRMED, ids=repr)
def test_anything_else_does_not_and_the_login_is_deleted_all_the_same(reply: Reply | Lost) -> None:
    world = StoreWorld(CURRENT, [reply])
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert world.order == ORDER
    assert world.stored is None
    assert world.net.at - T0 <= 10.0


# -- nobody to ask, or nothing to ask for --------------------------------------------------------------


def test_where_nothing_is_stored_what_is_left_of_it_is_deleted() -> None:
    world = StoreWorld(None)
    assert world.run(revocation()) == Revoked(confirmed=None)
    assert world.order == UNASKED
    assert world.effects[1] == Delete(None, even_corrupt=True)


@pytest.mark.parametrize("error", [CORRUPT, READ_FAILED])
@pytest.mark.parametrize(("provider", "confirmed"), [(CODEX, False), (None, None)])
def test_f14_a_login_that_cannot_be_read_is_deleted_and_not_revoked(
    error: Any, provider: Any, confirmed: bool | None
) -> None:
    world = StoreWorld(None, answers={Lock: [Locked(None, error)]})
    assert world.run(revocation(provider=provider)) == Revoked(confirmed=confirmed)
    assert world.order == UNASKED
    assert world.effects[1] == Delete(None, even_corrupt=True)


def test_a_borrowed_login_is_deleted_and_not_revoked() -> None:
    world = StoreWorld(borrowed(5.0))
    assert world.run(revocation()) == Revoked(confirmed=None)
    assert (world.order, world.stored) == (UNASKED, None)


@pytest.mark.parametrize("change", [{"issuer": "https://else.example"}, {"client_id": "app_else"}])
def test_a_token_goes_to_no_server_but_its_own(change: dict[str, str]) -> None:
    world = StoreWorld(login(5.0, **change))
    assert world.run(revocation()) == Revoked(confirmed=False)
    assert (world.order, world.stored) == (UNASKED, None)


def test_without_a_provider_nothing_is_asked() -> None:
    world = StoreWorld(CURRENT)
    assert world.run(revocation(provider=None)) == Revoked(confirmed=None)
    assert (world.order, world.stored) == (UNASKED, None)


# -- what is not stored --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "confirmed"), [(OK, True), (as_json(400, {}), False), (Lost(delay=60.0), False)]
)
def test_s22_a_login_that_is_not_stored_is_revoked_without_a_store(reply: Any, confirmed: bool) -> None:
    world = StoreWorld(CURRENT, [reply])
    assert world.run(revocation(credential=EXPIRED.credential)) == Revoked(confirmed=confirmed)
    assert world.order == ["SendRequest"]
    assert world.stored == CURRENT


@pytest.mark.parametrize(
    ("record", "provider", "confirmed"),
    [
        (borrowed(), CODEX, None),
        (EXPIRED, None, None),
        (login(issuer="https://else.example"), CODEX, False),
    ],
)
def test_nothing_is_asked_for_it_where_nobody_is_to_be_asked(
    record: Record, provider: Any, confirmed: bool | None
) -> None:
    world = StoreWorld(CURRENT)
    outcome = world.run(revocation(provider=provider, credential=record.credential))
    assert outcome == Revoked(confirmed=confirmed)
    assert world.order == []


# -- it is locked, or cannot be deleted ----------------------------------------------------------------


@pytest.mark.parametrize("limit", [210.0, 0.5])
def test_f8_a_lock_that_stays_busy_is_an_error_and_deletes_nothing(limit: float) -> None:
    world = StoreWorld(CURRENT, busy_until=FOR_EVER)
    outcome = world.run(revocation(lock_limit=limit))
    told = {"reason": "lock_busy", "pid": THEM.pid, "host": THEM.host}
    assert (outcome.kind, outcome.details) == (E.NETWORK, told)
    assert world.net.at - T0 == pytest.approx(limit, abs=0.03)
    assert (world.stored, world.requests) == (CURRENT, [])
    waits = [effect for effect in world.effects if isinstance(effect, Wait)]
    assert waits[0].until == pytest.approx(T0 + 0.025)
    assert {(wait.why, wait.holder, wait.give_up_at) for wait in waits} == {(Why.QUEUED, THEM, T0 + limit)}


def test_r0_f8_the_limit_is_210_s_unless_told() -> None:
    assert revocation().lock_limit == 210.0


def test_r0_c11_c19_a_busy_lock_is_looked_at_once_more_at_210_s() -> None:
    flow = revocation()
    flow.receive(Started(T0, W0))
    effect: Any = flow.receive(StoreAnswered(T0, W0, LockBusy()))
    for after in (20.0, 209.9, 210.0):
        assert flow.receive(TimeReached(T0 + after)) == Lock()
        effect = flow.receive(StoreAnswered(T0 + after, W0 + after, LockBusy()))
        assert isinstance(effect, Finished if after == 210.0 else Wait)
    assert isinstance(effect, Finished)
    assert error_of(effect.outcome).details == {"reason": "lock_busy"}


def test_r0_c19_who_wakes_up_late_and_gets_the_lock_ends_the_login() -> None:
    def asleep(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Wait):
            world.net.at += 3600

    world = StoreWorld(CURRENT, [OK], busy_until=T0 + 1, before=asleep)
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == ["Lock", "Wait", *ORDER]


def test_f8_the_wait_may_be_cancelled() -> None:
    world = StoreWorld(CURRENT, busy_until=FOR_EVER)
    world.net.cancel_at = T0 + 1
    assert world.run(revocation()).kind is E.CANCELLED
    assert world.stored == CURRENT


def test_cancelled_before_it_began_it_asks_for_nothing() -> None:
    finished: Any = revocation().receive(Cancelled(T0))
    assert finished.outcome.kind is E.CANCELLED


def test_what_is_sent_is_not_cut() -> None:
    world = StoreWorld(CURRENT, [OK])
    world.net.cancel_at = T0
    assert world.run(revocation()) == Revoked(confirmed=True)


def test_f13_without_a_lock_nothing_is_revoked() -> None:
    world = StoreWorld(CURRENT, answers={Lock: [failed()]})
    assert world.run(revocation()) is WRITE_FAILED
    assert (world.order, world.stored) == (["Lock"], CURRENT)


def test_f13_a_login_that_cannot_be_deleted_is_told() -> None:
    world = StoreWorld(CURRENT, [OK], answers={Delete: [failed()]})
    assert world.run(revocation()) is WRITE_FAILED
    assert world.order == ORDER


def test_f16_a_login_that_came_meanwhile_is_left_as_it_is() -> None:
    world = StoreWorld(CURRENT, [OK], answers={Delete: [Conflict(ANOTHER)]})
    outcome = world.run(revocation())
    assert isinstance(outcome, SignInError)
    assert (outcome.kind, outcome.details) == (E.AUTH_WRITE_FAILED, {"reason": "contended"})
    assert "left as it is" in outcome.message
    assert world.order == ORDER


def test_f17_a_login_that_is_gone_already_is_ended() -> None:
    world = StoreWorld(CURRENT, [OK], answers={Delete: [Conflict(None)]})
    assert world.run(revocation()) == Revoked(confirmed=True)
    assert world.order == ORDER


def _never(provider: Provider, response: ResponseReceived) -> bool:
    return False


def test_a_dialect_says_what_confirms() -> None:
    never = attrs.evolve(CODEX, dialect=attrs.evolve(CODEX.dialect, read_revocation=_never))
    assert StoreWorld(CURRENT, [OK]).run(revocation(provider=never)) == Revoked(confirmed=False)
