"""The installed command against the authority over real HTTP, through pipes."""

from __future__ import annotations

import json
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import Credential, FileStore, Secret, finish_sign_in
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.cli.errors import EXIT_CODES
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.testing import FakeWorld, scripted
from codex_oauth_core import CODEX, ErrorKind, __version__
from codex_oauth_core.identity import Identity
from tests.cli.commands import Done, run_command

ACCOUNT = "00000000-0000-4000-8000-0000000000fa"
AT_ONCE = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AT_ONCE)) as running:
        yield running


def login(home: Path, server: AuthorityServer, *more: str, **extra: str) -> Done:
    return run_command(home, "login", "--device", "--issuer", server.url, *more, **extra)


def stored(home: Path) -> FileStore:
    return FileStore(home / "logins-of-the-test")


def key_of(account_id: str | None, user_id: str | None = None, issuer: str = CODEX.issuer) -> str:
    return Identity(issuer, CODEX.client_id, account_id, user_id).key


def slot_in_use(home: Path) -> FileSlot:
    """The login in use."""
    key = stored(home).current()
    assert key is not None
    return stored(home).slot(key)


def path_in_use(home: Path) -> Path:
    """The file of the login in use."""
    return slot_in_use(home).path


def hold(home: Path, **changes: Any) -> Credential:
    credential = Credential(
        Secret("stored-access"),
        Secret("stored-refresh"),
        "acct_1",
        CODEX.issuer,
        CODEX.client_id,
        "2026-01-01T00:00:00Z",
        expires_at=4_000_000_000_000,
    )
    credential = attrs.evolve(credential, **changes)
    put(home, credential)
    return credential


def put(home: Path, credential: Credential) -> None:
    """Store a login over whatever is there."""
    with FakeWorld(scripted(())) as world:
        finish_sign_in(credential, stored(home), None, world, force=True)


def expire(home: Path) -> Credential:
    """Let the stored access token have expired."""
    record = slot_in_use(home).load()
    assert record is not None
    old = attrs.evolve(record.credential, expires_at=1_700_000_000_000, obtained_at="2023-11-01T00:00:00Z")
    put(home, old)
    return old


