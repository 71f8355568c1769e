"""A lock is free once it is given back, whatever the system says; and one that cannot be looked at is lost."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.files import Directory
from codex_oauth_core import SignInError
from tests.stores.logins import describe, locked, login, save
from tests.stores.test_locks import WRITE, another_holder


@pytest.mark.parametrize("name", ["EIO", "ENOLCK", "EINTR", "ESTALE", "EBADF"])
@pytest.mark.parametrize("times", [1, 2, 99])
def test_a_lock_that_the_system_does_not_unlock_is_free_for_another_process(
    slot: FileSlot, home: Path, monkeypatch: pytest.MonkeyPatch, name: str, times: int
) -> None:
    real, left, descriptors = fcntl.flock, [times], len(list(Path("/dev/fd").iterdir()))

    def flock(fd: int, operation: int) -> None:
        if operation == fcntl.LOCK_UN and left[0]:
            left[0] -= 1
            raise OSError(getattr(errno, name), "prose")
        real(fd, operation)

    held = locked(slot)
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        held.release()
        with another_holder(home):
            gc.collect()  # what filelock still does about it is done to no file of anybody's
    gc.collect()
    again = slot.lock()
    assert again is not None
    again.release()
    del held, again
    gc.collect()
    assert len(list(Path("/dev/fd").iterdir())) <= descriptors + (times == 99)


def test_a_child_that_gives_back_its_parent_s_lock_closes_nothing(
    slot: FileSlot, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(fd: int, operation: int) -> None:
        raise OSError(errno.EIO, "prose")

    held = locked(slot)
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        pid = os.fork()
        if pid == 0:
            held.release()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert FileStore(home).slot("acct_1").lock() is None
    held.release()
    again = FileStore(home).slot("acct_1").lock()
    assert again is not None
    again.release()


@pytest.mark.parametrize("name", ["EIO", "ESTALE", "EACCES", "ENOTDIR", "ELOOP", "EPERM"])
def test_a_lock_whose_file_cannot_be_looked_at_counts_as_lost(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    save(slot, login(1), None)
    real = Directory.lstat

    def lstat(directory: Directory, of: str) -> os.stat_result | None:
        if of.endswith(".lock"):
            raise OSError(getattr(errno, name), "prose")
        return real(directory, of)

    with locked(slot) as held:
        with monkeypatch.context() as patch:
            patch.setattr(Directory, "lstat", lstat)
            with pytest.raises(SignInError) as caught:
                held.reserve(login(1))
        assert describe(caught.value) == (WRITE, "lock_lost")
        held.reserve(login(1))
        monkeypatch.setattr(Directory, "lstat", lstat)  # and giving it back does not fail for that
    monkeypatch.undo()
    again = locked(slot)
    again.release()


@pytest.mark.parametrize("name", ["EIO", "EACCES"])
def test_a_lock_that_cannot_be_looked_at_when_it_is_taken_is_not_kept(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    locked(slot).release()
    real, looks = Directory.lstat, list[str]()

    def lstat(directory: Directory, of: str) -> os.stat_result | None:
        looks.append(of)
        if of.endswith(".lock") and looks.count(of) == 2:  # after it was taken
            raise OSError(getattr(errno, name), "prose")
        return real(directory, of)

    with monkeypatch.context() as patch:
        patch.setattr(Directory, "lstat", lstat)
        with pytest.raises(SignInError):
            slot.lock()
    assert looks.count("acct_1.lock") == 2
    locked(slot).release()
