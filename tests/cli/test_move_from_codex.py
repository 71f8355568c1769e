"""A login taken over from the Codex CLI: at no time do two programs hold a refresh token unsaid."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, Secret, stored_login, transfer
from codex_oauth.stores import files
from codex_oauth.stores.store import LockedLogin
from codex_oauth.transfer import import_codex
from codex_oauth_core import ErrorKind
from codex_oauth_core.codex.auth_json import read_auth_json
from tests.cli.transfers import ACCESS, KEY, REFRESH, SOON, error, names_beside, stored, write
from tests.support import account_token

E = ErrorKind


def test_a_move_takes_the_tokens_away_and_leaves_the_rest(store: FileStore, theirs: Path) -> None:
    write(theirs, OPENAI_API_KEY="their-key", personal_access_token="their-pat")
    record = import_codex(store, move=True)
    assert record.credential.refresh_token == Secret(REFRESH)
    assert stored(store) == record.credential
    assert store.current() == KEY
    left = {"auth_mode": "chatgpt", "OPENAI_API_KEY": "their-key", "personal_access_token": "their-pat"}
    assert json.loads(theirs.read_text()) == left
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o600
    assert names_beside(theirs) == ["auth.json"]


def test_an_expired_login_can_be_moved_because_it_can_be_renewed(store: FileStore, theirs: Path) -> None:
    write(theirs, access_token=account_token("acct_cli", exp=SOON - 1_000_000))
    assert import_codex(store, move=True).credential.refresh_token == Secret(REFRESH)


def test_without_a_refresh_token_there_is_nothing_to_move(store: FileStore, theirs: Path) -> None:
    before = write(theirs, refresh_token="").read_bytes()
    error(lambda: import_codex(store, move=True), E.INVALID_REQUEST, "no_refresh_token")
    assert store.names() == ()
    assert theirs.read_bytes() == before


def test_the_login_is_stored_before_it_is_taken_away(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    commit, was = files.Staged.commit, theirs.read_bytes()

    def watched(staged: files.Staged) -> None:
        held = store.slot(KEY).load() if store.names() else None
        of_theirs = theirs.read_bytes() != was
        commit(staged)
        if theirs.read_bytes() != was and not of_theirs:
            order.append("taken with it stored" if held is not None else "taken too early")

    monkeypatch.setattr(files.Staged, "commit", watched)
    import_codex(store, move=True)
    assert order == ["taken with it stored"]


def test_s18_a_file_that_has_a_second_name_is_not_moved(
    store: FileStore, theirs: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real.json"
    os.link(theirs, real)
    before = real.read_bytes()
    error(lambda: import_codex(store, move=True), E.AUTH_READ_FAILED, "hard_link")
    assert store.names() == ()
    assert real.read_bytes() == before


def test_a_link_is_followed_and_stays(store: FileStore, theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "codex.json"
    theirs.rename(real)
    (tmp_path / "dotfiles" / "hop").symlink_to("codex.json")
    theirs.symlink_to(tmp_path / "dotfiles" / "hop")
    import_codex(store, move=True)
    assert stored(store).refresh_token == Secret(REFRESH)
    assert theirs.is_symlink()
    assert json.loads(theirs.read_text()) == {"auth_mode": "chatgpt", "OPENAI_API_KEY": None}
    assert not real.is_symlink()
    assert names_beside(real) == ["codex.json", "codex.json.lock", "hop"]
    assert names_beside(theirs) == ["auth.json"]


def test_s18_a_link_to_what_is_not_ours_or_not_there_is_not_moved(
    store: FileStore, theirs: Path, tmp_path: Path
) -> None:
    theirs.unlink()
    theirs.symlink_to(tmp_path / "gone.json")
    error(lambda: import_codex(store, move=True), E.LOGIN_REQUIRED, "missing")
    theirs.unlink()
    theirs.symlink_to(theirs.name)
    error(lambda: import_codex(store, move=True), E.AUTH_READ_FAILED, "symlink")
    theirs.unlink()
    theirs.symlink_to(tmp_path)
    error(lambda: import_codex(store, theirs, move=True), E.LOGIN_REQUIRED, "missing")
    assert store.names() == ()


def test_f15_a_link_that_leads_elsewhere_meanwhile_is_followed_again(
    store: FileStore, theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    theirs.rename(first)
    write(second, refresh_token="canary-second")
    theirs.symlink_to(first)

    def turn() -> None:
        theirs.unlink()
        theirs.symlink_to(second)

    turns = [turn]
    when_stored(monkeypatch, lambda: turns.pop()() if turns else None)
    before = first.read_bytes()
    assert import_codex(store, move=True).credential.refresh_token == Secret("canary-second")
    assert first.read_bytes() == before
    assert "tokens" not in json.loads(second.read_text())


def test_a_directory_may_be_reached_by_a_link(store: FileStore, theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").symlink_to(theirs.parent)
    import_codex(store, tmp_path / "dotfiles" / "auth.json", move=True)
    assert "tokens" not in json.loads(theirs.read_text())


def fail_to_replace(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Let everything succeed but the rename over the Codex CLI's file."""
    replace = os.replace

    def refuse(old: str, new: str, **where: Any) -> None:
        if new == "auth.json":
            meanwhile()
            raise PermissionError(13, "no")
        replace(old, new, **where)

    monkeypatch.setattr(os, "replace", refuse)


