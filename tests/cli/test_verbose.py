"""U25: `--quiet` leaves errors and results, and what one cannot sign in without; `--verbose` holds no secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.authority import Approve, Authority, Fault, Policy, serve
from codex_oauth.cli.observing import effect_line
from codex_oauth_core import ErrorKind, Request, Secret, SendRequest, Wait, Why
from tests.cli.commands import run_command
from tests.cli.person import Person

AUTO = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)


def test_verbose_tells_each_request_and_answer_and_no_secret(tmp_path: Path) -> None:
    with serve(Authority(policy=AUTO, faults=[Fault(endpoint="poll", status=500, requests=1)])) as server:
        person = Person(tmp_path, server, "--device", "--verbose", columns=200)
        assert person.leaves() == 0
        sent = server.authority.requests
    for path in ("/api/accounts/deviceauth/usercode", "/api/accounts/deviceauth/token", "/oauth/token"):
        assert f"> POST {server.url}{path}" in person.text
    assert re.search(r"< 500, .*, \d+ bytes, \d+\.\d s", person.text)
    assert re.search(r"< 200, application/json, \d+ bytes", person.text)
    secrets = _secrets(FileStore(tmp_path / "logins-of-the-test"))
    assert len(secrets) >= 2
    assert [secret for secret in secrets if secret in person.bytes] == []
    assert len(sent) >= 3


def _secrets(store: FileStore) -> list[str]:
    """The tokens of all logins that are kept."""
    texts = [store.slot(account).path.read_text(encoding="utf-8") for account in store.names()]
    return [token for text in texts for token in re.findall(r'_token"?: ?"([^"]{10,})"', text)]


def test_an_address_is_told_without_its_query() -> None:
    effect = SendRequest(Request("GET", "https://a/b?code=canary#canary", (), Secret(b"")), 30.0)
    assert effect_line(effect, 0.0) == "> GET https://a/b"
    wait = Wait(7.0, Why.RETRY, None, cause=ErrorKind.NETWORK)
    assert effect_line(wait, 2.0) == "= waiting for 5 s: retry, after network"


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_shows_the_page_the_code_and_the_result(tmp_path: Path, terminal: bool) -> None:
    with serve(Authority(policy=AUTO)) as server:
        if terminal:
            person = Person(tmp_path, server, "--device", "--quiet", columns=200)
            assert person.leaves() == 0
            text = person.text
        else:
            done = run_command(tmp_path, "login", "--device", "--quiet", "--issuer", server.url)
            text = done.err + done.out
    first, second, third = text.splitlines()
    assert first.strip() == f"{server.url}/codex/device"
    assert re.fullmatch(r"\w{4}-\w{4}", second.strip())
    assert third.startswith("Signed in as")


def test_quiet_still_says_what_went_wrong(tmp_path: Path) -> None:
    with serve(Authority(policy=AUTO, faults=[Fault(endpoint="usercode", status=404)])) as server:
        done = run_command(tmp_path, "login", "--device", "--quiet", "--issuer", server.url)
    assert done.code == 3
    assert done.err.startswith("codex-oauth: ")
    assert "  -> " in done.err


@pytest.mark.parametrize("status", [403, 404])
def test_u7_where_device_codes_are_off_it_says_where_to_turn_them_on(tmp_path: Path, status: int) -> None:
    with serve(Authority(policy=AUTO, faults=[Fault(endpoint="usercode", status=status)])) as server:
        done = run_command(tmp_path, "login", "--device", "--issuer", server.url)
    assert done.code == 3
    assert "Settings" in done.err
    assert "Security" in done.err
