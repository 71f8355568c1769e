"""What a client of the official sign-in must do, through the front door and over HTTP: statements 1 to 15.

Rules of this file: a test bears the number of the statement that it holds, in the order of the list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from codex_oauth import FileStore
from codex_oauth.authority import ChatGptFault, Hostile, HostileAnswer
from codex_oauth_core import CHATGPT, ErrorKind, Request
from tests.conformance.official import (
    APP,
    AUTHORIZE,
    PLAN,
    REGISTRATION_ID,
    TOKEN,
    Desk,
    desk,
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
