"""How a file is replaced: the order of the steps, and what is left when one of them fails."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import FileStore
from codex_oauth.stores import files
from codex_oauth.stores.failures import ADVICE
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.store import Conflict, Saved, SaveFailed
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.logins import child, describe, discard, failing, locked, login, names, save, tree

STEPS = ("open", "fchmod", "write", "fsync", "replace")
ERRNOS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EBUSY: "busy_mount",
    errno.EXDEV: "busy_mount",
    errno.ENAMETOOLONG: "name_too_long",
    errno.ELOOP: "symlink",
    errno.ENOTDIR: "not_a_directory",
    errno.EISDIR: "not_a_regular_file",
    errno.EMFILE: "too_many_open_files",
    errno.ENFILE: "too_many_open_files",
    errno.ENOMEM: "out_of_memory",
    errno.EIO: "io_error",
    errno.ESTALE: "io_error",
    errno.ENOENT: "missing",
    errno.EPROTO: "os_error",
}


def kind_of(fd: int) -> str:
    return "directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to files, in order."""
    done: list[str] = []

    def spy(name: str, tell: Callable[..., str]) -> None:
        real = getattr(os, name)

        def traced(*args: Any, **options: Any) -> Any:
            done.append(tell(*args, **options))
            return real(*args, **options)

        monkeypatch.setattr(os, name, traced)

    def chmod(fd: int, mode: int) -> str:
        return f"chmod {kind_of(fd)} {mode:o}, {os.fstat(fd).st_size} bytes"

    def write(fd: int, _: object) -> str:
        return f"write {kind_of(fd)} {stat.S_IMODE(os.fstat(fd).st_mode):o}"

    def sync(fd: int) -> str:
        return f"sync {kind_of(fd)}"

    def replace(_: str, new: str, **__: int) -> str:
        return f"replace {new}"

    def unlink(name: str, **_: int) -> str:
        return f"unlink {name.rpartition('.')[2]}"

    spy("fchmod", chmod)
    spy("write", write)
    spy("fsync", sync)
    spy("replace", replace)
    spy("unlink", unlink)
    return done


# F4
def test_a_file_is_private_and_on_the_disk_before_it_has_its_name(slot: FileSlot, trace: list[str]) -> None:
    save(slot, login(2), login(1).fingerprint)
    assert trace == [
        "chmod file 600, 0 bytes",
        "write file 600",
        "sync file",
        "replace acct_1.json",
        "sync directory",
    ]


def test_a_file_that_cannot_be_read_is_put_aside_when_its_successor_is_on_the_disk(
    slot: FileSlot, trace: list[str]
) -> None:
    slot.path.write_bytes(b"junk")
    save(slot, login(2), None, replace_corrupt=True)
    steps = ["sync file", "replace acct_1.json.corrupt-1", "replace acct_1.json", "sync directory"]
    assert trace[2:] == steps


def test_a_conflict_removes_the_temporary_file(slot: FileSlot, trace: list[str]) -> None:
    save(slot, login(2), None)
    assert trace[3:] == ["unlink tmp"]


def test_a_login_is_removed_after_its_copies_and_durably(slot: FileSlot, trace: list[str]) -> None:
    for name in ("acct_1.json.0123.tmp", "acct_1.json.rescue"):
        (slot.path.parent / name).write_bytes(b"")
    discard(slot)
    assert trace == ["unlink tmp", "unlink rescue", "unlink json", "sync directory"]


