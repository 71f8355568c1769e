"""A move that was cut off, or failed on a later try: the next one finishes it, and no token is held twice."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, Secret, transfer
from codex_oauth.stores.failures import store_error
from codex_oauth.stores.store import StoreWarning
from codex_oauth.transfer import import_codex
from codex_oauth_core import ErrorKind, Record, StoreLogin
from tests.cli.transfers import ACCESS, KEY, REFRESH, error, names_beside, put, stored, write

E = ErrorKind
RENEWED = "canary-renewed-by-us"
STRAY = "auth.json.0123456789abcdef.tmp"


def theirs_is_stripped(theirs: Path) -> bool:
    return "tokens" not in json.loads(theirs.read_text())


def cut_off(store: FileStore) -> None:
    """Let a process die between storing the login and replacing the file."""
    child = os.fork()
    if child == 0:
        transfer._commit = lambda staged: os._exit(9)
        import_codex(store, move=True)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def renew(store: FileStore) -> Record:
    held = store.slot(KEY).lock()
    assert held is not None
    with held:
        old = held.load()
        assert old is not None
        credential = attrs.evolve(old.credential, refresh_token=Secret(RENEWED))
        new = attrs.evolve(old, credential=credential, generation=1, parent=old.fingerprint)
        held.save(new, old.fingerprint)
    return new


@pytest.mark.parametrize("force", [False, True])
def test_f3_a_move_that_was_cut_off_is_finished_by_the_next(
    store: FileStore, theirs: Path, force: bool
) -> None:
    cut_off(store)
    assert stored(store).refresh_token == Secret(REFRESH)
    assert not theirs_is_stripped(theirs)
    assert len(names_beside(theirs)) == 2
    record = import_codex(store, move=True, force=force)
    assert record.credential == stored(store)
    assert stored(store).refresh_token == Secret(REFRESH)
    assert theirs_is_stripped(theirs)
    assert names_beside(theirs) == ["auth.json"]


@pytest.mark.parametrize("force", [False, True])
def test_f3_a_renewed_login_is_not_replaced_by_the_spent_one(
    store: FileStore, theirs: Path, force: bool
) -> None:
    cut_off(store)
    ours = renew(store)
    assert import_codex(store, move=True, force=force) == ours
    assert store.slot(KEY).load() == ours
    assert theirs_is_stripped(theirs)
    assert names_beside(theirs) == ["auth.json"]


def test_f3_a_login_that_was_stored_and_not_selected_becomes_the_current_one(
    store: FileStore, theirs: Path
) -> None:
    put(store, refresh_token=Secret(REFRESH), generation=7)
    store.select(None)
    assert import_codex(store, move=True).generation == 7
    assert store.current() == KEY


def test_f12_a_renewed_login_stays_ours_if_the_file_cannot_be_replaced(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(store)
    ours = renew(store)
    monkeypatch.setattr(transfer, "_commit", denied)
    error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, "denied")
    assert store.slot(KEY).load() == ours


def test_f15_what_an_earlier_release_had_taken_is_handed_back_where_it_is(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its move was cut off, and it had stored the login under the account id: two would renew one login."""
    cut_off(store)
    taken = store.slot(KEY).load()
    assert taken is not None
    store.slot(KEY).path.rename(store.slot("acct_cli").path)
    monkeypatch.setattr(transfer, "_commit", denied)
    found = error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, "denied")
    assert "Only its access token was copied" in found.message
    left = store.slot("acct_cli").load()
    assert left == Record(attrs.evolve(taken.credential, refresh_token=None))
    assert store.names() == ("acct_cli",)
    assert not theirs_is_stripped(theirs)


def denied(staged: object) -> None:
    raise PermissionError(13, "no")


def test_only_plain_temporaries_of_exactly_our_names_are_removed(store: FileStore, theirs: Path) -> None:
    beside = theirs.parent
    others = [
        "auth.json.tmp",
        "auth.json.0123.tmp",
        "auth.json.0123456789ABCDEF.tmp",
        f"x{STRAY}",
        f"{STRAY}x",
    ]
    for name in [*others, STRAY]:
        (beside / name).write_text("{}")
    (beside / "auth.json.1111111111111111.tmp").symlink_to(beside / "auth.json.tmp")
    (beside / "auth.json.2222222222222222.tmp").mkdir()
    import_codex(store, move=True)
    left = {"auth.json", *others, "auth.json.1111111111111111.tmp", "auth.json.2222222222222222.tmp"}
    assert set(names_beside(theirs)) == left


