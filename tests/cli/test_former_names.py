"""Logins that an earlier release stored under their account id: every command finds them, none is lost, and the next
sign-in puts the very same login under its key.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth.authority import AuthorityServer, serve
from codex_oauth.cli.main import main
from codex_oauth.stored_login import end_login
from codex_oauth_core import Record, Secret
from codex_oauth_core.record import write_record
from tests.cli.commands import run_command
from tests.cli.former import leave_former, make_former
from tests.cli.people import (
    ANNA,
    TEAM,
    document,
    every_answer,
    of,
    renewed,
    rows,
    server,
    sign_in,
    signs_in,
)
from tests.cli.test_commands import hold, key_of, login, path_in_use, slot_in_use, stored

__all__ = ["server"]


@pytest.fixture
def former(tmp_path: Path, server: AuthorityServer) -> Path:
    """The file of Anna's login, as an earlier release stored it; it is in use."""
    sign_in(tmp_path, server)
    return make_former(stored(tmp_path))


def refresh_token(path: Path) -> str:
    return str(json.loads(path.read_bytes())["credential"]["refresh_token"])


@pytest.mark.parametrize("named", [None, TEAM, "anna@example.com", "anna", "acct", "user-anna", "the key"])
def test_w6_every_command_finds_it_by_every_name(
    tmp_path: Path, server: AuthorityServer, former: Path, named: str | None
) -> None:
    key = key_of(TEAM, "user-anna", server.url)
    more = () if named is None else ("--account", key if named == "the key" else named)
    for answer in every_answer(tmp_path, *more):
        assert (answer["key"], answer["account_id"]) == (key, TEAM)
    assert document(tmp_path, "status", *more)["path"] == str(former)
    assert renewed(tmp_path, *more)
    assert stored(tmp_path).names() == (TEAM,)  # it is renewed where it is
    assert document(tmp_path, "logout", *more)["revoked"] is True
    assert stored(tmp_path).names() == ()


def test_the_list_names_it_by_the_key_that_it_will_have(
    tmp_path: Path, server: AuthorityServer, former: Path
) -> None:
    listed = document(tmp_path, "list")
    assert (listed["current"], listed["current_key"]) == (TEAM, key_of(TEAM, "user-anna", server.url))
    assert rows(tmp_path) == [("anna@example.com", TEAM, "user-anna", True)]
    assert run_command(tmp_path, "list").out.startswith("* anna@example.com (plus): valid for ")


@signs_in(ANNA, ANNA)
def test_w6_the_next_sign_in_puts_it_under_its_key(
    tmp_path: Path, server: AuthorityServer, former: Path
) -> None:
    before = refresh_token(former)
    assert login(tmp_path, server).code == 0
    assert stored(tmp_path).names() == (key_of(TEAM, "user-anna", server.url),)
    assert refresh_token(path_in_use(tmp_path)) != before
    assert server.authority.received("revoke") == []


@signs_in(ANNA, ANNA)
def test_with_revoke_old_it_is_ended_at_the_server(
    tmp_path: Path, server: AuthorityServer, former: Path
) -> None:
    assert login(tmp_path, server, "--revoke-old").code == 0
    assert len(server.authority.received("revoke")) == 1
    assert renewed(tmp_path)


def test_w6_another_member_of_the_workspace_does_not_take_its_place(
    tmp_path: Path, server: AuthorityServer, former: Path
) -> None:
    before = former.read_bytes()
    assert login(tmp_path, server).code == 0  # Bert
    assert former.read_bytes() == before
    assert sorted(rows(tmp_path), key=str) == [
        ("anna@example.com", TEAM, "user-anna", False),
        ("bert@example.com", TEAM, "user-bert", True),
    ]
    done = run_command(tmp_path, "token", "--account", TEAM)
    assert (done.code, "fits 2 logins" in done.err) == (2, True)
    assert run_command(tmp_path, "switch", "anna@example.com").code == 0
    assert document(tmp_path, "status")["path"] == str(former)
    assert renewed(tmp_path)
    assert document(tmp_path, "logout")["revoked"] is True
    assert [row[0] for row in rows(tmp_path)] == ["bert@example.com"]


def test_a_sign_in_for_it_by_somebody_else_is_refused(
    tmp_path: Path, server: AuthorityServer, former: Path
) -> None:
    before = former.read_bytes()
    for named in ("anna@example.com",):
        done = login(tmp_path, server, "--account", named, "--json")
        assert (done.code, done.documents[-1]["error"]["kind"]) == (3, "account_changed")
    assert (former.read_bytes(), stored(tmp_path).names()) == (before, (TEAM,))


