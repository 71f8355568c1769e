"""U18: several accounts: `list`, `switch`, `--account`, `CODEX_OAUTH_ACCOUNT`, and a login of another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import Secret
from codex_oauth.authority import Account, Authority, Policy, serve
from tests.cli.commands import Done, run_command
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, hold, key_of, login, stored
from tests.support import account_token

ONE, TWO = "acct_one", "acct_two"
KEYS = (key_of(ONE), key_of(TWO))


def sign_in(home: Path, account: str, email: str) -> None:
    identity = Secret(account_token(account, email=email))
    hold(home, account_id=account, access_token=Secret(f"token-of-{account}"), id_token=identity)


def document_of(home: Path) -> dict[str, Any]:
    (document,) = valid("status", run_command(home, "status", "--json"))
    return document


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two logins; the one that came last is in use."""
    sign_in(tmp_path, ONE, "One@example.com")
    sign_in(tmp_path, TWO, "two@example.com")
    return tmp_path


def token(home: Path, *more: str, **extra: str) -> str:
    done = run_command(home, "token", *more, **extra)
    assert done.code == 0, done.err
    return done.out.strip()


def test_the_list_marks_the_one_in_use(home: Path) -> None:
    done = run_command(home, "list")
    assert (done.code, done.err) == (0, "")
    marks = [(line[0], line.split()[-1] if line[0] != "*" else "") for line in done.out.splitlines()]
    assert [mark for mark, _ in marks] == [" ", "*"]
    (document,) = valid("list", run_command(home, "list", "--json"))
    assert document["current"] == TWO
    assert [(row["account_id"], row["current"]) for row in document["accounts"]] == [
        (ONE, False),
        (TWO, True),
    ]


@pytest.mark.parametrize("named", [ONE, "One@example.com", "one@EXAMPLE.com", "one@", "acct_o"])
def test_a_login_is_named_by_id_email_or_the_beginning_of_one(home: Path, named: str) -> None:
    assert token(home, "--account", named) == f"token-of-{ONE}"
    assert token(home, CODEX_OAUTH_ACCOUNT=named) == f"token-of-{ONE}"
    assert stored(home).current() == KEYS[1]  # naming is not switching
    done = run_command(home, "switch", named)
    assert done.out.startswith("Now in use: One@example.com")
    assert token(home) == f"token-of-{ONE}"


def test_the_option_goes_before_the_variable_and_that_before_the_one_in_use(home: Path) -> None:
    assert token(home) == f"token-of-{TWO}"
    assert token(home, CODEX_OAUTH_ACCOUNT=ONE) == f"token-of-{ONE}"
    assert token(home, "--account", TWO, CODEX_OAUTH_ACCOUNT=ONE) == f"token-of-{TWO}"
    assert token(home, CODEX_OAUTH_ACCOUNT="") == f"token-of-{TWO}"


@pytest.mark.parametrize("command", ["status", "header", "refresh", "logout"])
def test_an_account_that_is_not_here_is_never_replaced_by_another(home: Path, command: str) -> None:
    by_option = run_command(home, command, "--account", "nobody")
    by_variable = run_command(home, command, CODEX_OAUTH_ACCOUNT="nobody")
    assert (by_option.code, by_variable.code) == (4, 4)
    assert "named_by" not in by_option.err
    assert "named_by: --account" in run_command(home, command, "--account", "nobody", "-v").err
    assert (
        "named_by: CODEX_OAUTH_ACCOUNT" in run_command(home, command, "-v", CODEX_OAUTH_ACCOUNT="nobody").err
    )
    assert "No login of nobody is stored here." in by_option.err
    assert "No login of nobody is stored here (CODEX_OAUTH_ACCOUNT names it)." in by_variable.err
    assert "codex-oauth list" in by_option.err
    assert stored(home).names() == KEYS


def test_a_name_that_fits_several_lists_them(home: Path) -> None:
    done = run_command(home, "token", "--account", "acct")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "codex-oauth: acct fits 2 logins: name one by its key",
        f"  -> {KEYS[0]}  One@example.com",
        f"  -> {KEYS[1]}  two@example.com",
    ]


def test_an_empty_option_names_nobody(home: Path) -> None:
    assert run_command(home, "token", "--account", "").code == 2


def test_switch_without_a_name_offers_all(home: Path) -> None:
    done = run_command(home, "switch")
    assert done.code == 2
    assert done.err.splitlines()[1:] == [
        "  -> One@example.com: codex-oauth switch One@example.com",
        "  -> two@example.com: codex-oauth switch two@example.com",
    ]


def test_a_variable_that_makes_a_switch_useless_is_told(home: Path) -> None:
    done = run_command(home, "switch", ONE, CODEX_OAUTH_ACCOUNT=TWO)
    assert (done.code, f"CODEX_OAUTH_ACCOUNT is set: commands use {TWO} while it is." in done.err) == (
        0,
        True,
    )
    assert token(home, CODEX_OAUTH_ACCOUNT=TWO) == f"token-of-{TWO}"


def test_with_logins_but_none_in_use_the_way_on_is_told(home: Path) -> None:
    assert run_command(home, "logout", "--local").code == 0
    done = run_command(home, "token")
    assert done.code == 4
    assert "codex-oauth list" in done.err
    listed = run_command(home, "list").err
    assert "None of them is in use" in listed
    assert "codex-oauth switch One@example.com" in listed


def test_a_login_that_cannot_be_read_is_in_the_list_and_hides_no_other(home: Path) -> None:
    stored(home).slot(KEYS[0]).path.write_bytes(b"{")
    done = run_command(home, "list")
    assert done.code == 0
    assert done.out.splitlines()[0] == f"  {KEYS[0]}: The stored login cannot be read as a login."
    assert "two@example.com" in done.out


# -- signing in as another one ----------------------------------------------------------------------

HERS = Account(account_id="acct_hers", email="her@example.com")
AS_HER: Policy = attrs.evolve(AT_ONCE, account=HERS)


def test_a_login_of_another_account_than_asked_is_refused_ended_and_not_kept(home: Path) -> None:
    with serve(Authority(policy=AS_HER)) as server:
        done = login(home, server, "--account", ONE, "--json")
        revoked = server.authority.received("revoke")
    assert (done.code, done.documents[-1]["error"]["kind"]) == (3, "account_changed")
    assert stored(home).names() == KEYS
    assert stored(home).current() == KEYS[1]
    assert len(revoked) == 1


def test_with_yes_it_is_kept(home: Path) -> None:
    with serve(Authority(policy=AS_HER)) as server:
        done = login(home, server, "--account", ONE, "--yes")
    assert done.code == 0, done.err
    assert document_of(home)["account_id"] == "acct_hers"


@pytest.mark.parametrize("named", ["acct_hers", "her@example.com"])
def test_the_account_that_was_asked_for_is_kept(home: Path, named: str) -> None:
    def again() -> Done:
        return login(home, server, "--account", named)

    with serve(Authority(policy=AS_HER)) as server:
        assert again().code == 0  # nothing of hers is kept here yet
        assert again().code == 0
    assert document_of(home)["account_id"] == "acct_hers"
