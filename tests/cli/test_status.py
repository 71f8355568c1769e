"""U16: what `codex-oauth status` tells, where from, and what `--check` asks."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import Secret
from codex_oauth.cli.account import last_failure
from codex_oauth.cli.status_check import URL, ask_server
from codex_oauth_core import (
    CODEX,
    Cause,
    Credential,
    ErrorKind,
    Phase,
    Record,
    RequestFailed,
    ResponseReceived,
    SendRequest,
)
from codex_oauth_core.record import Intent, write_record
from tests.cli.commands import Done, run_command
from tests.cli.schemas import valid
from tests.cli.test_commands import hold, path_in_use
from tests.support import CLAIMS, account_token, jwt
from tests.transport.certificates import Authority
from tests.transport.servers import Script, Server, over_tls, read_request, tunnel_to, until_closed

PAST = 1_700_000_000_000


# -- offline ----------------------------------------------------------------------------------------


def test_it_tells_who_until_when_and_where(tmp_path: Path) -> None:
    token = account_token("acct_1", exp=4_000_000_000, email="me@example.com")
    hold(tmp_path, id_token=Secret(token))
    done = run_command(tmp_path, "status")
    path = path_in_use(tmp_path)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("Signed in as me@example.com")
    assert "until 2096-10-02T07:06:40Z" in lines[1]
    assert lines[3].startswith("  signed in at:  2026-01-01T00:00:00Z, ")
    assert lines[4] == "  provider:      codex"
    assert lines[5] == "  workspace:     acct_1"
    assert lines[6] == f"  stored in:     {path}"
    assert lines[7] == "  store:         named by CODEX_OAUTH_HOME"
    assert len(lines) == 8


def test_it_says_why_the_store_is_where_it_is_and_what_overrides_that(tmp_path: Path) -> None:
    hold(tmp_path)
    elsewhere = str(tmp_path / "logins-of-the-test")
    by_option = run_command(tmp_path, "status", "--store", elsewhere, CODEX_OAUTH_HOME="/nowhere")
    assert "  store:         named by --store\n" in by_option.out
    usual = tmp_path / ".local" / "state"
    usual.mkdir(parents=True)
    Path(elsewhere).rename(usual / "codex-oauth")
    done = run_command(tmp_path, "status", CODEX_OAUTH_HOME="", XDG_STATE_HOME="")
    assert "the default of this user; --store or CODEX_OAUTH_HOME names another" in done.out


def test_it_says_what_names_the_account(tmp_path: Path) -> None:
    hold(tmp_path)
    done = run_command(tmp_path, "status", CODEX_OAUTH_ACCOUNT="acct")
    assert "  account:       named by CODEX_OAUTH_ACCOUNT\n" in done.out
    (document,) = valid("status", run_command(tmp_path, "status", "--json", "--account", "acct_1"))
    assert (document["store_chosen_by"], document["account_chosen_by"]) == ("CODEX_OAUTH_HOME", "--account")


def change(home: Path, **changes: Any) -> None:
    credential = hold(home)
    path_in_use(home).write_bytes(write_record(attrs.evolve(Record(credential), **changes)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dead_code": "refresh_token_invalidated"}, "ended by the server"),
        ({"dead_code": "brand_new_code"}, "The server has ended the login."),
        ({"spent": True}, "answered with another account"),
        (
            {"spent": True, "dead_code": "refresh_token_unusable"},
            "the old one is spent. It cannot be renewed.",
        ),
    ],
)
@pytest.mark.parametrize("more", [(), ("--check",)])
def test_a_login_that_is_over_is_never_ok(
    tmp_path: Path, changes: dict[str, Any], says: str, more: tuple[str, ...]
) -> None:
    change(tmp_path, **changes)
    done = run_command(tmp_path, "status", *more)
    assert (done.code, says in done.out) == (4, True)
    assert "Sign in again: codex-oauth login" in done.err
    (document,) = valid("status", run_command(tmp_path, "status", "--json", *more))
    assert (document["ok"], document["renewable"], document["check"]) == (False, False, None)
    assert document["last_failure"]["code"]


def test_a_lost_answer_is_the_last_failure(tmp_path: Path) -> None:
    change(tmp_path, uncertain_at=1_790_000_000.0)
    done = run_command(tmp_path, "status")
    assert (done.code, "  last failure:  answer_lost, 2026-09-21T14:13:20Z\n" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, None),
        ({"dead_code": "invalid_grant"}, {"code": "invalid_grant", "at": None}),
        ({"spent": True}, {"code": "account_changed", "at": None}),
        ({"uncertain_at": 0.0}, {"code": "answer_lost", "at": "1970-01-01T00:00:00Z"}),
        ({"intent": Intent(1, "h", 0.0)}, {"code": "answer_lost", "at": "1970-01-01T00:00:00Z"}),
    ],
)
def test_what_counts_as_a_failure(changes: dict[str, Any], found: object) -> None:
    credential = Credential(Secret("a"), Secret("r"), "acct_1", "https://a.example", "c", "")
    assert last_failure(Record(credential, **changes)) == found


def test_a_renewal_that_is_under_way_is_no_failure(tmp_path: Path) -> None:
    change(tmp_path, intent=Intent(1, "h", time.time()))
    done = run_command(tmp_path, "status")
    assert "  renewal:       under way, by another process\n" in done.out
    assert "last failure" not in done.out


def test_a_time_that_is_none_is_null(tmp_path: Path) -> None:
    hold(tmp_path, obtained_at="yesterday")
    (document,) = valid("status", run_command(tmp_path, "status", "--json"))
    assert document["obtained_at"] is None


# -- `--check` --------------------------------------------------------------------------------------

JSON = {"content-type": "application/json"}


def held(**changes: Any) -> Credential:
    token = Secret("canary-access-token")
    usual = Credential(token, Secret("r"), "acct_1", CODEX.issuer, CODEX.client_id, "2026-01-01T00:00:00Z")
    return attrs.evolve(usual, **changes)


@attrs.define(eq=False)
class Answering:
    """A transport that answers the same to every request."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = JSON
    failure: Cause | None = None
    sent: list[SendRequest] = attrs.field(factory=list[SendRequest])

    def __call__(self, effect: SendRequest, stopped: object) -> ResponseReceived | RequestFailed:
        self.sent.append(effect)
        if self.failure is not None:
            return RequestFailed(2.0, Phase.NOT_SENT, self.failure)
        return ResponseReceived(1.0, 2.0, 3.0, self.status, self.headers, self.body)