def test_f12_a_login_that_cannot_be_taken_away_stays_a_copy(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = theirs.read_bytes()
    fail_to_replace(monkeypatch, lambda: None)
    found = error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, "denied")
    assert "Only its access token was copied" in found.message
    assert theirs.read_bytes() == before
    assert stored(store).refresh_token is None
    assert stored(store).access_token == Secret(ACCESS)
    assert names_beside(theirs) == ["auth.json"]


def test_f12_if_not_even_that_can_be_stored_it_says_what_to_do(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[LockedLogin | None] = []
    fail_to_replace(monkeypatch, lambda: held.append(store.slot(KEY).lock()))
    found = error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, "denied")
    assert held[0] is not None
    held[0].release()
    assert "both would renew it" in found.message
    assert "codex-oauth logout --local" in found.next_actions[0]
    assert stored(store).refresh_token == Secret(REFRESH)


def test_a_directory_that_is_not_durable_does_not_undo_a_move(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = files.Staged.commit

    def commit_but_not_the_directory(staged: files.Staged) -> None:
        is_theirs = KEY in store.names() and store.current() == KEY
        commit(staged)
        if is_theirs:
            raise OSError(5, "the directory could not be made durable")

    monkeypatch.setattr(files.Staged, "commit", commit_but_not_the_directory)
    assert import_codex(store, move=True).credential.refresh_token == Secret(REFRESH)
    assert stored(store).refresh_token == Secret(REFRESH)
    assert "tokens" not in json.loads(theirs.read_text())


def when_stored(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """Do something each time that a login was stored."""
    finish = stored_login.finish_sign_in

    def kept(*args: Any, **options: Any) -> Any:
        outcome = finish(*args, **options)
        then()
        return outcome

    monkeypatch.setattr(stored_login, "finish_sign_in", kept)


def test_f15_a_renewal_by_the_codex_cli_during_a_move_is_moved_too(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewals = [lambda: write(theirs, refresh_token="canary-renewed")]
    when_stored(monkeypatch, lambda: renewals.pop()() if renewals else None)
    assert import_codex(store, move=True).credential.refresh_token == Secret("canary-renewed")
    assert stored(store).refresh_token == Secret("canary-renewed")
    assert "tokens" not in json.loads(theirs.read_text())


def test_f15_a_file_that_never_rests_leaves_a_copy(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = iter(range(100))
    when_stored(monkeypatch, lambda: write(theirs, refresh_token=f"canary-{next(count)}"))
    error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, "contended")
    assert stored(store).refresh_token is None
    assert json.loads(theirs.read_text())["tokens"]["refresh_token"] == "canary-2"


def test_f3_an_interrupted_move_leaves_a_copy(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    when_stored(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        import_codex(store, move=True)
    assert stored(store).refresh_token is None
    assert read_auth_json(Secret(theirs.read_bytes())) == attrs.evolve(
        stored(store), refresh_token=Secret(REFRESH)
    )


@pytest.mark.parametrize(
    ("code", "reason"), [(28, "disk_full"), (30, "read_only"), (13, "denied"), (122, "disk_full")]
)
def test_f11_f13_what_cannot_be_written_is_found_before_anything_is_stored(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    def full(*args: object) -> None:
        raise OSError(code, "no")

    before = theirs.read_bytes()
    monkeypatch.setattr(transfer, "stage", full)
    error(lambda: import_codex(store, move=True), E.AUTH_WRITE_FAILED, reason)
    assert store.names() == ()
    assert theirs.read_bytes() == before
