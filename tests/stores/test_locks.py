"""One holder at a time, among threads, processes and forked children, whatever happens to the lock's file."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import FileStore
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.store import Saved, SaveFailed
from codex_oauth_core import ErrorKind, SignInError
from codex_oauth_core.record import write_record
from tests.stores.logins import as_root, child, delete, describe, given_away, locked, login, renewed, save
from tests.transport.servers import BUSY

WRITE = ErrorKind.AUTH_WRITE_FAILED


def lock_file(slot: FileSlot) -> Path:
    return slot.path.with_name("acct_1.lock")


@contextmanager
def another_holder(home: Path, *, soft: bool = False) -> Generator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is told to end, or killed."""
    code = (
        "import sys; from codex_oauth.stores.file_store import FileStore\n"
        f"held = FileStore({str(home)!r}, soft_lock={soft}).slot('acct_1').lock()\n"
        "print(held is not None, flush=True); sys.stdin.read(); held.release()"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("soft", [False, True])
def test_a_lock_of_another_process_is_busy_at_once_and_free_when_it_is_given_back(
    home: Path, soft: bool
) -> None:
    slot = FileStore(home, soft_lock=soft).slot("acct_1")
    with another_holder(home, soft=soft) as process:
        began = time.monotonic()
        assert [slot.lock() for _ in range(5)] == [None] * 5
        assert time.monotonic() - began < BUSY
        process.communicate("")
        locked(slot).release()


@pytest.mark.parametrize("soft", [False, True])
def test_f1_a_killed_holder_has_no_lock(home: Path, soft: bool) -> None:
    slot = FileStore(home, soft_lock=soft).slot("acct_1")
    with another_holder(home, soft=soft) as process:
        process.kill()
        process.wait()
        began = time.monotonic()
        while (held := slot.lock()) is None:
            assert time.monotonic() - began < BUSY  # a soft lock is taken over in two looks
        held.release()


def test_f8_a_stopped_holder_keeps_its_lock_and_blocks_nobody(home: Path) -> None:
    slot = FileStore(home).slot("acct_1")
    with another_holder(home) as process:
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert slot.lock() is None
        assert time.monotonic() - began < BUSY


def test_the_file_of_a_lock_stays_for_ever_and_is_private(slot: FileSlot) -> None:
    before = lock_file(slot).stat()
    save(slot, login(2), login(1).fingerprint)
    delete(slot, login(2).fingerprint)
    after = lock_file(slot).stat()
    assert (after.st_ino, after.st_mode & 0o777, after.st_size) == (before.st_ino, 0o600, 0)


@pytest.mark.parametrize("umask", [0o000, 0o777, 0o277, 0o022])
def test_the_file_of_a_lock_is_private_whatever_the_umask_is(
    plain_user: tuple[Path, int | None], umask: int
) -> None:
    place, uid = plain_user
    code = f"""
slot = FileStore({str(place / "home")!r}).slot("acct_1")
locked(slot).release()
locked(slot).release()
print(oct(slot.path.with_name("acct_1.lock").stat().st_mode & 0o7777))
"""
    done = child(code, uid=uid, umask=umask, cwd=place)
    assert (done.stdout, done.stderr) == ("0o600\n", "")


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o644, 0o666])
def test_the_mode_of_a_locks_file_is_put_right(plain_user: tuple[Path, int | None], mode: int) -> None:
    place, uid = plain_user
    code = f"""
slot = FileStore({str(place / "home")!r}).slot("acct_1")
locked(slot).release()
path = slot.path.with_name("acct_1.lock")
path.chmod({mode})
locked(slot).release()
print(oct(path.stat().st_mode & 0o7777))
"""
    done = child(code, uid=uid, cwd=place)
    assert (done.stdout, done.stderr) == ("0o600\n", "")


# L1
def test_a_link_in_place_of_a_lock_is_not_followed(slot: FileSlot) -> None:
    lock_file(slot).unlink()
    for target in (slot.home / "victim", slot.home / "nowhere"):
        lock_file(slot).symlink_to(target)
        (slot.home / "victim").write_bytes(b"precious")
        with pytest.raises(SignInError) as caught:
            slot.lock()
        assert describe(caught.value) == (WRITE, "symlink")
        lock_file(slot).unlink()
    assert (slot.home / "victim").read_bytes() == b"precious"
    assert not (slot.home / "nowhere").exists()
    assert slot.load() == login(1)


