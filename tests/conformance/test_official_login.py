"""What a client of the official sign-in must do with the login that it has: statements 16 to 25, over HTTP.

Rules of this file: a test bears the number of the statement that it holds, in the order of the list.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import attrs
import pytest

from codex_oauth import HostNotAllowed
from codex_oauth.authority import ChatGptFault, Hostile, HostileAnswer
from codex_oauth_core import ErrorKind, Secret, SignInError
from tests.conformance.official import (
    AUTHORIZE,
    REVOKE,
    TOKEN,
    Desk,
    desk,
    secrets_of,
)

H = Hostile
PROCESSES = 5


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def asked(there: Desk) -> dict[str, str]:
    """The parameters of the page that was asked for last."""
    return there.authority.forms(AUTHORIZE)[-1]


# -- renewal -------------------------------------------------------------------------------------------


def test_16_many_processes_with_an_expired_token_cause_one_refresh(home: Path) -> None:
    code = f"""
import sys
from codex_oauth import FileStore, TokenSource
sys.stdin.readline()
with TokenSource(FileStore({str(home)!r})) as source:
    print(source.token())
"""
    with desk(home) as there:
        there.sign_in()
        there.expire()
        asking = [
            subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(PROCESSES)
        ]
        for process in asking:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = {process.communicate(timeout=60)[0] for process in asking}
        assert there.count("refresh") == 1
        assert said == {f"{there.record().credential.access_token.reveal()}\n"}


def test_17_the_next_refresh_token_is_stored_whatever_the_answer_says(home: Path) -> None:
    with desk(home, HostileAnswer(name=H.REFRESH_OTHER_SUBJECT), id_token_on_refresh=True) as there:
        old = there.sign_in()
        there.expire()
        error = there.token_fails()
        kept = there.record()
    assert error.kind is ErrorKind.ACCOUNT_CHANGED
    assert kept.spent
    assert old.refresh_token is not None
    assert not there.authority.client_faults


OVER = (
    "invalid_grant",
    "invalid_refresh_token",
    "token_expired",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "refresh_token_reused",
)


def test_18_each_of_the_six_codes_ends_the_login_with_a_text_of_its_own(tmp_path: Path) -> None:
    texts: set[str] = set()
    for number, code in enumerate(OVER):
        fault = ChatGptFault(endpoint="refresh", requests="1-", status=400, body={"error": code})
        with desk(tmp_path / str(number), fault) as there:
            credential = there.sign_in()
            there.expire()
            error = there.token_fails()
            kept, registrations = there.record(), there.store.registrations()
            host_id = there.store.host_id()
            again = there.sign_in()
            assert asked(there)["client_id"] == credential.client_id
            assert asked(there)["ext_agent_host_id"] == host_id
        assert error.kind is ErrorKind.LOGIN_REQUIRED
        assert error.details["code"] == code
        assert kept.dead_code == code
        assert kept.credential.identity == credential.identity == again.identity
        assert [each.client_id for each in registrations] == [credential.client_id]
        texts.add(error.message)
    assert len(texts) == len(OVER)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401, "body": {"error": "invalid_client"}},
        {"status": 403, "body": {"error": "forbidden"}},
        {"status": 429, "body": {"error": "slow_down"}},
        {"status": 503, "body": {"error": "temporarily_unavailable"}},
        {"status": 500, "body": {"error": "server_error"}},
        {"reset": True},
    ],
    ids=str,
)
def test_19_no_other_failure_takes_the_tokens(home: Path, answer: dict[str, Any]) -> None:
    with desk(home, ChatGptFault(endpoint="refresh", requests="1-", **answer)) as there:
        credential = there.sign_in()
        registrations = there.store.registrations()
        with there.source() as source, pytest.raises(SignInError) as caught:
            source.credential(rejected=credential.access_token)
        kept = there.record()
        assert there.store.registrations() == registrations
    assert caught.value.kind is not ErrorKind.LOGIN_REQUIRED
    assert (kept.dead_code, kept.spent) == (None, False)
    assert secrets_of(kept.credential) == secrets_of(credential)


@pytest.mark.parametrize(
    "name", [H.EARLIEST_REFRESH_2099, H.EARLIEST_REFRESH_NEGATIVE, H.EARLIEST_REFRESH_OBJECT]
)
def test_20_earliest_refresh_at_keeps_nobody_from_a_renewal_that_is_needed(home: Path, name: Hostile) -> None:
    with desk(home, HostileAnswer(name=name)) as there:
        there.sign_in()
        earliest = there.record().credential.earliest_refresh_at
        there.expire(earliest_refresh_at=earliest)
        with there.source() as source:
            source.token()
        assert there.count("refresh") == 1


# -- the end -------------------------------------------------------------------------------------------


def test_21_a_logout_revokes_with_a_form_and_an_empty_200_is_success(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with desk(home) as there:
        credential = there.sign_in()
        assert there.command("logout") == 0
        (form,) = there.authority.forms(REVOKE)
        assert there.logins() == {}
    assert credential.refresh_token is not None
    assert form == {
        "token": credential.refresh_token.reveal(),
        "token_type_hint": "refresh_token",
        "client_id": credential.client_id,
    }
    said = capsys.readouterr()
    assert "Signed out, here and at the server." in said.out
    assert "The registration of this application stays: the next sign-in does not ask again." in said.err


def test_21_where_it_is_not_confirmed_the_person_is_told_and_the_tokens_are_gone(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with desk(home, revocation_unavailable=True) as there:
        tokens = secrets_of(there.sign_in())
        assert there.command("logout") == 0
        left = there.files()
    said = capsys.readouterr()
    assert "did not confirm" in said.out
    assert not any(token.reveal().encode() in content for token in tokens for content in left.values())
    assert any(name.startswith("registrations/") for name in left)


def test_22_after_a_sign_out_there_is_no_hint(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(home) as there:
        opened = _opening(there, monkeypatch)

        def show(prompt: Any) -> None:
            there.shown.append(_url_of(prompt))

        for _ in range(2):
            there.sign_in(open_browser=True, on_prompt=show)
        there.command("logout")
        there.sign_in(open_browser=True, on_prompt=show)
        hints = ["id_token_hint" in parse_qs(urlsplit(url).query) for url in opened]
    assert hints == [False, True, False]
    assert not any("id_token_hint" in url for url in there.shown)
    assert there.authority.client_faults == []


def test_22_a_page_that_is_only_shown_has_no_hint(home: Path) -> None:
    prompts: list[Any] = []
    with desk(home) as there:
        there.sign_in()

        def keep(prompt: Any) -> None:
            prompts.append(prompt)
            there.see(prompt)

        there.sign_in(on_prompt=keep)
        assert "id_token_hint" not in asked(there)
    assert [prompt.open_url for prompt in prompts] == [None]


def _url_of(prompt: Any) -> str:
    assert prompt.open_url is None  # what a caller is told never has the hint
    url: str = prompt.authorize_url.reveal()
    return url


def _opening(there: Desk, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The browser that is opened here: its pages, in order."""
    opened: list[str] = []

    def open_url(url: Secret[str], *, origin: str) -> object:
        assert url.reveal().startswith(origin)
        opened.append(url.reveal())
        there.open(url.reveal())
        return None

    monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
    return opened


