"""The token endpoint and the revocation of the official sign-in: every rule with what breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.authority import EarliestRefresh
from tests.authority.chatgpt_client import (
    FIRST,
    ISSUER,
    RESOURCE,
    REVOKE,
    SCOPES,
    TOKEN,
    Client,
    api_error,
    claims_of,
    error,
    read,
    way_back,
)


def begun() -> tuple[Client, str]:
    """A registered client with a code that it has not exchanged."""
    client = Client()
    way = dict(way_back(client.authorize()))
    client.client_id = way["client_id"]
    return client, way["code"]


def signed_in(**policy: Any) -> Client:
    client = Client(**policy)
    client.walk_in()
    return client


# -- mistakes of a client -----------------------------------------------------------------------------


MISTAKES: list[tuple[dict[str, str | None], int, str]] = [
    ({"client_id": None}, 400, "invalid_request"),
    ({"client_id": FIRST}, 401, "invalid_client"),
    ({"client_secret": "s"}, 400, "invalid_request"),
    ({"client_assertion": "s"}, 400, "invalid_request"),
    ({"resource": None}, 400, "invalid_request"),
    ({"resource": "https://api.openai.com"}, 400, "invalid_target"),
    ({"scope": SCOPES}, 400, "invalid_scope"),
    ({"state": "s"}, 400, "invalid_request"),
    ({"nonce": "n"}, 400, "invalid_request"),
    ({"ext_agent_host_id": "urn:uuid:x"}, 400, "invalid_request"),
    ({"agent_name_hint": "x"}, 400, "invalid_request"),
    ({"id_token_hint": "x.y.z"}, 400, "invalid_request"),
    ({"client_assertion_type": "x"}, 400, "invalid_request"),
    ({"grant_type": None}, 400, "invalid_request"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
]


@pytest.mark.parametrize(("changes", "status", "code"), MISTAKES, ids=lambda given: str(given)[:40])
@pytest.mark.parametrize("grant", ["exchange", "refresh"])
def test_a_mistake_is_refused_and_noted_and_nothing_is_spent(
    grant: str, changes: dict[str, str | None], status: int, code: str
) -> None:
    if grant == "exchange":
        client, secret = begun()
        assert error(client.exchange(secret, **changes)) == (status, code)
        again = client.exchange(secret)
    else:
        client = signed_in()
        assert error(client.refresh(**changes)) == (status, code)
        again = client.refresh()
    ((endpoint, noted),) = client.mistakes
    assert noted == code
    assert endpoint == ("token" if "grant_type" in changes else grant)
    assert again.status == 200


@pytest.mark.parametrize("name", ["code", "code_verifier", "redirect_uri"])
def test_an_exchange_names_everything(name: str) -> None:
    client, code = begun()
    assert error(client.exchange(code, **{name: None})) == (400, "invalid_request")
    assert client.mistakes == [("exchange", "invalid_request")]


@pytest.mark.parametrize("verifier", ["short", "v" * 129, "v" * 42 + "!"])
def test_a_verifier_has_its_form(verifier: str) -> None:
    client, code = begun()
    assert error(client.exchange(code, code_verifier=verifier)) == (400, "invalid_request")


@pytest.mark.parametrize("path", [TOKEN, REVOKE])
def test_only_a_form_is_read(path: str) -> None:
    client = signed_in()
    body = {"grant_type": "refresh_token", "client_id": client.client_id, "resource": RESOURCE}
    body |= {"refresh_token": client.tokens["refresh_token"], "token": client.tokens["refresh_token"]}
    answer = client.send("POST", ISSUER + path, json.dumps(body).encode(), Content_Type="application/json")
    assert error(answer) == (400, "invalid_request")
    assert client.mistakes == [("token" if path == TOKEN else "revoke", "invalid_request")]
    assert client.refresh().status == 200


@pytest.mark.parametrize("body", [b"a=b&a=c", b"a=", b"x"])
def test_a_form_is_read_strictly(body: bytes) -> None:
    client = Client()
    kind = "application/x-www-form-urlencoded"
    assert error(client.send("POST", ISSUER + TOKEN, body, Content_Type=kind))[0] == 400
    assert client.mistakes == [("token", "invalid_request")]


def test_a_public_client_does_not_authenticate_itself() -> None:
    client = signed_in()
    fields = {
        "grant_type": "refresh_token",
        "client_id": client.client_id,
        "refresh_token": client.tokens["refresh_token"],
        "resource": RESOURCE,
    }
    answer = client.form(TOKEN, fields, Authorization="Basic eDp5")
    assert error(answer) == (400, "invalid_request")
    assert client.mistakes == [("refresh", "invalid_request")]


def test_a_path_that_is_nobodys_is_not_found() -> None:
    client = Client()
    assert error(client.get("/api/accounts/oauth")) == (404, "not_found")
    assert client.authority.counts["other"] == 1
    assert client.mistakes == []


def test_another_method_is_told_which_one_there_is() -> None:
    client = Client()
    answer = client.get(TOKEN)
    assert (answer.status, answer.header("Allow")) == (405, "POST")
    assert client.mistakes == [("token", "method_not_allowed")]


# -- codes --------------------------------------------------------------------------------------------


def test_a_code_lives_for_a_minute() -> None:
    client, code = begun()
    client.sleep(60)
    assert error(client.exchange(code)) == (400, "invalid_grant")
    client, code = begun()
    client.sleep(59.5)
    assert client.exchange(code).status == 200


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "w" * 43}, {"redirect_uri": "http://127.0.0.1:49153/auth/callback"}],
    ids=str,
)
def test_a_code_is_bound_and_a_wrong_try_spends_it(changes: dict[str, str]) -> None:
    client, code = begun()
    assert error(client.exchange(code, **changes)) == (400, "invalid_grant")
    assert error(client.exchange(code)) == (400, "invalid_grant")
    assert client.mistakes == []


def test_a_code_is_used_once_and_the_second_use_ends_what_it_granted() -> None:
    client, code = begun()
    client.tokens = read(client.exchange(code))
    assert error(client.exchange(code)) == (400, "invalid_grant")
    assert api_error(client.ask()) == (401, "token_invalidated")
    assert error(client.refresh()) == (401, "refresh_token_invalidated")


def test_an_unknown_code_is_no_grant() -> None:
    client, _ = begun()
    assert error(client.exchange("made-up")) == (400, "invalid_grant")


# -- several clients ----------------------------------------------------------------------------------


def two() -> tuple[Client, str]:
    """A signed-in client, and the id of another registration of the same person."""
    client = signed_in()
    mine, client.client_id = client.client_id, ""
    other = dict(way_back(client.authorize()))["client_id"]
    client.client_id = mine
    return client, other


def test_a_code_of_another_client_is_no_grant_and_is_noted() -> None:
    client, other = two()
    code = dict(way_back(client.authorize()))["code"]
    assert error(client.exchange(code, client_id=other)) == (400, "invalid_grant")
    assert client.mistakes == [("exchange", "invalid_grant")]


def test_a_refresh_token_of_another_client_is_no_grant_and_is_noted() -> None:
    client, other = two()
    assert error(client.refresh(client_id=other)) == (400, "invalid_grant")
    assert client.mistakes == [("refresh", "invalid_grant")]
    assert client.refresh().status == 200


def test_a_token_of_another_client_is_not_revoked_and_that_is_noted() -> None:
    client, other = two()
    assert client.revoke(client_id=other).status == 200
    assert client.mistakes == [("revoke", "invalid_client")]
    assert client.refresh().status == 200


def test_an_unknown_client_is_refused_and_a_made_up_token_is_no_grant() -> None:
    client = signed_in()
    assert error(client.refresh(client_id="oaiapp_test_unknown")) == (401, "invalid_client")
    assert error(client.exchange("made-up", client_id="oaiapp_test_unknown")) == (401, "invalid_client")
    assert error(client.refresh("made-up")) == (400, "invalid_grant")
    assert client.mistakes == []


# -- what an answer holds -----------------------------------------------------------------------------


def test_the_claims_of_an_access_token() -> None:
    client = signed_in()
    claims = claims_of(client.tokens["access_token"])
    assert claims["aud"] == RESOURCE
    assert claims["client_id"] == client.client_id
    assert claims["scope"] == client.tokens["scope"]
    assert claims["iss"] == ISSUER
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (1_800_000_007, 1_800_000_007, 1_800_003_607)
    assert claims["jti"]
    assert set(claims["https://api.openai.com/auth"]) == {"per_user_salt", "encrypted_auth_metadata"}


def test_the_claims_of_an_id_token() -> None:
    client = signed_in()
    claims = claims_of(client.tokens["id_token"])
    assert claims["iss"] == ISSUER
    assert claims["aud"] == [client.client_id]
    assert claims["nonce"] == "nonce-" + "n" * 37
    assert (claims["sub"], claims["email"]) == ("user-fake-1", "somebody@example.com")
    assert claims["exp"] > claims["iat"] == 1_800_000_007
    client = signed_in(audience_as_list=False)
    assert claims_of(client.tokens["id_token"])["aud"] == client.client_id


@pytest.mark.parametrize("named", [True, False])
def test_a_refresh_may_bring_an_id_token_and_the_scope(named: bool) -> None:
    client = signed_in(id_token_on_refresh=named, scope_on_refresh=named)
    answer = read(client.refresh())
    assert ("id_token" in answer, "scope" in answer) == (named, named)
    if named:
        assert "nonce" not in claims_of(answer["id_token"])
        assert client.is_signed(answer["id_token"])


def test_the_earliest_refresh_has_three_forms() -> None:
    client = signed_in(earliest_refresh_at="number")
    assert client.tokens["earliest_refresh_at"] == 1_800_001_807
    client.policy.earliest_refresh_at = EarliestRefresh.STRING
    assert read(client.refresh())["earliest_refresh_at"] == "2027-01-15T08:30:07+00:00"
    client.policy.earliest_refresh_at = EarliestRefresh.ABSENT
    assert "earliest_refresh_at" not in read(client.refresh())


def test_a_refresh_may_leave_the_refresh_token_as_it_is() -> None:
    client = signed_in(rotate_refresh_tokens=False)
    client.sleep(30 * 86_400 - 1)
    assert "refresh_token" not in read(client.refresh())
    client.sleep(30 * 86_400 - 1)
    assert client.refresh().status == 200
    assert client.ask().status == 200


def test_scopes_may_be_withheld_and_without_one_there_is_no_refresh_token() -> None:
    client = signed_in(withheld_scopes={"resource.invoke"})
    assert client.tokens["scope"].split() == sorted({*SCOPES.split()} - {"resource.invoke"})
    assert client.refresh().status == 200
    client = signed_in(withheld_scopes={"offline_access"})
    assert "refresh_token" not in client.tokens
    assert client.ask().status == 200


def test_errors_have_two_forms() -> None:
    client = signed_in(nested_errors=True)
    unknown = client.exchange("made-up")
    assert api_error(unknown) == (400, "invalid_grant")
    assert json.loads(unknown.body.reveal())["error"]["message"] == "invalid_grant"
    wrong = client.refresh(scope="openid")
    assert api_error(wrong) == (400, "invalid_scope")
    assert "scope" in json.loads(wrong.body.reveal())["error"]["message"]
    client.policy.nested_errors = False
    assert "scope" in json.loads(client.refresh(scope="openid").body.reveal())["error_description"]
    for answer in (wrong, client.refresh()):
        assert answer.header("Content-Type") == "application/json"


# -- revocation ---------------------------------------------------------------------------------------


def test_a_token_that_nobody_knows_counts_as_revoked() -> None:
    client = signed_in()
    answer = client.revoke(token="made-up")
    assert (answer.status, answer.body.reveal()) == (200, b"")
    assert client.revoke(client_id="oaiapp_test_unknown", token="made-up").status == 200
    assert client.refresh().status == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": None}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"token_type_hint": None}, "invalid_request"),
        ({"token_type_hint": "access_token"}, "unsupported_token_type"),
        ({"client_id": FIRST}, "invalid_client"),
        ({"client_secret": "s"}, "invalid_request"),
    ],
    ids=lambda given: str(given)[:40],
)
def test_a_revocation_that_is_wrong_ends_nothing(changes: dict[str, str | None], code: str) -> None:
    client = signed_in()
    assert error(client.revoke(**changes))[1] == code
    assert client.mistakes == [("revoke", code)]
    assert client.refresh().status == 200


def test_a_revocation_may_be_unavailable() -> None:
    client = signed_in(revocation_unavailable=True)
    assert error(client.revoke()) == (503, "temporarily_unavailable")
    assert client.refresh().status == 200
    client.policy.revocation_unavailable = False
    assert client.revoke().status == 200
    assert client.refresh().status == 401


def test_a_spent_refresh_token_still_ends_its_sign_in() -> None:
    client = signed_in()
    old = client.tokens["refresh_token"]
    client.refresh()
    assert client.revoke(token=old).status == 200
    assert error(client.refresh()) == (401, "refresh_token_invalidated")
