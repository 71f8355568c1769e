"""The command line and the official sign-in: which provider, what a plan allows, and what a person reads.

Rules of this file: commands run in this process, against an authority over HTTP; every line for a person that holds no
path and no address fits 80 columns.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth.authority import HostileAnswer
from codex_oauth.cli.main import main
from codex_oauth.cli.status_check import ask_server
from codex_oauth_core import CHATGPT, Credential, ResponseReceived, Secret
from tests.conformance.official import APP, Desk, desk

Captured = pytest.CaptureFixture[str]
VARIABLE = "CODEX_OAUTH_PROVIDER"


@pytest.fixture
def there(tmp_path: Path) -> Generator[Desk]:
    with desk(tmp_path / "home") as found:
        yield found


@pytest.fixture
def without_a_plan(tmp_path: Path) -> Generator[Desk]:
    with desk(tmp_path / "home", plan_use=False) as found:
        found.sign_in()
        yield found


def lines(text: str) -> list[str]:
    return text.splitlines()


def fits(text: str) -> bool:
    """Whether every line that no path or address makes longer fits a terminal."""
    return all(len(line) <= 80 or "/" in line for line in lines(text))


# -- which provider ------------------------------------------------------------------------------------


def test_login_help_says_in_a_sentence_what_each_is_for(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["login", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "codex: the sign-in of the Codex CLI, for yourself; chatgpt: the official sign-in, for open-source tools; "
        "default: CODEX_OAUTH_PROVIDER, else codex"
    ) in said


@pytest.mark.parametrize(
    ("arguments", "variable", "said"),
    [
        (("--provider", "openai"), "", "invalid choice"),
        ((), "openai", "CODEX_OAUTH_PROVIDER is 'openai': use codex or chatgpt"),
        (("--enable-plan",), "", "--enable-plan is for --provider chatgpt"),
        (("--register-anew",), "codex", "--register-anew is for --provider chatgpt"),
        (("--app-name", "X"), "", "--app-name is for --provider chatgpt"),
        (("start", "--provider", "chatgpt", "--enable-plan"), "", "--enable-plan is for"),
        (("finish", "0" * 16, "--provider", "chatgpt"), "", "no --provider"),
        (("--provider", "chatgpt", "--app-name", "a\nb"), "", "1 to 100 printable"),
        (("--provider", "chatgpt", "--app-name", " "), "", "1 to 100 printable"),
        (("--provider", "codex", "--port", "8765"), "chatgpt", "1455 and 1457"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    arguments: tuple[str, ...], variable: str, said: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, variable)
    assert main(["login", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("by", ["option", "variable"])
@pytest.mark.parametrize("step", [(), ("start",)])
def test_there_is_no_device_code_and_the_ways_are_named(
    by: str, step: tuple[str, ...], tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "chatgpt" if by == "variable" else "")
    named = () if by == "variable" else ("--provider", "chatgpt")
    assert main(["login", *step, *named, "--device", "--store", str(tmp_path)]) == 3
    err = capsys.readouterr().err
    assert lines(err)[0] == "codex-oauth: The official sign-in of ChatGPT has no device code."
    for way in (
        "--no-open --paste",
        "ssh -L 8765:127.0.0.1:8765 HOST",
        "--no-open --port 8765",
        "move the login",
    ):
        assert way in err
    assert fits(err)
    assert list(tmp_path.iterdir()) == []


# -- signing in ----------------------------------------------------------------------------------------


def signed_in(there: Desk, monkeypatch: pytest.MonkeyPatch, *more: str, name: str = APP) -> int:
    """`codex-oauth login` to its end; the browser is ours."""

    def open_url(url: Any, *, origin: str) -> None:
        there.open(url.reveal())

    monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
    named = ("--app-name", name) if name else ()
    return there.command("login", "--provider", "chatgpt", "--issuer", there.issuer, *named, *more)


def test_the_first_sign_in_says_once_that_a_plan_is_used(
    there: Desk, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signed_in(there, monkeypatch) == 0
    said = capsys.readouterr()
    assert "Continue with ChatGPT" in said.err
    assert lines(said.out)[0] == "Signed in as somebody@example.com."
    assert lines(said.out)[1:] == [
        "Requests use your ChatGPT plan.",
        "Manage usage: https://chatgpt.com/settings/usage",
    ]
    assert signed_in(there, monkeypatch) == 0
    assert lines(capsys.readouterr().out)[1:] == ["Using ChatGPT plan."]


def test_somebody_else_than_before_is_named_and_the_way_for_them_too(
    there: Desk, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signed_in(there, monkeypatch) == 0
    there.authority.faults = (HostileAnswer(name="exchange_other_subject"),)
    capsys.readouterr()
    assert signed_in(there, monkeypatch) == 3
    said = capsys.readouterr().err
    flat = " ".join(said.split())
    named = "else@example.com (user-fake-else) signed in, and not the account that signed in here before."
    assert f"codex-oauth: {named} Nothing was stored." in flat
    assert "-> Or sign in as another account: codex-oauth login --register-anew --provider chatgpt" in flat


def test_the_name_is_that_of_the_application(there: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert signed_in(there, monkeypatch, name="") == 0
    assert signed_in(there, monkeypatch, name="Example Notes") == 0
    names = [form.get("agent_name_hint") for form in there.authority.forms("/api/accounts/authorize")]
    assert names == ["codex-oauth", "Example Notes"]  # each has a registration of its own


def test_without_the_plan_the_way_to_it_works_as_it_is_printed(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(tmp_path / "a home", plan_use=False) as there:
        assert signed_in(there, monkeypatch) == 0
        out = capsys.readouterr().out
        assert "This application may not use your ChatGPT plan, and can make no request yet." in lines(out)
        command = shlex.split(lines(out)[-1].removeprefix("Ask for it again: "))
        there.authority.policy.plan_use = True
        assert command[0] == "codex-oauth"
        assert main(command[1:]) == 0
        assert there.authority.forms("/api/accounts/authorize")[-1]["prompt"] == "consent"
        assert there.command("token") == 0
        assert len(there.store.registrations()) == 1


def test_as_json_it_has_no_secret_and_says_which(
    there: Desk, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert signed_in(there, monkeypatch, "--json") == 0
    out = capsys.readouterr().out
    done = json.loads(lines(out)[-1])
    assert (done["event"], done["provider"], done["plan_use"]) == ("done", "chatgpt", True)
    assert "id_token_hint" not in out


# -- a login -------------------------------------------------------------------------------------------


def test_status_list_and_token_say_which(there: Desk, capsys: Captured) -> None:
    there.sign_in()
    capsys.readouterr()
    assert there.command("status") == 0
    status = capsys.readouterr().out
    assert "  provider:      chatgpt" in lines(status)
    assert "  plan use:      Using ChatGPT plan" in lines(status)
    assert there.command("list") == 0
    assert lines(capsys.readouterr().out)[0].startswith("* somebody@example.com, chatgpt: valid for ")
    assert there.command("token", "--json") == 0
    assert json.loads(capsys.readouterr().out)["provider"] == "chatgpt"
    assert there.command("header", "--json") == 0
    assert json.loads(capsys.readouterr().out)["provider"] == "chatgpt"
    assert there.command("list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["accounts"]
    assert (row["provider"], row["plan_use"]) == ("chatgpt", True)


@pytest.mark.parametrize("command", ["token", "header", "exec"])
def test_where_the_plan_is_off_no_token_is_given_out(
    without_a_plan: Desk, command: str, capsys: Captured
) -> None:
    requests = len(without_a_plan.authority.sent)
    store = ("--store", str(without_a_plan.store.home))
    rest = ("--", sys.executable, "-c", "") if command == "exec" else ()
    assert main([command, *store, *rest]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert lines(said.err)[:2] == [
        "codex-oauth: This application may not use your ChatGPT plan.",
        "  You are still signed in as somebody@example.com.",
    ]
    assert "--enable-plan" in said.err
    assert fits(said.err)
    assert len(without_a_plan.authority.sent) == requests


def test_status_list_and_doctor_say_that_the_plan_is_off(without_a_plan: Desk, capsys: Captured) -> None:
    assert without_a_plan.command("status") == 0
    said = capsys.readouterr()
    assert "  plan use:      off: this login can make no request" in lines(said.out)
    assert "--enable-plan" in said.err
    assert without_a_plan.command("status", "--check", "--json") == 0
    assert json.loads(capsys.readouterr().out)["check"]["not_asked"] == "plan_use_off"
    assert without_a_plan.command("list") == 0
    assert lines(capsys.readouterr().out) == ["* somebody@example.com, chatgpt: plan use is off"]
    without_a_plan.command("doctor", "--offline", "--json")
    findings = json.loads(capsys.readouterr().out)["findings"]
    (login,) = [each for each in findings if "plan use" in json.dumps(each)]
    assert login["verdict"] == "warn"


def test_a_child_learns_the_provider(there: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from codex_oauth.cli import child

    there.sign_in()
    found: list[Any] = []

    def become(_: object, environment: object) -> int:
        found.append(environment)
        return 0

    monkeypatch.setattr(child, "_become", become)
    monkeypatch.setenv("CODEX_OAUTH_ACCOUNT_ID", "somebody-else")
    assert main(["exec", "--store", str(there.store.home), "--", "true"]) == 0
    assert found[0][VARIABLE] == "chatgpt"
    assert "CODEX_OAUTH_ACCOUNT_ID" not in found[0]


def test_the_codex_cli_gets_no_such_login(there: Desk, tmp_path: Path, capsys: Captured) -> None:
    there.sign_in()
    target = tmp_path / "auth.json"
    for more in ((), ("--include-refresh", "--yes")):
        assert there.command("export", "--to-codex", str(target), *more) == 3
        assert "The Codex CLI cannot use this login, which is for another API." in capsys.readouterr().err
    assert not target.exists()


def test_a_login_that_is_over_names_the_command_that_signs_in_again(there: Desk, capsys: Captured) -> None:
    there.sign_in()
    there.put(attrs.evolve(there.record(), dead_code="refresh_token_expired"))
    there.expire()
    assert there.command("status") == 4
    said = capsys.readouterr()
    assert "Sign in again: codex-oauth login --provider chatgpt --issuer" in " ".join(said.err.split())
    assert there.command("token") == 4
    flat = " ".join(capsys.readouterr().err.split())
    assert "Sign in: codex-oauth login --provider chatgpt --issuer" in flat


def test_a_logout_says_what_stays(there: Desk, capsys: Captured) -> None:
    there.sign_in()
    there.sign_in(register_anew=True)
    capsys.readouterr()
    assert there.command("logout", "--all") == 0
    said = capsys.readouterr()
    stays = "The registration of this application stays: the next sign-in does not ask again."
    assert lines(said.err).count(stays) == 1
    assert "Other sessions" not in said.err
    assert len(there.store.registrations()) == 2


def test_a_login_is_moved_by_its_files_and_leaves_the_machines_name_behind(
    there: Desk, tmp_path: Path, capsys: Captured
) -> None:
    """As docs/providers.md says: the login and its registration, and `logout --local` where it came from."""
    credential = there.sign_in()
    other = tmp_path / "other"
    for name, content in there.files().items():
        if name.startswith(("logins/", "registrations/")):
            (other / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (other / name).write_bytes(content)
            (other / name).chmod(0o600)
    assert there.command("logout", "--local") == 0
    assert there.count("revoke") == 0
    moved = Desk(there.authority, there.provider, attrs.evolve(there.store, home=other))
    assert moved.command("switch", credential.key) == 0
    moved.expire()
    with moved.source() as source:
        source.token()
    assert moved.store.host_id() != there.store.host_id()
    assert moved.sign_in().identity == credential.identity


def test_a_name_that_fits_two_registrations_is_listed(there: Desk, capsys: Captured) -> None:
    keys = [there.sign_in(register_anew=True).key for _ in range(2)]
    capsys.readouterr()
    more = ("--provider", "chatgpt", "--issuer", there.issuer, "--account", "somebody@example.com")
    assert there.command("login", *more) == 2
    err = capsys.readouterr().err
    assert all(key in err for key in keys)
    assert there.count("authorize") == 2


def test_status_check_asks_the_api_of_the_provider_and_sends_the_token_alone() -> None:
    asked: list[Any] = []

    def transport(effect: Any, stopped: object) -> Any:
        asked.append(effect.request)
        return ResponseReceived(0.0, 1.0, 2.0, 200, {"Content-Type": "application/json"}, b'{"models": []}')

    credential = Credential(
        access_token=Secret("at"),
        refresh_token=Secret("rt"),
        account_id=None,
        user_id="user-1",
        issuer=CHATGPT.issuer,
        client_id="oaiapp_1",
        obtained_at="2027-01-15T08:00:00Z",
        scopes=CHATGPT.scopes,
    )
    assert ask_server(credential, transport).accepted is True
    (request,) = asked
    assert request.url == "https://api.openai.com/v1/models"
    names = {name for name, _ in request.plain_headers()} - {name for name, _ in CHATGPT.headers}
    assert names == {"Authorization"}


@pytest.mark.parametrize("code", ["refresh_token_invalidated", "invalid_grant", "brand_new_code"])
def test_why_a_login_is_over_is_told_in_the_words_of_its_provider(
    there: Desk, capsys: Captured, code: str
) -> None:
    there.sign_in()
    there.put(attrs.evolve(there.record(), dead_code=code))
    said = CHATGPT.dialect.login_over_message(code) or "The server has ended the login."
    for command in (["status"], ["list"], ["doctor", "--offline"]):
        capsys.readouterr()
        there.command(*command)
        assert f"{said} It cannot be renewed." in " ".join(capsys.readouterr().out.split()), command


def test_doctor_looks_at_the_files_of_registrations(there: Desk, capsys: Captured) -> None:
    there.sign_in()
    (registration,) = there.store.registrations()
    capsys.readouterr()
    for name in ("host-id", f"registrations/{registration.client_id}.json"):
        path = there.store.home / name
        path.chmod(0o644)
        there.command("doctor", "--offline", "--json")
        findings = json.loads(capsys.readouterr().out)["findings"]
        found = [each for each in findings if each["subject"] == str(path)]
        assert [each["verdict"] for each in found] == ["warn"], name
        path.chmod(0o600)
