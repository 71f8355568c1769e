"""A granted login is stored and put in use, or it is ended, or it is told why neither was done."""

from __future__ import annotations

import json
from typing import Any, Final

import attrs
import pytest

from codex_oauth.testing import Lost, Reply
from codex_oauth_core import FinishSignIn, SignedIn
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effects import Finished, Request, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Cancelled, StoreAnswered
from codex_oauth_core.flows.store_login import StoreLogin
from codex_oauth_core.record import Record
from codex_oauth_core.storage import Conflict, Load, Loaded, Lock, Rescue, Save, Select
from tests.core.storing import (
    CORRUPT,
    CURRENT,
    DAY,
    EXPIRED,
    READ_FAILED,
    WRITE_FAILED,
    StoreWorld,
    borrowed,
    failed,
    login,
)
from tests.support import T0, W0, as_json

E = ErrorKind
NEW: Final = login(10 * DAY, number=5, generation=0)
OK: Final = as_json(200, {})
NOT_NOW: Final = as_json(503, {})
SAVED: Final = ["Lock", "Save", "Release", "Select"]
STORED: Final = [*SAVED, "Find"]
FOR_EVER: Final = T0 + 1e6


def finish(record: Any = NEW, **options: Any) -> FinishSignIn:
    settings: dict[str, Any] = {"provider": CODEX, **options}
    return FinishSignIn(record=record, **settings)


def ended(world: StoreWorld) -> list[str]:
    """The refresh tokens that the server was asked to end, in order."""
    return [_token(request) for request in world.sent]


def _token(request: Request) -> str:
    assert request.url == CODEX.revocation_endpoint
    token: str = json.loads(request.body.reveal())["token"]
    return token.removeprefix("canary-old-refresh-")


# -- it is stored ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [None, EXPIRED])
def test_a_login_is_stored_and_then_put_in_use(stored: Record | None) -> None:
    world = StoreWorld(stored)
    assert world.run(finish()) == SignedIn(NEW, stored)
    assert (world.order, world.stored, world.selected) == (STORED, NEW, True)


def test_a_credential_is_as_good_as_its_record() -> None:
    world = StoreWorld(None)
    assert world.run(finish(NEW.credential)) == SignedIn(Record(NEW.credential))
    assert world.stored == Record(NEW.credential)


def test_f8_what_is_kept_beside_is_put_in_use_too() -> None:
    world = StoreWorld(EXPIRED, busy_until=FOR_EVER)
    assert world.run(finish(lock_limit=0.1)) == SignedIn(NEW, rescued=True)
    assert world.net.at - T0 == pytest.approx(0.1, abs=0.03)
    assert (world.order[-3:], world.beside, world.selected) == (["Rescue", "Select", "Find"], [NEW], True)


def test_f8_the_wait_for_the_lock_is_as_long_as_that_of_a_deposit() -> None:
    world = StoreWorld(EXPIRED, busy_until=FOR_EVER)
    assert finish().lock_limit == StoreLogin(record=NEW).lock_limit
    assert world.run(finish()).rescued
    assert world.net.at - T0 == pytest.approx(210.0, abs=0.03)


def test_who_cancels_the_wait_does_not_cancel_the_sign_in() -> None:
    world = StoreWorld(EXPIRED, busy_until=FOR_EVER)
    world.net.cancel_at = T0 + 1
    assert world.run(finish()) == SignedIn(NEW, rescued=True)
    assert (world.net.at, world.beside, world.selected) == (T0 + 1, [NEW], True)


def test_what_the_store_kept_beside_is_told() -> None:
    world = StoreWorld(EXPIRED, answers={Save: [failed(rescued=True)]})
    assert world.run(finish()) == SignedIn(NEW, EXPIRED, rescued=True)
    assert world.order == STORED


def test_a_login_that_cannot_be_put_in_use_is_stored_and_nothing_is_ended() -> None:
    world = StoreWorld(EXPIRED, answers={Select: [failed()]})
    assert world.run(finish(revoke_old=True)) is WRITE_FAILED
    assert (world.order, world.stored) == (SAVED, NEW)


# -- the login that it replaces --------------------------------------------------------------------------