def test_a_temporary_stays_while_nothing_was_moved(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs.parent / STRAY).write_text("{}")
    monkeypatch.setattr(transfer, "_commit", denied)
    error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, "denied")
    assert (theirs.parent / STRAY).exists()


# -- the Codex CLI renews meanwhile, and the second try fails ------------------------------------------


def on_each_try(monkeypatch: pytest.MonkeyPatch, *first: Callable[[Callable[[], Any]], Any]) -> None:
    """Let the tries store their logins in ways of the test's own."""
    kept, ways = transfer._kept, iter(first)

    def store_it(*args: Any, **options: Any) -> Any:
        return next(ways)(lambda: kept(*args, **options))

    monkeypatch.setattr(transfer, "_kept", store_it)


def disk_full(keep: Callable[[], Any]) -> None:
    raise store_error(E.AUTH_WRITE_FAILED, "disk_full", "x")


@pytest.mark.parametrize("force", [False, True])
def test_f15_f11_if_the_second_try_cannot_be_stored_the_first_is_handed_back(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    def and_the_cli_renews(keep: Callable[[], Any]) -> Any:
        deposited = keep()
        write(theirs, refresh_token="canary-second")
        return deposited

    on_each_try(monkeypatch, and_the_cli_renews, disk_full)
    found = error(lambda: import_codex(store, move=True, force=force), E.AUTH_WRITE_FAILED, "disk_full")
    assert "Only its access token was copied" in found.message
    assert stored(store).refresh_token is None
    assert stored(store).access_token == Secret(ACCESS)
    assert json.loads(theirs.read_text())["tokens"]["refresh_token"] == "canary-second"


def rescue_while_locked(store: FileStore, after: Callable[[], object]) -> Callable[[Callable[[], Any]], Any]:
    def way(keep: Callable[[], Any]) -> Any:
        held = store.slot(KEY).lock()
        assert held is not None
        with held, warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)
            deposited = keep()
        after()
        return deposited

    return way


def do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = StoreLogin.__init__

    def hasty(self: StoreLogin, *args: Any, **options: Any) -> None:
        usual(self, *args, **{**options, "lock_limit": 0.0})

    monkeypatch.setattr(StoreLogin, "__init__", hasty)


def test_f15_what_was_only_rescued_is_handed_back_too(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)  # it hides what is rescued beside it
    do_not_wait(monkeypatch)
    way = rescue_while_locked(store, lambda: write(theirs, refresh_token="canary-second"))
    on_each_try(monkeypatch, way, disk_full)
    found = error(lambda: import_codex(store, move=True, force=True), E.AUTH_WRITE_FAILED, "disk_full")
    assert "Only its access token was copied" in found.message
    held = store.slot(KEY).lock()
    assert held is not None
    with held:
        record = held.load()
    assert record is not None
    assert record.credential.refresh_token is None
    assert record.credential.access_token == Secret(ACCESS)


def test_f15_what_was_rescued_and_stays_locked_is_told(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)  # it hides what is rescued beside it
    do_not_wait(monkeypatch)
    held = store.slot(KEY).lock()
    assert held is not None
    with held:
        monkeypatch.setattr(transfer, "_commit", denied)
        with pytest.warns(StoreWarning, match="has locked the login"):
            found = error(lambda: import_codex(store, move=True, force=True), E.AUTH_WRITE_FAILED, "denied")
    assert "both would renew it" in found.message


def test_f15_a_renewable_login_of_someone_else_in_between_is_not_replaced(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both_renew(keep: Callable[[], Any]) -> Any:
        deposited = keep()
        renew(store)
        write(theirs, refresh_token="canary-second")
        return deposited

    on_each_try(monkeypatch, both_renew, disk_full)
    error(lambda: import_codex(store, move=True), E.INVALID_REQUEST, "renewable_login")
    assert stored(store).refresh_token == Secret(RENEWED)
