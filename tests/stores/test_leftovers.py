"""What interrupted holders leave behind: adopted where it is worth something, removed where it is not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.stores import file_store
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.login_file import recover
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed, StoreWarning
from codex_oauth_core import ErrorKind, Record, SignInError
from codex_oauth_core.record import write_record
from tests.stores.logins import (
    as_root,
    describe,
    discard,
    failing,
    given_away,
    locked,
    login,
    names,
    renewed,
    save,
)

OLD = login(1).fingerprint
NEW = renewed(login(1), 2)
STRAY, RESCUED = ".0123456789abcdef.tmp", ".0123456789abcdef.rescue"


def elsewhere(record: Record, **fields: Any) -> Record:
    return attrs.evolve(record, credential=attrs.evolve(record.credential, **fields))


def put_beside(slot: FileSlot, ending: str, content: bytes | Record) -> Path:
    path = slot.path.with_name(slot.path.name + ending)
    path.write_bytes(write_record(content) if isinstance(content, Record) else content)
    path.chmod(0o600)
    return path


COPIES: dict[str, tuple[bytes | Record, bool, bool]] = {
    # what is there, whether it is adopted as a stray, and as a rescued one
    "its renewal": (NEW, True, True),
    "half of its renewal": (write_record(NEW)[:-40], False, False),
    "its renewal and zeros": (write_record(NEW) + bytes(100), False, False),
    "zeros": (bytes(16 * 1024), False, False),
    "nothing": (b"", False, False),
    "junk": (os.urandom(100), False, False),
    "itself": (login(1), False, True),
    "its token with another parent": (renewed(login(7), 1, spent=True), False, False),
    "a renewal of another one": (renewed(login(7), 8), False, False),
    "a sign-in": (login(5), False, True),
    "another account's renewal": (elsewhere(NEW, account_id="acct_2"), False, False),
    "another account's sign-in": (login(5, "acct_2"), False, False),
    "another issuer's renewal": (elsewhere(NEW, issuer="https://other.example"), False, False),
    "another client's renewal": (elsewhere(NEW, client_id="app_2"), False, False),
}


# R10
@pytest.mark.parametrize("ending", [STRAY, RESCUED])
@pytest.mark.parametrize(("copy", "as_stray", "as_rescued"), COPIES.values(), ids=COPIES.keys())
def test_f2_a_copy_is_adopted_or_removed(
    slot: FileSlot, ending: str, copy: bytes | Record, as_stray: bool, as_rescued: bool
) -> None:
    beside = put_beside(slot, ending, copy)
    adopted = as_stray if ending == STRAY else as_rescued
    # who only reads changes nothing, and sees what was put beside on purpose
    assert slot.load() == (copy if adopted and ending == RESCUED else login(1))
    assert names(slot.path.parent) == {"acct_1.json", beside.name}
    with locked(slot) as held:
        assert held.load() == (copy if adopted else login(1))
        assert names(slot.path.parent) == {"acct_1.json"}
    assert slot.path.stat().st_mode & 0o777 == 0o600


# R10
@pytest.mark.parametrize("ending", [STRAY, RESCUED])
def test_a_renewal_waits_for_a_login_that_was_taken_away(slot: FileSlot, ending: str) -> None:
    put_beside(slot, ending, NEW)
    away = slot.path.rename(slot.path.with_name("elsewhere"))
    with locked(slot) as held:
        assert held.load() is None
    away.rename(slot.path)
    with locked(slot) as held:
        assert held.load() == NEW
    assert names(slot.path.parent) == {"acct_1.json"}


def test_a_chain_of_renewals_is_followed_to_its_end(slot: FileSlot) -> None:
    chain = [NEW, renewed(NEW, 3), renewed(renewed(NEW, 3), 4)]
    for number, record in enumerate(reversed(chain)):
        put_beside(slot, f".{number:016x}.{'tmp' if number % 2 else 'rescue'}", record)
    with locked(slot) as held:
        assert held.load() == chain[-1]
    assert names(slot.path.parent) == {"acct_1.json"}


def test_only_the_names_that_are_given_here_are_leftovers(slot: FileSlot) -> None:
    others = (".0123.tmp", ".0123456789abcdeg.tmp", ".rescue", ".bak", ".0123456789ABCDEF.rescue", "~")
    for ending in others:
        put_beside(slot, ending, NEW)
    other = slot.path.with_name(f"acct_12.json{RESCUED}")
    other.write_bytes(b"")
    with locked(slot) as held:
        assert held.load() == login(1)
    assert names(slot.path.parent) == {"acct_1.json", other.name, *(f"acct_1.json{each}" for each in others)}


def linked(path: Path) -> None:
    target = path.parent.parent / "elsewhere"
    path.rename(target)
    path.symlink_to(target)


def hard_linked(path: Path) -> None:
    os.link(path, path.parent.parent / "elsewhere")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("ending", [STRAY, RESCUED])
@pytest.mark.parametrize("spoil", [linked, hard_linked, piped, pytest.param(given_away, marks=as_root)])
def test_a_copy_that_is_no_plain_file_of_ours_is_removed_and_not_followed(
    slot: FileSlot, ending: str, spoil: Callable[[Path], None]
) -> None:
    spoil(put_beside(slot, ending, NEW))
    with locked(slot) as held:
        assert held.load() == login(1)
    assert names(slot.path.parent) == {"acct_1.json"}
    target = slot.home / "elsewhere"
    assert not target.exists() or target.read_bytes() == write_record(NEW)


def test_a_directory_with_a_leftovers_name_harms_nobody(slot: FileSlot) -> None:
    slot.path.with_name(f"acct_1.json{STRAY}").mkdir()
    with locked(slot) as held:
        held.reserve(login(1))
        assert held.save(NEW, OLD) == Saved()
    assert slot.load() == NEW


def test_a_copy_that_was_open_to_others_is_adopted_with_a_warning(slot: FileSlot) -> None:
    put_beside(slot, RESCUED, NEW).chmod(0o644)
    with pytest.warns(StoreWarning), locked(slot) as held:
        assert held.load() == NEW
    assert slot.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("ending", [STRAY, RESCUED])
def test_r8_a_copy_of_a_newer_release_stays_and_nothing_is_renewed_beside_it(
    slot: FileSlot, ending: str
) -> None:
    copy = put_beside(slot, ending, b'{"schema_version": 2}')
    with locked(slot) as held:
        assert held.load() == login(1)
        with pytest.raises(SignInError) as caught:
            held.reserve(login(1))
        assert describe(caught.value) == (ErrorKind.CORRUPT_AUTH, "schema_too_new")
    assert copy.exists()
    assert discard(slot) == Deleted()
    assert not copy.exists()


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_f12_a_renewal_that_cannot_be_adopted_is_kept_and_nothing_is_spent(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    copy = put_beside(slot, RESCUED, NEW)
    real = getattr(os, step)

    def fail(*args: Any, **options: Any) -> Any:
        if step != "open" or args[0] == copy.name:
            raise OSError(errno.EIO, "prose")
        return real(*args, **options)

    monkeypatch.setattr(os, step, fail)
    with locked(slot) as held:
        with pytest.raises(SignInError) as caught:
            held.reserve(login(1))
        assert describe(caught.value) == (ErrorKind.AUTH_WRITE_FAILED, "io_error")
    monkeypatch.undo()
    with locked(slot) as held:
        assert held.load() == NEW


def test_a_leftover_that_cannot_be_removed_stops_nobody(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_beside(slot, STRAY, b"junk")
    with failing(monkeypatch, "unlink", OSError(errno.EACCES, "prose")):
        locked(slot).release()
    locked(slot).release()
    assert names(slot.path.parent) == {"acct_1.json"}


@pytest.mark.parametrize("junk", [b"junk", b""])
def test_where_the_login_is_damaged_only_a_rescued_sign_in_takes_its_place(
    slot: FileSlot, junk: bytes
) -> None:
    renewal = put_beside(slot, RESCUED, NEW)
    slot.path.write_bytes(junk)
    locked(slot).release()
    assert renewal.exists()  # it may be all that there is
    assert slot.path.read_bytes() == junk
    with pytest.raises(SignInError, match="cannot be read"):
        slot.load()
    put_beside(slot, ".1111111111111111.rescue", login(5))
    assert slot.load() == login(5)  # as whoever locks it next will have it
    assert slot.path.read_bytes() == junk
    with locked(slot) as held:
        assert held.load() == login(5)
    assert slot.path.with_name("acct_1.json.corrupt-1").read_bytes() == junk


def test_beside_a_login_of_a_newer_release_nothing_is_touched(slot: FileSlot) -> None:
    slot.path.write_bytes(b'{"schema_version": 2}')
    for ending in (STRAY, RESCUED):
        put_beside(slot, ending, login(5))
    before = names(slot.path.parent)
    locked(slot).release()
    assert names(slot.path.parent) == before
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert caught.value.details["reason"] == "schema_too_new"


# a save that cannot be finished


def attempt(held: FileLockedLogin, record: Record) -> SaveFailed:
    with pytest.raises(SaveFailed) as caught:
        held.save(record, OLD)
    return caught.value


# R11
@pytest.mark.parametrize("reserved", [False, True])
@pytest.mark.parametrize("record", [NEW, login(5)], ids=["renewal", "sign-in"])
def test_f12_a_save_that_cannot_replace_is_rescued_and_adopted_by_the_next_holder(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, reserved: bool, record: Record
) -> None:
    real = os.replace

    def busy(old: str, new: str, **fds: int) -> None:
        if new == slot.path.name:
            raise OSError(errno.EBUSY, "prose")
        real(old, new, **fds)

    with locked(slot) as held:
        if reserved:
            held.reserve(login(1))
        monkeypatch.setattr(os, "replace", busy)
        failed = attempt(held, record)
        assert (failed.rescued, describe(failed.error)) == (
            True,
            (ErrorKind.AUTH_WRITE_FAILED, "busy_mount"),
        )
        assert any(name.endswith(".rescue") for name in names(slot.path.parent))
    monkeypatch.undo()
    with locked(slot) as held:
        assert held.load() == record
    assert names(slot.path.parent) == {"acct_1.json"}


def test_r11_a_renewal_that_cannot_even_be_renamed_is_found_under_its_temporary_name(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked(slot) as held, failing(monkeypatch, "replace", OSError(errno.EIO, "prose")):
        assert attempt(held, NEW).rescued
    with locked(slot) as held:
        assert held.load() == NEW


@pytest.mark.parametrize(
    "record", [login(5), renewed(login(7), 8)], ids=["a sign-in", "a renewal of another one"]
)
def test_what_the_next_holder_would_not_adopt_is_not_called_rescued(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, record: Record
) -> None:
    with locked(slot) as held, failing(monkeypatch, "replace", OSError(errno.EIO, "prose")):
        assert not attempt(held, record).rescued
    assert names(slot.path.parent) == {"acct_1.json"}


@pytest.mark.parametrize("step", ["open", "write", "fsync"])
def test_what_is_not_on_the_disk_is_not_rescued(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with locked(slot) as held, failing(monkeypatch, step, OSError(errno.ENOSPC, "prose")):
        assert not attempt(held, NEW).rescued
    assert slot.load() == login(1)
    assert names(slot.path.parent) == {"acct_1.json"}


def test_a_save_whose_name_may_not_survive_a_crash_of_the_machine_is_a_failure_and_is_kept(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fail(fd: int) -> None:
        if Path(f"/proc/self/fd/{fd}").is_dir():
            raise OSError(errno.EIO, "prose")
        real(fd)

    with locked(slot) as held:
        held.reserve(login(1))
        monkeypatch.setattr(os, "fsync", fail)
        assert attempt(held, NEW).rescued
    assert slot.load() == NEW


def test_a_stored_login_that_cannot_be_read_just_now_costs_no_renewal(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def fail(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if path == slot.path.name:
            raise OSError(errno.EMFILE, "prose")
        return real(path, flags, *args, **options)

    with locked(slot) as held:
        held.reserve(login(1))
        monkeypatch.setattr(os, "open", fail)
        assert attempt(held, NEW).rescued
    monkeypatch.undo()
    with locked(slot) as held:
        assert held.load() == NEW


# rescue without a lock


def test_a_rescue_is_durable_private_and_needs_no_lock(slot: FileSlot) -> None:
    with locked(slot):
        slot.rescue(login(5))
    (rescued,) = slot.path.parent.glob("*.rescue")
    assert rescued.stat().st_mode & 0o777 == 0o600
    assert rescued.read_bytes() == write_record(login(5))


def test_a_rescue_that_the_holder_takes_for_a_leftover_is_repeated(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def lock_first(old: str, new: str, **fds: int) -> None:
        monkeypatch.setattr(os, "replace", real)
        locked(slot).release()
        real(old, new, **fds)

    monkeypatch.setattr(os, "replace", lock_first)
    slot.rescue(login(5))
    with locked(slot) as held:
        assert held.load() == login(5)


def test_a_sign_out_takes_no_sign_in_with_it_that_was_rescued_while_it_dealt_with_leftovers(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(slot, login(1), None)

    def meanwhile(*args: Any) -> Record | SignInError | None:
        found = recover(*args)
        slot.rescue(login(5))
        return found

    monkeypatch.setattr(file_store, "recover", meanwhile)
    with locked(slot) as held:
        assert held.delete(OLD) == Conflict(login(5))
    monkeypatch.undo()
    with locked(slot) as held:
        assert held.load() == login(5)


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_a_rescue_that_fails_leaves_nothing(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with (
        failing(monkeypatch, step, OSError(errno.ENOSPC, "prose")),
        pytest.raises(SignInError) as caught,
    ):
        slot.rescue(login(5))
    assert describe(caught.value) == (ErrorKind.AUTH_WRITE_FAILED, "disk_full")
    assert names(slot.path.parent) == {"acct_1.json"}


def test_a_rescued_sign_in_is_a_login_where_there_is_none(store: FileStore) -> None:
    slot = store.slot("acct_1")
    slot.rescue(login(5))
    before = names(slot.path.parent)
    assert (store.names(), slot.load()) == (("acct_1",), login(5))
    assert names(slot.path.parent) == before
    assert discard(slot) == Deleted()
    assert (store.names(), slot.load()) == ((), None)


@pytest.mark.parametrize("content", [b"junk", b"", NEW], ids=["junk", "nothing", "a renewal of nothing"])
def test_a_rescued_file_that_is_no_sign_in_is_no_account(store: FileStore, content: bytes | Record) -> None:
    save(store.slot("acct_2"), login(1, "acct_2"), None)
    put_beside(store.slot("acct_1"), RESCUED, content)
    assert (store.names(), store.slot("acct_1").load()) == (("acct_2",), None)


def test_a_rescued_sign_in_of_a_newer_release_is_told(store: FileStore) -> None:
    save(store.slot("acct_2"), login(1, "acct_2"), None)
    put_beside(store.slot("acct_1"), RESCUED, b'{"schema_version": 2}')
    assert store.names() == ("acct_1", "acct_2")
    with pytest.raises(SignInError) as caught:
        store.slot("acct_1").load()
    assert describe(caught.value)[1] == "schema_too_new"