def test_it_is_one_request_to_chatgpt_with_the_token() -> None:
    transport = Answering()
    checked = ask_server(held(), transport)
    assert (checked.accepted, checked.error, checked.not_asked) == (True, None, None)
    (effect,) = transport.sent
    assert (effect.request.method, effect.request.url) == ("GET", URL)
    headers = dict(effect.request.plain_headers())
    assert headers["Authorization"] == "Bearer canary-access-token"
    assert (headers["ChatGPT-Account-Id"], headers["originator"]) == ("acct_1", "codex-oauth")
    assert "x-openai-fedramp" not in headers


def test_it_carries_what_a_login_of_the_government_needs() -> None:
    transport = Answering()
    ask_server(held(id_token=Secret(jwt({CLAIMS: {"chatgpt_account_is_fedramp": True}}))), transport)
    (effect,) = transport.sent
    assert dict(effect.request.plain_headers())["x-openai-fedramp"] == "true"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"issuer": "http://127.0.0.1:9"}, "other_issuer"),
        ({"client_id": "another"}, "other_issuer"),
        ({"expires_at": PAST}, "expired"),
    ],
)
def test_what_is_known_is_not_asked(changes: dict[str, Any], why: str) -> None:
    transport = Answering()
    assert ask_server(held(**changes), transport).not_asked == why
    assert transport.sent == []


