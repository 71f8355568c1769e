"""A login that an earlier release stored under its account id, or that was stored when less of it was known: the
next sign-in stores it under its key, and only then removes what was kept under the former name.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from codex_oauth_core import SignedIn
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Delete, Find, Lock, LockBusy, Save, Select, StoreFailed
from tests.core.storing import ACCOUNT, CORRUPT, DAY, READ_FAILED, StoreWorld, borrowed, failed, login
from tests.core.test_finish_sign_in import FOR_EVER, OK, SAVED, ended, finish
from tests.support import CLAIMS, T0, as_json, jwt


def token_of(user: str | None, account: str | None = ACCOUNT) -> Secret[str]:
    ids = {"chatgpt_account_id": account, "chatgpt_user_id": user}
    return Secret(jwt({CLAIMS: {name: value for name, value in ids.items() if value is not None}}))


def of(user: str | None, number: int = 1, **changes: Any) -> Record:
    """The login of a person, as this release stores it."""
    return login(5 * DAY, number=number, access_token=token_of(user), user_id=user, id_token=None, **changes)


def as_before(record: Record) -> Record:
    """The same, as an earlier release stored it: without the person, whom only the tokens name."""
    return attrs.evolve(record, credential=attrs.evolve(record.credential, user_id=None))


ANNA: Final = of("anna", number=5, generation=0)
OLD_ANNA: Final = as_before(of("anna"))
OLD_BERT: Final = as_before(of("bert"))
REMOVED: Final = [*SAVED, "Find", "Lock", "Delete", "Release", "Find"]


def test_the_former_place_is_emptied_when_the_new_login_is_in_use() -> None:
    world = StoreWorld(former={ACCOUNT: OLD_ANNA})

    def stored_and_selected_first(world: StoreWorld, effect: Effect) -> None:
        if isinstance(effect, Find | Delete):
            assert world.stored == ANNA
            assert world.selected

    world.before = stored_and_selected_first
    assert world.run(finish(ANNA)) == SignedIn(ANNA, OLD_ANNA)
    assert (world.order, world.former, world.stored) == (REMOVED, {}, ANNA)
    assert world.sent == []


@pytest.mark.parametrize("confirmed", [True, False])
def test_it_is_revoked_first_if_that_was_asked_for(confirmed: bool) -> None:
    world = StoreWorld(server=[OK if confirmed else as_json(400, {})], former={ACCOUNT: OLD_ANNA})
    assert world.run(finish(ANNA, revoke_old=True)) == SignedIn(ANNA, OLD_ANNA, replaced_revoked=confirmed)
    assert (ended(world), world.former) == (["1"], {})


def test_one_that_is_not_confirmed_is_told_although_the_other_was() -> None:
    world = StoreWorld(of("anna", number=2), [as_json(400, {}), OK], former={ACCOUNT: OLD_ANNA})
    outcome = world.run(finish(ANNA, revoke_old=True))
    assert (outcome.replaced, outcome.replaced_revoked) == (of("anna", number=2), False)
    assert ended(world) == ["2", "1"]


@pytest.mark.parametrize(
    "another",
    [
        OLD_BERT,
        of("bert"),
        as_before(login(access_token=Secret("opaque"), id_token=None)),
        attrs.evolve(OLD_ANNA, credential=attrs.evolve(OLD_ANNA.credential, client_id="another")),
        attrs.evolve(OLD_ANNA, credential=attrs.evolve(OLD_ANNA.credential, issuer="http://127.0.0.1:1")),
        attrs.evolve(OLD_ANNA, credential=attrs.evolve(OLD_ANNA.credential, account_id="acct_other")),
    ],
    ids=["another person's", "as stored now", "nobody knows whose", "client", "issuer", "account"],
)
def test_a_login_of_anybody_else_is_left_alone(another: Record) -> None:
    world = StoreWorld(former={ACCOUNT: another})
    assert world.run(finish(ANNA, revoke_old=True)) == SignedIn(ANNA)
    assert (world.former, world.stored, world.sent) == ({ACCOUNT: another}, ANNA, [])


def test_every_former_name_is_looked_at() -> None:
    """Also that under which it was stored before its person was known."""
    before = ANNA.credential.identity.names
    former = {before[1]: OLD_ANNA, before[2]: OLD_BERT, ACCOUNT: of("anna", number=9)}
    world = StoreWorld(former=dict(former))
    assert world.run(finish(ANNA)) == SignedIn(ANNA, OLD_ANNA)
    assert world.former == {before[2]: OLD_BERT}


def test_a_login_of_which_nobody_knows_more_is_the_same() -> None:
    opaque = login(10 * DAY, number=5, access_token=Secret("opaque"), id_token=None, generation=0)
    world = StoreWorld(former={ACCOUNT: login(access_token=Secret("older"), id_token=None)})
    assert isinstance(world.run(finish(opaque)), SignedIn)
    assert world.former == {}


# -- what goes wrong there takes nothing back ------------------------------------------------------------


@pytest.mark.parametrize("error", [READ_FAILED, CORRUPT])
def test_a_place_that_cannot_be_read_is_left_to_the_next_sign_in(error: Any) -> None:
    world = StoreWorld(former={ACCOUNT: OLD_ANNA}, answers={Find: [StoreFailed(error)]})
    assert world.run(finish(ANNA)) == SignedIn(ANNA)
    assert (world.former, world.stored, world.selected) == ({ACCOUNT: OLD_ANNA}, ANNA, True)


def test_one_that_is_locked_is_waited_for_a_short_while() -> None:
    world = StoreWorld(former={ACCOUNT: OLD_ANNA})
    world.before = lambda world, effect: setattr(  # by a process of the earlier release, after the look
        world, "busy_until", FOR_EVER if world.turned_to else T0
    )
    assert world.run(finish(ANNA)) == SignedIn(ANNA, OLD_ANNA)
    assert world.net.at - T0 == pytest.approx(10.0, abs=0.05)
    assert (world.former, world.stored) == ({ACCOUNT: OLD_ANNA}, ANNA)


def test_what_somebody_signed_in_meanwhile_is_not_removed() -> None:
    world = StoreWorld(former={ACCOUNT: OLD_ANNA}, answers={Lock: [None, LockBusy()]})
    world.before = lambda world, effect: (
        world.former.update({ACCOUNT: of("bert", number=8)})
        if world.turned_to and isinstance(effect, Lock) and world.order.count("Lock") == 3
        else None
    )
    assert isinstance(world.run(finish(ANNA)), SignedIn)
    assert world.former == {ACCOUNT: of("bert", number=8)}


def test_what_it_was_renewed_to_meanwhile_is_removed() -> None:
    renewed = as_before(of("anna", number=8, generation=8, parent=OLD_ANNA.fingerprint))
    world = StoreWorld(former={ACCOUNT: OLD_ANNA})
    world.before = lambda world, effect: (
        world.former.update({ACCOUNT: renewed}) if world.turned_to and isinstance(effect, Lock) else None
    )
    assert isinstance(world.run(finish(ANNA)), SignedIn)
    assert world.former == {}


def test_a_place_that_cannot_be_emptied_is_told_by_nothing_but_a_list() -> None:
    world = StoreWorld(former={ACCOUNT: OLD_ANNA}, answers={Delete: [failed()]})
    assert world.run(finish(ANNA)) == SignedIn(ANNA, OLD_ANNA)
    assert world.former == {ACCOUNT: OLD_ANNA}


@pytest.mark.parametrize("effect", [Save, Select])
def test_nothing_is_removed_where_the_new_login_is_not_stored_and_in_use(effect: Any) -> None:
    world = StoreWorld(server=[OK], former={ACCOUNT: OLD_ANNA}, answers={effect: [failed()]})
    world.run(finish(ANNA))
    assert world.former == {ACCOUNT: OLD_ANNA}


def test_a_copy_does_not_remove_a_login_that_can_be_renewed() -> None:
    lent = attrs.evolve(borrowed(DAY), credential=attrs.evolve(ANNA.credential, refresh_token=None))
    world = StoreWorld(former={ACCOUNT: OLD_ANNA})
    assert isinstance(world.run(finish(lent, provider=None)), SignedIn)
    assert world.former == {ACCOUNT: OLD_ANNA}
    assert isinstance(StoreWorld(former=world.former).run(finish(lent, provider=None, force=True)), SignedIn)
    assert world.former == {}


def test_the_same_tokens_under_a_former_name_are_removed_and_not_ended() -> None:
    """A move that was cut off, and begun again."""
    world = StoreWorld(former={ACCOUNT: as_before(ANNA)})
    assert isinstance(world.run(finish(ANNA, revoke_old=True)), SignedIn)
    assert (world.former, world.sent) == ({}, [])
    assert not [effect for effect in world.effects if isinstance(effect, SendRequest)]