@pytest.mark.parametrize(("reply", "confirmed"), [(OK, True), (as_json(400, {}), False)])
def test_the_one_that_is_replaced_is_ended_last_if_asked_for(reply: Reply, confirmed: bool) -> None:
    world = StoreWorld(EXPIRED, [reply])
    assert world.run(finish(revoke_old=True)) == SignedIn(NEW, EXPIRED, replaced_revoked=confirmed)
    assert world.order == [*SAVED, "SendRequest", "Find"]
    assert (ended(world), world.stored) == (["1"], NEW)


def test_it_is_asked_again_for_ten_seconds_as_by_a_logout() -> None:
    world = StoreWorld(EXPIRED, [NOT_NOW, OK])
    assert world.run(finish(revoke_old=True)).replaced_revoked is True
    assert world.order == [*SAVED, "SendRequest", "Wait", "SendRequest", "Find"]
    waits = [effect.why for effect in world.effects if isinstance(effect, Wait)]
    assert waits == [Why.RETRY]


def test_who_cancels_that_is_signed_in() -> None:
    world = StoreWorld(EXPIRED, [NOT_NOW])
    world.net.cancel_at = T0 + 0.5
    assert world.run(finish(revoke_old=True)) == SignedIn(NEW, EXPIRED, replaced_revoked=False)


def test_it_is_ended_where_it_came_from_and_not_where_the_new_one_did() -> None:
    elsewhere = login(number=1, issuer="http://127.0.0.1:8123", client_id="another")
    world = StoreWorld(elsewhere, [OK])
    assert world.run(finish(revoke_old=True)).replaced_revoked is True
    (request,) = world.sent
    assert request.url == "http://127.0.0.1:8123/oauth/revoke"


@pytest.mark.parametrize(
    "old", [login(number=1, issuer="http://evil.example"), borrowed(number=1)], ids=["nowhere", "a copy"]
)
def test_one_that_nobody_can_be_asked_to_end_is_told(old: Record) -> None:
    world = StoreWorld(old)
    assert world.run(finish(revoke_old=True)) == SignedIn(NEW, old, replaced_revoked=False)
    assert world.sent == []


@pytest.mark.parametrize("stored", [None, login(3.0, number=5)], ids=["none", "the same refresh token"])
def test_what_is_the_new_login_is_never_ended(stored: Record | None) -> None:
    """A server may give out the same refresh token again."""
    world = StoreWorld(stored)
    assert world.run(finish(revoke_old=True)) == SignedIn(NEW, stored)
    assert world.sent == []


def test_the_one_that_was_replaced_after_a_conflict_is_ended() -> None:
    world = StoreWorld(EXPIRED, [OK], answers={Save: [Conflict(login(number=3))]})
    world.before = lambda world, effect: (
        setattr(world, "stored", login(number=3)) if isinstance(effect, Save) else None
    )
    assert world.run(finish(revoke_old=True)).replaced == login(number=3)
    assert ended(world) == ["3"]


# -- it is not stored ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "confirmed"), [(OK, True), (as_json(400, {}), False), (Lost(delay=11.0), False)]
)
@pytest.mark.parametrize("stored", [None, EXPIRED])
def test_what_cannot_be_stored_is_looked_for_and_ended(
    stored: Record | None, reply: Reply | Lost, confirmed: bool
) -> None:
    world = StoreWorld(stored, [reply], answers={Save: [failed()]})
    error = world.run(finish())
    assert (error.kind, error.message) == (WRITE_FAILED.kind, WRITE_FAILED.message)
    assert error.details == {"reason": "ENOSPC", "revoked": confirmed}
    assert world.order == ["Lock", "Save", "Release", "Load", "SendRequest"]
    assert (ended(world), world.stored, world.selected) == (["5"], stored, False)


@pytest.mark.parametrize("effect", [Lock, Rescue])
def test_wherever_that_failed(effect: Any) -> None:
    busy = FOR_EVER if effect is Rescue else T0
    world = StoreWorld(EXPIRED, [OK], busy_until=busy, answers={effect: [failed()]})
    assert world.run(finish(lock_limit=0.1)).details == {"reason": "ENOSPC", "revoked": True}


RENEWED: Final = login(11 * DAY, number=7, parent=NEW.fingerprint, generation=1)


