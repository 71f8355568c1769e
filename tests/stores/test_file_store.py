"""Stored files that are damaged, too new or left over, and what a sign-in and a sign-out do with them."""

from __future__ import annotations

import errno
import json
import os
import time
import traceback
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_oauth import FileStore
from codex_oauth.stores import files, login_file
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.store import Conflict, Deleted, Saved
from codex_oauth_core import ErrorKind, Record, SignInError
from codex_oauth_core.record import LONGEST_RECORD, write_record
from tests.stores.logins import delete, describe, discard, failing, login, names, save, tree

CORRUPT = ErrorKind.CORRUPT_AUTH
WHOLE = write_record(login(1))
DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not_json"),
    "white space": (b" \n", "not_json"),
    "truncated": (WHOLE[:-9], "not_json"),
    "binary": (os.urandom(64) + b"\xff", "not_json"),
    "not an object": (b"[]", "not_an_object"),
    "deep": (b"[" * 200_000, "too_deep"),
    "not a number": (WHOLE.rstrip(b"}\n") + b', "x": NaN}', "not_json"),
    "a name twice": (WHOLE.rstrip(b"}\n") + b', "spent": true}', "not_json"),
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE, "not_json"),
    "UTF-16": (WHOLE.decode().encode("utf-16"), "not_json"),
    "no tokens": (b'{"schema_version": 1, "credential": {}}', "credential.access_token"),
    "another program's": (b'{"tokens": {"refresh_token": "canary"}}', "schema_version"),
    "one byte too big": (WHOLE + b" " * (LONGEST_RECORD + 1 - len(WHOLE)), "too_big"),
}
damage = pytest.mark.parametrize("content", [row[0] for row in DAMAGED.values()], ids=DAMAGED.keys())
damaged = pytest.mark.parametrize(("content", "reason"), DAMAGED.values(), ids=DAMAGED.keys())


# F14
@damaged
def test_a_damaged_file_is_a_typed_error_and_stays(slot: FileSlot, content: bytes, reason: str) -> None:
    slot.path.write_bytes(content)
    for use in (
        slot.load,
        lambda: save(slot, login(2), None),
        lambda: save(slot, login(2), login(1).fingerprint),
        lambda: delete(slot, login(1).fingerprint),
        lambda: delete(slot, None),
    ):
        with pytest.raises(SignInError) as caught:
            use()
        assert describe(caught.value) == (CORRUPT, reason)
        assert caught.value.details["path"] == str(slot.path)
    assert slot.path.read_bytes() == content
    assert set(tree(slot.home)) == {"logins", "logins/acct_1.json"}


# F14
@damage
def test_a_new_sign_in_puts_a_damaged_file_aside(slot: FileSlot, content: bytes) -> None:
    slot.path.write_bytes(content)
    assert save(slot, login(2), None, replace_corrupt=True) == Saved()
    assert slot.load() == login(2)
    aside = slot.path.with_name("acct_1.json.corrupt-1")
    assert aside.read_bytes() == content
    assert tree(slot.home)["logins/acct_1.json.corrupt-1"] == 0o600


def test_what_was_put_aside_is_never_overwritten(store: FileStore, slot: FileSlot) -> None:
    for number in range(1, 4):
        slot.path.write_bytes(b"junk %d" % number)
        save(slot, login(number), None, replace_corrupt=True)
    asides = [slot.path.with_name(f"acct_1.json.corrupt-{number}").read_bytes() for number in range(1, 4)]
    assert asides == [b"junk 1", b"junk 2", b"junk 3"]
    assert store.names() == ("acct_1",)


def test_the_longest_login_is_read(slot: FileSlot) -> None:
    slot.path.write_bytes(WHOLE + b" " * (LONGEST_RECORD - len(WHOLE)))
    assert slot.load() == login(1)


# F14
def test_a_huge_file_is_not_read_to_its_end(slot: FileSlot) -> None:
    with slot.path.open("r+b") as file:
        file.truncate(1 << 40)  # sparse: reading it would need a terabyte of memory
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert describe(caught.value) == (CORRUPT, "too_big")


# F14
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_no_content_of_a_file_makes_more_than_a_typed_error(slot: FileSlot, content: bytes) -> None:
    discard(slot)
    save(slot, login(1), None)
    slot.path.write_bytes(content)
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert caught.value.kind is CORRUPT
    assert save(slot, login(2), None, replace_corrupt=True) == Saved()
    assert slot.load() == login(2)


def newer(slot: FileSlot) -> bytes:
    content = json.dumps({"schema_version": 2, "sealed": "canary"}).encode()
    slot.path.write_bytes(content)
    return content


# R8, L6
def test_a_login_of_a_newer_release_is_read_only(slot: FileSlot) -> None:
    content = newer(slot)
    for use in (
        slot.load,
        lambda: save(slot, login(2), None),
        lambda: save(slot, login(2), None, replace_corrupt=True),
        lambda: delete(slot, None),
    ):
        with pytest.raises(SignInError) as caught:
            use()
        assert describe(caught.value) == (CORRUPT, "schema_too_new")
        assert caught.value.details["schema_version"] == 2
        assert "Update" in caught.value.next_actions[0]
    assert slot.path.read_bytes() == content
    assert set(tree(slot.home)) == {"logins", "logins/acct_1.json"}


