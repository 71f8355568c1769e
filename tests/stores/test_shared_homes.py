"""A home that is not ours alone: other people's files, links in the way, file systems that can do less."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores.store import Saved
from codex_oauth_core import SignInError
from tests.stores.logins import login, names, save


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "home")


def test_a_sign_out_leaves_other_peoples_files_in_a_shared_home(store: FileStore) -> None:
    save(store.slot("acct_1"), login(1), None)
    store.select("acct_1")
    others = ("current.csv", "current.txt", "current.tmp", "current.rescue", "currently")
    for other in others:
        (store.home / other).write_text("not ours")
    (store.home / "current.0123456789abcdef.tmp").write_text("ours")
    store.select(None)
    assert names(store.home) == {"logins", *others}


def test_a_home_that_serves_more_keeps_its_mode(store: FileStore) -> None:
    store.home.mkdir()
    (store.home / "current.csv").write_text("not ours")
    store.home.chmod(0o755)
    save(store.slot("acct_1"), login(1), None)
    assert stat.S_IMODE(store.home.stat().st_mode) == 0o755


def test_a_file_system_that_cannot_sync_a_directory_is_enough(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "no way to sync a directory")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    assert save(store.slot("acct_1"), login(1), None) == Saved()


def test_a_home_swapped_for_a_link_takes_no_login_elsewhere(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    real = os.mkdir

    def mkdir(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if path == "logins":  # the last moment at which the home is looked at by its path
            store.home.rename(tmp_path / "moved")
            store.home.symlink_to(victim)
        real(path, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(SignInError) as caught:
        save(store.slot("acct_1"), login(1), None)
    assert caught.value.details["reason"] == "missing"  # nobody else would look for the lock there
    assert names(victim) == set()
    assert names(tmp_path / "moved" / "logins") == set()