@pytest.mark.parametrize("stored", [NEW, attrs.evolve(NEW, server_offset=3.0), RENEWED])
def test_a_login_that_is_stored_in_spite_of_the_failure_is_not_ended(stored: Record) -> None:
    """Nor is one that somebody renews before it is looked for: it would end with its predecessor."""
    world = StoreWorld(EXPIRED, answers={Save: [failed()], Load: [Loaded(stored)]})
    assert world.run(finish()) is WRITE_FAILED
    assert world.sent == []


def test_nor_is_one_that_nobody_can_look_for() -> None:
    world = StoreWorld(EXPIRED, answers={Save: [failed()], Load: [failed(READ_FAILED)]})
    assert world.run(finish()) is WRITE_FAILED
    assert world.sent == []


def test_but_what_is_torn_is_no_login() -> None:
    world = StoreWorld(EXPIRED, [OK], answers={Save: [failed()], Load: [failed(CORRUPT)]})
    assert world.run(finish()).details["revoked"] is True


def test_one_that_nobody_can_be_asked_to_end_is_told_too() -> None:
    other = attrs.evolve(CODEX, client_id="another")
    world = StoreWorld(EXPIRED, answers={Save: [failed()]})
    assert world.run(finish(provider=other)).details == {"reason": "ENOSPC", "revoked": False}
    assert world.sent == []


def test_a_login_that_cannot_be_kept_does_not_end_the_old_one() -> None:
    world = StoreWorld(EXPIRED, [OK], answers={Save: [failed()]})
    world.run(finish(revoke_old=True))
    assert (ended(world), world.stored) == (["5"], EXPIRED)


def test_a_copy_that_must_not_replace_a_login_is_left_to_the_program_that_it_is_of() -> None:
    world = StoreWorld(CURRENT)
    error = world.run(finish(borrowed(DAY, number=6), provider=None))
    assert error.details == {"reason": "renewable_login"}
    assert world.order == ["Lock", "Release"]


def test_unless_that_is_asked_for() -> None:
    lent = borrowed(DAY, number=6)
    world = StoreWorld(CURRENT)
    assert world.run(finish(lent, provider=None, force=True)) == SignedIn(lent, CURRENT)


# -- it is given up --------------------------------------------------------------------------------------


def given_up(world: StoreWorld, **options: Any) -> SignInError:
    flow = finish(**options)
    effect: Any = flow.receive(Cancelled(T0))
    while not isinstance(effect, Finished):
        effect = flow.receive(world.perform(effect))
    assert isinstance(effect.outcome, SignInError)
    return effect.outcome


@pytest.mark.parametrize("stored", [None, EXPIRED])
def test_a_login_that_is_given_up_is_ended(stored: Record | None) -> None:
    world = StoreWorld(stored, [OK])
    error = given_up(world)
    assert (error.kind, error.details) == (E.CANCELLED, {"revoked": True})
    assert world.order == ["Load", "SendRequest"]
    assert (ended(world), world.stored) == (["5"], stored)


@pytest.mark.parametrize("answer", [Loaded(NEW), failed(READ_FAILED)])
def test_unless_it_is_stored_or_may_be(answer: Any) -> None:
    world = StoreWorld(EXPIRED, answers={Load: [answer]})
    assert given_up(world, revoke_old=True).details == {}
    assert (world.order, world.sent) == (["Load"], [])


def test_a_revocation_begins_at_the_time_of_the_look() -> None:
    flow = finish()
    flow.receive(Cancelled(T0))
    effect: Any = flow.receive(StoreAnswered(T0 + 5, W0 + 5, Loaded(None)))
    assert isinstance(effect, SendRequest)
    assert (effect.timeout, effect.once) == (10.0, True)


def test_a_login_of_a_client_id_that_was_issued_is_ended_as_that_client() -> None:
    """What could not be stored must not live on because its client is not the provider's usual one."""
    issued = attrs.evolve(NEW, credential=attrs.evolve(NEW.credential, client_id="issued_1"))
    world = StoreWorld(None, [OK], answers={Save: [failed()]})
    outcome = world.run(finish(issued, provider=attrs.evolve(CODEX, issued_client_ids=r"issued_\d+")))
    assert isinstance(outcome, SignInError)
    assert outcome.details["revoked"] is True
    (sent,) = world.sent
    assert json.loads(sent.body.reveal())["client_id"] == "issued_1"
