"""A token source whose login was stored by an earlier release: it finds it under its key, and gives nobody else's."""

from __future__ import annotations

import pytest

from codex_oauth import MemoryStore, TokenSource
from codex_oauth_core import CODEX, Credential, Record, Secret, SignInError
from codex_oauth_core.codex.token_answers import CLAIMS
from tests.support import jwt

WORKSPACE = "acct_workspace"


def login(person: str, marker: str, *, earlier: bool) -> Record:
    """A login of that person, as today's release or an earlier one notes it, whose token was not seen before."""
    claims = {"chatgpt_account_id": WORKSPACE, "chatgpt_user_id": person}
    return Record(
        Credential(
            access_token=Secret(jwt({CLAIMS: claims, "exp": 4_000_000_000, "jti": marker})),
            refresh_token=Secret(f"rt-{marker}"),
            account_id=WORKSPACE,
            user_id=None if earlier else person,
            issuer=CODEX.issuer,
            client_id=CODEX.client_id,
            obtained_at="2026-01-01T00:00:00Z",
            expires_at=4_000_000_000_000,
        )
    )


def put(store: MemoryStore, name: str, record: Record | None) -> None:
    """Replace what is kept under a name; None removes it."""
    held = store.slot(name).lock()
    assert held is not None
    with held:
        stored = held.load()
        expected = None if stored is None else stored.fingerprint
        if record is None:
            held.delete(expected)
        else:
            held.save(record, expected)


def token_of(record: Record) -> str:
    """Its access token."""
    return record.credential.access_token.reveal()


@pytest.mark.parametrize("account", [None, "anna", WORKSPACE])
def test_a_source_that_had_a_former_login_goes_on_with_the_one_under_its_key(account: str | None) -> None:
    store = MemoryStore()
    before, after = login("anna", "old", earlier=True), login("anna", "new", earlier=False)
    put(store, WORKSPACE, before)
    store.select(WORKSPACE)
    with TokenSource(store, account=account) as source:
        assert source.token() == token_of(before)
        put(store, after.credential.key, after)
        store.select(after.credential.key)
        put(store, WORKSPACE, None)
        assert source.rejected(token_of(before)) == token_of(after)


@pytest.mark.parametrize("account", [None, "anna"])
def test_a_source_is_never_given_what_another_person_has_put_in_its_place(account: str | None) -> None:
    store = MemoryStore()
    anna, bert = login("anna", "anna", earlier=True), login("bert", "bert", earlier=True)
    put(store, WORKSPACE, anna)
    store.select(WORKSPACE)
    with TokenSource(store, account=account) as source:
        assert source.token() == token_of(anna)
        put(store, WORKSPACE, bert)
        with pytest.raises(SignInError) as raised:
            source.rejected(token_of(anna))
    assert raised.value.kind == "login_required"
    assert store.slot(WORKSPACE).load() == bert  # and it was left alone
