"""Logins of people who were mixed up before they were told apart: at every front door, in a store of files.

What became of each: a personal account was refused and its tokens ended; two people of one workspace overwrote each
other; whoever approved a sign-in took the place of who was asked for; one account at two issuers, or under two
client ids, was one login; an account id that is no file name was granted, lost and left alive.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.testing import FakeWorld, Reply, scripted
from codex_oauth_core import CODEX, Credential, ErrorKind, Record, Secret, SignInError
from codex_oauth_core.providers import identified
from tests.adapters.front_doors import Door, each_door
from tests.stores.logins import locked, save
from tests.support import CLAIMS, approved, as_json, issued, jwt, tokens


def claims(account: str | None, user: str | None, email: str | None = None) -> str:
    ids = {"chatgpt_account_id": account, "chatgpt_user_id": user}
    mail = {} if email is None else {"email": email}
    return jwt({CLAIMS: {name: value for name, value in ids.items() if value is not None}, **mail})


def granting(account: str | None, user: str | None, email: str | None = None) -> Reply:
    access, id_token = claims(account, user), claims(account, user, email)
    return tokens(access_token=access, id_token=id_token, refresh_token=f"canary-refresh-of-{user}")


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "home")


def sign_in(door: Door, store: FileStore, reply: Reply, **options: Any) -> tuple[Credential, FakeWorld]:
    world = FakeWorld(scripted((issued(), approved(), reply, as_json(200, {}))))
    credential = door.login(device=True, on_prompt=lambda prompt: None, store=store, world=world, **options)
    return credential, world


def revocations(world: FakeWorld) -> int:
    return sum("revoke" in sent.request.url for sent in world.requests)


@each_door
def test_a_personal_account_without_an_account_id_is_kept(door: Door, store: FileStore) -> None:
    credential, world = sign_in(door, store, granting(None, "anna"))
    assert (credential.account_id, credential.user_id) == (None, "anna")
    assert revocations(world) == 0
    assert (store.current(), store.names()) == (credential.key, (credential.key,))
    assert store.slot(credential.key).load() == Record(credential)


@each_door
def test_an_account_of_which_nothing_is_known_is_kept(door: Door, store: FileStore) -> None:
    opaque = tokens(access_token="opaque", id_token=...)
    credential, _ = sign_in(door, store, opaque)
    assert store.slot(credential.key).load() == Record(credential)


@each_door
def test_two_people_of_one_workspace_do_not_overwrite_each_other(door: Door, store: FileStore) -> None:
    anna, _ = sign_in(door, store, granting("acct_team", "anna"))
    bert, _ = sign_in(door, store, granting("acct_team", "bert"))
    assert store.names() == tuple(sorted((anna.key, bert.key)))
    assert store.current() == bert.key
    assert store.slot(anna.key).load() == Record(anna)
    assert store.slot(bert.key).load() == Record(bert)


@pytest.mark.parametrize("account", ["anna@example.com", "ANNA@EXAMPLE.COM", "anna"])
@each_door
def test_a_login_that_bert_approved_does_not_take_annas_place(
    door: Door, store: FileStore, account: str
) -> None:
    anna, _ = sign_in(door, store, granting("acct_team", "anna", "anna@example.com"))
    before = store.slot(anna.key).path.read_bytes()
    world = FakeWorld(
        scripted((issued(), approved(), granting("acct_team", "bert", "bert@example.com"), as_json(200, {})))
    )
    with pytest.raises(SignInError) as raised:
        door.login(device=True, on_prompt=lambda prompt: None, store=store, world=world, account=account)
    assert raised.value.kind is ErrorKind.ACCOUNT_CHANGED
    assert raised.value.details == {
        "reason": "other_person",
        "revoked": True,
        "signed_in_as": "bert@example.com (acct_team)",
    }
    assert b"canary-refresh-of-bert" in world.requests[-1].request.body.reveal()
    assert (store.names(), store.current()) == ((anna.key,), anna.key)
    assert store.slot(anna.key).path.read_bytes() == before


@each_door
def test_who_was_asked_for_is_signed_in_again(door: Door, store: FileStore) -> None:
    anna, _ = sign_in(door, store, granting("acct_team", "anna", "anna@example.com"))
    again, world = sign_in(door, store, granting("acct_team", "anna"), account=anna.identity)
    assert (again.key, store.names(), revocations(world)) == (anna.key, (anna.key,), 0)


@each_door
def test_one_account_at_two_issuers_and_under_two_client_ids_is_three_logins(
    door: Door, store: FileStore
) -> None:
    providers = (CODEX, CODEX.at("http://127.0.0.1:8123"), attrs.evolve(CODEX, client_id="another"))
    logins = [
        sign_in(door, store, granting("acct_team", "anna"), provider=provider)[0] for provider in providers
    ]
    assert store.names() == tuple(sorted(login.key for login in logins))
    for login in logins:
        assert store.slot(login.key).load() == Record(login)


@pytest.mark.parametrize("account", ["auth0|anna", "../../etc/passwd", "a/b", ".", "CON", "x" * 255])
@each_door
def test_an_account_id_that_is_no_file_name_is_kept_under_a_name_of_its_own(
    door: Door, store: FileStore, account: str
) -> None:
    credential, world = sign_in(door, store, granting(account, "anna"))
    assert (credential.account_id, revocations(world)) == (account, 0)
    assert store.slot(credential.key).load() == Record(credential)
    assert store.slot(credential.key).path.parent == store.home / "logins"


# -- logins of earlier releases ---------------------------------------------------------------------------


def stored_before(store: FileStore, account: str, user: str) -> Record:
    """What an earlier release stored: under the account id, without the person."""
    old = Record(
        Credential(
            Secret(claims(account, user)),
            Secret(f"canary-old-refresh-of-{user}"),
            account,
            CODEX.issuer,
            CODEX.client_id,
            "2026-01-01T00:00:00Z",
        )
    )
    save(store.slot(account), old, None)
    store.select(account)
    return old


@each_door
def test_a_login_of_an_earlier_release_is_replaced_by_the_next_sign_in(door: Door, store: FileStore) -> None:
    stored_before(store, "acct_team", "anna")
    assert store.current() == "acct_team"
    anna, world = sign_in(door, store, granting("acct_team", "anna"))
    assert (store.names(), store.current(), revocations(world)) == ((anna.key,), anna.key, 0)
    assert not (store.home / "logins" / "acct_team.json").exists()


@each_door
def test_it_is_revoked_if_that_is_asked_for(door: Door, store: FileStore) -> None:
    stored_before(store, "acct_team", "anna")
    _, world = sign_in(door, store, granting("acct_team", "anna"), revoke_old=True)
    assert revocations(world) == 1
    assert b"canary-old-refresh-of-anna" in world.requests[-1].request.body.reveal()


@each_door
def test_that_of_another_person_stays(door: Door, store: FileStore) -> None:
    old = stored_before(store, "acct_team", "anna")
    bert, world = sign_in(door, store, granting("acct_team", "bert"), revoke_old=True)
    assert (store.names(), store.current()) == (("acct_team", bert.key), bert.key)
    assert (store.slot("acct_team").load(), revocations(world)) == (old, 0)


@each_door
def test_one_that_is_being_renewed_meanwhile_is_left_to_the_next_sign_in(
    door: Door, store: FileStore
) -> None:
    old = stored_before(store, "acct_team", "anna")
    with locked(store.slot("acct_team")):
        anna, _ = sign_in(door, store, granting("acct_team", "anna"))
    assert (store.names(), store.current()) == (("acct_team", anna.key), anna.key)
    assert store.slot("acct_team").load() == old
    again, _ = sign_in(door, store, granting("acct_team", "anna"))
    assert store.names() == (again.key,)
    assert identified(old.credential).key == again.key


class EarlierStore:
    """As a store of one's own was written for an earlier release."""

    def accounts(self) -> tuple[str, ...]:
        return ()

    def prepare(self) -> None:
        """There is room."""


@each_door
def test_a_store_for_an_earlier_release_is_told_before_anybody_signs_in(door: Door) -> None:
    """It would refuse the login when that is granted, which would then be ended."""
    earlier: Any = EarlierStore()
    world = FakeWorld(scripted(()))
    with pytest.raises(TypeError, match=r"EarlierStore .* accounts\(\) is now names\(\)"):
        door.login(device=True, on_prompt=lambda prompt: None, store=earlier, world=world)
    assert world.requests == []


@each_door
def test_a_torn_file_under_one_former_name_hides_no_login_under_another(door: Door, store: FileStore) -> None:
    old = stored_before(store, "acct_team", "anna")
    torn = old.credential.key
    save(store.slot(torn), old, None)
    store.slot(torn).path.write_bytes(b"\0torn")
    credential, world = sign_in(door, store, granting("acct_team", "anna"), revoke_old=True)
    assert store.names() == tuple(sorted((torn, credential.key)))
    assert revocations(world) == 1