def test_a_link_that_appears_after_the_lock_was_looked_at_is_not_followed(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, victim = os.open, slot.home / "victim"

    def swap(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if os.fspath(path) == os.path.realpath(lock_file(slot)):
            lock_file(slot).unlink()
            lock_file(slot).symlink_to(victim)
            monkeypatch.setattr(os, "open", real)
        return real(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(SignInError) as caught:
        slot.lock()
    assert describe(caught.value) == (WRITE, "symlink")
    assert not victim.exists()


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def made_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def hard_linked(path: Path) -> None:
    os.link(path, path.parent / "elsewhere")


# L3
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (piped, "not_a_regular_file"),
        (made_directory, "not_a_regular_file"),
        (hard_linked, "hard_link"),
        pytest.param(given_away, "wrong_owner", marks=as_root),
    ],
)
def test_what_is_no_lock_of_ours_is_refused_and_the_login_can_be_read(
    slot: FileSlot, spoil: Any, reason: str
) -> None:
    spoil(lock_file(slot))
    with pytest.raises(SignInError) as caught:
        slot.lock()
    assert describe(caught.value) == (WRITE, reason)
    assert slot.load() == login(1)


# R12
def test_another_spelling_of_the_home_is_the_same_lock(slot: FileSlot, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(tmp_path)
    other = FileStore(tmp_path / "alias" / "home").slot("acct_1")
    with locked(slot):
        assert other.lock() is None
    with locked(other):
        assert slot.lock() is None


@pytest.mark.parametrize("way", ["removed", "replaced", "swapped for a link"])
def test_f9_a_lock_whose_file_was_removed_is_found_out_before_anything_is_spent(
    slot: FileSlot, way: str
) -> None:
    with locked(slot) as held:
        lock_file(slot).rename(slot.home / "elsewhere")
        if way == "replaced":
            lock_file(slot).touch(mode=0o600)
        if way == "swapped for a link":
            lock_file(slot).symlink_to(slot.home / "elsewhere")
        with pytest.raises(SignInError) as caught:
            held.reserve(login(1))
        assert describe(caught.value) == (WRITE, "lock_lost")
    stored = slot.load()
    assert stored is not None
    assert stored.fingerprint == login(1).fingerprint


def test_f9_who_lost_a_lock_takes_no_intent_back_over_the_next_holders(slot: FileSlot) -> None:
    with locked(slot) as held:
        held.reserve(login(1))
        lock_file(slot).unlink()
        marked = slot.load()
    assert slot.load() == marked
    assert marked is not None
    assert marked.intent is not None


def test_f9_a_live_and_young_intent_keeps_out_who_locks_a_new_file(slot: FileSlot) -> None:
    code = f"print(FileStore({str(slot.home)!r}).slot('acct_1').lock())"
    with locked(slot) as held:
        held.reserve(login(1))
        lock_file(slot).unlink()
        assert child(code).stdout == "None\n"
        assert slot.lock() is None  # in this process too
        with pytest.raises(SaveFailed) as caught:  # the lock may be another's: it is put beside
            held.save(renewed(login(1), 2), login(1).fingerprint)
        assert (caught.value.error.details["reason"], caught.value.rescued) == ("lock_lost", True)
    with locked(slot) as held:
        assert held.load() == renewed(login(1), 2)


@pytest.mark.parametrize("name", ["ENOLCK", "ENOSYS", "ESTALE", "EOPNOTSUPP", "ENOTSUP", "EINVAL"])
def test_f10_a_file_system_without_locks_can_be_read_and_not_renewed(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def flock(*_: object) -> None:
        raise OSError(getattr(errno, name), "prose")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(SignInError) as caught:
        slot.lock()
    assert describe(caught.value) == (WRITE, "no_locks")
    assert "soft_lock=True" in caught.value.next_actions[0]
    assert slot.load() == login(1)
    monkeypatch.undo()
    locked(slot).release()


def test_f10_a_soft_lock_needs_no_kernel(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "prose")

    monkeypatch.setattr(fcntl, "flock", flock)
    slot = FileStore(home, soft_lock=True).slot("acct_1")
    assert save(slot, login(1), None) == Saved()
    with locked(slot) as held:
        assert slot.lock() is None
        held.reserve(login(1))
        assert held.save(renewed(login(1), 2), login(1).fingerprint) == Saved()
        assert slot.path.with_name("acct_1.softlock").stat().st_mode & 0o777 == 0o600
    assert not slot.path.with_name("acct_1.softlock").exists()


def test_a_soft_lock_that_was_removed_is_found_out(home: Path) -> None:
    slot = FileStore(home, soft_lock=True).slot("acct_1")
    save(slot, login(1), None)
    with locked(slot) as held:
        slot.path.with_name("acct_1.softlock").unlink()
        with pytest.raises(SignInError) as caught:
            held.reserve(login(1))
        assert describe(caught.value) == (WRITE, "lock_lost")


def test_what_was_given_back_holds_nothing(slot: FileSlot) -> None:
    held = locked(slot)
    held.release()
    held.release()
    for use in (held.load, lambda: held.reserve(login(1)), lambda: held.delete(None)):
        with pytest.raises(SignInError) as caught:
            use()
        assert describe(caught.value)[1] == "lock_lost"
    with pytest.raises(SaveFailed) as failed:
        held.save(login(2), login(1).fingerprint)
    assert (describe(failed.value.error), failed.value.rescued) == ((WRITE, "lock_lost"), False)
    assert slot.load() == login(1)


def test_f35_a_lock_costs_no_descriptor_once_it_is_given_back(slot: FileSlot) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    locked(slot).release()
    before = count()
    for _ in range(5):
        with locked(slot) as held:
            held.reserve(login(1))
            assert slot.lock() is None
    with pytest.raises(SignInError), locked(slot) as held:
        held.reserve(login(2))
    assert count() == before


def test_f35_a_refresh_that_was_reserved_needs_no_descriptor_to_be_kept(slot: FileSlot) -> None:
    code = f"""
import resource
slot = FileStore({str(slot.home)!r}).slot("acct_1")
held = locked(slot)
held.reserve(login(1))
taken = [os.dup(0) for _ in range(50)][-1] + 1
resource.setrlimit(resource.RLIMIT_NOFILE, (taken, taken))
try: slot.load()
except SignInError as error: print(*describe(error))
print(held.save(renewed(login(1), 2), login(1).fingerprint), flush=True)
os._exit(9)
"""
    done = child(code)
    assert done.stderr == ""
    assert done.stdout == "auth_read_failed too_many_open_files\nSaved()\n"
    with locked(slot) as held:
        assert held.load() == renewed(login(1), 2)


def test_a_login_that_cannot_be_read_can_be_locked(slot: FileSlot) -> None:
    slot.path.write_bytes(b"junk")
    with locked(slot) as held, pytest.raises(SignInError) as caught:
        held.reserve(login(1))
    assert describe(caught.value) == (ErrorKind.CORRUPT_AUTH, "not_json")
    slot.path.write_bytes(write_record(login(1)))
    with locked(slot) as held:
        held.reserve(login(1))
    assert slot.load() == login(1)