def test_a_login_that_is_kept_under_both_names_counts_once_and_is_ended_in_both_places(
    tmp_path: Path, server: AuthorityServer
) -> None:
    sign_in(tmp_path, server)
    record = slot_in_use(tmp_path).load()
    assert record is not None
    leave_former(stored(tmp_path), record.credential, in_use=False)
    assert len(stored(tmp_path).names()) == 2
    assert rows(tmp_path) == [("anna@example.com", TEAM, "user-anna", True)]
    assert document(tmp_path, "status", "--account", TEAM)["other_logins"] == 0
    assert run_command(tmp_path, "token", "--account", TEAM).code == 0
    done = run_command(tmp_path, "logout")
    assert (done.code, done.err) == (0, "Other sessions of the account may have ended too.\n")
    assert stored(tmp_path).names() == ()


@pytest.mark.parametrize("account_id", ["acct_1", "z" * 65, "-odd"])
def test_of_two_places_the_one_under_the_key_counts(tmp_path: Path, account_id: str) -> None:
    credential = hold(tmp_path, account_id=account_id)
    leave_former(stored(tmp_path), attrs.evolve(credential, expires_at=1_700_000_000_000), in_use=False)
    for named in (credential.key, credential.key[:-1]):
        found = document(tmp_path, "status", "--account", named)
        assert (Path(found["path"]).stem, found["expired"]) == (credential.key, False)
    (row,) = document(tmp_path, "list")["accounts"]
    assert (Path(row["path"]).stem, row["current"]) == (credential.key, True)


@pytest.mark.parametrize("more", [(), ("--all",)])
def test_a_logout_ends_what_an_earlier_release_renewed_meanwhile_too(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    with serve(of(ANNA)) as server:
        sign_in(tmp_path, server)
        first = slot_in_use(tmp_path).load()
        sign_in(tmp_path, server)
        assert first is not None
        leave_former(stored(tmp_path), first.credential, in_use=False)
        assert document(tmp_path, "logout", *more)["ok"] is True
        assert len(server.authority.received("revoke")) == 2
    assert stored(tmp_path).names() == ()


def test_of_a_former_login_that_says_nothing_of_its_person_the_workspace_is_what_is_known(
    tmp_path: Path,
) -> None:
    credential = hold(tmp_path)
    path_in_use(tmp_path).unlink()
    leave_former(stored(tmp_path), credential)
    for answer in [document(tmp_path, command) for command in ("status", "token", "header")]:
        assert (answer["key"], answer["account_id"]) == (credential.key, "acct_1")
    assert document(tmp_path, "switch", credential.key)["account_id"] == "acct_1"
    assert (stored(tmp_path).home / "current").read_text() == "acct_1\n"


def test_one_that_cannot_be_read_is_told_by_its_account(tmp_path: Path) -> None:
    leave_former(stored(tmp_path), hold(tmp_path), in_use=True).write_text("{")
    listed = document(tmp_path, "list")
    (torn,) = (row for row in listed["accounts"] if not row["ok"])
    assert (torn["key"], torn["account_id"], torn["error"]["kind"]) == ("acct_1", "acct_1", "corrupt_auth")
    assert listed["current"] == "acct_1"


def test_a_pending_sign_in_of_an_earlier_release_is_finished(tmp_path: Path, server: AuthorityServer) -> None:
    started = run_command(tmp_path, "login", "start", "--device", "--issuer", server.url)
    (pending,) = (stored(tmp_path).home / "pending").glob("*.json")
    kept = json.loads(pending.read_text())
    assert "account" not in kept["checkpoint"]["fields"]  # as it was before there was one
    done = run_command(tmp_path, "login", "finish", started.out.strip())
    assert (done.code, len(stored(tmp_path).names())) == (0, 1)


def test_moves_and_copies_of_the_codex_cli_find_it(tmp_path: Path, server: AuthorityServer) -> None:
    """A renewable login of the very same account is not replaced by a copy, whatever its name is."""
    sign_in(tmp_path, server)
    assert run_command(tmp_path, "export", "--to-codex", "auth.json").code == 0
    make_former(stored(tmp_path))
    done = run_command(tmp_path, "import", "--from-codex", "auth.json", "--json")
    assert (done.code, done.documents[0]["error"]["details"]["reason"]) == (3, "renewable_login")
    assert stored(tmp_path).names() == (TEAM,)


def test_a_logout_leaves_whoever_signed_in_there_meanwhile_alone(
    tmp_path: Path, server: AuthorityServer, former: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier release has put another person of the workspace into the place of the one who leaves."""
    anna = stored(tmp_path).slot(TEAM).load()
    assert anna is not None
    bert = attrs.evolve(
        anna.credential,
        access_token=Secret("canary-access-of-bert"),
        refresh_token=Secret("canary-refresh-of-bert"),
        user_id="user-bert",
    )

    def too_late(*args: Any, **options: Any) -> bool | None:
        former.write_bytes(write_record(Record(bert)))
        return end_login(*args, **options)

    monkeypatch.setattr("codex_oauth.cli.logout.end_login", too_late)
    assert main(["logout", "--store", str(stored(tmp_path).home)]) == 6
    left = stored(tmp_path).slot(TEAM).load()
    assert left is not None
    assert left.credential == bert
    assert server.authority.received("revoke") == []