HTML = {"content-type": "text/html"}


@pytest.mark.parametrize(
    ("transport", "kind"),
    [
        (Answering(401), ErrorKind.LOGIN_REQUIRED),
        (Answering(401, b"<html>", HTML), ErrorKind.BLOCKED),
        (Answering(403, b"<html>", HTML), ErrorKind.BLOCKED),
        (Answering(200, b"<html>", HTML), ErrorKind.BLOCKED),
        (Answering(302, b""), ErrorKind.BLOCKED),
        (Answering(429), ErrorKind.RATE_LIMITED),
        (Answering(503), ErrorKind.NETWORK),
        (Answering(404), ErrorKind.INVALID_RESPONSE),
        (Answering(200, b"not json"), ErrorKind.INVALID_RESPONSE),
        (
            Answering(403, b'{"error": {"code": "unsupported_country_region_territory"}}'),
            ErrorKind.REGION_BLOCKED,
        ),
        (Answering(failure=Cause.DNS), ErrorKind.NETWORK),
        (Answering(failure=Cause.TLS_CERTIFICATE), ErrorKind.TLS_UNTRUSTED),
    ],
)
def test_an_answer_is_told_as_what_it_is(transport: Answering, kind: ErrorKind) -> None:
    checked = ask_server(held(), transport)
    assert checked.error is not None
    assert checked.error.kind is kind
    assert checked.accepted is (False if kind is ErrorKind.LOGIN_REQUIRED else None)
    assert checked.error.next_actions


def test_nothing_that_the_server_writes_is_shown() -> None:
    body = json.dumps({"error": {"code": "canary-access-token", "message": "prose-of-the-server"}}).encode()
    checked = ask_server(held(), Answering(401, body))
    assert checked.error is not None
    shown = f"{checked} {checked.error.to_dict()}"
    assert "canary" not in shown
    assert "prose" not in shown


def chatgpt(heads: list[bytes], status: bytes, body: bytes) -> Script:
    def script(sock: Any) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )
        until_closed(sock)

    return script


def checked_by(home: Path, status: bytes, *more: str) -> tuple[Done, list[bytes], list[bytes]]:
    """`status --check` against a chatgpt.com of our own, behind a proxy: what it says, and who was asked what."""
    folder = home / "ca"
    folder.mkdir(exist_ok=True)
    authority, heads, tunnels = Authority(folder), list[bytes](), list[bytes]()
    origin = over_tls(chatgpt(heads, status, b"{}"), authority.server("chatgpt.com"))
    with Server(origin) as server, Server(tunnel_to(server.port, tunnels)) as proxy:
        where = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", "SSL_CERT_FILE": str(authority.ca_file)}
        done = run_command(home, "status", "--check", *more, **where)
    return done, heads, tunnels


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize(("status", "code"), [(b"200 OK", 0), (b"401 Unauthorized", 4), (b"500 Error", 5)])
def test_over_a_network_it_is_one_call_and_one_host(
    tmp_path: Path, status: bytes, code: int, more: tuple[str, ...]
) -> None:
    hold(tmp_path, access_token=Secret("canary-access-token"))
    done, heads, tunnels = checked_by(tmp_path, status, *more)
    assert done.code == code, done.err
    assert [line.split()[1] for line in tunnels] == [b"chatgpt.com:443"]
    (head,) = heads
    assert head.startswith(b"GET /backend-api/wham/usage HTTP/1.1\r\n")
    assert b"Bearer canary-access-token" in head
    assert "canary" not in done.out + done.err
    if more:
        (document,) = valid("status", done)
        assert (document["ok"], document["check"]["accepted"]) == (code == 0, {0: True, 4: False}.get(code))
    else:
        assert "  checked:       ChatGPT " in done.out
        assert bool(done.err) is (code != 0)
