"""U19: `codex-oauth logout` deletes here whatever the server says, and tells what it said."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

import pytest

from codex_oauth.authority import Authority, AuthorityServer, Fault, serve
from tests.cli.commands import run_command
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, hold, key_of, login, stored


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AT_ONCE)) as running:
        yield running


def files(home: Path) -> list[str]:
    return sorted(path.name for path in stored(home).home.rglob("*") if path.is_file())


def test_it_says_that_the_server_confirmed_and_what_that_may_mean(
    tmp_path: Path, server: AuthorityServer
) -> None:
    assert login(tmp_path, server).code == 0
    done = run_command(tmp_path, "logout")
    assert (done.code, done.out) == (0, "Signed out, here and at the server.\n")
    assert done.err == "Other sessions of the account may have ended too.\n"
    assert len(server.authority.received("revoke")) == 1


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"reset": True}])
def test_a_server_that_cannot_do_it_now_is_asked_again(tmp_path: Path, fault: dict[str, object]) -> None:
    with serve(Authority(policy=AT_ONCE, faults=[Fault(endpoint="revoke", requests="1", **fault)])) as server:  # type: ignore[arg-type]  # fields of a fault
        assert login(tmp_path, server).code == 0
        done = run_command(tmp_path, "logout")
        assert len(server.authority.received("revoke")) == 2
    assert (done.code, done.out) == (0, "Signed out, here and at the server.\n")
    assert stored(tmp_path).names() == ()


LAST_WORD = {"error": "unsupported_token_type"}


@pytest.mark.parametrize("status", [400, 404])
def test_it_deletes_whatever_the_server_says(tmp_path: Path, status: int) -> None:
    with serve(
        Authority(policy=AT_ONCE, faults=[Fault(endpoint="revoke", status=status, body=LAST_WORD)])
    ) as server:
        assert login(tmp_path, server).code == 0
        done = run_command(tmp_path, "logout")
        assert len(server.authority.received("revoke")) == 1
    assert (done.code, "did not confirm" in done.out) == (0, True)
    assert done.err.startswith("You can end it in the settings of the account at http://127.0.0.1:")
    assert stored(tmp_path).names() == ()


def test_a_server_that_does_not_answer_is_waited_for_ten_seconds(tmp_path: Path) -> None:
    with serve(Authority(policy=AT_ONCE, faults=[Fault(endpoint="revoke", delay=60.0)])) as server:
        assert login(tmp_path, server).code == 0
        begun = time.monotonic()
        done = run_command(tmp_path, "logout")
        took = time.monotonic() - begun
    assert (done.code, "did not confirm" in done.out) == (0, True)
    assert 9 < took < 50
    assert stored(tmp_path).names() == ()


def test_leftovers_and_rescued_files_go_too(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    (account,) = stored(tmp_path).names()
    path = stored(tmp_path).slot(account).path
    for name in (f"{path.name}.0123456789abcdef.tmp", f"{path.name}.0123456789abcdef.rescue"):
        path.with_name(name).write_bytes(path.read_bytes())
        path.with_name(name).chmod(0o600)
    assert run_command(tmp_path, "logout").code == 0
    assert [name for name in files(tmp_path) if name.endswith((".json", ".tmp", ".rescue", "current"))] == []


def test_who_is_signed_out_already_is_fine(tmp_path: Path) -> None:
    for _ in range(2):
        done = run_command(tmp_path, "logout")
        assert (done.code, done.out, done.err) == (0, "No one was signed in.\n", "")


def test_local_sends_nothing(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    done = run_command(tmp_path, "logout", "--local")
    assert (done.code, done.out, done.err) == (0, "Signed out here.\n", "")
    assert server.authority.received("revoke") == []
    assert stored(tmp_path).names() == ()


def test_of_several_only_the_one_and_the_others_are_told(tmp_path: Path) -> None:
    hold(tmp_path, account_id="acct_one")
    hold(tmp_path, account_id="acct_two")
    done = run_command(tmp_path, "logout", "--local", "--account", "acct_one")
    assert (done.code, stored(tmp_path).names()) == (0, (key_of("acct_two"),))
    assert stored(tmp_path).current() == key_of("acct_two")
    assert "codex-oauth list" in done.err


def test_all_ends_every_login_and_names_each(tmp_path: Path) -> None:
    for account in ("acct_one", "acct_two"):
        hold(tmp_path, account_id=account)
    torn, other = key_of("acct_one"), key_of("acct_two")
    stored(tmp_path).slot(torn).path.write_bytes(b"{torn")
    done = run_command(tmp_path, "logout", "--all", "--local")
    assert done.code == 0
    assert [line.partition(":")[0] for line in done.out.splitlines()] == [
        torn,
        f"an account without an email (acct_two) [{other}]",
    ]
    assert stored(tmp_path).names() == ()
    assert stored(tmp_path).current() is None


def test_quiet_says_the_result_only(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    done = run_command(tmp_path, "logout", "--quiet", "--json")
    assert done.err == ""
    (document,) = valid("logout", done)
    assert document["revoked"] is True
