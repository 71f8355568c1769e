"""Logins that are sealed with a key in the keyring: what is on the disk, and when the key is made or missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth import FileStore, SealedFileStore
from codex_oauth.stores.store import Saved
from codex_oauth_core import Secret, SignInError
from tests.stores.fake_keyrings import (
    WorkingKeyring,
)
from tests.stores.logins import describe, discard, locked, login, renewed, save
from tests.stores.sealed_stores import CORRUPT, READ, WRITE, load_error, save_error


@pytest.fixture
def keyring() -> WorkingKeyring:
    return WorkingKeyring()


@pytest.fixture
def sealed(home: Path, keyring: WorkingKeyring) -> SealedFileStore:
    """A store with a login in it."""
    store = SealedFileStore(home, keyring=keyring)
    save(store.slot("acct_1"), login(1), None)
    return store


def content(home: Path, account_id: str = "acct_1") -> bytes:
    return (home / "logins" / f"{account_id}.json").read_bytes()


# -- what is on the disk -------------------------------------------------------------------------------


def test_no_file_holds_a_token_or_anything_else_of_a_login(home: Path, sealed: SealedFileStore) -> None:
    slot = sealed.slot("acct_1")
    slot.rescue(login(2))
    with locked(slot) as held:
        held.reserve(login(2))
        slot.rescue(login(3))
        files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert len(files) >= 3
    for secret in (b"canary", b"auth.example", b"refresh_token", b"schema_version"):
        assert not any(secret in file for file in files)


def test_the_same_content_is_sealed_with_a_new_nonce_and_to_the_same_length(sealed: SealedFileStore) -> None:
    first, second = (sealed.seal.seal(Secret(b"x" * 100)).reveal() for _ in range(2))
    assert first != second
    assert len(first) == len(second) == len(b"codex-oauth sealed 1\n") + 8 + 12 + 100 + 16
    assert first[:29] == second[:29]
    assert sealed.seal.unseal(Secret(first)) == Secret(b"x" * 100)


def test_every_damaged_byte_is_noticed(sealed: SealedFileStore) -> None:
    whole = sealed.seal.seal(Secret(b"x")).reveal()
    reasons = set[str]()
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(Exception, match=r"^(sealed_wrong|seal_too_new|no_key)$") as failed:
            sealed.seal.unseal(Secret(damaged))
        reasons.add(str(failed.value))
    assert reasons == {"sealed_wrong", "seal_too_new", "no_key"}  # the version, which key, and the rest
    for length in range(len(whole)):
        with pytest.raises(Exception, match=r"^(sealed_wrong|seal_too_new)$"):
            sealed.seal.unseal(Secret(whole[:length]))


def test_a_damaged_login_is_corrupt_and_a_new_sign_in_takes_its_place(
    home: Path, sealed: SealedFileStore
) -> None:
    """F14, of a sealed file."""
    damaged = content(home)[:-1]
    (home / "logins" / "acct_1.json").write_bytes(damaged)
    assert load_error(sealed) == (CORRUPT, "sealed_wrong")
    assert save(sealed.slot("acct_1"), login(2), None, replace_corrupt=True) == Saved()
    assert sealed.slot("acct_1").load() == login(2)
    assert (home / "logins" / "acct_1.json.corrupt-1").read_bytes() == damaged


def test_what_a_newer_release_sealed_stays(home: Path, sealed: SealedFileStore) -> None:
    newer = content(home).replace(b"sealed 1", b"sealed 2", 1)
    (home / "logins" / "acct_1.json").write_bytes(newer)
    assert load_error(sealed) == (READ, "seal_too_new")
    assert save_error(sealed, replace_corrupt=True) == (READ, "seal_too_new")
    assert content(home) == newer


def test_a_login_that_was_moved_to_another_account_is_refused(home: Path, sealed: SealedFileStore) -> None:
    (home / "logins" / "acct_1.json").rename(home / "logins" / "acct_2.json")
    with pytest.raises(SignInError) as failed:
        sealed.slot("acct_2").load()
    assert describe(failed.value) == (CORRUPT, "other_account")


def test_a_plain_login_is_not_taken_for_a_sealed_one_nor_the_other_way_round(
    home: Path, keyring: WorkingKeyring, sealed: SealedFileStore
) -> None:
    assert load_error(FileStore(home)) == (READ, "sealed")
    plain = FileStore(home.parent / "plain")
    save(plain.slot("acct_1"), login(1), None)
    asked = len(keyring.calls)
    assert load_error(SealedFileStore(plain.home, keyring=keyring)) == (CORRUPT, "sealed_wrong")
    assert len(keyring.calls) == asked


def test_a_home_with_plain_logins_gets_a_key(home: Path, keyring: WorkingKeyring) -> None:
    save(FileStore(home).slot("acct_1"), login(1), None)
    store = SealedFileStore(home, keyring=keyring)
    save(store.slot("acct_1"), login(2), None, replace_corrupt=True)
    assert store.slot("acct_1").load() == login(2)


# -- the key -------------------------------------------------------------------------------------------


def test_the_key_is_made_at_the_first_save_and_never_again(home: Path, keyring: WorkingKeyring) -> None:
    store = SealedFileStore(home, keyring=keyring)
    store.prepare()
    assert (store.slot("acct_1").load(), store.names(), store.current()) == (None, (), None)
    locked(store.slot("acct_1")).release()
    assert keyring.calls == ["get"]
    for number in range(1, 4):
        record = login(number)
        save(store.slot("acct_1"), record, None if number == 1 else login(number - 1).fingerprint)
    assert keyring.calls == ["get", "get", "get", "set", "get"]
    another = SealedFileStore(home, keyring=keyring)
    save(another.slot("acct_2"), login(1, "acct_2"), None)
    assert another.slot("acct_1").load() == login(3)
    assert keyring.calls.count("set") == 1


def test_a_known_key_is_not_asked_for_again(keyring: WorkingKeyring, sealed: SealedFileStore) -> None:
    asked = len(keyring.calls)
    keyring.kept.clear()
    slot = sealed.slot("acct_1")
    save(slot, renewed(login(1), 2), login(1).fingerprint)
    assert slot.load() == renewed(login(1), 2)
    assert len(keyring.calls) == asked


def test_each_home_has_a_key_and_each_service_too(home: Path, keyring: WorkingKeyring) -> None:
    for store in (
        SealedFileStore(home, keyring=keyring),
        SealedFileStore(home.parent / "other", keyring=keyring),
        SealedFileStore(home.parent / "third", keyring=keyring, service="mine"),
    ):
        save(store.slot("acct_1"), login(1), None)
    assert len(keyring.kept) == len(set(keyring.kept.values())) == 3
    assert {service for service, _ in keyring.kept} == {"codex-oauth", "mine"}


@pytest.mark.parametrize("left", ["acct_1.json", "acct_1.json.0123456789abcdef.tmp", "acct_1.json.corrupt-1"])
def test_a_lost_key_is_not_made_again_while_something_is_sealed(
    home: Path, keyring: WorkingKeyring, sealed: SealedFileStore, left: str
) -> None:
    """S24: fails closed."""
    (home / "logins" / "acct_1.json").rename(home / "logins" / left)
    keyring.kept.clear()
    keyring.calls.clear()
    store = SealedFileStore(home, keyring=keyring)
    assert save_error(store, "acct_2") == (WRITE, "no_key")
    with pytest.raises(SignInError) as failed:
        store.prepare()
    assert describe(failed.value) == (WRITE, "no_key")
    assert "set" not in keyring.calls
    assert (home / "logins" / left).exists()


def test_without_its_key_a_login_is_kept_and_reported(
    home: Path, keyring: WorkingKeyring, sealed: SealedFileStore
) -> None:
    before = content(home)
    keyring.kept.clear()
    store = SealedFileStore(home, keyring=keyring)
    assert load_error(store) == (READ, "no_key")
    assert save_error(store, replace_corrupt=True)[1] == "no_key"
    assert store.names() == ("acct_1",)
    assert content(home) == before


def test_after_signing_out_a_new_key_can_be_made(
    home: Path, keyring: WorkingKeyring, sealed: SealedFileStore
) -> None:
    keyring.kept.clear()
    store = SealedFileStore(home, keyring=keyring)
    discard(store.slot("acct_1"))
    save(store.slot("acct_1"), login(2), None)
    assert SealedFileStore(home, keyring=keyring).slot("acct_1").load() == login(2)


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "x",
        "codex-oauth-key-1:",
        "codex-oauth-key-1:AAAA",
        "codex-oauth-key-1:é",
        "codex-oauth-key-2:" + "A" * 43 + "=",
    ],
)
def test_junk_in_the_place_of_a_key_is_no_key_and_stays(
    home: Path, keyring: WorkingKeyring, sealed: SealedFileStore, junk: str
) -> None:
    (name,) = keyring.kept
    keyring.kept[name] = junk
    store = SealedFileStore(home, keyring=keyring)
    assert load_error(store) == (READ, "no_key")
    discard(store.slot("acct_1"))
    assert save_error(store) == (WRITE, "no_key")
    assert keyring.kept == {name: junk}


def test_another_key_is_no_key_and_no_damage(
    home: Path, keyring: WorkingKeyring, sealed: SealedFileStore
) -> None:
    (name,) = keyring.kept
    other = WorkingKeyring()
    save(SealedFileStore(home.parent / "other", keyring=other).slot("acct_1"), login(1), None)
    (keyring.kept[name],) = other.kept.values()
    assert load_error(SealedFileStore(home, keyring=keyring)) == (READ, "no_key")


def test_nothing_shows_the_key(keyring: WorkingKeyring, sealed: SealedFileStore) -> None:
    (kept,) = keyring.kept.values()
    for value in (sealed, sealed.seal, sealed.seal.key):
        assert kept.partition(":")[2] not in repr(value)
        assert "Secret" not in repr(value)