def test_from_login_to_logout(tmp_path: Path, server: AuthorityServer) -> None:
    done = login(tmp_path, server)
    assert done.code == 0, done.err
    code = server.authority.received("usercode")
    assert len(code) == 1
    lines = done.err.splitlines()
    assert f"    {server.url}/codex/device" in lines
    assert any(line.startswith("    ") and "-" in line and "/" not in line for line in lines)
    assert f"This signs in at {server.url}." in lines
    assert "Only go on if you started this sign-in yourself." in lines
    assert done.out.startswith("Signed in as somebody@example.com (plus).\n")

    path = path_in_use(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    record = json.loads(path.read_bytes())
    assert record["credential"]["issuer"] == server.url

    token = run_command(tmp_path, "token")
    assert (token.code, token.err) == (0, "")
    assert token.out == record["credential"]["access_token"] + "\n"

    status = run_command(tmp_path, "status")
    assert status.code == 0
    assert "somebody@example.com" in status.out
    assert server.url in status.out
    assert str(path) in status.out

    logout = run_command(tmp_path, "logout")
    assert (logout.code, logout.out) == (0, "Signed out, here and at the server.\n")
    assert len(server.authority.received("revoke")) == 1
    assert not path.exists()
    assert run_command(tmp_path, "token").code == 4
    again = run_command(tmp_path, "logout")
    assert (again.code, again.out) == (0, "No one was signed in.\n")


def test_login_as_json_is_one_event_a_line(tmp_path: Path, server: AuthorityServer) -> None:
    done = login(tmp_path, server, "--json")
    assert (done.code, done.err) == (0, "")
    events = done.documents
    assert [event["event"] for event in events] == ["device_code", "waiting", "done"]
    assert all(event["schema_version"] == 1 for event in events)
    first, _, last = events
    assert first["verification_uri"] == f"{server.url}/codex/device"
    assert first["expires_at"].endswith("Z")
    assert (last["ok"], last["account_id"], last["email"]) == (True, ACCOUNT, "somebody@example.com")
    assert "fake" not in json.dumps(
        {key: value for key, value in last.items() if key not in ("account_id", "user_id", "key", "path")}
    )


@pytest.mark.parametrize(
    ("policy", "kind", "code"),
    [
        (attrs.evolve(AT_ONCE, approve=Approve.DENY), "denied", 3),
        (attrs.evolve(AT_ONCE, approve=Approve.NEVER, lifetime=2.0), "expired", 3),
    ],
)
def test_a_login_that_fails(tmp_path: Path, policy: Policy, kind: str, code: int) -> None:
    with serve(Authority(policy=policy)) as server:
        for_people, for_programs = login(tmp_path, server), login(tmp_path, server, "--json")
    assert (for_people.code, for_programs.code) == (code, code)
    assert for_people.out == ""
    assert "  -> " in for_people.err
    assert "Traceback" not in for_people.err
    last = for_programs.documents[-1]
    assert (last["event"], last["ok"], last["error"]["kind"]) == ("error", False, kind)
    assert stored(tmp_path).names() == ()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(endpoint="usercode", status=404, body="{}"), ErrorKind.DEVICE_CODE_UNSUPPORTED),
        (Fault(endpoint="usercode", status=403, body="{}"), ErrorKind.DEVICE_AUTH_FAILED),
        (
            Fault(endpoint="usercode", status=403, headers={"Content-Type": "text/html"}, body="<p>"),
            ErrorKind.BLOCKED,
        ),
        (
            Fault(endpoint="usercode", status=429, headers={"Retry-After": "99"}, body="{}"),
            ErrorKind.RATE_LIMITED,
        ),
        (
            Fault(endpoint="exchange", status=400, body='{"error": "invalid_grant"}'),
            ErrorKind.TOKEN_REQUEST_FAILED,
        ),
        (Fault(endpoint="exchange", reset=True), ErrorKind.TOKEN_REQUEST_FAILED),
        (Fault(endpoint="poll", status=200, body="{}"), ErrorKind.INVALID_RESPONSE),
    ],
)
def test_faults_have_their_exit_codes(tmp_path: Path, fault: Fault, kind: ErrorKind) -> None:
    with serve(Authority(policy=AT_ONCE, faults=[fault])) as server:
        done = login(tmp_path, server, "--json")
    assert done.documents[-1]["error"]["kind"] == kind
    assert done.code == EXIT_CODES[kind]


def test_bad_polls_do_not_end_a_login(tmp_path: Path) -> None:
    faults = [
        Fault(endpoint="poll", requests="1", reset=True, act=False),
        Fault(
            endpoint="poll", requests="2", status=403, headers={"Content-Type": "text/html"}, body="<html>"
        ),
    ]
    with serve(Authority(policy=AT_ONCE, faults=faults)) as server:
        done = login(tmp_path, server)
    assert done.code == 0
    assert "A web page came in place of an answer of 127.0.0.1." in done.err
    assert "127.0.0.1 closed the connection." in done.err