def test_a_sign_out_removes_a_login_of_a_newer_release(slot: FileSlot) -> None:
    newer(slot)
    assert discard(slot) == Deleted()
    assert set(tree(slot.home)) == {"logins"}


def test_a_login_under_another_accounts_name_is_not_used(store: FileStore, slot: FileSlot) -> None:
    other = store.slot("ACCT_1")
    other.path.write_bytes(slot.path.read_bytes())  # as on a file system that ignores case
    other.path.chmod(0o600)
    for use in (other.load, lambda: save(other, login(2, "ACCT_1"), None, replace_corrupt=True)):
        with pytest.raises(SignInError) as caught:
            use()
        assert describe(caught.value) == (CORRUPT, "other_account")
    assert other.path.read_bytes() == slot.path.read_bytes()


STRAYS = (".0123456789abcdef.tmp", ".rescue", ".corrupt-1", ".corrupt-12", ".lock")


@pytest.mark.parametrize("way", ["delete", "discard"])
def test_a_sign_out_removes_what_is_left_of_this_login_and_no_other(
    store: FileStore, slot: FileSlot, way: str
) -> None:
    others = ["acct_12", "acct_1_", "xacct_1", "acct_1-json"]
    for account_id in others:
        save(store.slot(account_id), login(1, account_id), None)
        (slot.path.parent / f"{account_id}.json.rescue").write_bytes(b"kept")
    for stray in STRAYS:
        copy = slot.path.parent / f"acct_1.json{stray}"
        copy.write_bytes(b"canary")
        copy.chmod(0o600)
    assert (discard(slot) if way == "discard" else delete(slot, login(1).fingerprint)) == Deleted()
    left = {f"{account_id}.json{ending}" for account_id in others for ending in ("", ".rescue")}
    assert names(slot.path.parent) == left


def test_leftovers_are_no_accounts(store: FileStore, slot: FileSlot) -> None:
    leftovers = (
        *(f"acct_9.json{stray}" for stray in STRAYS),
        "notes.txt",
        ".json",
        "a b.json",
        "é.json",
        "x" * 129 + ".json",
    )
    for name in leftovers:
        (slot.path.parent / name).write_bytes(b"")
    assert store.names() == ("acct_1",)


