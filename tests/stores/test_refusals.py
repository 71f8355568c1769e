"""What is not a plain private file or directory of our own: refused without blocking, or put right."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.store import Deleted
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.logins import as_root, delete, describe, discard, given_away, login, save, tree

READ, WRITE = ErrorKind.AUTH_READ_FAILED, ErrorKind.AUTH_WRITE_FAILED


@contextmanager
def at_most_two_seconds() -> Generator[None]:
    def give_up(*_: object) -> None:
        raise AssertionError("blocked")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(2)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def linked(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def hard_linked(path: Path) -> None:
    os.link(path, path.parent.parent / "elsewhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def listening(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket is at most 108 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def device(path: Path) -> None:
    path.unlink()
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "symbolic link": (linked, "symlink"),
    "dangling link": (dangling, "symlink"),
    "hard link": (hard_linked, "hard_link"),
    "pipe": (pipe, "not_a_regular_file"),
    "directory": (directory, "not_a_regular_file"),
    "socket": (listening, "not_a_regular_file"),
}
ODD_FOR_ROOT = {"device": (device, "not_a_regular_file"), "foreign": (given_away, "wrong_owner")}
ROWS = [pytest.param(*row, id=name) for name, row in ODD.items()] + [
    pytest.param(*row, id=name, marks=as_root) for name, row in ODD_FOR_ROOT.items()
]


# L1, L3
@pytest.mark.parametrize(("spoil", "reason"), ROWS)
def test_an_odd_file_is_neither_read_nor_replaced(
    slot: FileSlot, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(slot.path)
    before = tree(slot.home)
    with pytest.raises(SignInError) as read:
        slot.load()
    assert describe(read.value) == (READ, reason)
    for expected in (None, login(1).fingerprint):
        for replace_corrupt in (False, True):
            with pytest.raises(SignInError) as written:
                save(slot, login(2), expected, replace_corrupt=replace_corrupt)
            assert describe(written.value) == (WRITE, reason)
    with pytest.raises(SignInError) as deleted:
        delete(slot, login(1).fingerprint)
    assert describe(deleted.value) == (WRITE, reason)
    assert tree(slot.home) == before


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(row.values[0], id=str(row.id), marks=row.marks)
        for row in ROWS
        if row.values[0] is not directory
    ],
)
def test_a_sign_out_removes_an_odd_file_and_not_what_it_leads_to(
    slot: FileSlot, spoil: Callable[[Path], None]
) -> None:
    spoil(slot.path)
    elsewhere = slot.home / "elsewhere"
    led = elsewhere.exists()
    assert discard(slot) == Deleted()
    assert slot.load() is None
    assert elsewhere.exists() == led


def test_a_directory_in_place_of_a_file_is_not_removed(slot: FileSlot) -> None:
    directory(slot.path)
    with pytest.raises(SignInError) as caught:
        discard(slot)
    assert describe(caught.value)[1] in ("not_a_regular_file", "denied")  # EISDIR, elsewhere EPERM


@pytest.mark.parametrize(("spoil", "reason"), ROWS)
def test_an_odd_pointer_is_not_followed(
    store: FileStore, slot: FileSlot, spoil: Callable[[Path], None], reason: str
) -> None:
    store.select("acct_1")
    inner = store.home / "x"
    inner.mkdir()
    spoil(store.home / "current")
    with pytest.raises(SignInError) as caught:
        store.current()
    assert describe(caught.value) == (READ, reason)
    assert slot.load() == login(1)


def test_a_file_that_becomes_a_link_after_it_was_looked_at_is_not_followed(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def swap(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        if path == slot.path.name:
            linked(slot.path)
        return real(path, flags, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert describe(caught.value) == (READ, "symlink")


def test_a_file_that_becomes_a_pipe_after_it_was_looked_at_does_not_block(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def swap(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        if path == slot.path.name:
            pipe(slot.path)
        return real(path, flags, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap)
    with at_most_two_seconds(), pytest.raises(SignInError) as caught:
        slot.load()
    assert describe(caught.value) == (READ, "not_a_regular_file")


def test_a_file_that_is_replaced_while_it_is_read_is_whole(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def replace_first(fd: int) -> os.stat_result:
        monkeypatch.setattr(os, "fstat", real)
        save(slot, login(2), login(1).fingerprint)
        return real(fd)

    original_open = os.open

    def open_then_replace(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        fd = original_open(path, flags, *args, dir_fd=dir_fd)
        if path == slot.path.name:
            monkeypatch.setattr(os, "open", original_open)
            monkeypatch.setattr(os, "fstat", replace_first)
        return fd

    monkeypatch.setattr(os, "open", open_then_replace)
    assert slot.load() == login(1)
    assert slot.load() == login(2)


@pytest.mark.parametrize("where", ["home", "logins"])
@pytest.mark.parametrize("dead", [False, True])
def test_a_link_in_place_of_a_directory_is_not_followed(slot: FileSlot, where: str, dead: bool) -> None:
    path = slot.home if where == "home" else slot.path.parent
    target = slot.home.parent / "elsewhere"
    path.rename(target)
    path.symlink_to(slot.home.parent / "nowhere" if dead else target)
    before = tree(target)
    with pytest.raises(SignInError) as read:
        slot.load()
    with pytest.raises(SignInError) as written:
        save(slot, login(2), login(1).fingerprint)
    assert [describe(read.value), describe(written.value)] == [(READ, "symlink"), (WRITE, "symlink")]
    assert tree(target) == before
    assert not (slot.home.parent / "nowhere").exists()


@pytest.mark.parametrize("where", ["home", "logins", "above"])
def test_a_file_in_place_of_a_directory_is_named(store: FileStore, where: str) -> None:
    if where == "logins":
        store.home.mkdir(0o700)
    path = {"home": store.home, "logins": store.home / "logins", "above": store.home}[where]
    path.write_bytes(b"")
    slot = (FileStore(store.home / "below") if where == "above" else store).slot("acct_1")
    with pytest.raises(SignInError) as read:
        slot.load()
    with pytest.raises(SignInError) as written:
        save(slot, login(1), None)
    assert describe(read.value) == (READ, "not_a_directory")
    assert describe(written.value) == (WRITE, "not_a_directory")


def test_a_directory_that_becomes_a_link_after_it_was_looked_at_is_not_followed(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def swap(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        if path == "logins":
            linked(slot.path.parent)
        return real(path, flags, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert describe(caught.value)[1] in ("not_a_directory", "symlink")  # Linux says ENOTDIR


@pytest.mark.parametrize("spoil", [pipe, listening, directory])
def test_what_is_no_file_is_not_even_opened(
    slot: FileSlot, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    spoil(slot.path)
    real = os.open
    opened: list[str] = []

    def see(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        opened.append(os.fspath(path))
        return real(path, flags, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", see)
    with pytest.raises(SignInError):
        slot.load()
    assert opened == [str(slot.home), "logins"]
