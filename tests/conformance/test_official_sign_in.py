"""What a client of the official sign-in must do, statement by statement, through the front door and over HTTP.

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

from codex_oauth import FileStore, HostNotAllowed
from codex_oauth.authority import ChatGptFault, Hostile, HostileAnswer
from codex_oauth_core import CHATGPT, ErrorKind, Request, Secret, SignInError
from tests.conformance.official import (
    APP,
    AUTHORIZE,
    PLAN,
    REGISTRATION_ID,
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


# -- the request, and where the browser comes back to --------------------------------------------------


def test_01_the_first_sign_in_asks_with_the_registration_id_and_all_that_belongs_to_it(home: Path) -> None:
    with desk(home) as there:
        there.sign_in()
        query = asked(there)
    assert (query["client_id"], query["agent_name_hint"]) == (REGISTRATION_ID, APP)
    assert query["ext_agent_host_id"] == FileStore(home).host_id()
    assert len(query["nonce"]) >= 43
    assert query["resource"] == "https://api.openai.com/v1"
    assert set(query["scope"].split()) == set(CHATGPT.scopes)
    assert len(CHATGPT.scopes) == 6
    assert there.authority.client_faults == []


def test_02_every_later_one_asks_with_the_issued_id_and_without_a_name(home: Path) -> None:
    with desk(home) as there:
        issued = there.sign_in().client_id
        for _ in range(2):
            assert there.sign_in().client_id == issued
            assert asked(there)["client_id"] == issued
            assert "agent_name_hint" not in asked(there)
        there.command("logout")
        there.sign_in()
        assert asked(there)["client_id"] == issued
    assert [each.client_id for each in there.store.registrations()] == [issued]
    assert there.authority.client_faults == []


def test_03_the_registration_id_is_in_no_token_or_revoke_request_and_on_no_disk(home: Path) -> None:
    with desk(home) as there:
        there.sign_in()
        there.expire()
        with there.source() as source:
            source.token()
        kept = there.files()
        there.command("logout")
        posted = [fields for method, _, fields in there.authority.sent if method == "POST"]
    assert len(posted) == 3
    assert not any(REGISTRATION_ID in value for fields in posted for value in fields.values())
    assert not any(REGISTRATION_ID.encode() in content for content in kept.values())


def test_04_the_name_of_the_machine_is_on_the_disk_before_the_page_is_shown_and_stays(home: Path) -> None:
    on_disk: list[str] = []

    with desk(home) as there:

        def look(prompt: Any) -> None:
            on_disk.append((home / "host-id").read_text().strip())
            there.see(prompt)

        there.sign_in(on_prompt=look)
        there.command("logout")
        there.sign_in(on_prompt=look, register_anew=True)
        queries = there.authority.forms(AUTHORIZE)
    sent = [query["ext_agent_host_id"] for query in queries]
    assert sent == on_disk
    assert len(set(sent)) == 1


def test_05_state_nonce_and_verifier_are_fresh_and_different(home: Path) -> None:
    with desk(home) as there:
        for _ in range(2):
            there.sign_in()
        queries, exchanges = there.authority.forms(AUTHORIZE), there.authority.forms(TOKEN)
    values = [query[name] for query in queries for name in ("state", "nonce", "code_challenge")]
    values += [form["code_verifier"] for form in exchanges]
    assert len(set(values)) == len(values) == 8


def test_06_the_redirect_uri_is_a_bound_port_of_127_0_0_1_and_the_same_at_the_exchange(home: Path) -> None:
    with desk(home) as there:
        there.sign_in()
        uri = urlsplit(asked(there)["redirect_uri"])
        assert there.authority.forms(TOKEN)[0]["redirect_uri"] == asked(there)["redirect_uri"]
    assert (uri.scheme, uri.hostname, uri.path) == ("http", "127.0.0.1", "/auth/callback")
    assert uri.port is not None
    assert uri.port not in (1455, 1457)
    assert there.visits == [200]  # somebody listened there when the page led back


def test_06_a_port_that_is_named_is_the_port(home: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with desk(home) as there:
        there.sign_in(ports=(port,))
        assert urlsplit(asked(there)["redirect_uri"]).port == port


def test_07_no_other_name_of_this_machine_is_sent(home: Path) -> None:
    with desk(home) as there:
        there.sign_in()
        there.command("logout")
        sent = " ".join(f"{path} {fields}" for _, path, fields in there.authority.sent)
    assert "localhost" not in sent
    assert "::1" not in sent


# -- the redirect --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [H.WRONG_STATE, H.DENIED_WRONG_STATE])
def test_08_state_is_judged_before_everything_else(home: Path, name: Hostile) -> None:
    with desk(home, HostileAnswer(name=name, requests=1)) as there:
        there.sign_in()
    assert there.visits[0] // 100 == 4
    assert there.visits[1:] == [200]


def test_09_the_issued_id_survives_an_exchange_that_failed(home: Path) -> None:
    fault = ChatGptFault(endpoint="exchange", requests=1, status=400, body={"error": "invalid_grant"})
    with desk(home, fault) as there:
        error = there.fails()
        (kept,) = there.store.registrations()
        assert there.store.names() == ()
        issued = there.sign_in().client_id
        assert asked(there)["client_id"] == kept.client_id == issued
    assert error.kind is not ErrorKind.LOGIN_REQUIRED


def test_09_it_is_on_the_disk_when_the_code_is_exchanged(home: Path) -> None:
    kept: list[int] = []
    with desk(home) as there:

        def look(request: Request) -> None:
            if request.url.endswith(TOKEN):
                kept.append(len(there.store.registrations()))

        there.authority.look = look
        there.sign_in()
    assert kept == [1]


def test_10_another_client_id_on_return_exchanges_nothing(home: Path) -> None:
    with desk(home, HostileAnswer(name=H.OTHER_CLIENT_ID, requests="2-")) as there:
        there.sign_in()
        before = there.files()
        error = there.fails()
        assert there.files() == before
        assert there.count("exchange") == 1
    assert error.details["reason"] == "client_id_changed"


# -- tokens --------------------------------------------------------------------------------------------


def test_11_resource_is_in_exchange_and_refresh_and_scope_and_a_secret_in_neither(home: Path) -> None:
    with desk(home) as there:
        there.sign_in()
        there.expire()
        with there.source() as source:
            source.token()
        exchange, refresh = there.authority.forms(TOKEN)
    assert set(exchange) == {
        "grant_type", "client_id", "code", "code_verifier", "redirect_uri", "resource",
    }  # fmt: skip
    assert set(refresh) == {"grant_type", "client_id", "refresh_token", "resource"}
    assert exchange["resource"] == refresh["resource"] == "https://api.openai.com/v1"
    assert there.authority.client_faults == []


FORGERIES = {
    "signature": H.HEADER_JKU,
    "signature by jwk": H.HEADER_JWK,
    "alg none": H.ALG_NONE,
    "alg HS256": H.ALG_HS256,
    "iss": H.ISSUER_SLASH,
    "aud": H.OTHER_AUDIENCE,
    "aud of two": H.TWO_AUDIENCES,
    "azp": H.OTHER_AZP,
    "exp": H.EXPIRED_ID_TOKEN,
    "nonce": H.OTHER_NONCE,
    "no nonce": H.NO_NONCE,
}
NAMED = {
    "signature": ("signature", "kid"),
    "signature by jwk": ("signature", "kid"),
    "alg none": ("alg",),
    "alg HS256": ("alg",),
    "aud of two": ("azp", "aud"),
    "no nonce": ("nonce",),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_12_each_check_of_the_id_token_fails_closed(home: Path, what: str) -> None:
    with desk(home, HostileAnswer(name=FORGERIES[what], requests=1)) as there:
        error = there.fails()
        assert there.logins() == {}
        assert there.count("revoke") == 1
        assert there.count("attacker") == 0
    assert error.kind is ErrorKind.INVALID_RESPONSE
    assert error.details["reason"] in NAMED.get(what, (what,))
    assert error.details["revoked"] is True


@pytest.mark.parametrize("as_list", [True, False])
def test_12_one_audience_passes_as_text_and_as_list(home: Path, as_list: bool) -> None:
    with desk(home, audience_as_list=as_list) as there:
        there.sign_in()


@pytest.mark.parametrize("what", FORGERIES)
def test_13_a_login_that_was_there_stays_byte_for_byte(home: Path, what: str) -> None:
    with desk(home, HostileAnswer(name=FORGERIES[what], requests="2-")) as there:
        there.sign_in()
        before = there.files()
        there.fails()
        assert there.files() == before
        with there.source() as source:
            source.token()


# -- plan use ------------------------------------------------------------------------------------------


def test_14_without_the_plan_scope_somebody_is_signed_in_and_no_request_is_made(home: Path) -> None:
    with desk(home, plan_use=False) as there:
        credential = there.sign_in()
        assert PLAN not in (credential.scopes or ())
        requests = len(there.authority.sent)
        error = there.token_fails()
        there.expire()  # and it is not renewed for that
        assert there.token_fails().kind is ErrorKind.PLAN_USE_OFF
        assert len(there.authority.sent) == requests
    assert error.kind is ErrorKind.PLAN_USE_OFF


def test_15_enabling_asks_for_consent_with_the_saved_id_and_every_scope(home: Path) -> None:
    with desk(home, plan_use=False) as there:
        issued = there.sign_in().client_id
        there.sign_in()
        there.authority.policy.plan_use = True
        credential = there.sign_in(enable_plan=True)
        queries = there.authority.forms(AUTHORIZE)
        with there.source() as source:
            assert source.token() == credential.access_token.reveal()
    assert [query.get("prompt") for query in queries] == [None, None, "consent"]
    assert queries[-1]["client_id"] == issued
    assert set(queries[-1]["scope"].split()) == set(CHATGPT.scopes)
    assert not any("force_reconsent" in query for query in queries)


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
    assert "the server has confirmed it" in said.out
    assert "stays registered" in said.err


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
        for _ in range(2):
            there.sign_in(open_browser=True, on_prompt=lambda prompt: there.shown.append(_url_of(prompt)))
        there.command("logout")
        there.sign_in(open_browser=True, on_prompt=lambda prompt: there.shown.append(_url_of(prompt)))
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
    with desk(home, *faults) as there:
        credential = there.sign_in()
        texts.append(repr(there.record()))
        try:
            again = there.sign_in(
                open_browser=False, record=lambda flow: Recorder(flow=flow, write=lines.append)
            )
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
