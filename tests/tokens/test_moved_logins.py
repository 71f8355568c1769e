"""A token source whose login was stored by an earlier release: it finds it under its key, and gives nobody else's."""

from __future__ import annotations

import attrs
import pytest

from codex_oauth import MemoryStore, TokenSource
from codex_oauth.stores.memory_store import MemoryHeld, MemorySlot
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


# -- the same login from then on ---------------------------------------------------------------------------


def another(account: str | None, person: str | None) -> Record:
    """A login of which no more is known than this."""
    record = login("anna", "another", earlier=False)
    token = Secret("opaque-another-token")
    return attrs.evolve(
        record,
        credential=attrs.evolve(record.credential, access_token=token, account_id=account, user_id=person),
    )


@pytest.mark.parametrize("account", [None, "anna", WORKSPACE])
@pytest.mark.parametrize(
    "other",
    [another(None, "anna"), another(WORKSPACE, None), another(None, None), another(WORKSPACE, "bert")],
    ids=["her personal account", "of an unknown person", "of nobody known", "of another person"],
)
def test_a_source_whose_login_is_gone_is_not_given_another(account: str | None, other: Record) -> None:
    store, hers = MemoryStore(), login("anna", "hers", earlier=False)
    put(store, hers.credential.key, hers)
    store.select(hers.credential.key)
    with TokenSource(store, account=account) as source:
        assert source.token() == token_of(hers)
        put(store, hers.credential.key, None)
        put(store, other.credential.key, other)
        store.select(other.credential.key)
        with pytest.raises(SignInError) as raised:
            source.rejected(token_of(hers))
        assert raised.value.kind == "login_required"
        for _ in range(2):  # also when it has been told
            with pytest.raises(SignInError):
                source.token()
        put(store, hers.credential.key, login("anna", "again", earlier=False))
        assert source.token() == token_of(login("anna", "again", earlier=False))


def test_a_source_of_a_workspace_goes_on_where_more_is_known_of_its_login() -> None:
    store, old = MemoryStore(), another(WORKSPACE, None)
    put(store, WORKSPACE, old)
    with TokenSource(store, account=WORKSPACE) as source:
        assert source.token() == token_of(old)
        put(store, WORKSPACE, None)
        new = login("anna", "new", earlier=False)
        put(store, new.credential.key, new)
        assert source.rejected(token_of(old)) == token_of(new)


def test_the_former_name_of_the_parameter_takes_no_account_whose_id_begins_so() -> None:
    store, record = MemoryStore(), login("anna", "hers", earlier=False)
    put(store, record.credential.key, record)
    with TokenSource(store, account_id=WORKSPACE[:-1]) as source, pytest.raises(SignInError) as raised:
        source.token()
    assert raised.value.kind == "login_required"
    with TokenSource(store, account=record.credential.key[:-1]) as source:
        assert source.token() == token_of(record)


@pytest.mark.parametrize("account", [None, "anna"])
def test_a_login_that_moves_between_the_look_and_the_lock_is_looked_for_again(
    account: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    before, after = login("anna", "old", earlier=True), login("anna", "new", earlier=False)
    put(store, WORKSPACE, before)
    store.select(WORKSPACE)
    lock = MemorySlot.lock

    def moved_first(slot: MemorySlot) -> MemoryHeld | None:
        monkeypatch.setattr(MemorySlot, "lock", lock)
        put(store, after.credential.key, after)
        store.select(after.credential.key)
        put(store, WORKSPACE, None)
        return slot.lock()

    with TokenSource(store, account=account) as source:
        assert source.token() == token_of(before)
        monkeypatch.setattr(MemorySlot, "lock", moved_first)
        assert source.rejected(token_of(before)) == token_of(after)
