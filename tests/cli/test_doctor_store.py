"""U17: what `codex-oauth doctor` finds about the store, the logins and other tools; each finding is made to appear."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.doctor import disk, leftovers, locking, logins, place
from codex_oauth.doctor.context import Area, Finding, Verdict
from codex_oauth.stores.files import Directory
from codex_oauth.stores.locks import LoginLock, take_lock
from tests.cli.doctoring import always, case, found, of, verdicts
from tests.cli.transfers import KEY, put

OK, WARN, PROBLEM, SKIPPED = Verdict.OK, Verdict.WARN, Verdict.PROBLEM, Verdict.SKIPPED
HEX = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch, own_home: Path) -> None:
    for name in ("CODEX_OAUTH_HOME", "CODEX_OAUTH_ACCOUNT", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def login(store: FileStore) -> Path:
    """The file of a login."""
    put(store)
    return store.slot(KEY).path


def looked(check: Callable[..., Any], store: FileStore, **changes: object) -> list[Finding]:
    return found(check, case(store.home, **changes))


# -- the place ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({}, "the default of this user"),
        ({"CODEX_OAUTH_HOME": "there"}, "named by CODEX_OAUTH_HOME"),
        ({"XDG_STATE_HOME": "state"}, "under XDG_STATE_HOME"),
    ],
)
def test_the_path_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], why: str
) -> None:
    for name, below in variables.items():
        monkeypatch.setenv(name, str(tmp_path / below))
    row = of(found(place.check, case()), "store")
    assert (row.verdict, row.found) == (OK, f"{FileStore().home}, {why}")


def test_a_store_that_is_named_says_so(store: FileStore) -> None:
    rows = looked(place.check, store)
    assert of(rows, "store").found.endswith("named by --store")
    assert of(rows, "directory").found == "does not exist yet; a sign-in makes it"
    assert not store.home.exists()


def test_a_store_without_a_place_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", "relative")
    (row,) = found(place.check, case())
    assert (row.verdict, row.area, "relative_home" in row.found) == (PROBLEM, Area.STORAGE, True)
    for check in (disk.check, locking.check, leftovers.check, logins.check):
        assert verdicts(found(check, case())) == {SKIPPED}


def test_a_sound_store_has_no_problem(store: FileStore, login: Path) -> None:
    rows = looked(place.check, store)
    assert verdicts(rows) == {OK}
    assert of(rows, "directory", str(store.home / "logins")).found == "yours, mode 0700"
    assert of(rows, "file").found.startswith("2 files, all of them yours")


@pytest.mark.parametrize(("mode", "verdict"), [(0o755, WARN), (0o777, PROBLEM), (0o720, PROBLEM)])
def test_a_directory_that_is_open_to_others_is_told(
    store: FileStore, login: Path, mode: int, verdict: Verdict
) -> None:
    login.parent.chmod(mode)
    row = of(looked(place.check, store), "directory", str(login.parent))
    assert (row.verdict, bool(row.advice)) == (verdict, True)
    assert login.parent.stat().st_mode & 0o777 == mode


def test_a_link_in_the_place_of_a_directory_is_a_problem(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    store.home.symlink_to(tmp_path / "real")
    row = of(looked(place.check, store), "directory")
    assert (row.verdict, row.found) == (PROBLEM, "is a symbolic link")


def test_a_file_in_the_place_of_a_directory_is_a_problem(store: FileStore) -> None:
    store.home.touch()
    assert of(looked(place.check, store), "directory").found == "is not a directory"


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such owners there")
def test_what_belongs_to_another_user_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, login: Path
) -> None:
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    rows = looked(place.check, store)
    assert {row.found for row in rows if row.verdict is PROBLEM} == {"belongs to another user"}
    assert str(login) in {row.subject for row in rows}


def test_a_directory_that_locks_us_out_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, login: Path
) -> None:
    def access(path: Path, mode: int) -> bool:
        return path != store.home

    monkeypatch.setattr(os, "access", access)
    row = of(looked(place.check, store), "directory", str(store.home))
    assert (row.verdict, "cannot use it" in row.found) == (PROBLEM, True)


def test_a_place_that_cannot_be_made_is_a_problem(monkeypatch: pytest.MonkeyPatch, store: FileStore) -> None:
    monkeypatch.setattr(os, "access", always(False))
    row = of(looked(place.check, store), "directory")
    assert (row.verdict, "cannot be made" in row.found) == (PROBLEM, True)


def test_a_file_that_others_can_read_is_told_before_it_is_made_private(store: FileStore, login: Path) -> None:
    login.chmod(0o644)
    row = of(looked(place.check, store), "file", str(login))
    assert (row.verdict, "0644" in row.found, "logout" in row.advice[0]) == (WARN, True, True)
    assert login.stat().st_mode & 0o777 == 0o644
    assert (
        of(looked(logins.check, store), "login").verdict is OK
    )  # which reads it, without a warning of its own


def test_a_file_that_is_a_link_or_has_another_one_is_a_problem(store: FileStore, login: Path) -> None:
    (login.parent / "elsewhere").hardlink_to(login)
    assert of(looked(place.check, store), "file", str(login)).found == "has another hard link"
    login.unlink()
    login.symlink_to(login.parent / "elsewhere")
    assert of(looked(place.check, store), "file", str(login)).found == "is a symbolic link"


def test_a_file_that_cannot_be_looked_at_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, login: Path
) -> None:
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        if path == login:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    row = of(looked(place.check, store), "file", str(login))
    assert (row.verdict, "cannot be looked at" in row.found) == (PROBLEM, True)


# -- the disk -----------------------------------------------------------------------------------------


def mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *lines: str) -> None:
    path = tmp_path / "mountinfo"
    path.write_text("\n".join(lines))
    monkeypatch.setattr(disk, "MOUNTS", path)
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse", "drvfs", "ceph"])
def test_a_file_system_that_may_not_lock_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: FileStore, kind: str
) -> None:
    mounted(
        monkeypatch,
        tmp_path,
        "1 0 0:1 / / rw - ext4 /dev/a rw",
        f"2 1 0:2 / {tmp_path} rw shared:1 - {kind} x rw",
    )
    row = of(looked(disk.check, store), "file-system")
    assert (row.verdict, row.found.startswith(f"{kind}:"), bool(row.advice)) == (WARN, True, True)


def test_the_innermost_mount_counts_and_the_last_of_two(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: FileStore
) -> None:
    escaped = str(tmp_path).replace("t", r"\164")
    lines = (
        f"2 1 0:2 / {escaped} rw - nfs x rw",
        f"3 1 0:3 / {tmp_path} rw - xfs x rw",
        "noise",
        "1 0 0:1 / / rw - nfs x rw",
    )
    mounted(monkeypatch, tmp_path, *lines)
    row = of(looked(disk.check, store), "file-system")
    assert (row.verdict, row.found) == (OK, "xfs")
    mounted(monkeypatch, tmp_path, *reversed(lines))
    assert of(looked(disk.check, store), "file-system").verdict is WARN


def test_an_unknown_kind_is_no_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: FileStore
) -> None:
    monkeypatch.setattr(disk, "MOUNTS", tmp_path / "gone")
    assert of(looked(disk.check, store), "file-system").verdict is SKIPPED


@pytest.mark.parametrize(
    ("free", "verdict"), [(disk.LEAST - 1, PROBLEM), (disk.LEAST, WARN), (disk.LITTLE, OK)]
)
def test_little_room_is_told(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, free: int, verdict: Verdict
) -> None:
    @attrs.frozen
    class Usage:
        free: int

    monkeypatch.setattr(shutil, "disk_usage", always(Usage(free)))
    assert of(looked(disk.check, store), "space").verdict is verdict


def test_a_place_that_cannot_be_written_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore
) -> None:
    monkeypatch.setattr(os, "access", always(False))
    assert of(looked(disk.check, store), "space").found == "cannot be written"


# -- the lock -----------------------------------------------------------------------------------------


def test_a_lock_holds_against_this_process_and_another_and_leaves_nothing(
    store: FileStore, login: Path
) -> None:
    before = sorted(login.parent.iterdir())
    (row,) = looked(locking.check, store)
    assert (row.verdict, row.found) == (OK, "holds against this process and another")
    assert sorted(login.parent.iterdir()) == before


def test_the_other_process_sees_what_is_held(store: FileStore, login: Path) -> None:
    with Directory(login.parent, os.open(login.parent, os.O_RDONLY)) as directory:
        lock = take_lock(directory, "x.lock", soft=False)
        assert lock is not None
        assert locking._elsewhere(login.parent, "x.lock") == locking.LOCK_REFUSED
        lock.give_back()
        assert locking._elsewhere(login.parent, "x.lock") == locking.LOCK_GIVEN


def test_without_a_store_no_lock_is_tried(store: FileStore) -> None:
    assert looked(locking.check, store)[0].verdict is SKIPPED
    assert not store.home.exists()


def test_a_lock_that_does_not_hold_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, login: Path
) -> None:
    monkeypatch.setattr(locking, "_attempt", always(locking.LOCK_GIVEN))
    monkeypatch.setattr(locking, "_elsewhere", always(locking.LOCK_REFUSED))
    (row,) = looked(locking.check, store)
    assert (row.verdict, row.area, bool(row.advice)) == (PROBLEM, Area.STORAGE, True)
    assert "this process got the lock while it was held" in row.found
    assert "another process was refused a lock that nobody held" in row.found


def test_a_lock_that_holds_only_inside_a_process_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, login: Path
) -> None:
    monkeypatch.setattr(locking, "_elsewhere", always(locking.LOCK_GIVEN))
    (row,) = looked(locking.check, store)
    assert row.found == "another process got the lock while it was held"


def test_a_lock_that_is_not_given_at_all_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, login: Path
) -> None:
    monkeypatch.setattr(locking, "take_lock", always(None))
    assert looked(locking.check, store)[0].verdict is PROBLEM


def test_a_file_system_without_locks_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, login: Path
) -> None:
    def refuse(directory: Directory, name: str, *, soft: bool) -> LoginLock | None:
        raise directory.problem("no_locks", name)

    monkeypatch.setattr(locking, "take_lock", refuse)
    (row,) = looked(locking.check, store)
    assert (row.verdict, row.found, "local disk" in row.advice[0]) == (
        PROBLEM,
        "cannot be taken: no_locks",
        True,
    )


@pytest.mark.parametrize("executable", ["", "/nowhere/python"])
def test_where_no_other_process_starts_that_is_said(
    monkeypatch: pytest.MonkeyPatch, store: FileStore, login: Path, executable: str
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    (row,) = looked(locking.check, store)
    assert (row.verdict, "no other one could be started" in row.found) == (OK, True)
