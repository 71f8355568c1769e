"""A login copied from the Codex CLI: what is stored, what stays, and what no file can do."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import FileStore, Secret, SignInError, transfer
from codex_oauth.auth_file import codex_auth_path
from codex_oauth.transfer import import_codex
from codex_oauth_core import CODEX, Credential, ErrorKind
from codex_oauth_core.identity import Identity
from tests.cli.transfers import ACCESS, KEY, REFRESH, SOON, error, put, stored, write
from tests.support import account_token

E = ErrorKind


def test_a_copy_has_the_access_token_and_cannot_be_renewed(store: FileStore, theirs: Path) -> None:
    before = theirs.read_bytes(), theirs.stat()
    record = import_codex(store)
    assert record.credential == Credential(
        access_token=Secret(ACCESS),
        refresh_token=None,
        account_id="acct_cli",
        issuer=CODEX.issuer,
        client_id=CODEX.client_id,
        obtained_at="2026-11-20T08:09:10Z",
        id_token=Secret(account_token("acct_cli", marker="id")),
        expires_at=SOON * 1000,
    )
    assert stored(store) == record.credential
    assert store.current() == KEY
    after = theirs.stat()
    assert theirs.read_bytes() == before[0]
    assert (after.st_mtime_ns, after.st_mode, after.st_ino) == (
        before[1].st_mtime_ns,
        before[1].st_mode,
        before[1].st_ino,
    )


def test_s21_no_byte_of_the_refresh_token_is_stored_with_a_copy(store: FileStore, theirs: Path) -> None:
    import_codex(store)
    kept = [path for path in store.home.rglob("*") if path.is_file()]
    assert kept
    assert not any(REFRESH.encode() in path.read_bytes() for path in kept)


def test_the_file_is_found_where_the_codex_cli_keeps_it(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codex_auth_path() == tmp_path / ".codex" / "auth.json"
    monkeypatch.setenv("CODEX_HOME", "")
    assert codex_auth_path() == tmp_path / ".codex" / "auth.json"
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    assert codex_auth_path() == tmp_path / "auth.json"
    write(tmp_path / "auth.json")
    assert import_codex(store).credential.account_id == "acct_cli"


def test_f34_without_a_home_there_is_no_default_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(path: str) -> str:
        return path

    monkeypatch.setattr(os.path, "expanduser", nowhere)
    with pytest.raises(SignInError) as raised:
        codex_auth_path()
    assert raised.value.details["reason"] == "no_home"


def test_a_directory_stands_for_the_file_in_it(store: FileStore, theirs: Path) -> None:
    assert import_codex(store, theirs.parent) == import_codex(store, str(theirs))


def test_the_file_of_a_copy_is_never_changed_not_even_its_mode(store: FileStore, theirs: Path) -> None:
    theirs.chmod(0o644)
    import_codex(store)
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o644


def test_a_copy_may_come_through_links(store: FileStore, theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(theirs)
    os.link(theirs, tmp_path / "other-name")
    assert import_codex(store, tmp_path / "link") == import_codex(store, tmp_path / "other-name")


def test_a_file_that_is_just_being_written_is_read_again(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = theirs.read_bytes()
    theirs.write_bytes(whole[:100])
    monkeypatch.setattr(transfer, "_REREAD_AFTER", (0.0, 0.0))

    def finish(seconds: float) -> None:
        theirs.write_bytes(whole)

    monkeypatch.setattr(time, "sleep", finish)
    assert import_codex(store).credential.access_token == Secret(ACCESS)


def test_an_expired_token_is_not_copied(store: FileStore, theirs: Path) -> None:
    write(theirs, access_token=account_token("acct_cli", exp=SOON - 1_000_000))
    error(lambda: import_codex(store), E.LOGIN_REQUIRED, "expired")
    assert store.names() == ()


def test_a_token_that_does_not_say_when_it_expires_is_copied(store: FileStore, theirs: Path) -> None:
    write(theirs, access_token=account_token("acct_cli"))
    assert import_codex(store).credential.expires_at is None


@pytest.mark.parametrize("move", [False, True])
def test_a_login_is_bound_to_the_issuer_and_the_client_of_the_file(
    store: FileStore, theirs: Path, move: bool
) -> None:
    write(theirs, oauth_provenance={"issuer": "https://login.example.com", "client_id": "app_theirs"})
    record = import_codex(store, move=move)
    assert (record.credential.issuer, record.credential.client_id) == (
        "https://login.example.com",
        "app_theirs",
    )
    assert stored(store) == record.credential


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize(
    ("provenance", "member"),
    [
        ({"issuer": "http://login.example.com", "client_id": "app"}, ".issuer"),
        ({"issuer": "https://user@login.example.com", "client_id": "app"}, ".issuer"),
        ({"issuer": "https://login.example.com\x1b", "client_id": "app"}, ".issuer"),
        ({"issuer": "https://login.example.com", "client_id": ""}, ".client_id"),
        ("https://login.example.com", ""),
    ],
)
def test_a_file_that_names_no_usable_owner_is_refused_and_stays(
    store: FileStore, theirs: Path, move: bool, provenance: Any, member: str
) -> None:
    before = write(theirs, oauth_provenance=provenance).read_bytes()
    error(lambda: import_codex(store, move=move), E.CORRUPT_AUTH, f"tokens.oauth_provenance{member}")
    assert theirs.read_bytes() == before
    assert store.names() == ()


@pytest.mark.parametrize("move", [False, True])
def test_what_the_codex_cli_accepts_is_imported(store: FileStore, theirs: Path, move: bool) -> None:
    odd: dict[str, Any] = {
        "auth_mode": 7,
        "OPENAI_API_KEY": [],
        "last_refresh": "the other day",
        "id_token": {"x": 1},
    }
    write(theirs, account_id="acct_other", **odd)
    theirs.write_bytes(b"\xef\xbb\xbf" + theirs.read_bytes())
    os.utime(theirs, (1_790_000_000, 1_790_000_000))
    record = import_codex(store, move=move)
    assert (record.credential.account_id, store.current()) == ("acct_other", record.credential.key)
    assert record.credential.obtained_at == "2026-09-21T14:13:20Z"
    if move:
        assert json.loads(theirs.read_text()) == {"auth_mode": 7, "OPENAI_API_KEY": []}


@pytest.mark.parametrize("move", [False, True])
def test_without_any_account_it_is_imported_under_its_key(store: FileStore, theirs: Path, move: bool) -> None:
    write(theirs, account_id="", access_token="opaque", id_token="")
    record = import_codex(store, move=move)
    assert (record.credential.account_id, record.credential.user_id) == (None, None)
    assert store.names() == (record.credential.key,) == (Identity(CODEX.issuer, CODEX.client_id).key,)
    assert (record.credential.refresh_token is not None) is move


# -- what is there already -----------------------------------------------------------------------------


@pytest.mark.parametrize("move", [False, True])
def test_a_login_that_can_be_renewed_stays_unless_forced(store: FileStore, theirs: Path, move: bool) -> None:
    ours, before = put(store), theirs.read_bytes()
    refusal = error(lambda: import_codex(store, move=move), E.INVALID_REQUEST, "renewable_login")
    assert any("--force" in action for action in refusal.next_actions)
    assert refusal.message == "This account has a login here that can be renewed."
    assert stored(store) == ours.credential
    assert theirs.read_bytes() == before
    import_codex(store, move=move, force=True)
    assert stored(store).refresh_token == (Secret(REFRESH) if move else None)


def test_a_copy_is_replaced_by_a_newer_copy_and_by_a_move(store: FileStore, theirs: Path) -> None:
    put(store, refresh_token=None)
    import_codex(store)
    assert stored(store).access_token == Secret(ACCESS)
    import_codex(store, move=True)
    assert stored(store).refresh_token == Secret(REFRESH)


@pytest.mark.parametrize("state", [{"dead_code": "invalid_grant"}, {"spent": True}])
def test_a_login_that_is_over_is_replaced_by_a_move(
    store: FileStore, theirs: Path, state: dict[str, Any]
) -> None:
    put(store, **state)
    import_codex(store, move=True)
    record = store.slot(KEY).load()
    assert record is not None
    assert (record.dead_code, record.spent) == (None, False)
    assert record.credential.refresh_token == Secret(REFRESH)


def test_another_accounts_login_stays_beside(store: FileStore, theirs: Path) -> None:
    put(store)
    other = account_token("acct_2", exp=SOON)
    write(theirs, access_token=other, id_token=other, account_id="acct_2")
    import_codex(store)
    second = Identity(CODEX.issuer, CODEX.client_id, "acct_2").key
    assert store.names() == (second, KEY)
    assert store.current() == second


# -- files that are none -------------------------------------------------------------------------------


@pytest.mark.parametrize("move", [False, True])
def test_f14_no_file_is_no_login(store: FileStore, tmp_path: Path, move: bool) -> None:
    (tmp_path / ".codex").mkdir()
    error(lambda: import_codex(store, move=move), E.LOGIN_REQUIRED, "missing")


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        *((b"", "not_json"), (b"{", "not_json"), (b"\xff", "not_json"), (b"[]", "not_an_object")),
        *((b"{}", "no_tokens"), (b'{"OPENAI_API_KEY": "canary"}', "api_key_only")),
        *((b'{"tokens": {"access_token": 7}}', "tokens.access_token"), (b" " * (1024 * 1024 + 1), "too_big")),
    ],
)
def test_f14_a_hostile_file_is_a_typed_error_and_stays(
    store: FileStore, theirs: Path, content: bytes, reason: str, move: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_REREAD_AFTER", (0.0,))
    theirs.write_bytes(content)
    error(lambda: import_codex(store, move=move), E.CORRUPT_AUTH, reason)
    assert theirs.read_bytes() == content
    assert store.names() == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("move", [False, True])
def test_f14_a_pipe_does_not_block(store: FileStore, theirs: Path, move: bool) -> None:
    theirs.unlink()
    os.mkfifo(theirs)
    error(lambda: import_codex(store, move=move), E.AUTH_READ_FAILED, "not_a_regular_file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_even_opened(store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs.unlink()
    os.mkfifo(theirs)
    opened: list[object] = []

    def note(*args: object) -> None:
        opened.append(args)

    monkeypatch.setattr(os, "open", note)
    error(lambda: import_codex(store), E.AUTH_READ_FAILED, "not_a_regular_file")
    assert opened == []


def test_a_file_that_became_a_pipe_when_it_was_opened_is_not_read(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.pipe()
    fifo = os.fstat(opened[0])

    def as_a_pipe(fd: int) -> os.stat_result:
        return fifo

    monkeypatch.setattr(os, "fstat", as_a_pipe)
    try:
        error(lambda: import_codex(store), E.AUTH_READ_FAILED, "not_a_regular_file")
    finally:
        for fd in opened:
            os.close(fd)
