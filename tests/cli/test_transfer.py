"""`codex-oauth import` and `codex-oauth export`: what they say, ask and answer with."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import FileStore, Secret, SignInError
from codex_oauth.cli import transfer
from codex_oauth_core import ErrorKind, Record
from tests.cli.transfers import KEY, REFRESH, put, stored, write

Out = pytest.CaptureFixture[str]


def run(store: FileStore, command: str, *words: str) -> int:
    """Run a command with the arguments that it has."""
    parser = argparse.ArgumentParser()
    if command == "import":
        parser.add_argument("--from-codex", metavar="PATH", nargs="?", const="", required=True)
        parser.add_argument("--move", action="store_true")
    else:
        parser.add_argument("--to-codex", metavar="PATH", required=True)
        parser.add_argument("--include-refresh", action="store_true")
    for option in ("--force", "--yes", "--json"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--store")
    args = parser.parse_args([*words, "--store", str(store.home)])
    return transfer.run_import(args) if command == "import" else transfer.run_export(args)


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewals of what was moved are tested elsewhere."""

    def not_now(_store: FileStore, record: Record) -> tuple[Record, bool, None]:
        return record, False, None

    monkeypatch.setattr(transfer, "renew_moved", not_now)


OWNER = {"issuer": "https://login.example.com", "client_id": "app_theirs"}


def answer(monkeypatch: pytest.MonkeyPatch, line: str, *, stdin: bool = True, stderr: bool = True) -> None:
    """A person at a terminal who types `line`; or a stream that is no terminal."""

    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return stdin

    monkeypatch.setattr(sys, "stdin", Stream(line))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: stderr, raising=False)


def tokens_in(path: Path) -> Any:
    return json.loads(path.read_text()).get("tokens")


def test_a_copy_says_until_when_it_works(store: FileStore, theirs: Path, capsys: Out) -> None:
    assert run(store, "import", "--from-codex") == 0
    said = capsys.readouterr()
    hints = " ".join(said.err.split())  # where a line ends depends on how long the path of the store is
    assert hints.startswith("-> To have a login that is renewed: codex-oauth login")
    first, second = said.out.splitlines()
    assert first == "Copied the access token of somebody@example.com."
    assert second.startswith("It works until 20")
    assert "cannot be renewed here" in second
    assert stored(store).refresh_token is None


def test_a_copy_as_json_is_one_document_without_a_secret(store: FileStore, theirs: Path, capsys: Out) -> None:
    assert run(store, "import", "--from-codex", str(theirs), "--json") == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["ok"], found["account_id"], found["renewable"]) == (True, "acct_cli", False)
    assert found["schema_version"] == 1
    assert "canary" not in said.out + said.err


