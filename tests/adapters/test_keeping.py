"""A login that may be stored is never ended by what fails beside it."""

from __future__ import annotations

import warnings
from pathlib import Path

import attrs
import pytest

from codex_oauth.keeping import keep_or_revoke
from codex_oauth.stores.file_slot import FileSlot
from codex_oauth.stores.file_store import FileStore
from codex_oauth.testing.fake_world import FakeWorld, Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import ErrorKind, SignInError
from tests.stores.logins import locked, login, save

NEW = attrs.evolve(login(2).credential, issuer=CODEX.issuer, client_id=CODEX.client_id)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "home")
    save(store.slot("acct_1"), login(1), None)
    store.select("acct_1")
    return store


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld(lambda request, at, wall: Reply(200))


def adopted(store: FileStore) -> bool:
    """Whether the next holder of the lock finds the new login."""
    with locked(store.slot("acct_1")) as held:
        found = held.load()
    return found is not None and found.credential == NEW


def test_a_rescued_login_is_not_revoked_where_the_pointer_cannot_be_written(
    store: FileStore, world: FakeWorld
) -> None:
    (store.home / "current").unlink()
    (store.home / "current").mkdir()
    with locked(store.slot("acct_1")), pytest.raises(SignInError) as raised:
        keep_or_revoke(NEW, store, CODEX, world)
    assert "revoked" not in raised.value.details
    assert world.requests == []
    assert adopted(store)


def test_a_rescued_login_is_not_revoked_by_a_warning_that_is_an_error(
    store: FileStore, world: FakeWorld
) -> None:
    with warnings.catch_warnings(), locked(store.slot("acct_1")):
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="kept beside"):
            keep_or_revoke(NEW, store, CODEX, world)
    assert world.requests == []
    assert adopted(store)


def test_a_login_is_not_revoked_where_nobody_can_tell_whether_it_is_stored(
    store: FileStore, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(self: object) -> None:
        raise SignInError.of(ErrorKind.AUTH_READ_FAILED, reason="io_error")

    def unlockable(self: object) -> None:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="io_error")

    monkeypatch.setattr(FileSlot, "load", unreadable)
    monkeypatch.setattr(FileSlot, "lock", unlockable)
    with pytest.raises(SignInError):
        keep_or_revoke(NEW, store, CODEX, world)
    assert world.requests == []
