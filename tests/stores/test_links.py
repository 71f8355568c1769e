"""Homes and files that are links, as managers of configuration files make them: followed only on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.store import Conflict, Deleted, Saved
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.logins import as_root, describe, discard, given_away, locked, login, names, renewed, save

WRITE = ErrorKind.AUTH_WRITE_FAILED


@pytest.fixture(params=["home", "logins", "file", "all"])
def linked(request: pytest.FixtureRequest, slot: FileSlot, tmp_path: Path) -> Path:
    """Where a link leads to: the directory that holds the login's real file."""
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir(mode=0o700)
    paths = {"file": slot.path, "logins": slot.path.parent, "home": slot.home}
    chosen = list(paths) if request.param == "all" else [request.param]
    for name, path in paths.items():
        if name in chosen:
            path.rename(dotfiles / name)
            path.symlink_to(dotfiles / name)
    return slot.path.resolve().parent


def following(slot: FileSlot) -> FileStore:
    return FileStore(slot.home, follow_symlinks=True)


# L1
def test_links_are_refused_unless_asked_for(linked: Path, slot: FileSlot) -> None:
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert describe(caught.value) == (ErrorKind.AUTH_READ_FAILED, "symlink")


# L1
def test_a_linked_login_is_used_where_it_really_is(linked: Path, slot: FileSlot) -> None:
    store = following(slot)
    there = store.slot("acct_1")
    store.select("acct_1")
    assert (store.names(), store.current(), there.load()) == (("acct_1",), "acct_1", login(1))
    links = [path for path in (slot.home, slot.path.parent, slot.path) if path.is_symlink()]
    with locked(there) as held:
        held.reserve(login(1))
        assert held.save(renewed(login(1), 2), login(1).fingerprint) == Saved()
    assert save(there, login(3), None) == Conflict(renewed(login(1), 2))
    assert following(slot).slot("acct_1").load() == renewed(login(1), 2)
    assert links
    assert all(path.is_symlink() for path in links)
    store.prepare()
    there.rescue(login(5))
    with locked(there) as held:
        assert held.load() == login(5)
    assert {name.rpartition(".")[2] for name in names(linked)} <= {"json", "file", "home", "logins"}


def test_every_way_to_a_login_is_the_same_lock(linked: Path, slot: FileSlot) -> None:
    direct = linked if linked.name == "logins" else None
    with locked(following(slot).slot("acct_1")):
        assert following(slot).slot("acct_1").lock() is None
        if direct is not None and not (direct / "acct_1.json").is_symlink():
            assert FileStore(direct.parent).slot("acct_1").lock() is None


def test_a_sign_out_removes_what_a_link_leads_to(linked: Path, slot: FileSlot) -> None:
    assert discard(following(slot).slot("acct_1")) == Deleted()
    assert following(slot).slot("acct_1").load() is None


def test_what_a_link_leads_to_must_not_be_open_to_others(linked: Path, slot: FileSlot) -> None:
    linked.chmod(0o770)
    with pytest.raises(SignInError) as caught:
        following(slot).slot("acct_1").lock()
    assert describe(caught.value) == (WRITE, "too_open")


@as_root
def test_what_a_link_leads_to_must_be_ours(linked: Path, slot: FileSlot) -> None:
    given_away(linked)
    with pytest.raises(SignInError) as caught:
        following(slot).slot("acct_1").lock()
    assert describe(caught.value) == (WRITE, "wrong_owner")


@as_root
def test_a_foreign_file_behind_a_link_is_not_read(linked: Path, slot: FileSlot) -> None:
    given_away(slot.path.resolve())
    with pytest.raises(SignInError) as caught:
        following(slot).slot("acct_1").load()
    assert describe(caught.value) == (ErrorKind.AUTH_READ_FAILED, "wrong_owner")


def test_a_directory_that_serves_more_keeps_its_mode(slot: FileSlot, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    dotfiles.chmod(0o755)
    slot.path.rename(dotfiles / "codex.json")
    slot.path.symlink_to(dotfiles / "codex.json")
    assert save(following(slot).slot("acct_1"), login(2), login(1).fingerprint) == Saved()
    assert dotfiles.stat().st_mode & 0o777 == 0o755
    assert names(dotfiles) == {"codex.json"}
    assert (dotfiles / "codex.lock").exists()


def test_a_link_that_leads_nowhere_is_a_login_that_is_not_there_yet(slot: FileSlot, tmp_path: Path) -> None:
    slot.path.unlink()
    slot.path.symlink_to(tmp_path / "dotfiles" / "codex.json")
    there = following(slot).slot("acct_1")
    assert there.load() is None
    assert save(there, login(1), None) == Saved()
    assert (tmp_path / "dotfiles" / "codex.json").exists()


def test_links_in_a_circle_are_a_typed_error(slot: FileSlot) -> None:
    slot.path.unlink()
    slot.path.symlink_to(slot.path.with_name("other"))
    slot.path.with_name("other").symlink_to(slot.path)
    with pytest.raises(SignInError) as caught:
        following(slot).slot("acct_1").load()
    assert describe(caught.value) == (ErrorKind.AUTH_READ_FAILED, "symlink")
