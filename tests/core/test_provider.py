"""A provider is data: where everything is, and where it may be."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from codex_oauth_core import CODEX, Credential, DeviceAuthorization, Secret
from codex_oauth_core.codex import requests
from codex_oauth_core.provider import is_loopback
from tests.codex_readers import IN_HAND, asked
from tests.support import there

ENDPOINTS = [field.name for field in attrs.fields(type(CODEX)) if field.name.endswith(("endpoint", "_uri"))]


def test_the_constants_of_codex() -> None:
    assert CODEX.issuer == "https://auth.openai.com"
    assert CODEX.client_id == "app_EMoamEEZ73f0CkXaXp7hrann"
    assert CODEX.verification_uri == "https://auth.openai.com/codex/device"
    assert CODEX.device_redirect_uri == "https://auth.openai.com/deviceauth/callback"
    assert CODEX.redirect_uri() == "http://localhost:1455/auth/callback"
    assert CODEX.redirect_uri(1457, "127.0.0.1") == "http://127.0.0.1:1457/auth/callback"


@pytest.mark.parametrize(
    "issuer",
    [
        "https://auth.example",
        "https://auth.example:8443/tenant/",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:80",
    ],
)
def test_the_same_paths_on_another_issuer(issuer: str) -> None:
    moved = CODEX.at(issuer)
    assert moved.issuer == issuer.rstrip("/")
    for name in ENDPOINTS:
        before, after = getattr(CODEX, name), getattr(moved, name)
        if before is None:
            assert after is None
            continue
        assert after == before.replace(CODEX.issuer, moved.issuer)
        assert after != before
    assert moved.at(CODEX.issuer) == CODEX


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "auth.example",
        "http://auth.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "ftp://localhost",
        "https://",
        "https://user@auth.example",
        "https://auth.example@evil.example",
        "https://auth.example?x=1",
        "https://auth.example#x",
        "https://auth.example:0",
        "https://auth.example:99999",
        "https://auth.example:http",
        "https://auth example",
        "https://auth.example\r\nX: y",
        "https://auth.example\\@evil",
        "https://auth.example/a\\b",
        "https://exämple",
        "https://[::1",
        "https://[v1.x]",
        "https://xn--",
        "https://-a.example",
        "https://a..example",
        "https://a\x7f",
        "file:///etc/passwd",
    ],
)
def test_an_issuer_is_https_or_loopback_http(issuer: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # urlsplit words some of them
        CODEX.at(issuer)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("LocalHost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True)]
    + [("0.0.0.0", False), ("10.0.0.1", False), ("localhost.", False), ("", False), ("::", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_authorize_url() -> None:
    made = requests.authorize_url(CODEX, asked(CODEX.redirect_uri(), "st&te", "challenge", "ws1", "ws2"))
    url = there(made).reveal()
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://auth.openai.com/oauth/authorize"
    assert {name: value[0] for name, value in parse_qs(parts.query, strict_parsing=True).items()} == {
        "response_type": "code",
        "client_id": CODEX.client_id,
        "redirect_uri": "http://localhost:1455/auth/callback",
        "scope": "openid profile email offline_access",
        "code_challenge": "challenge",
        "code_challenge_method": "S256",
        "state": "st&te",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "originator": "codex-oauth",
        "allowed_workspace_id": "ws1,ws2",
    }
    assert all(len(values) == 1 for values in parse_qs(parts.query).values())


def test_a_parameter_of_the_page_may_be_a_secret_and_is_shown_nowhere_else() -> None:
    hinting = attrs.evolve(
        CODEX, authorize_parameters=(("id_token_hint", Secret("canary-hint")),), more={"k": 1}
    )
    made = there(requests.authorize_url(hinting, asked("http://localhost/", "s", "c")))
    assert parse_qs(urlsplit(made.reveal()).query)["id_token_hint"] == ["canary-hint"]
    assert "canary" not in repr(hinting) + repr(made)
    assert hinting.more == {"k": 1}


def test_without_registered_ports_the_redirect_uri_has_any_port_or_none() -> None:
    free = attrs.evolve(CODEX, redirect_ports=(), redirect_host="127.0.0.1")
    assert free.redirect_uri() == free.redirect_uri(0) == "http://127.0.0.1/auth/callback"
    assert free.redirect_uri(49152) == "http://127.0.0.1:49152/auth/callback"


def test_an_endpoint_keeps_the_query_it_has() -> None:
    tenant = attrs.evolve(CODEX, authorization_endpoint="https://auth.openai.com/authorize?tenant=x")
    url = there(requests.authorize_url(tenant, asked("http://localhost/", "s", "c"))).reveal()
    assert url.startswith("https://auth.openai.com/authorize?tenant=x&")
    assert "allowed_workspace_id" not in url


def test_no_parameter_is_empty_and_none_of_ours_is_overridden() -> None:
    hostile = attrs.evolve(
        CODEX,
        scopes=(),
        originator="",
        authorize_parameters=(("client_id", "evil"), ("x", "y"), ("empty", "")),
    )
    url = there(requests.authorize_url(hostile, asked("http://localhost/", "s", "c"))).reveal()
    query = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert query["client_id"] == [CODEX.client_id]
    assert query["x"] == ["y"]
    assert {"scope", "originator", "empty", "allowed_workspace_id"}.isdisjoint(query)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_no_endpoint_is_plain_http(name: str) -> None:
    changes: dict[str, Any] = {name: "http://evil.example/token"}
    with pytest.raises(ValueError, match="https"):
        attrs.evolve(CODEX, **changes)


def test_another_issuer_moves_only_what_is_under_the_old_one() -> None:
    apart = attrs.evolve(CODEX, token_endpoint="https://auth.openai.com.example/token")
    moved = apart.at("http://127.0.0.1:9")
    assert moved.token_endpoint == "https://auth.openai.com.example/token"
    assert moved.revocation_endpoint == "http://127.0.0.1:9/oauth/revoke"


def test_the_refresh_request_has_no_scope() -> None:
    request = there(requests.refresh_request(CODEX, Secret("r+t")))
    assert request.url == CODEX.token_endpoint
    assert parse_qs(request.body.reveal().decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": [CODEX.client_id],
        "refresh_token": ["r+t"],
    }


@pytest.mark.parametrize(("hint", "with_client"), [("refresh_token", True), ("access_token", False)])
def test_a_revocation_names_the_client_with_a_refresh_token_only(hint: str, with_client: bool) -> None:
    body = json.loads(there(requests.revocation_request(CODEX, Secret("t"), hint)).body.reveal())
    assert body == {
        "token": "t",
        "token_type_hint": hint,
        **({"client_id": CODEX.client_id} if with_client else {}),
    }


def test_no_request_holds_a_secret_outside_its_body() -> None:
    device = DeviceAuthorization(Secret("canary"), "ABCD", 5.0, there(CODEX.verification_uri), 900.0)
    made = (
        requests.device_authorization_request(CODEX),
        requests.poll_request(CODEX, device),
        requests.exchange_request(CODEX, attrs.evolve(IN_HAND, authorization_code=Secret("canary"))),
        requests.refresh_request(CODEX, Secret("canary")),
        requests.revocation_request(CODEX, Secret("canary"), "refresh_token"),
    )
    for request in map(there, made):
        assert request.method == "POST"
        assert "canary" not in repr(request) + request.url + str(request.headers)
        names = {name.lower(): value for name, value in request.plain_headers()}
        assert names["accept"] == "application/json"
        assert names["accept-encoding"] == "identity"
        assert names["user-agent"].startswith("codex-oauth/")
        assert "cookie" not in names
        assert "authorization" not in names


def test_a_lone_surrogate_in_a_device_id_can_be_sent() -> None:
    device = DeviceAuthorization(Secret("\ud800"), "ABCD", 5.0, "", 900.0)
    assert json.loads(there(requests.poll_request(CODEX, device)).body.reveal())["device_auth_id"] == "\ud800"


def test_a_credential_is_bound_to_where_it_came_from() -> None:
    fields = {field.name for field in attrs.fields(Credential)}
    assert {"issuer", "client_id"} <= fields
