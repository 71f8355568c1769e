"""U18: a sign-in that was asked for somebody, and who signs in: `login --account`, in one step and in two."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from codex_oauth import Secret
from codex_oauth.authority import Approve, Authority, AuthorityServer, serve
from tests.cli.commands import Done, run_command, start_command
from tests.cli.people import (
    ANNA,
    ANNA_ELSEWHERE,
    BERT,
    ODD,
    TEAM,
    document,
    of,
    renewed,
    rows,
    server,
    sign_in,
    signs_in,
)
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, hold, login, stored
from tests.support import account_token

__all__ = ["server"]


def refused(done: Done, asked: str) -> dict[str, Any]:
    assert done.code == 3, done.out + done.err
    error = valid("login", done)[-1]["error"]
    assert error["kind"] == "account_changed"
    assert error["details"] == {
        "reason": "other_person",
        "revoked": True,
        "signed_in_as": "bert@example.com (acct_team)",
    }
    assert error["message"] == (
        f"You asked for {asked}, and bert@example.com ({TEAM}) signed in. Nothing was stored."
    )
    return dict(error)


@pytest.mark.parametrize("named", ["anna@example.com", "anna", "user-anna", TEAM, "the key"])
def test_w3_a_login_of_another_person_than_asked_for_is_refused_ended_and_not_kept(
    tmp_path: Path, server: AuthorityServer, named: str
) -> None:
    (hers,) = sign_in(tmp_path, server)
    before = Path(hers["path"]).read_bytes()
    asked = hers["key"] if named == "the key" else named
    refused(login(tmp_path, server, "--account", asked, "--json"), asked)
    assert rows(tmp_path) == [("anna@example.com", TEAM, "user-anna", True)]
    assert Path(hers["path"]).read_bytes() == before
    (revoked,) = server.authority.received("revoke")
    assert revoked.fields["token"].reveal() != json.loads(before)["credential"]["refresh_token"]  # type: ignore[union-attr]
    assert renewed(tmp_path)


def test_for_a_person_the_refusal_names_both_and_says_what_to_do(
    tmp_path: Path, server: AuthorityServer
) -> None:
    sign_in(tmp_path, server)
    done = login(tmp_path, server, "--account", "anna@example.com")
    assert (done.code, done.out) == (3, "")
    said = done.err[done.err.index("codex-oauth: You asked for") :].splitlines()
    assert said == [
        f"codex-oauth: You asked for anna@example.com, and bert@example.com ({TEAM})",
        "  signed in. Nothing was stored.",
        "  You are still signed in as anna@example.com (plus).",
        "  -> In the browser sign out of that account, and then sign in again.",
        "  -> Or store the login of any account:",
        f"     codex-oauth login --issuer {server.url}",
    ]


def test_w3_with_yes_the_other_persons_login_is_kept_beside(tmp_path: Path, server: AuthorityServer) -> None:
    sign_in(tmp_path, server)
    done = login(tmp_path, server, "--account", "anna@example.com", "--yes")
    assert done.code == 0, done.err
    assert sorted(row[0] or "" for row in rows(tmp_path)) == ["anna@example.com", "bert@example.com"]
    assert document(tmp_path, "status")["email"] == "bert@example.com"
    assert server.authority.received("revoke") == []


@signs_in(BERT)
def test_somebody_who_is_not_kept_here_can_be_asked_for(tmp_path: Path, server: AuthorityServer) -> None:
    refused(login(tmp_path, server, "--account", "anna@example.com", "--json"), "anna@example.com")
    assert rows(tmp_path) == []
    for named in ("bert@example.com", "BERT@example.com", TEAM, "user-bert"):
        assert login(tmp_path, server, "--account", named).code == 0


def test_any_other_failure_says_what_it_is(tmp_path: Path) -> None:
    with serve(Authority(policy=attrs.evolve(AT_ONCE, approve=Approve.DENY, accounts=[BERT]))) as server:
        done = login(tmp_path, server, "--account", "anna@example.com")
        started = begun(tmp_path, server, "--account", "anna@example.com")
        finished = run_command(tmp_path, "login", "finish", started)
    for each in (done, finished):
        assert each.code == 3
        assert "codex-oauth: The sign-in was denied.\n" in each.err
        assert "You asked for" not in each.err


def test_an_empty_name_is_nobody(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server, "--account", "").code == 2
    assert server.authority.requests == []


@signs_in(ANNA, ANNA, ANNA_ELSEWHERE)
def test_who_is_kept_here_is_asked_for_with_that_workspace(tmp_path: Path, server: AuthorityServer) -> None:
    sign_in(tmp_path, server)
    assert login(tmp_path, server, "--account", "anna@example.com").code == 0
    done = login(tmp_path, server, "--account", "anna@example.com", "--json")
    assert (done.code, done.documents[-1]["error"]["kind"]) == (3, "account_changed")
    assert "and anna@example.com (acct_elsewhere) signed in" in done.documents[-1]["error"]["message"]
    assert [row[1] for row in rows(tmp_path)] == [TEAM]


@signs_in(BERT, ANNA)
def test_of_a_login_that_says_nothing_of_its_person_the_email_address_decides(
    tmp_path: Path, server: AuthorityServer
) -> None:
    token = account_token(TEAM, email="anna@example.com")
    kept = hold(tmp_path, account_id=TEAM, id_token=Secret(token), issuer=server.url)
    assert kept.user_id is None
    for named in ("anna", TEAM, kept.key):
        done = run_command(tmp_path, "status", "--account", named)
        assert done.out.startswith("Signed in as anna@example.com")
    refused(login(tmp_path, server, "--account", TEAM, "--json"), TEAM)
    assert stored(tmp_path).names() == (kept.key,)
    assert login(tmp_path, server, "--account", TEAM).code == 0


@pytest.mark.parametrize("named", ["anna@example.com", "user-anna", "the key", "bert@example.com"])
def test_in_the_browser_the_workspace_of_a_login_that_is_kept_is_asked_for(
    tmp_path: Path, server: AuthorityServer, named: str
) -> None:
    (hers,) = sign_in(tmp_path, server)
    asked = hers["key"] if named == "the key" else named
    browser = ("login", "--browser", "--no-open", "--port", "0", "--issuer", server.url, "--json")
    with start_command(tmp_path, *browser, "--account", asked) as process:
        assert process.stdout is not None
        events: Iterator[dict[str, str]] = map(json.loads, process.stdout)
        page = next(event["url"] for event in events if "url" in event)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    query = parse_qs(urlsplit(page).query)
    assert query.get("allowed_workspace_id") == (None if named == "bert@example.com" else [TEAM])


def test_a_login_at_another_server_does_not_stand_for_one_at_this(tmp_path: Path) -> None:
    with serve(of(ANNA)) as elsewhere:
        sign_in(tmp_path, elsewhere)
        with serve(of(attrs.evolve(ANNA, user_id="another id"))) as server:
            assert login(tmp_path, server, "--account", "anna@example.com").code == 0
    assert len(rows(tmp_path)) == 2


def begun(home: Path, server: AuthorityServer, *more: str) -> str:
    done = run_command(home, "login", "start", "--device", "--issuer", server.url, "--json", *more)
    (started,) = valid("login-start", done)
    return str(started["id"])


def test_in_two_steps_the_login_that_was_asked_for_is_remembered(
    tmp_path: Path, server: AuthorityServer
) -> None:
    first = begun(tmp_path, server, "--account", "anna@example.com")
    assert run_command(tmp_path, "login", "finish", first).code == 0
    second = begun(tmp_path, server, "--account", "anna")
    done = run_command(tmp_path, "login", "finish", second, "--json")
    refused(done, "anna@example.com (plus)")
    assert [row[0] for row in rows(tmp_path)] == ["anna@example.com"]
    again = run_command(tmp_path, "login", "finish", second, "--json")
    assert again.documents[-1]["error"]["details"]["reason"] == "unknown_id"


@signs_in(BERT, BERT)
def test_in_two_steps_by_a_name_that_is_not_kept_and_with_yes(
    tmp_path: Path, server: AuthorityServer
) -> None:
    asked = begun(tmp_path, server, "--account", "anna@example.com")
    refused(run_command(tmp_path, "login", "finish", asked, "--json"), "anna@example.com")
    whoever = begun(tmp_path, server, "--account", "anna@example.com", "--yes")
    assert run_command(tmp_path, "login", "finish", whoever).code == 0


@signs_in(ODD, BERT)
def test_a_login_of_another_person_than_the_odd_one_is_refused(
    tmp_path: Path, server: AuthorityServer
) -> None:
    sign_in(tmp_path, server)
    refused(login(tmp_path, server, "--account", str(ODD.account_id), "--json"), str(ODD.account_id))
    assert [row[1] for row in rows(tmp_path)] == [ODD.account_id]


@pytest.mark.parametrize("named", ["", "a\nb", "\x1b[31m", "x" * 1025], ids=ascii)
@pytest.mark.parametrize("command", [("login",), ("login", "start", "--device")], ids=" ".join)
def test_nobody_is_asked_to_sign_in_under_what_is_no_name(
    tmp_path: Path, server: AuthorityServer, command: tuple[str, ...], named: str
) -> None:
    done = run_command(tmp_path, *command, "--issuer", server.url, f"--account={named}")
    assert (done.code, done.out) == (2, "")
    assert "--account names no account" in done.err
    assert not (tmp_path / "pending").exists()