@pytest.mark.parametrize(
    "faults", [(), (HostileAnswer(name=H.OTHER_NONCE, requests="2-"),)], ids=["good", "bad"]
)
def test_23_no_secret_is_in_a_log_an_error_a_repr_or_a_trace(
    home: Path, faults: tuple[HostileAnswer, ...], caplog: pytest.LogCaptureFixture
) -> None:
    from codex_oauth_core.traces import Recorder

    caplog.set_level(logging.DEBUG)
    lines: list[str] = []
    texts: list[str] = []

    def record(flow: Any) -> Recorder:
        return Recorder(flow=flow, write=lines.append)

    with desk(home, *faults) as there:
        credential = there.sign_in()
        texts.append(repr(there.record()))
        try:
            again = there.sign_in(open_browser=False, record=record)
        except SignInError as error:
            texts += ["".join(traceback.format_exception(error)), json.dumps(error.to_dict())]
        else:
            texts.append(repr(again))
        codes = [form["code"] for form in there.authority.forms(TOKEN)]
        verifiers = [form["code_verifier"] for form in there.authority.forms(TOKEN)]
        states = [query["state"] for query in there.authority.forms(AUTHORIZE)]
    assert lines
    secrets = [*(token.reveal() for token in secrets_of(credential)), *codes, *verifiers, *states]
    told = "\n".join([*texts, *lines, *caplog.messages])
    assert [secret for secret in secrets if secret in told] == []


def test_23_tokens_go_to_the_issuer_and_to_the_api_alone(home: Path) -> None:
    with desk(home) as there:
        there.sign_in()
        with there.source() as source:
            assert set(source.headers("https://api.openai.com/v1/responses")) == {"Authorization"}
            for url in ("https://chatgpt.com/backend-api/codex", "https://attacker.example/", there.issuer):
                with pytest.raises(HostNotAllowed):
                    source.headers(url)
        assert there.count("attacker") == 0


def test_24_two_registrations_with_one_address_are_two_logins(home: Path) -> None:
    with desk(home) as there:
        first = there.sign_in()
        second = there.sign_in(register_anew=True)
        assert first.client_id != second.client_id
        assert len(there.store.names()) == 2
        for credential in (first, second):
            there.store.select(credential.key)
            there.expire()
            with there.source(account=credential.key) as source:
                source.token()
            assert there.authority.forms(TOKEN)[-1]["client_id"] == credential.client_id
        for credential in (first, second):
            assert there.command("logout", "--account", credential.key) == 0
        revoked = [form["client_id"] for form in there.authority.forms(REVOKE)]
    assert revoked == [first.client_id, second.client_id]
    assert there.authority.client_faults == []


def test_25_nothing_of_codex_is_sent(home: Path) -> None:
    with desk(home) as there:
        credential = there.sign_in()
        there.expire()
        with there.source() as source:
            headers = source.headers("https://api.openai.com/v1/responses")
        there.command("logout")
        sent = "\n".join(there.authority.raw).lower()
    assert credential.account_id is None
    assert set(headers) == {"Authorization"}
    for word in (
        "chatgpt-account-id",
        "originator",
        "backend-api",
        "codex_cli",
        "id_token_add_organizations",
    ):
        assert word not in sent, word
    assert parse_qsl(urlsplit(there.shown[0]).query)


def test_a_returning_sign_in_is_of_the_same_person(home: Path) -> None:
    with desk(home) as there:
        credential = there.sign_in()
        assert there.sign_in().identity == credential.identity
        assert attrs.evolve(credential).key == there.store.current()
