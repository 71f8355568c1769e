"""Who a login is, and what names it: the key, the names it may be stored under, and what people call it."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.stores.memory_store import MemoryStore
from codex_oauth_core import Identity, Record, Secret
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.token_answers import identify
from codex_oauth_core.credential import Credential
from codex_oauth_core.identity import answers_to, is_called
from codex_oauth_core.providers import identified
from tests.support import CLAIMS, jwt

ISSUER, CLIENT = CODEX.issuer, CODEX.client_id

ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)
few = st.sampled_from(["a", "A", "b", "a-b", "auth0|a", "..", "nul", "x" * 128]) | ids
identities = st.builds(
    Identity,
    issuer=st.sampled_from([ISSUER, f"{ISSUER}/", "http://127.0.0.1:8123"]) | ids,
    client_id=st.sampled_from([CLIENT, "another"]) | ids,
    account_id=st.none() | few,
    user_id=st.none() | few,
)


def of(account_id: str | None, user_id: str | None = None, **parts: str) -> Identity:
    return attrs.evolve(Identity(ISSUER, CLIENT, account_id, user_id), **parts)


def login_of(identity: Identity, number: int = 1) -> Record:
    fields: dict[str, Any] = attrs.asdict(identity)
    return Record(
        Credential(
            access_token=Secret(f"canary-access-{number}"),
            refresh_token=Secret(f"canary-refresh-{number}"),
            obtained_at="2027-01-15T08:00:07Z",
            **fields,
        )
    )


KEYS: Final = {
    of("acct_1"): "acct_1-4efl4ltv3hyxpxy7",
    of("acct_1", "user-1"): "acct_1-gx22bei6phx4i6vz",
    of(None, "user-1"): "user-1-5n6rmahrlzby3tpt",
    of(None): "evt7qg6r422tplfv",
    of("auth0|anna", "user-1"): "mjlq6kmrpjgd7323",
    of("../x"): "ipjjf4kumwzqtyme",
    of("acct_1", "user-1", issuer="http://127.0.0.1:8123"): "acct_1-tma4qwxhncwudor6",
    of("acct_1", "user-1", client_id="another"): "acct_1-6y6iywoytozodlt4",
}


@pytest.mark.parametrize(("identity", "key"), KEYS.items(), ids=list(KEYS.values()))
def test_a_key_is_the_same_in_every_release(identity: Identity, key: str) -> None:
    assert identity.key == key


@given(identities)
def test_a_key_is_safe_as_a_name_and_begins_with_what_it_can(identity: Identity) -> None:
    assert re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63}-)?[a-z2-7]{16}", identity.key)
    named = identity.account_id or identity.user_id or ""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", named):
        assert identity.key.startswith(f"{named}-")


@given(identities, identities)
def test_other_identities_have_other_keys_and_equal_ones_share_one(one: Identity, other: Identity) -> None:
    assert (one.key.lower() == other.key.lower()) is (one == other)
    assert (one.key in other.names) is (other.names.count(one.key) == 1)


@given(identities, identities)
def test_two_logins_live_side_by_side_and_one_has_one_place(one: Identity, other: Identity) -> None:
    store = MemoryStore()
    for number, identity in enumerate((one, other), 1):
        record = login_of(identity, number)
        slot = store.slot(record.credential.key)
        held = slot.lock()
        assert held is not None
        with held:
            stored = held.load()
            held.save(record, None if stored is None else stored.fingerprint)
    assert store.slot(other.key).load() == login_of(other, 2)
    if one != other:
        assert store.slot(one.key).load() == login_of(one, 1)
    assert store.names() == tuple(sorted({one.key, other.key}))


def test_it_may_be_stored_under_what_was_known_before_and_under_its_account() -> None:
    assert of("acct_1", "user-1").names == (
        of("acct_1", "user-1").key,
        of("acct_1").key,
        of(None, "user-1").key,
        of(None).key,
        "acct_1",
    )
    assert of("acct_1").names == (of("acct_1").key, of(None).key, "acct_1")
    assert of(None).names == (of(None).key,)
    assert of("auth0|anna").names == (of("auth0|anna").key, of(None).key)
    assert of("x" * 129).names[-1] == of(None).key


@given(identities)
def test_the_key_comes_first_and_every_name_fits_a_place(identity: Identity) -> None:
    assert identity.names[0] == identity.key
    for name in identity.names:
        MemoryStore().slot(name)


@pytest.mark.parametrize(
    ("one", "other", "fits"),
    [
        (of("a", "u"), of("a", "u"), True),
        (of("a", "u"), of("a"), True),
        (of("a", "u"), of(None, "u"), True),
        (of("a", "u"), of(None), True),
        (of("a", "u"), of("a", "v"), False),
        (of("a", "u"), of("b", "u"), False),
        (of("a", None), of(None, "u"), True),
        (of("a"), of("a", issuer="http://127.0.0.1:1"), False),
        (of("a"), of("a", client_id="another"), False),
        (of(None), of(None, issuer=f"{ISSUER}/"), False),
    ],
)
def test_what_nobody_knows_tells_nothing_apart(one: Identity, other: Identity, fits: bool) -> None:
    assert one.fits(other) is other.fits(one) is fits


@given(identities)
def test_a_person_may_call_it_by_each_of_its_names(identity: Identity) -> None:
    email = "Anna@Example.com"
    names = (email, email.lower(), identity.account_id, identity.user_id, identity.key, identity.key[:8])
    assert all(answers_to(name, identity, email) for name in names if name)
    assert not answers_to("", identity, email)
    assert not answers_to("anna@example.co", identity, email)
    assert not answers_to(f"{identity.key}x", identity, None) or identity.account_id == f"{identity.key}x"


# -- what tokens say (Codex) ---------------------------------------------------------------------------


def claims(**inner: Any) -> dict[str, Any]:
    return {CLAIMS: inner}


@pytest.mark.parametrize(
    ("access", "id_token", "account_id", "user_id"),
    [
        (claims(chatgpt_account_id="a", chatgpt_user_id="u"), {}, "a", "u"),
        (claims(chatgpt_account_id="a", user_id="u"), {}, "a", "u"),
        (claims(chatgpt_user_id="u", user_id="v"), {"sub": "s"}, None, "u"),
        ({}, claims(chatgpt_account_id="a", chatgpt_user_id="u"), "a", "u"),
        (claims(chatgpt_account_id="a"), claims(chatgpt_account_id="b", user_id="u"), "a", "u"),
        ({"sub": "s"}, claims(user_id="u"), None, "u"),
        ({"sub": "s"}, {"sub": "t"}, None, "s"),
        ({}, {"sub": "t"}, None, "t"),
        ({"chatgpt_account_id": "a"}, {}, "a", None),
        ({"chatgpt_account_id": "a"}, claims(chatgpt_account_id="b"), "b", None),
        ({}, {"chatgpt_account_id": "a"}, "a", None),
        (claims(chatgpt_account_id="", chatgpt_user_id=""), claims(chatgpt_account_id="a"), "a", None),
        (claims(chatgpt_account_id="auth0|anna"), {}, "auth0|anna", None),
        (claims(chatgpt_account_id="a b", chatgpt_user_id="u\r\nX: y"), {}, None, None),
        (claims(chatgpt_account_id=7, chatgpt_user_id=["u"]), {"organizations": [{"id": "org"}]}, None, None),
        (claims(chatgpt_account_id="x" * 256), {"sub": "é"}, None, None),
    ],
)
def test_whose_tokens_they_are(
    access: dict[str, Any], id_token: dict[str, Any], account_id: str | None, user_id: str | None
) -> None:
    assert identify(Secret(jwt(access)), Secret(jwt(id_token))) == (account_id, user_id)


def test_opaque_tokens_say_nothing() -> None:
    assert identify(Secret("opaque"), None) == identify(None, None) == (None, None)


def test_an_old_record_is_completed_from_its_own_tokens_and_never_contradicted() -> None:
    tokens = Secret(jwt(claims(chatgpt_account_id="a", chatgpt_user_id="u")))
    old = attrs.evolve(login_of(of("a")).credential, access_token=tokens)
    assert identified(old).identity == of("a", "u")
    moved = attrs.evolve(old, account_id="of the file", user_id="v")
    assert identified(moved) == moved
    assert identified(attrs.evolve(old, issuer="http://evil.example")).user_id is None


@pytest.mark.parametrize(
    ("asked", "email", "same"),
    [
        ("KIM@Example.com", "kim@example.COM", True),
        ("\u00dcte@example.com", "\u00fcte@example.com", True),
        ("kim@example.com", "\u212aim@example.com", False),  # a Kelvin sign
        ("mass@example.com", "ma\u00df@example.com", False),
        ("sam@example.com", "\u017fam@example.com", False),  # a long s
        ("ilk@example.com", "\u0130lk@example.com", False),
    ],
)
def test_no_letter_of_an_address_is_taken_for_another_one(asked: str, email: str, same: bool) -> None:
    assert is_called(asked, Identity("https://i", "c", "a", "u"), email) is same
    assert is_called(email, Identity("https://i", "c", "a", "u"), asked) is same
