"""Whose a login is, at the command line: people with and without a workspace, several of one workspace, and one
person in several.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import SignInError
from codex_oauth.authority import Authority, AuthorityServer, Fault, serve
from codex_oauth.stores.find import one_login
from codex_oauth_core.reading.times import rfc3339
from tests.cli.commands import run_command
from tests.cli.people import (
    ANNA,
    ANNA_ELSEWHERE,
    BERT,
    BY_PHONE,
    ODD,
    TEAM,
    UNKNOWN,
    document,
    every_answer,
    of,
    renewed,
    rows,
    server,
    sign_in,
    signs_in,
    token,
)
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, hold, key_of, login, path_in_use, stored

__all__ = ["server"]


# -- a personal account, of which no token names an account ------------------------------------------------


@signs_in(BY_PHONE)
def test_w1_a_login_without_an_account_is_kept_and_nothing_is_revoked_for_it(
    tmp_path: Path, server: AuthorityServer
) -> None:
    (said,) = sign_in(tmp_path, server)
    assert server.authority.received("revoke") == []
    assert (said["account_id"], said["user_id"], said["email"]) == (None, "user-phone", None)
    assert said["key"] == key_of(None, "user-phone", server.url)
    assert token(tmp_path)


@pytest.mark.parametrize("account_id", ["", "a b", "acct\r\nX-Evil: 1", "ä", "a" * 256])
def test_j8_an_account_id_that_is_no_word_counts_as_none(tmp_path: Path, account_id: str) -> None:
    with serve(of(attrs.evolve(ANNA, account_id=account_id))) as server:
        (said,) = sign_in(tmp_path, server)
        assert server.authority.received("revoke") == []
    assert (said["account_id"], said["key"]) == (None, key_of(None, "user-anna", said["issuer"]))


@signs_in(BY_PHONE)
def test_w1_every_command_takes_a_login_without_an_account(tmp_path: Path, server: AuthorityServer) -> None:
    (said,) = sign_in(tmp_path, server)
    for more in ((), ("--account", said["key"]), ("--account", "user-phone"), ("--account", "user-ph")):
        for answer in every_answer(tmp_path, *more):
            assert (answer["key"], answer["account_id"]) == (said["key"], None)
    listed = document(tmp_path, "list")
    assert (listed["current"], listed["current_key"]) == (None, said["key"])
    assert document(tmp_path, "switch", "user-phone")["key"] == said["key"]
    assert document(tmp_path, "logout")["revoked"] is True
    assert document(tmp_path, "list")["accounts"] == []


@signs_in(BY_PHONE, ANNA)
def test_a_child_gets_an_account_only_where_one_is_known(tmp_path: Path, server: AuthorityServer) -> None:
    def child(*more: str) -> str:
        done = run_command(tmp_path, "exec", *more, "--", "env", CODEX_OAUTH_ACCOUNT_ID="of another login")
        assert done.code == 0, done.err
        return done.out

    sign_in(tmp_path, server, 2)
    assert "CODEX_OAUTH_ACCOUNT_ID" not in child("--account", "user-phone")
    assert f"CODEX_OAUTH_ACCOUNT_ID={TEAM}\n" in child("--account", "anna@example.com")


@signs_in(BY_PHONE, UNKNOWN)
def test_a_person_without_any_name_reads_well(tmp_path: Path, server: AuthorityServer) -> None:
    first, second = login(tmp_path, server), login(tmp_path, server)
    assert first.out.startswith("Signed in as an account without an email (user-phone, plus).\n")
    key = key_of(None, None, server.url)
    assert second.out.startswith(f"Signed in as an account without an email ({key}).\n")
    status = run_command(tmp_path, "status")
    assert status.out.startswith(f"Signed in as an account without an email ({key})\n")
    listed = run_command(tmp_path, "list").out.splitlines()
    assert sorted(line.partition(" at ")[0] for line in listed) == [
        "  an account without an email (user-phone, plus)",
        f"* an account without an email ({key})",
    ]
    assert sorted(line.partition("[")[2].partition("]")[0] for line in listed) == sorted(
        [key, key_of(None, "user-phone", server.url)]
    )
    everything = [
        first,
        second,
        status,
        run_command(tmp_path, "list"),
        run_command(tmp_path, "logout", "--all"),
    ]
    assert not any("None" in done.out + done.err for done in everything)


@signs_in(UNKNOWN)
def test_a_login_of_which_nothing_is_known_is_named_by_its_key(
    tmp_path: Path, server: AuthorityServer
) -> None:
    (said,) = sign_in(tmp_path, server)
    assert (said["account_id"], said["user_id"], said["email"], said["plan"]) == (None,) * 4
    for answer in every_answer(tmp_path, "--account", said["key"][:5]):
        assert answer["key"] == said["key"]


# -- two people of one workspace ---------------------------------------------------------------------------


@pytest.fixture
def both(tmp_path: Path, server: AuthorityServer) -> Path:
    """Anna and Bert have signed in; Bert came last."""
    sign_in(tmp_path, server, 2)
    return tmp_path


def test_w2_two_people_of_one_workspace_do_not_overwrite_each_other(both: Path) -> None:
    assert rows(both) == [
        ("anna@example.com", TEAM, "user-anna", False),
        ("bert@example.com", TEAM, "user-bert", True),
    ] or rows(both) == [
        ("bert@example.com", TEAM, "user-bert", True),
        ("anna@example.com", TEAM, "user-anna", False),
    ]
    listed = document(both, "list")
    assert listed["current"] == TEAM
    assert listed["current_key"] == document(both, "status")["key"]
    assert token(both, "--account", "anna@example.com") != token(both, "--account", "bert@example.com")


def test_the_list_and_a_switch_name_them_by_email_and_workspace(both: Path) -> None:
    lines = sorted(line.partition(":")[0] for line in run_command(both, "list").out.splitlines())
    assert lines == ["  anna@example.com (plus)", "* bert@example.com (plus)"]
    done = run_command(both, "switch", "anna@example.com")
    assert done.out == "Now in use: anna@example.com (plus)\n"
    assert document(both, "status")["email"] == "anna@example.com"
    assert "  other logins:  1; codex-oauth list shows them" in run_command(both, "status").out


def test_w2_each_is_renewed_and_ended_alone(both: Path, server: AuthorityServer) -> None:
    before = token(both, "--account", "bert@example.com")
    assert renewed(both, "--account", "anna@example.com")
    assert token(both, "--account", "bert@example.com") == before
    done = run_command(both, "logout", "--account", "anna@example.com")
    assert (done.code, "other login stays" in done.err) == (0, True)
    assert [row[0] for row in rows(both)] == ["bert@example.com"]
    assert token(both) == before
    assert len(server.authority.received("revoke")) == 1
    assert renewed(both)  # the server ended Anna's alone


def test_a_logout_of_all_names_each_and_ends_each(both: Path, server: AuthorityServer) -> None:
    done = run_command(both, "logout", "--all")
    said = "Signed out, here and at the server."
    assert sorted(done.out.splitlines()) == [f"{who}@example.com (plus): {said}" for who in ("anna", "bert")]
    assert len(server.authority.received("revoke")) == 2
    assert document(both, "list")["accounts"] == []


def test_a_logout_of_all_as_json_has_each_key(both: Path, server: AuthorityServer) -> None:
    ended = document(both, "logout", "--all")["accounts"]
    keys = {key_of(TEAM, user, server.url) for user in ("user-anna", "user-bert")}
    assert {each["key"] for each in ended} == keys
    assert [each["account_id"] for each in ended] == [TEAM, TEAM]


@pytest.mark.parametrize(
    "named",
    ["anna@example.com", "ANNA@Example.COM", "anna", "user-anna", "user-a", "the key", "its beginning"],
)
def test_a_person_is_named_by_email_by_user_id_or_by_key(
    both: Path, server: AuthorityServer, named: str
) -> None:
    keys = {user: key_of(TEAM, user, server.url) for user in ("user-anna", "user-bert")}
    whole = keys["user-anna"]
    beginning = next(
        whole[:end] for end in range(len(TEAM), 99) if not keys["user-bert"].startswith(whole[:end])
    )
    wanted = {"the key": whole, "its beginning": beginning}.get(named, named)
    assert document(both, "status", "--account", wanted)["email"] == "anna@example.com"
    by_variable = run_command(both, "status", CODEX_OAUTH_ACCOUNT=wanted)
    assert by_variable.out.startswith("Signed in as anna@example.com")
    assert "named by CODEX_OAUTH_ACCOUNT" in by_variable.out
    assert run_command(both, "switch", wanted).out.startswith("Now in use: anna@example.com")


@pytest.mark.parametrize("named", [TEAM, "acct", f"{TEAM}-", "user"])
@pytest.mark.parametrize(
    "command", ["token", "status", "header", "refresh", "logout", "switch", "export", "exec"]
)
def test_what_fits_both_is_listed_and_never_guessed(both: Path, command: str, named: str) -> None:
    more = {"switch": (named,), "export": ("--to-codex", "x"), "exec": ()}.get(command, ())
    name = () if command == "switch" else ("--account", named)
    end = ("--", "true") if command == "exec" else ()
    done = run_command(both, command, *more, *name, *end)
    assert (done.code, done.out) == (2, "")
    said, *listed = done.err.splitlines()
    assert said == f"codex-oauth: {named} fits 2 logins: name one by its key"
    assert len(listed) == 2
    for line in listed:
        arrow, key, who = line.split(maxsplit=2)
        assert arrow == "->"
        assert document(both, "status", "--account", key)["email"] == who.split()[0]
    (failed,) = valid(command, run_command(both, command, "--json", *more, *name, *end))
    assert failed["error"]["kind"] == "usage"
    assert [f"  -> {each}" for each in failed["error"]["next_actions"]] == listed
    assert len(rows(both)) == 2


def test_switch_without_a_name_offers_what_can_be_pasted(both: Path) -> None:
    done = run_command(both, "switch")
    offers = [line.partition(": codex-oauth ")[2].split() for line in done.err.splitlines()[1:]]
    assert sorted(offer[1] for offer in offers) == ["anna@example.com", "bert@example.com"]
    for offer in offers:
        assert run_command(both, *offer).code == 0


@signs_in(attrs.evolve(ANNA, email="$(x)@example.com"), attrs.evolve(BERT, email="-b@example.com"))
def test_an_email_address_that_means_something_to_a_shell_is_not_offered(both: Path) -> None:
    offers = [line.split()[-1] for line in run_command(both, "switch").err.splitlines()[1:]]
    assert {document(both, "status", "--account", offer)["key"] for offer in offers} == set(offers)


EVIL = "\x1b]0;x\x07\u202e@example.com"


@signs_in(attrs.evolve(ANNA, email=EVIL), attrs.evolve(BERT, email=EVIL))
def test_what_a_server_calls_people_is_shown_to_nobody_as_it_is(both: Path) -> None:
    done = [run_command(both, *line) for line in (("switch",), ("token", "--account", TEAM), ("list",))]
    assert [each.code for each in done] == [2, 2, 0]
    assert all(line.isprintable() for each in done for line in (each.out + each.err).splitlines())
    with pytest.raises(SignInError) as ambiguous:
        one_login(stored(both), TEAM)
    assert ambiguous.value.details["reason"] == "ambiguous"
    assert set(ambiguous.value.next_actions) == set(stored(both).names())


def test_doctor_tells_each_by_its_key_and_what_a_variable_leaves_open(
    both: Path, server: AuthorityServer
) -> None:
    def logins(**variables: str) -> list[dict[str, Any]]:
        done = run_command(both, "doctor", "--offline", "--json", **variables)
        (found,) = valid("doctor", done)
        return [each for each in found["findings"] if each["name"] == "login"]

    keys = {user: key_of(TEAM, user, server.url) for user in ("user-anna", "user-bert")}
    assert {each["subject"]: "in use" in each["found"] for each in logins()} == {
        keys["user-anna"]: False,
        keys["user-bert"]: True,
    }
    (problem,) = (each for each in logins(CODEX_OAUTH_ACCOUNT=TEAM) if each["verdict"] == "problem")
    assert problem["found"] == f"{TEAM} fits 2 logins: name one by its key"
    assert {line.split()[0] for line in problem["advice"]} == set(keys.values())
    (named,) = (each for each in logins(CODEX_OAUTH_ACCOUNT="anna@example.com") if "in use" in each["found"])
    assert named["subject"] == keys["user-anna"]


# -- one person in two workspaces, and one account at two servers ---------------------------------------------


@signs_in(ANNA, ANNA_ELSEWHERE)
def test_one_person_in_two_workspaces_has_two_logins(tmp_path: Path, server: AuthorityServer) -> None:
    sign_in(tmp_path, server, 2)
    assert {row[1] for row in rows(tmp_path)} == {TEAM, "acct_elsewhere"}
    assert document(tmp_path, "status", "--account", TEAM)["account_id"] == TEAM
    done = run_command(tmp_path, "token", "--account", "anna@example.com")
    assert (done.code, "fits 2 logins" in done.err) == (2, True)
    assert {line.split(maxsplit=2)[2] for line in done.err.splitlines()[1:]} == {"anna@example.com (plus)"}
    listed = run_command(tmp_path, "list").out
    for account in (TEAM, "acct_elsewhere"):
        key = key_of(account, "user-anna", server.url)
        assert f"anna@example.com (plus) at {server.url} [{key}]: " in listed
    offered = " ".join(run_command(tmp_path, "switch").err.split())
    for account in (TEAM, "acct_elsewhere"):
        key = key_of(account, "user-anna", server.url)
        assert f"anna@example.com (plus) at {server.url} [{key}]: codex-oauth switch {key}" in offered


def test_logins_of_several_servers_are_listed_with_their_servers(tmp_path: Path) -> None:
    with serve(of(ANNA)) as one, serve(of(ANNA)) as other:
        urls = [one.url, other.url]
        keys = [sign_in(tmp_path, server)[0]["key"] for server in (one, other)]
    said = " ".join(run_command(tmp_path, "token", "--account", "anna@example.com").err.split())
    for key, url in zip(keys, urls, strict=True):
        assert f"{key} anna@example.com (plus) at {url}" in said


def test_a_login_of_another_server_stays_and_the_note_says_so(tmp_path: Path) -> None:
    with serve(of(ANNA)) as one, serve(of(ANNA)) as other:
        sign_in(tmp_path, one)
        done = run_command(tmp_path, "login", "--device", "--issuer", other.url, "--revoke-old")
        assert done.code == 0
        told = "That login stays here, and the new one becomes the one in use."
        assert f"You are signed in as anna@example.com (plus). {told}" in " ".join(done.err.split())
        assert "takes its place" not in done.err
        assert one.authority.received("revoke") == []
    assert len(document(tmp_path, "list")["accounts"]) == 2


def test_a_login_that_ended_is_signed_in_again_where_it_is_from(tmp_path: Path) -> None:
    gone = '{"error": {"code": "refresh_token_invalidated"}}'
    over = Fault(endpoint="refresh", status=401, body=gone, act=False)
    with serve(Authority(policy=attrs.evolve(AT_ONCE, accounts=(ANNA,)), faults=[over])) as server:
        sign_in(tmp_path, server)
        path = path_in_use(tmp_path)
        kept = json.loads(path.read_bytes())
        kept["credential"]["obtained_at"] = rfc3339(time.time() - 120)
        path.write_text(json.dumps(kept))
        done = run_command(tmp_path, "refresh")
    assert done.code == 4
    assert f"Sign in: codex-oauth login --issuer {server.url}" in " ".join(done.err.split())


def test_of_other_logins_the_one_in_use_is_not_offered(tmp_path: Path) -> None:
    with serve(of(ANNA)) as one, serve(of(ANNA)) as other:
        first, second = sign_in(tmp_path, one)[0]["key"], sign_in(tmp_path, other)[0]["key"]
        assert document(tmp_path, "status")["key"] == second
        done = run_command(tmp_path, "logout", "--account", first)
    assert "1 other login stays here." in done.err
    assert "codex-oauth switch" not in done.err


def test_w4_the_same_account_at_two_servers_is_two_logins(tmp_path: Path) -> None:
    with serve(of(ANNA)) as one, serve(of(ANNA)) as other:
        (first,), (second,) = sign_in(tmp_path, one), sign_in(tmp_path, other)
        assert first["key"] != second["key"]
        assert {row["issuer"] for row in document(tmp_path, "list")["accounts"]} == {one.url, other.url}
        for said in (first, second):
            assert renewed(tmp_path, "--account", said["key"])
            assert f"at {said['issuer']} [{said['key']}]" in run_command(tmp_path, "list").out
        assert document(tmp_path, "logout", "--account", first["key"])["revoked"] is True
        assert len(other.authority.received("revoke")) == 0
    assert [row["key"] for row in document(tmp_path, "list")["accounts"]] == [second["key"]]


def test_w4_the_same_account_of_two_clients_is_two_logins(tmp_path: Path) -> None:
    ours = hold(tmp_path)
    theirs = hold(tmp_path, client_id="another-client", refresh_token=None)
    assert ours.key != theirs.key
    assert set(stored(tmp_path).names()) == {ours.key, theirs.key}
    assert run_command(tmp_path, "token", "--account", "acct_1").code == 2


# -- an account id that is no file's name -----------------------------------------------------------------------


@signs_in(ODD)
def test_w5_an_account_id_that_is_no_name_of_a_file_is_kept_under_its_key(
    tmp_path: Path, server: AuthorityServer
) -> None:
    (said,) = sign_in(tmp_path, server)
    assert (said["account_id"], said["key"]) == (
        ODD.account_id,
        key_of(ODD.account_id, "user-odd", server.url),
    )
    assert Path(said["path"]).name == f"{said['key']}.json"
    assert server.authority.received("revoke") == []
    for named in (str(ODD.account_id), "odd@example.com", "user-odd", said["key"], "auth0"):
        assert document(tmp_path, "status", "--account", named)["account_id"] == ODD.account_id
        for answer in every_answer(tmp_path, "--account", named):
            assert answer["account_id"] == ODD.account_id
    assert document(tmp_path, "logout", "--account", str(ODD.account_id))["revoked"] is True


# -- what cannot be read --------------------------------------------------------------------------------------


def test_a_login_that_cannot_be_read_is_named_by_its_file_and_hides_no_other(both: Path) -> None:
    torn = path_in_use(both)
    torn.write_bytes(b"{")
    listed = document(both, "list")
    (row,) = (each for each in listed["accounts"] if not each["ok"])
    assert (row["key"], row["account_id"], row["current"]) == (torn.stem, None, True)
    assert (listed["current"], listed["current_key"]) == (None, torn.stem)
    assert run_command(both, "token", "--account", "anna@example.com").code == 0
    assert run_command(both, "token", "--account", torn.stem).code == 6
    assert document(both, "logout", "--account", torn.stem)["revoked"] is False
    assert [row[0] for row in rows(both)] == ["anna@example.com"]
