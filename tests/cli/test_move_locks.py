"""The locks of the Codex CLI: a login is taken from it, or handed to it, between two of its own writes."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import FileStore, Secret, stored_login, transfer
from codex_oauth.stores.failures import FileProblem
from codex_oauth.transfer import export_codex, import_codex
from codex_oauth_core import ErrorKind, Wait, Why
from tests.cli.transfers import ACCESS, KEY, LOCKS, REFRESH, error, put, stored

E = ErrorKind


@contextmanager
def held(path: Path) -> Generator[None]:
    """Hold a lock as the Codex CLI does."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


def is_free(path: Path) -> bool:
    try:
        with held(path):
            return True
    except BlockingIOError:
        return False


def free(directory: Path) -> list[bool]:
    return [is_free(directory / name) for name in LOCKS]


@pytest.mark.parametrize("move", [False, True])
def test_who_waits_for_our_own_lock_hears_of_it(store: FileStore, theirs: Path, move: bool) -> None:
    ours = store.slot(KEY).lock()
    assert ours is not None
    waits: list[Wait] = []

    def heard(wait: Wait) -> None:
        waits.append(wait)
        ours.release()

    record = import_codex(store, theirs, move=move, on_wait=heard)
    assert [wait.why for wait in waits] == [Why.QUEUED]
    assert store.slot(KEY).load() == record


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LOCK_LIMIT", 0.0)


def after(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, then: Callable[[], object]) -> None:
    """Do something each time that a function has returned."""
    usual = getattr(owner, name)

    def and_then(*args: Any, **options: Any) -> Any:
        outcome = usual(*args, **options)
        then()
        return outcome

    monkeypatch.setattr(owner, name, and_then)


def test_a_move_compares_and_replaces_under_both_locks_and_stores_under_none(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, list[bool]]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, free(theirs.parent)))

    for owner, name in ((transfer, "read_here"), (stored_login, "finish_sign_in"), (transfer, "_commit")):
        after(monkeypatch, owner, name, note(name))
    import_codex(store, move=True)
    assert seen == [
        ("read_here", [False, False]),
        ("finish_sign_in", [True, True]),
        ("read_here", [False, False]),
        ("_commit", [False, False]),
    ]
    assert free(theirs.parent) == [True, True]


@pytest.mark.parametrize("name", LOCKS)
def test_a_move_waits_for_a_lock(store: FileStore, theirs: Path, name: str) -> None:
    lock = held(theirs.parent / name)
    lock.__enter__()
    release = threading.Timer(0.2, lambda: lock.__exit__(None, None, None))
    release.start()
    try:
        assert import_codex(store, move=True).credential.refresh_token == Secret(REFRESH)
    finally:
        release.join()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_that_stays_busy_ends_a_move_before_anything_is_changed(
    store: FileStore, theirs: Path, name: str
) -> None:
    before = theirs.read_bytes()
    with held(theirs.parent / name):
        busy = error(lambda: import_codex(store, move=True), E.NETWORK, "lock_busy")
    assert busy.details["path"] == str(theirs.parent / name)
    assert "Codex CLI" in busy.next_actions[0]
    assert store.names() == ()
    assert theirs.read_bytes() == before
    assert free(theirs.parent) == [True, True]


@pytest.mark.usefixtures("hasty")
def test_f15_a_lock_that_is_busy_when_the_login_is_stored_leaves_a_copy(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, lock = theirs.read_bytes(), held(theirs.parent / "auth.lock")
    after(monkeypatch, stored_login, "finish_sign_in", lock.__enter__)
    try:
        found = error(lambda: import_codex(store, move=True), E.NETWORK, "lock_busy")
    finally:
        lock.__exit__(None, None, None)
    assert "Only its access token was copied" in found.message
    assert theirs.read_bytes() == before
    assert stored(store).refresh_token is None
    assert stored(store).access_token == Secret(ACCESS)


@pytest.mark.usefixtures("hasty")
def test_the_second_lock_is_beside_the_file_that_a_link_leads_to(
    store: FileStore, theirs: Path, tmp_path: Path
) -> None:
    real = tmp_path / "codex.json"
    theirs.rename(real)
    theirs.symlink_to(real)
    for lock in (theirs.parent / "auth.lock", tmp_path / "codex.json.lock"):
        with held(lock):
            error(lambda: import_codex(store, move=True), E.NETWORK, "lock_busy")
    with held(theirs.parent / "auth.json.lock"), held(tmp_path / "auth.lock"):
        import_codex(store, move=True)
    assert "tokens" not in json.loads(real.read_text())


def test_a_file_whose_two_locks_are_one_is_moved(store: FileStore, theirs: Path) -> None:
    theirs.rename(theirs.parent / "auth")
    import_codex(store, theirs.parent / "auth", move=True)
    assert stored(store).refresh_token == Secret(REFRESH)


SPOILT: tuple[tuple[Callable[[Path], object], str], ...] = (
    (Path.mkdir, "not_a_regular_file"),
    (lambda lock: lock.symlink_to("elsewhere"), "symlink"),
    (os.mkfifo, "not_a_regular_file"),
)


@pytest.mark.parametrize(("spoil", "reason"), SPOILT)
@pytest.mark.parametrize("name", LOCKS)
def test_s18_a_lock_that_is_no_plain_file_is_not_opened(
    store: FileStore, theirs: Path, name: str, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(theirs.parent / name)
    error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, reason)
    assert store.names() == ()


def test_f10_where_nothing_can_be_locked_nothing_is_moved(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise FileProblem("no_locks", "x")

    before = theirs.read_bytes()
    monkeypatch.setattr(transfer, "take_lock", none)
    refusal = error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, "no_locks")
    assert "local disk" in refusal.next_actions[0]
    assert store.names() == ()
    assert theirs.read_bytes() == before


def test_a_copy_locks_nothing(store: FileStore, theirs: Path) -> None:
    with held(theirs.parent / "auth.lock"), held(theirs.parent / "auth.json.lock"):
        import_codex(store)


# -- handing out -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("name", LOCKS)
def test_an_export_replaces_the_file_under_the_locks(store: FileStore, theirs: Path, name: str) -> None:
    record, before = put(store), theirs.read_bytes()
    with held(theirs.parent / name):
        error(lambda: export_codex(record, theirs, force=True), E.NETWORK, "lock_busy")
    assert theirs.read_bytes() == before
    export_codex(record, theirs, force=True)
    assert theirs.read_bytes() != before
    assert free(theirs.parent) == [True, True]


def test_an_export_under_both_locks(store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, seen = put(store), list[list[bool]]()
    after(monkeypatch, transfer, "check_target", lambda: seen.append(free(theirs.parent)))
    export_codex(record, theirs, force=True)
    assert seen == [[True, True], [False, False]]


def test_an_export_to_a_place_where_the_codex_cli_does_not_look_leaves_no_locks(
    store: FileStore, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    export_codex(put(store), tmp_path / "out" / "login.json")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["login.json"]
    export_codex(put(store), tmp_path / "out" / "auth.json")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"login.json", "auth.json", *LOCKS}