# F4
def test_a_new_directorys_name_is_made_durable(store: FileStore, trace: list[str]) -> None:
    save(store.slot("acct_1"), login(1), None)
    made = [step.partition(",")[0] for step in trace[:4]]
    assert made == ["chmod directory 700", "sync directory"] * 2


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("code", "reason"), ERRNOS.items(), ids=[errno.errorcode[code] for code in ERRNOS])
def test_a_step_that_fails_is_explained_and_leaves_the_old_login_alone(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str, code: int, reason: str
) -> None:
    before = tree(slot.home)
    with (
        locked(slot) as held,
        failing(monkeypatch, step, OSError(code, "prose")),
        pytest.raises(SaveFailed) as caught,
    ):
        held.save(login(2), login(1).fingerprint)
    assert not caught.value.rescued
    error = caught.value.error
    assert describe(error) == (ErrorKind.AUTH_WRITE_FAILED, reason)
    assert error.details["errno"] == errno.errorcode[code]
    assert error.details["path"] == str(slot.path)
    assert error.next_actions == (ADVICE[reason],)
    assert slot.load() == login(1)
    assert tree(slot.home) == before


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()], ids=type)
def test_an_interruption_leaves_the_old_login_and_no_copy_that_counts(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    before = tree(slot.home)
    with locked(slot) as held, failing(monkeypatch, step, error), pytest.raises(type(error)):
        held.save(login(2), login(1).fingerprint)
    assert slot.load() == login(1)
    locked(slot).release()  # a complete copy is left to the next holder to judge
    assert tree(slot.home) == before


def test_the_first_failure_is_told_when_the_clean_up_fails_too(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, broken = OSError(errno.ENOSPC, "prose"), OSError(errno.EIO, "prose")
    with (
        failing(monkeypatch, "write", full),
        failing(monkeypatch, "unlink", broken),
        pytest.raises(SignInError) as caught,
    ):
        save(slot, login(2), login(1).fingerprint)
    assert describe(caught.value)[1] == "disk_full"


def test_a_copy_that_a_conflict_cannot_remove_is_left_to_the_next_holder(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(slot.home)
    with failing(monkeypatch, "unlink", OSError(errno.EIO, "prose")):
        assert save(slot, login(2), None) == Conflict(login(1))
    assert tree(slot.home) != before
    locked(slot).release()
    assert tree(slot.home) == before


def test_a_directory_that_cannot_be_synced_is_a_failure_with_the_new_login_in_place(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fail(fd: int) -> None:
        if kind_of(fd) == "directory":
            raise OSError(errno.EIO, "prose")
        real(fd)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SignInError) as caught:
        save(slot, login(2), login(1).fingerprint)
    assert describe(caught.value) == (ErrorKind.AUTH_WRITE_FAILED, "io_error")
    assert slot.load() == login(2)


def test_short_writes_are_continued(slot: FileSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def short(fd: int, data: memoryview) -> int:
        return real(fd, data[:7])

    monkeypatch.setattr(os, "write", short)
    assert save(slot, login(2), login(1).fingerprint) == Saved()
    assert slot.load() == login(2)


# L1
def test_a_temporary_name_that_is_taken_is_not_used(slot: FileSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = slot.home / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(os, "urandom", bytes)
    with locked(slot) as held:
        (slot.path.parent / f"acct_1.json.{bytes(8).hex()}.tmp").symlink_to(victim)
        with pytest.raises(SaveFailed) as caught:
            held.save(login(2), login(1).fingerprint)
    assert caught.value.error.details["errno"] == "EEXIST"
    assert (victim.read_bytes(), slot.load()) == (b"precious", login(1))


def test_temporary_names_cannot_be_guessed(slot: FileSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = os.replace

    def see(old: str, new: str, **fds: int) -> None:
        seen.append(old)
        real(old, new, **fds)

    monkeypatch.setattr(os, "replace", see)
    for number in range(1, 20):
        save(slot, login(number + 1), login(number).fingerprint)
    assert len(set(seen)) == 19
    assert all(len(name.split(".")[2]) == 16 for name in seen)


# L5
@pytest.mark.parametrize("failures", [3, 10**9])
def test_a_file_held_open_elsewhere_is_replaced_as_soon_as_it_is_free(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    clock = [100.0]
    tries: list[float] = []
    real = os.replace

    def pass_time(seconds: float) -> None:
        clock[0] += seconds

    def busy(*args: Any, **fds: Any) -> None:
        if args[1] == slot.path.name:
            tries.append(clock[0])
        if args[1] == slot.path.name and len(tries) <= failures:
            raise PermissionError(errno.EACCES, "sharing violation")
        real(*args, **fds)

    monkeypatch.setattr(files, "_PATIENCE", 2.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", pass_time)
    monkeypatch.setattr(os, "replace", busy)
    if failures == 3:
        assert save(slot, login(2), login(1).fingerprint) == Saved()
    else:
        with pytest.raises(SignInError) as caught:
            save(slot, login(2), login(1).fingerprint)
        assert describe(caught.value)[1] == "denied"
        assert 2.0 <= tries[-1] - tries[0] < 2.1


def test_elsewhere_a_refused_replacement_is_final(slot: FileSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def refused(_: str, new: str, **__: Any) -> None:
        tries.append(new)
        raise PermissionError(errno.EACCES, "prose")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(SignInError):
        save(slot, login(2), login(1).fingerprint)
    assert [name.rpartition(".")[2] for name in tries] == ["json", "rescue"]


KILLED = {
    "before anything": ("open", "before", 1),
    "with an empty temporary file": ("fchmod", "before", 1),
    "before its content": ("write", "before", 1),
    "with half its content": ("write", "half", 1),
    "before the content is on the disk": ("fsync", "before", 1),
    "before it has its name": ("replace", "before", 1),
    "before its name is durable": ("replace", "after", 2),
    "after everything": ("fsync", "after", 2),
}


# F1
@pytest.mark.parametrize(("step", "when", "left"), KILLED.values(), ids=KILLED.keys())
def test_a_killed_writer_leaves_a_whole_login(
    slot: FileSlot, tmp_path: Path, step: str, when: str, left: int
) -> None:
    code = f"""
real = os.{step}
def deadly(*args, **options):
    if {step!r} == "open" and not args[1] & os.O_CREAT:
        return real(*args, **options)
    if {when!r} == "half":
        real(args[0], args[1][:50])
    if {when!r} == "after":
        result = real(*args, **options)
        if {step!r} != "fsync" or Path(f"/proc/self/fd/{{args[0]}}").is_dir():
            os._exit(9)
        return result
    os._exit(9)
os.{step} = deadly
save(FileStore({str(slot.home)!r}).slot("acct_1"), login(2), login(1).fingerprint)
"""
    done = child(code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (9, "")
    assert slot.load() == login(left)
    strays = [name for name in names(slot.path.parent) if name.endswith(".tmp")]
    assert len(strays) == (0 if left == 2 or step == "open" else 1)
    assert {mode & 0o077 for mode in tree(slot.home).values()} == {0}
    assert save(slot, login(3), login(left).fingerprint) == Saved()
    discard(slot)
    assert set(tree(slot.home)) == {"logins"}


def test_no_descriptor_stays_open(slot: FileSlot, store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def count() -> int:
        return len(names(Path("/proc/self/fd")))

    before = count()
    save(slot, login(2), login(1).fingerprint)
    save(slot, login(2), None)
    slot.load()
    store.select("acct_1")
    for step in STEPS:
        with failing(monkeypatch, step, OSError(errno.EIO, "prose")), pytest.raises(SignInError):
            save(slot, login(3), login(2).fingerprint)
    slot.path.chmod(0o600)
    os.link(slot.path, slot.home / "other")
    with pytest.raises(SignInError):
        slot.load()
    discard(slot)
    assert count() == before


# F35
def test_a_process_without_free_descriptors_gets_an_error_and_keeps_the_login(slot: FileSlot) -> None:
    code = f"""
import resource
slot = FileStore({str(slot.home)!r}).slot("acct_1")
taken = len(os.listdir("/proc/self/fd")) - 1
for spare in range(0, 4):
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken + spare, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        print(save(slot, login(2), login(1).fingerprint))
    except SignInError as error:
        print(*describe(error))
"""
    done = child(code)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "Saved()"
    assert set(done.stdout.splitlines()[:-1]) == {"auth_write_failed too_many_open_files"}
    assert slot.load() == login(2)
    assert set(tree(slot.home)) == {"logins", "logins/acct_1.json"}
