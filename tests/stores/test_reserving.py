"""Space and intent before a refresh token is spent: all there, or a clean error and the old login."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.stores import locked_login
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.logins import describe, failing, locked, login, names, renewed, tree

WRITE = ErrorKind.AUTH_WRITE_FAILED
OLD = login(1).fingerprint


def space_of(slot: FileSlot) -> Path:
    (found,) = slot.path.parent.glob("*.tmp")
    return found


@pytest.mark.parametrize("padding", [0, 100_000])
def test_f11_the_space_is_really_there(slot: FileSlot, padding: int) -> None:
    record = login(1, unknown={"padding": "x" * padding})
    with locked(slot) as held:
        held.reserve(record)
        found, size = space_of(slot).stat(), slot.path.stat().st_size
        assert found.st_size >= max(16 * 1024, 2 * size)
        assert found.st_blocks * 512 >= found.st_size
        assert found.st_mode & 0o777 == 0o600


@pytest.mark.parametrize("way", ["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "EINTR", "EBADF"])
def test_what_else_keeps_space_from_being_had_is_told_and_nothing_is_left(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with locked(slot) as held:
        before = names(slot.path.parent)
        with failing(monkeypatch, "posix_fallocate", OSError(getattr(errno, way), "prose")):
            with pytest.raises(SignInError) as caught:
                held.reserve(login(1))
            assert names(slot.path.parent) == before
        assert caught.value.details["errno"] == way
        held.reserve(login(1))
    assert slot.load() == login(1)


def test_space_is_given_back_once_it_is_not_needed(slot: FileSlot) -> None:
    """When it is taken anew, when the login is deleted, and when the lock is given back."""
    before = names(slot.path.parent)
    descriptors = len(list(Path("/dev/fd").iterdir()))
    with locked(slot) as held:
        held.reserve(login(1))
        first = space_of(slot)
        held.reserve(login(1))
        assert space_of(slot) != first  # one, and another one
        assert not first.exists()
    assert names(slot.path.parent) == before
    with locked(slot) as held:
        held.reserve(login(1))
        assert held.delete(OLD) == Deleted()
        assert names(slot.path.parent) == set()
    assert names(slot.path.parent) == set()
    assert len(list(Path("/dev/fd").iterdir())) == descriptors


@pytest.mark.parametrize("way", ["missing", "EOPNOTSUPP", "EINVAL", "ENOSYS"])
def test_where_nothing_allocates_the_space_is_written(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def allocate(*_: int) -> None:
        raise OSError(getattr(errno, way), "prose")

    if way == "missing":
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", allocate)
    monkeypatch.setattr(locked_login, "_BLOCK", 5000)
    with locked(slot) as held:
        held.reserve(login(1))
        found = space_of(slot).stat()
        assert found.st_blocks * 512 >= found.st_size == 16 * 1024
        assert held.save(renewed(login(1), 2), OLD) == Saved()
    assert slot.load() == renewed(login(1), 2)


def test_the_reserved_space_is_what_is_saved_into(slot: FileSlot) -> None:
    with locked(slot) as held:
        held.reserve(login(1))
        inode = space_of(slot).stat().st_ino
        held.save(renewed(login(1), 2), OLD)
        assert slot.path.stat().st_ino == inode
    assert slot.load() == renewed(login(1), 2)
    assert names(slot.path.parent) == {"acct_1.json"}


def test_an_answer_that_does_not_fit_is_saved_all_the_same(slot: FileSlot) -> None:
    answer = renewed(login(1), 2, unknown={"padding": "x" * 100_000})
    with locked(slot) as held:
        held.reserve(login(1))
        assert held.save(answer, OLD) == Saved()
    assert slot.load() == answer
    assert names(slot.path.parent) == {"acct_1.json"}


def test_a_reservation_that_somebody_removed_is_made_up_for(slot: FileSlot) -> None:
    with locked(slot) as held:
        held.reserve(login(1))
        space_of(slot).unlink()
        assert held.save(renewed(login(1), 2), OLD) == Saved()
    assert slot.load() == renewed(login(1), 2)


def test_a_reservation_that_cannot_be_written_is_made_up_for(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: int) -> None:
        raise OSError(errno.EIO, "prose")

    with locked(slot) as held:
        held.reserve(login(1))
        monkeypatch.setattr(os, "ftruncate", broken)
        assert held.save(renewed(login(1), 2), OLD) == Saved()
    assert slot.load() == renewed(login(1), 2)
    assert names(slot.path.parent) == {"acct_1.json"}


def test_a_conflict_removes_the_copy_and_takes_the_intent_back(slot: FileSlot) -> None:
    with locked(slot) as held:
        held.reserve(login(1))
        answer = held.save(renewed(login(5), 6), login(5).fingerprint)
        assert isinstance(answer, Conflict)
    assert slot.load() == login(1)
    assert names(slot.path.parent) == {"acct_1.json"}


@pytest.mark.parametrize("record", [login(2), renewed(login(1), 2)])
def test_nothing_is_reserved_for_what_is_not_stored(slot: FileSlot, record: Any) -> None:
    with locked(slot) as held:
        with pytest.raises(SignInError) as caught:
            held.reserve(record)
        assert describe(caught.value) == (WRITE, "changed")
        assert names(slot.path.parent) == {"acct_1.json"}
    assert slot.load() == login(1)


def test_the_intent_says_who_where_and_when(slot: FileSlot) -> None:
    with locked(slot) as held:
        held.reserve(login(1, uncertain_at=3.0))
        stored = slot.load()
    assert stored is not None
    assert stored.intent is not None
    assert (stored.intent.pid, stored.uncertain_at) == (os.getpid(), 3.0)
    assert abs(stored.intent.at - time.time()) < 5


STEPS = ("open", "fchmod", "posix_fallocate", "fsync", "write", "replace")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO, errno.EACCES])
def test_f11_f13_a_step_that_fails_leaves_the_old_login(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    before = tree(slot.home)
    with locked(slot) as held:
        with failing(monkeypatch, step, OSError(code, "prose")), pytest.raises(SignInError) as caught:
            held.reserve(login(1))
        assert describe(caught.value)[0] is WRITE
        assert caught.value.details["errno"] == errno.errorcode[code]
    assert slot.load() == login(1)
    assert tree(slot.home) == before


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()], ids=type)
def test_an_interruption_leaves_the_old_login(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    before = tree(slot.home)
    with locked(slot) as held, failing(monkeypatch, step, error), pytest.raises(type(error)):
        held.reserve(login(1))
    assert slot.load() == login(1)
    locked(slot).release()
    assert tree(slot.home) == before


def test_f4_the_intent_is_on_the_disk_before_the_lock_is_looked_at_for_the_last_time(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_sync, real_replace, real_stat = os.fsync, os.replace, os.stat

    def fsync(fd: int) -> None:
        done.append("sync directory" if Path(f"/proc/self/fd/{fd}").is_dir() else "sync file")
        real_sync(fd)

    def replace(old: str, new: str, **fds: int) -> None:
        done.append(f"replace {new}")
        real_replace(old, new, **fds)

    def look(path: Any, **options: Any) -> os.stat_result:
        if path == "acct_1.lock":
            done.append("look at the lock")
        return real_stat(path, **options)

    with locked(slot) as held:
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)
        monkeypatch.setattr(os, "stat", look)
        held.reserve(login(1))
        monkeypatch.undo()
    assert done[-1] == "look at the lock"
    written = [step for step in done if step != "look at the lock"]
    assert written == ["sync file", "sync file", "replace acct_1.json", "sync directory"]
    assert done[done.index("replace acct_1.json") - 1] == "look at the lock"  # another holder's login stays


def test_an_unused_reservation_is_taken_back_without_new_space(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = locked(slot)
    held.reserve(login(1))
    inode = space_of(slot).stat().st_ino
    with failing(monkeypatch, "open", OSError(errno.ENOSPC, "prose")):
        held.release()
    assert slot.load() == login(1)
    assert slot.path.stat().st_ino == inode
    assert names(slot.path.parent) == {"acct_1.json"}


@pytest.mark.parametrize("step", ["ftruncate", "fsync", "replace", "unlink", "write"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES])
def test_an_intent_that_cannot_be_taken_back_stays_and_the_lock_is_free(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    held = locked(slot)
    held.reserve(login(1))
    with failing(monkeypatch, step, OSError(code, "prose")):
        held.release()
    with locked(slot) as next_holder:
        stored = next_holder.load()
        assert stored is not None
        assert stored.fingerprint == OLD
        assert names(slot.path.parent) == {"acct_1.json"}


def after_a_save(held: FileLockedLogin) -> None:
    assert held.save(renewed(login(1), 2), OLD) == Saved()


def after_a_deletion(held: FileLockedLogin) -> None:
    assert held.delete(OLD) == Deleted()


def after_another_programs_save(held: FileLockedLogin) -> None:
    stored = held.load()
    assert stored is not None
    held.save(login(3), OLD)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (after_a_save, renewed(login(1), 2)),
        (after_a_deletion, None),
        (after_another_programs_save, login(3)),
    ],
)
def test_an_intent_is_taken_back_only_where_it_still_is(
    slot: FileSlot, change: Callable[[FileLockedLogin], None], left: Any
) -> None:
    with locked(slot) as held:
        held.reserve(login(1))
        change(held)
    assert slot.load() == left
    assert names(slot.path.parent) == (set() if left is None else {"acct_1.json"})


def test_f17_a_deletion_is_not_undone_by_a_reservation_that_was_not_used(slot: FileSlot) -> None:
    with locked(slot) as held:
        held.reserve(login(1))
        slot.path.unlink()  # by a person who takes no lock
    assert slot.load() is None
    assert names(slot.path.parent) == set()


def test_f16_a_login_that_was_written_meanwhile_is_not_overwritten(slot: FileSlot) -> None:
    from codex_oauth_core.record import write_record

    with locked(slot) as held:
        held.reserve(login(1))
        slot.path.write_bytes(write_record(login(3)))  # by a program that takes no lock
        assert held.save(renewed(login(1), 2), OLD) == Conflict(login(3))
    assert slot.load() == login(3)


def test_a_deletion_removes_a_reservation(slot: FileSlot) -> None:
    with locked(slot) as held:
        held.reserve(login(1))
        held.delete(OLD)
        assert names(slot.path.parent) == set()


@pytest.mark.parametrize("error", [OSError(errno.EIO, "prose"), MemoryError()], ids=type)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_f2_an_intent_stays_where_a_save_failed_because_the_token_may_be_spent(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception
) -> None:
    held = locked(slot)
    held.reserve(login(1))
    with failing(monkeypatch, step, error), pytest.raises((SaveFailed, MemoryError)):
        held.save(login(2), OLD)  # a sign-in, which is not adopted where nobody could rescue it
    held.release()
    stored = slot.load()
    assert stored is not None
    assert (stored.fingerprint, stored.in_doubt) == (OLD, True)
    locked(slot).release()  # the one who left it has given the lock back, and it is only a doubt


def test_f2_an_intent_stays_where_an_exception_ends_the_hold(slot: FileSlot) -> None:
    def interrupted() -> None:
        with locked(slot) as held:
            held.reserve(login(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    stored = slot.load()
    assert stored is not None
    assert stored.in_doubt
    assert names(slot.path.parent) == {"acct_1.json"}
