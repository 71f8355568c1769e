"""To whom a login in the Codex CLI's `auth.json` belongs: a refresh token goes nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth_core.codex import CODEX
from tests.core.test_auth_json import login, plain, reason, refusal


def of(issuer: object = "https://login.example.com", client_id: object = "app_theirs") -> dict[str, Any]:
    return {"tokens__oauth_provenance": {"issuer": issuer, "client_id": client_id}}


def test_a_login_belongs_to_the_issuer_and_the_client_that_the_file_names() -> None:
    found = login(**of())
    assert (found.issuer, found.client_id) == ("https://login.example.com", "app_theirs")
    assert login(**of("http://127.0.0.1:8123")).issuer == "http://127.0.0.1:8123"
    assert login(tokens__oauth_provenance=None) == login()


@pytest.mark.parametrize(
    "spelling", ["https://auth.openai.com/", "HTTPS://auth.openai.com", "https://Auth.OpenAI.com:443/"]
)
def test_one_issuer_is_one_whatever_its_spelling(spelling: str) -> None:
    assert login(**of(spelling, CODEX.client_id)) == login()


def test_an_issuer_may_have_a_port_and_a_path() -> None:
    assert (
        login(**of("https://LOGIN.example.com:8443/Tenant/")).issuer
        == "https://login.example.com:8443/Tenant"
    )


@pytest.mark.parametrize(
    "issuer",
    [
        *(
            None,
            "",
            1,
            True,
            [],
            {},
            "login.example.com",
            "//login.example.com",
            "https://",
            "file:///etc/passwd",
        ),
        *(
            "http://login.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "javascript:alert(1)",
        ),
        *(
            "https://user@login.example.com",
            "https://user:canary@login.example.com",
            "https://a b.example.com",
        ),
        *(
            "https://login.example.com/\r\nX: y",
            "https://login.example.com\x00",
            "https://\u0430pple.example",
        ),
        *("https://login.example.com?x=1", "https://login.example.com#x", "https://login.example.com\\@evil"),
        *("https://login.example.com:0", "https://login.example.com:99999", "https://[::1", "https://[x]"),
        *(" https://login.example.com", f"https://login.example.com/{'x' * 2048}"),
    ],
)
def test_s9_an_issuer_that_is_no_place_for_a_token_is_refused(issuer: object) -> None:
    assert refusal(**of(issuer)) == "tokens.oauth_provenance.issuer"
    assert reason(json.dumps(plain(**of(issuer))).encode()) == "tokens.oauth_provenance.issuer"


@pytest.mark.parametrize("client_id", [None, "", 1, True, [], {}, "a b", "a\r\nb", "\u00e9", "x" * 257])
def test_a_client_id_that_is_none_is_refused(client_id: object) -> None:
    assert refusal(**of(client_id=client_id)) == "tokens.oauth_provenance.client_id"


@pytest.mark.parametrize("provenance", ["", "https://login.example.com", 1, False, [], ["issuer"]])
def test_a_provenance_that_is_none_is_refused(provenance: object) -> None:
    assert refusal(tokens__oauth_provenance=provenance) == "tokens.oauth_provenance"


@pytest.mark.parametrize("missing", ["issuer", "client_id"])
def test_half_a_provenance_is_refused(missing: str) -> None:
    half = of()["tokens__oauth_provenance"]
    del half[missing]
    assert refusal(tokens__oauth_provenance=half) == f"tokens.oauth_provenance.{missing}"