def test_an_approval_that_was_lost_on_the_way_says_so(tmp_path: Path) -> None:
    with serve(
        Authority(policy=AT_ONCE, faults=[Fault(endpoint="poll", requests="1", reset=True)])
    ) as server:
        done = login(tmp_path, server, "--json")
    assert done.code == 3
    assert done.documents[-1]["error"]["kind"] == "approval_lost"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("login", "--issuer", "http://example.com"),
        ("login", "--issuer", "ftp://127.0.0.1"),
        ("login", "--issuer", "https://user@example.com"),
        ("login", "--issuer", ""),
        ("login", "--port", "1"),
        ("authority", "--port", "70000"),
        ("authority", "--approve", "maybe"),
        ("authority", "--interval", "0"),
        ("authority", "--faults", "missing.json"),
    ],
)
def test_usage_errors(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run_command(tmp_path, *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["status", "token"])
def test_nobody_is_signed_in(tmp_path: Path, command: str) -> None:
    for_people, for_programs = run_command(tmp_path, command), run_command(tmp_path, command, "--json")
    assert (for_people.code, for_people.out) == (4, "")
    assert for_people.err.startswith("codex-oauth: No one is signed in.\n  -> Sign in: codex-oauth login\n")
    assert for_programs.code == 4
    assert for_programs.documents[0]["error"]["kind"] == "login_required"


def test_an_expired_token_is_not_printed_where_it_cannot_be_renewed(tmp_path: Path) -> None:
    hold(tmp_path, expires_at=1_700_000_000_000, issuer="http://127.0.0.1:9")
    token = run_command(tmp_path, "token")
    assert (token.code, token.out) == (5, "")
    assert token.err.startswith("codex-oauth: 127.0.0.1 refused the connection.\n")
    status = run_command(tmp_path, "status", "--json")
    assert status.code == 0
    assert status.documents[0] | {"ok": True, "expired": True, "renewable": True} == status.documents[0]


def test_an_expired_token_is_renewed(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    old = expire(tmp_path)
    token = run_command(tmp_path, "token")
    assert (token.code, token.err) == (0, "")
    assert token.out.strip() not in ("", old.access_token.reveal())
    assert run_command(tmp_path, "token").out == token.out
    assert len(server.authority.received("refresh")) == 1


def test_u16_a_login_that_the_server_has_ended_is_never_ok(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    spent = expire(tmp_path)
    assert run_command(tmp_path, "token").code == 0
    put(tmp_path, spent)  # as a copy of the file would: its refresh token is used twice
    for _ in range(2):
        token = run_command(tmp_path, "token", "--json")
        assert (token.code, token.documents[0]["error"]["details"]["code"]) == (4, "refresh_token_reused")
    assert len(server.authority.received("refresh")) == 2  # and the dead one is not sent again
    status = run_command(tmp_path, "status")
    assert status.code == 4
    assert "already used" in status.out
    document = run_command(tmp_path, "status", "--json").documents[0]
    assert (document["ok"], document["renewable"], document["ended_by"]) == (
        False,
        False,
        "refresh_token_reused",
    )


def test_a_copied_token_is_used_while_it_lives_and_its_logout_revokes_nothing(tmp_path: Path) -> None:
    hold(tmp_path, refresh_token=None)
    assert run_command(tmp_path, "token").out == "stored-access\n"
    status = run_command(tmp_path, "status")
    assert (status.code, "copied from another program" in status.out) == (0, True)
    hold(tmp_path, refresh_token=None, expires_at=1_700_000_000_000)
    assert [run_command(tmp_path, command).code for command in ("token", "status")] == [4, 4]
    logout = run_command(tmp_path, "logout", "--json")
    assert (logout.code, logout.documents[0]["revoked"]) == (0, None)
    assert "stays signed in" in logout.documents[0]["message"]


def test_a_token_of_unknown_expiry_is_printed(tmp_path: Path) -> None:
    hold(tmp_path, expires_at=None)
    assert run_command(tmp_path, "token").out == "stored-access\n"
    document = run_command(tmp_path, "token", "--json").documents[0]
    assert document == {
        "schema_version": 1,
        "version": 1,
        "access_token": "stored-access",
        "key": key_of("acct_1"),
        "account_id": "acct_1",
        "provider": "codex",
        "expires_at": None,
    }


def test_a_corrupt_login_is_a_storage_error_and_logout_removes_it(tmp_path: Path) -> None:
    hold(tmp_path)
    path = path_in_use(tmp_path)
    path.write_bytes(b"{torn")
    for command in ("status", "token"):
        done = run_command(tmp_path, command, "--json")
        assert done.code == 6
        assert done.documents[0]["error"]["kind"] == "corrupt_auth"
    assert path.read_bytes() == b"{torn"
    done = run_command(tmp_path, "logout")
    assert done.code == 0
    assert (
        done.out == "Deleted the login here. It could not be read, so the server was not asked to end it.\n"
    )
    assert not path.exists()


def test_a_local_logout_sends_nothing(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    done = run_command(tmp_path, "logout", "--local", "--json")
    assert done.documents == [
        {"schema_version": 1, "ok": True, "revoked": None, "message": "Signed out here."}
    ]
    assert server.authority.received("revoke") == []


def test_a_logout_that_the_server_does_not_confirm_deletes_all_the_same(tmp_path: Path) -> None:
    with serve(
        Authority(policy=AT_ONCE, faults=[Fault(endpoint="revoke", status=400, body={"error": "no"})])
    ) as server:
        assert login(tmp_path, server).code == 0
        done = run_command(tmp_path, "logout", "--json")
    assert (done.code, done.documents[0]["revoked"]) == (0, False)
    assert stored(tmp_path).names() == ()


def test_a_login_of_another_client_is_revoked_by_that_client_at_its_own_server(tmp_path: Path) -> None:
    with serve(Authority(policy=AT_ONCE, client_id="another")) as theirs:
        hold(tmp_path, client_id="another", issuer=theirs.url)
        done = run_command(tmp_path, "logout", "--json")
        assert (done.code, done.documents[0]["revoked"]) == (0, True)
        assert [sent.fields["client_id"] for sent in theirs.authority.received("revoke")] == ["another"]


def test_a_login_of_a_server_that_gets_no_secret_is_not_sent_anywhere(tmp_path: Path) -> None:
    hold(tmp_path, issuer="http://login.example.com")
    done = run_command(tmp_path, "logout", "--json")
    assert (done.code, done.documents[0]["revoked"]) == (0, False)


def test_a_store_of_ones_own(tmp_path: Path, server: AuthorityServer) -> None:
    where = tmp_path / "elsewhere"
    assert login(tmp_path, server, "--store", str(where)).code == 0
    assert run_command(tmp_path, "status").code == 4
    assert run_command(tmp_path, "status", "--store", str(where)).code == 0
    assert FileStore(where).names() == (key_of(ACCOUNT, "user-fake", server.url),)


def test_a_home_that_is_no_place_for_logins(tmp_path: Path, server: AuthorityServer) -> None:
    (tmp_path / "file").write_text("")
    done = login(tmp_path, server, "--store", str(tmp_path / "file"), "--json")
    assert done.code == 6
    assert done.documents[0]["error"]["kind"] == "auth_write_failed"
    assert server.authority.requests == []
    assert run_command(tmp_path, "status", CODEX_OAUTH_HOME="relative/path").code == 6


def test_in_ci_a_login_that_nobody_named_fails_at_once(tmp_path: Path, server: AuthorityServer) -> None:
    done = run_command(tmp_path, "login", "--issuer", server.url, CI="true")
    assert done.code == 4
    assert "--device" in done.err
    assert server.authority.requests == []
    assert login(tmp_path, server, CI="true").code == 0


# J6
def test_text_of_a_token_reaches_the_terminal_filtered(tmp_path: Path, server: AuthorityServer) -> None:
    evil = "a\x1b]0;pwned\x07\r\u202e@example.com"
    account = attrs.evolve(server.authority.policy.account, email=evil)
    with serve(Authority(policy=attrs.evolve(AT_ONCE, account=account))) as other:
        done = login(tmp_path, other)
    assert done.code == 0
    status = run_command(tmp_path, "status")
    for text in (done.out, done.err, status.out):
        assert not set("\x1b\x07\r\u202e") & set(text)
    assert r"a\x1b]0;pwned\x07\r\u202e@example.com" in status.out


def test_help_shows_examples_and_version_is_the_packages(tmp_path: Path) -> None:
    done = run_command(tmp_path, "--help")
    assert done.code == 0
    assert "codex-oauth login --device" in done.out
    assert run_command(tmp_path, "--version").out == f"codex-oauth {__version__}\n"


def test_a_bug_is_one_line_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from codex_oauth.cli.main import main

    def broken(self: FileStore) -> str:
        raise RuntimeError("canary-in-a-message")

    monkeypatch.setattr(FileStore, "current", broken)
    assert main(["status", "--store", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "unexpected RuntimeError" in said.err
    assert "canary" not in said.err + said.out