@pytest.mark.parametrize("typed", ["yes\n", "YES \n", " Yes\n"])
def test_a_move_asks_and_says_what_becomes_of_the_codex_cli(
    store: FileStore, theirs: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    answer(monkeypatch, typed)
    assert run(store, "import", "--from-codex", "--move") == 0
    said = capsys.readouterr()
    assert f"    {theirs}" in said.err.splitlines()
    assert "codex login" in said.err
    assert "Type yes to go on:" in said.err.splitlines()
    assert said.out.splitlines()[0] == "Moved the login of somebody@example.com here."
    assert said.err.splitlines()[-1] == "  -> To use the Codex CLI again: codex login"
    assert stored(store).refresh_token == Secret(REFRESH)
    assert tokens_in(theirs) is None


def test_a_move_says_whose_login_it_is(
    store: FileStore, theirs: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(theirs, oauth_provenance=OWNER)
    answer(monkeypatch, "yes\n")
    assert run(store, "import", "--from-codex", "--move") == 0
    line = "It belongs to https://login.example.com (client app_theirs), and is renewed there."
    assert line in capsys.readouterr().err.splitlines()


def test_a_move_that_will_fail_asks_all_the_same(
    store: FileStore, theirs: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs.write_text("{}")
    answer(monkeypatch, "yes\n")
    with pytest.raises(SignInError) as raised:
        run(store, "import", "--from-codex", "--move")
    assert raised.value.details == {"reason": "no_tokens", "path": str(theirs)}
    assert "belongs to" not in capsys.readouterr().err


def test_a_move_with_yes_asks_nothing(store: FileStore, theirs: Path, capsys: Out) -> None:
    assert run(store, "import", "--from-codex", "--move", "--yes", "--json") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out)["renewable"] is True


def test_s21_an_export_of_another_servers_login_says_whose_it_is(
    store: FileStore, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, **OWNER)
    answer(monkeypatch, "yes\n")
    assert run(store, "export", "--to-codex", str(tmp_path / "out.json"), "--include-refresh") == 0
    said = capsys.readouterr().err
    assert "https://login.example.com (client app_theirs). A Codex CLI before 0.169" in said


OPTIONS = {"import": ("--from-codex", "--move"), "export": ("--include-refresh", "--to-codex", "out.json")}


@pytest.mark.parametrize("command", OPTIONS)
@pytest.mark.parametrize("typed", ["no\n", "\n", "", "y\n", "yes!\n"])
def test_anything_but_yes_changes_nothing(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch, command: str, typed: str
) -> None:
    record, before = put(store), theirs.read_bytes()
    monkeypatch.chdir(theirs.parent)
    answer(monkeypatch, typed)
    with pytest.raises(SignInError) as raised:
        run(store, command, *OPTIONS[command], "--force")
    assert (raised.value.kind, raised.value.message) == (ErrorKind.CANCELLED, "Nothing was changed.")
    assert raised.value.next_actions == ()
    assert stored(store) == record.credential
    assert theirs.read_bytes() == before
    assert not Path("out.json").exists()


@pytest.mark.parametrize("command", OPTIONS)
@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize(("stdin", "stderr"), [(False, True), (True, False)])
def test_where_nobody_can_be_asked_it_needs_yes(
    store: FileStore,
    theirs: Path,
    capsys: Out,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    stdin: bool,
    stderr: bool,
    form: tuple[str, ...],
) -> None:
    put(store)
    monkeypatch.chdir(theirs.parent)
    answer(monkeypatch, "yes\n", stdin=stdin, stderr=stderr)
    assert run(store, command, *OPTIONS[command], "--force", *form) == 2
    said = capsys.readouterr()
    if "--json" in form:
        refusal = json.loads(said.out)["error"]
        assert (refusal["kind"], refusal["details"]["reason"]) == ("invalid_request", "not_confirmed")
    else:
        assert said.out == ""
    assert "needs --yes" in said.err + said.out
    assert tokens_in(theirs)["refresh_token"] == REFRESH
    assert not Path("out.json").exists()


def test_without_a_stdin_nobody_can_be_asked(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert run(store, "import", "--from-codex", "--move") == 2


def test_an_export_says_that_it_cannot_be_renewed(store: FileStore, tmp_path: Path, capsys: Out) -> None:
    put(store)
    out = tmp_path / "out.json"
    assert run(store, "export", "--to-codex", str(out)) == 0
    said = capsys.readouterr()
    assert said.out == f"Wrote the login of an account without an email (acct_cli) to {out}.\n"
    assert "no refresh token" in said.err
    assert tokens_in(out)["refresh_token"] == ""


def test_s21_an_export_with_the_refresh_token_warns_before_and_after(
    store: FileStore, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    out = tmp_path / "out.json"
    answer(monkeypatch, "yes\n")
    assert run(store, "export", "--to-codex", str(out), "--include-refresh") == 0
    before, after = capsys.readouterr().err.split("Type yes to go on:")
    assert f"    {out}" in before.splitlines()
    for text in (before, after):
        assert "codex-oauth logout --local" in text
    assert tokens_in(out)["refresh_token"] == "our-refresh"


def test_an_export_as_json_is_one_document_without_a_secret(
    store: FileStore, tmp_path: Path, capsys: Out
) -> None:
    put(store)
    out = tmp_path / "out.json"
    assert run(store, "export", "--to-codex", str(out), "--include-refresh", "--yes", "--json") == 0
    said = capsys.readouterr()
    assert said.err == ""
    found = json.loads(said.out)
    assert found == {
        "schema_version": 1,
        "ok": True,
        "key": KEY,
        "account_id": "acct_cli",
        "path": str(out),
        "expires_at": None,
        "renewable": True,
    }


def test_nobody_signed_in_is_nothing_to_export(store: FileStore, tmp_path: Path) -> None:
    with pytest.raises(SignInError) as raised:
        run(store, "export", "--to-codex", str(tmp_path / "out.json"))
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED


def test_s11_a_path_is_escaped_before_it_reaches_a_terminal(
    store: FileStore, tmp_path: Path, capsys: Out
) -> None:
    put(store)
    out = tmp_path / "a\x1b[31m\u202e{0}.json"
    assert run(store, "export", "--to-codex", str(out), "--include-refresh", "--yes") == 0
    assert run(store, "import", "--from-codex", str(out), "--move") == 2
    said = capsys.readouterr()
    assert not {"\x1b", "\u202e"} & set(said.out + said.err)
    assert r"a\x1b[31m\u202e{0}.json" in said.out
    assert out.exists()


@pytest.mark.parametrize("inside", ["logins/acct_1.json", "current", "new.json", "logins"])
def test_an_export_never_writes_among_the_logins_that_are_kept_here(store: FileStore, inside: str) -> None:
    record = put(store)
    before = {path: path.read_bytes() for path in store.home.rglob("*") if path.is_file()}
    target = store.home / "logins" / ".." / inside
    with pytest.raises(SignInError) as raised:
        run(store, "export", "--to-codex", str(target), "--force")
    assert raised.value.details["reason"] == "own_store"
    assert {path: path.read_bytes() for path in store.home.rglob("*") if path.is_file()} == before
    assert store.slot(record.credential.key).load() == record
