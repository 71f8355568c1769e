"""Whose token a source gives: by name, and of the same login wherever that is kept from then on."""

from __future__ import annotations

import attrs
import pytest

from codex_oauth import TokenSource
from codex_oauth.stored_login import finish_sign_in
from codex_oauth_core import ErrorKind, Record, SignInError
from codex_oauth_core.codex import CODEX
from codex_oauth_core.providers import identified
from tests.stores.test_find import ANNA, BERT, HOME, OLD
from tests.stores.test_find import put as put_in
from tests.tokens.rig import Rig, rig, signed_in


def source_of(made: Rig, account: str | None = None) -> TokenSource:
    return made.source(account=account)


@pytest.mark.parametrize("named", ["bert@example.com", "user-bert", BERT.credential.key, "bert@"])
def test_a_login_is_asked_for_by_any_of_its_names(named: str) -> None:
    made = rig()
    for record in (ANNA, BERT, HOME):
        put_in(made.store, record)
    assert source_of(made, named).token() == BERT.credential.access_token.reveal()


def test_what_fits_several_is_listed() -> None:
    made = rig()
    for record in (ANNA, BERT):
        put_in(made.store, record)
    with pytest.raises(SignInError) as raised:
        source_of(made, "acct_team").token()
    assert (raised.value.kind, raised.value.details["reason"]) == (ErrorKind.INVALID_REQUEST, "ambiguous")
    assert len(raised.value.next_actions) == 2


def test_the_former_name_of_the_parameter_will_do() -> None:
    made = rig()
    put_in(made.store, OLD, "acct_team")
    token = made.source(account_id="acct_team").token()
    assert token == ANNA.credential.access_token.reveal()


# -- the same login wherever it is kept -------------------------------------------------------------------


def moved_back(made: Rig) -> Record:
    """The login of the rig, as an earlier release had stored it."""
    record = made.stored
    old = attrs.evolve(record, credential=attrs.evolve(record.credential, user_id=None))
    _forget(made, record.credential.key)
    account_id = record.credential.account_id
    assert account_id is not None
    put_in(made.store, old, account_id)
    made.store.select(account_id)
    return old


def _forget(made: Rig, place: str) -> None:
    held = made.store.slot(place).lock()
    assert held is not None
    with held:
        found = held.load()
        held.delete(None if found is None else found.fingerprint)


def test_a_login_of_an_earlier_release_is_renewed_where_it_is() -> None:
    made = rig()
    old = moved_back(made)
    source = source_of(made)
    made.make_due(-1)
    token = source.token()
    assert token != old.credential.access_token.reveal()
    assert (made.refreshes, made.stored_token, made.store.names()) == (1, token, (old.credential.account_id,))
    assert made.stored.credential.user_id == identified(old.credential).user_id


def test_it_is_found_under_its_key_after_the_next_sign_in() -> None:
    """A program that runs on while a person signs in again is not signed out by that."""
    made = rig()
    old = moved_back(made)
    source = source_of(made)
    assert source.token() == old.credential.access_token.reveal()
    new = signed_in(made.world)
    finish_sign_in(new, made.store, CODEX, made.world)
    assert made.store.names() == (new.key,)
    made.make_due(-1)
    assert source.token() == made.stored_token
    assert made.store.names() == (new.key,)


def test_a_source_stays_with_its_login_when_another_is_put_in_use() -> None:
    made = rig()
    moved_back(made)
    source = source_of(made)
    first = source.token()
    put_in(made.store, BERT)
    made.store.select(BERT.credential.key)
    made.pass_time(30)
    assert source.token() == first
    assert source_of(made).token() == BERT.credential.access_token.reveal()


def test_a_source_of_nobody_in_particular_takes_who_is_in_use() -> None:
    made = rig()
    assert source_of(made).credential().issuer == CODEX.issuer