def test_a_removal_that_stops_half_way_can_be_seen_and_repeated(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (slot.path.parent / "acct_1.json.rescue").write_bytes(b"")
    with failing(monkeypatch, "unlink", OSError(errno.EIO, "prose")), pytest.raises(SignInError):
        discard(slot)
    assert slot.load() == login(1)
    assert discard(slot) == Deleted()
    assert set(tree(slot.home)) == {"logins"}


POINTERS = {
    "junk": b"\x00\xff\x1b[31m",
    "empty": b"",
    "a path": b"../../etc/passwd",
    "a file's name": b"acct_1.json",
    "two lines": b"acct_1\nacct_2\n",
    "of another login": b"acct_2\n",
    "not ASCII": "acct_1é".encode(),
    "an account id in UTF-16": "acct_1".encode("utf-16"),
    "too long": b"acct_1" + b" " * 10_000 + b"x",
}


@pytest.mark.parametrize("content", POINTERS.values(), ids=POINTERS.keys())
def test_a_pointer_that_cannot_be_understood_points_to_nothing(
    store: FileStore, slot: FileSlot, content: bytes
) -> None:
    store.select("acct_1")
    (store.home / "current").write_bytes(content)
    assert store.current() is None
    store.select("acct_1")
    assert (store.current(), slot.load()) == ("acct_1", login(1))


@pytest.mark.parametrize("content", [b"acct_1", b"acct_1\n", b"acct_1\r\n", b"  acct_1  \n"])
def test_a_pointer_written_by_hand_is_understood(store: FileStore, slot: FileSlot, content: bytes) -> None:
    (store.home / "current").write_bytes(content)
    (store.home / "current").chmod(0o600)
    assert store.current() == slot.key


def test_the_pointer_is_one_line(store: FileStore, slot: FileSlot) -> None:
    store.select(slot.key)
    assert (store.home / "current").read_bytes() == b"acct_1\n"


def test_a_damaged_login_can_be_in_use_so_that_its_damage_is_told(store: FileStore, slot: FileSlot) -> None:
    store.select("acct_1")
    slot.path.write_bytes(b"junk")
    assert store.current() == "acct_1"


def test_putting_none_in_use_removes_leftovers_of_the_pointer_too(store: FileStore, slot: FileSlot) -> None:
    store.select("acct_1")
    (store.home / "current.0123456789abcdef.tmp").write_bytes(b"")
    store.select(None)
    assert names(store.home) == {"logins"}
    assert slot.load() == login(1)


UNSTORABLE: dict[str, Record] = {
    "a number that JSON has not": login(uncertain_at=float("nan")),
    "a generation that is none": login(generation=-1),
    "a parent that is no hash": login(parent="x"),
    "too big": login(unknown={"x": "y" * LONGEST_RECORD}),
    "too big by what stands between": login(unknown={"x": [0] * (LONGEST_RECORD // 2)}),
    "an empty issuer": attrs.evolve(login(), credential=attrs.evolve(login().credential, issuer="")),
}


@pytest.mark.parametrize("record", UNSTORABLE.values(), ids=UNSTORABLE.keys())
def test_nothing_is_stored_that_could_not_be_read_again(slot: FileSlot, record: Record) -> None:
    with pytest.raises(SignInError) as caught:
        save(slot, record, login(1).fingerprint)
    assert describe(caught.value) == (ErrorKind.AUTH_WRITE_FAILED, "not_storable")
    assert slot.load() == login(1)


REREAD_AFTER = login_file._REREAD_AFTER  # pyright: ignore[reportPrivateUsage]  # no wait in other tests


# R9
def test_a_file_that_is_being_written_in_place_is_read_again(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def write_on(seconds: float) -> None:
        pauses.append(seconds)
        slot.path.write_bytes(WHOLE[: 100 * len(pauses)] if len(pauses) < 3 else WHOLE)

    slot.path.write_bytes(b"")
    monkeypatch.setattr(login_file, "_REREAD_AFTER", REREAD_AFTER)
    monkeypatch.setattr(time, "sleep", write_on)
    assert slot.load() == login(1)
    assert len(pauses) == 3
    assert sum(pauses) == pytest.approx(0.2)


@pytest.mark.parametrize("content", [b"[]", b'{"schema_version": 2}', b'{"schema_version": 1}'])
def test_a_file_that_is_json_is_not_read_again(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    slot.path.write_bytes(content)

    def waited(_: float) -> None:
        pytest.fail("waited")

    monkeypatch.setattr(time, "sleep", waited)
    with pytest.raises(SignInError):
        slot.load()


def test_a_login_saved_by_another_process_meanwhile_is_a_conflict(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files.fill  # the instant before the comparison

    def overtaken(fd: int, content: Any) -> None:
        real(fd, content)
        slot.path.write_bytes(write_record(login(3)))  # by a program that takes no lock

    monkeypatch.setattr(files, "fill", overtaken)
    assert save(slot, login(2), login(1).fingerprint) == Conflict(login(3))
    assert slot.load() == login(3)


def test_a_sign_out_during_a_save_is_not_undone(slot: FileSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    real = files.fill  # the instant before the comparison

    def signed_out(fd: int, content: Any) -> None:
        real(fd, content)
        slot.path.unlink()  # by a person who takes no lock

    monkeypatch.setattr(files, "fill", signed_out)
    assert save(slot, login(2), login(1).fingerprint) == Conflict(None)
    assert set(tree(slot.home)) == {"logins"}


@pytest.mark.parametrize("step", ["fchmod", "write", "fsync", "replace"])
def test_not_even_the_variables_of_a_failure_show_a_secret(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with failing(monkeypatch, step, OSError(errno.EIO, "prose")), pytest.raises(SignInError) as caught:
        save(slot, login(2), login(1).fingerprint)
    assert "canary" not in told(caught.value)


@damaged
def test_not_even_the_variables_of_a_failed_load_show_a_secret(
    slot: FileSlot, content: bytes, reason: str
) -> None:
    slot.path.write_bytes(content)
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert "canary" not in told(caught.value)
    assert reason in told(caught.value)


@pytest.mark.parametrize(
    "failure", [OSError(errno.ESTALE, "prose"), KeyboardInterrupt()], ids=["failed", "interrupted"]
)
def test_not_even_the_variables_of_a_read_that_is_cut_off_show_a_secret(
    slot: FileSlot, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(slot, login(1), None)
    read, seen = os.read, list[bytes]()

    def cut_off(fd: int, size: int) -> bytes:
        if seen:
            raise failure
        seen.append(read(fd, size))
        return seen[0]

    monkeypatch.setattr("os.read", cut_off)
    with pytest.raises((SignInError, KeyboardInterrupt)) as caught:
        slot.load()
    secret = login(1).credential.access_token.reveal()
    assert secret.encode() in seen[0]
    assert secret not in told(caught.value)


def told(error: BaseException) -> str:
    """All that a traceback with local variables shows, but for the test's own frame."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True, limit=-30)
    own = Path(__file__).name
    lines: list[str] = []
    while report is not None:
        for frame in report.stack:
            if Path(frame.filename).name != own:
                lines += [
                    f"{frame.filename}:{frame.name}",
                    *(f"{k} = {v}" for k, v in (frame.locals or {}).items()),
                ]
        lines += report.format_exception_only()
        report = report.__cause__ or report.__context__  # type: ignore[assignment]  # the end of the chain
    return "\n".join(lines)
