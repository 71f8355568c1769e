"""Codes and tokens at the authority: PKCE, single use, rotation, and families that die of a reuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.authority import Account, Answer
from codex_oauth_core import CODEX, Secret
from codex_oauth_core.codex.token_answers import account_id_from_token
from codex_oauth_core.reading.jwt import read_claims
from tests.authority.peer import FORM, JSON, REVOKE, TOKEN, VERIFIER, Peer, hidden, location, read, refusal

URI = CODEX.redirect_uri()
INVALID_GRANT = (400, "invalid_grant")
REUSED = (401, "refresh_token_reused")
INVALIDATED = (401, "refresh_token_invalidated")


def browser_code(peer: Peer) -> str:
    return location(peer.authorize())[1]["code"]


@pytest.fixture
def peer() -> Peer:
    return Peer(approve="auto")


# -- exchange -----------------------------------------------------------------------------------------


def test_a_code_gives_every_token_that_clients_need(peer: Peer) -> None:
    tokens = read(peer.exchange(browser_code(peer), URI))
    assert set(tokens) == {"access_token", "refresh_token", "id_token", "expires_in", "token_type"}
    assert tokens["expires_in"] == 864_000
    assert tokens["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("code", "redirect_uri", "verifier"),
    [
        ("unknown", URI, VERIFIER),
        (None, URI.replace("1455", "1457"), VERIFIER),
        (None, URI.replace("localhost", "127.0.0.1"), VERIFIER),
        (None, URI + "/", VERIFIER),
        (None, "http://127.0.0.1:8123/deviceauth/callback", VERIFIER),
        (None, URI, "w" * 43),
        (None, URI, VERIFIER + "v"),
    ],
)
def test_what_does_not_belong_to_the_code_is_refused_and_spends_it(
    peer: Peer, code: str | None, redirect_uri: str, verifier: str
) -> None:
    genuine = browser_code(peer)
    assert refusal(peer.exchange(code or genuine, redirect_uri, verifier)) == INVALID_GRANT
    if code is None:
        assert refusal(peer.exchange(genuine, URI)) == INVALID_GRANT


def test_a_code_expires(peer: Peer) -> None:
    in_time, late = browser_code(peer), browser_code(peer)
    peer.sleep(59.5)
    read(peer.exchange(in_time, URI))
    peer.sleep(0.5)
    assert refusal(peer.exchange(late, URI)) == INVALID_GRANT


def test_a_reused_code_is_refused_and_revokes_what_it_granted(peer: Peer) -> None:
    code = browser_code(peer)
    tokens = read(peer.exchange(code, URI))
    rotated = read(peer.refresh(tokens["refresh_token"]))
    assert refusal(peer.exchange(code, URI)) == INVALID_GRANT
    assert refusal(peer.refresh(rotated["refresh_token"])) == INVALIDATED


@pytest.mark.parametrize("verifier", ["short", "v" * 129, "v" * 42 + "!", "v" * 42 + "é"])
def test_a_verifier_outside_rfc_7636_is_a_mistake_of_the_client(peer: Peer, verifier: str) -> None:
    code = browser_code(peer)
    assert refusal(peer.exchange(code, URI, verifier)) == (400, "invalid_request")
    assert peer.exchange(code, URI).status == 200


# -- refresh ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FORM, JSON])
def test_a_refresh_rotates(peer: Peer, kind: str) -> None:
    first = peer.sign_in()
    second = read(peer.refresh(first["refresh_token"], kind))
    third = read(peer.refresh(second["refresh_token"], kind))
    for name in ("access_token", "refresh_token"):
        assert len({first[name], second[name], third[name]}) == 3


def test_a_reused_refresh_token_revokes_the_family(peer: Peer) -> None:
    first = peer.sign_in()["refresh_token"]
    second = read(peer.refresh(first))["refresh_token"]
    assert refusal(peer.refresh(first)) == REUSED
    assert refusal(peer.refresh(second)) == INVALIDATED
    assert refusal(peer.refresh(first)) == REUSED


def test_one_family_dies_alone(peer: Peer) -> None:
    one, other = peer.sign_in()["refresh_token"], peer.sign_in()["refresh_token"]
    read(peer.refresh(one))
    assert refusal(peer.refresh(one)) == REUSED
    assert peer.refresh(other).status == 200


def test_an_access_token_is_no_refresh_token(peer: Peer) -> None:
    tokens = peer.sign_in()
    assert refusal(peer.refresh(tokens["access_token"])) == INVALID_GRANT
    assert peer.refresh(tokens["refresh_token"]).status == 200


def test_an_unknown_refresh_token_is_no_grant(peer: Peer) -> None:
    assert refusal(peer.refresh("fake-refresh-unknown")) == INVALID_GRANT


def test_a_refresh_token_can_have_a_lifetime_that_each_refresh_renews() -> None:
    peer = Peer(approve="auto", refresh_lifetime=100)
    token = peer.sign_in()["refresh_token"]
    for _ in range(2):
        peer.sleep(99)
        token = read(peer.refresh(token))["refresh_token"]
    peer.sleep(100)
    assert refusal(peer.refresh(token)) == (401, "refresh_token_expired")


# -- revocation ---------------------------------------------------------------------------------------


def revoke(peer: Peer, **fields: str) -> Answer:
    return peer.post(REVOKE, fields)


@pytest.mark.parametrize("name", ["refresh_token", "access_token"])
def test_revoking_either_token_ends_the_sign_in(peer: Peer, name: str) -> None:
    tokens = peer.sign_in()
    client = {"client_id": CODEX.client_id} if name == "refresh_token" else {}
    assert read(revoke(peer, token=tokens[name], token_type_hint=name, **client)) == {}
    assert refusal(peer.refresh(tokens["refresh_token"])) == INVALIDATED


def test_revoking_an_unknown_token_succeeds(peer: Peer) -> None:
    assert revoke(peer, token="whatever").status == 200


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (400, "invalid_request")),
        ({"token": "t", "token_type_hint": "id_token"}, (400, "unsupported_token_type")),
        ({"token": "t", "token_type_hint": "refresh_token"}, (400, "invalid_request")),
        ({"token": "t", "client_id": "another"}, (401, "invalid_client")),
    ],
)
def test_a_wrong_revocation_is_refused(peer: Peer, fields: dict[str, str], expected: tuple[int, str]) -> None:
    assert refusal(revoke(peer, **fields)) == expected


# -- tokens -------------------------------------------------------------------------------------------

NASTY = Account(email="?>~\x7f@example.com", name="??>>~~ ÿÿÿ", plan="pro")


@pytest.mark.parametrize("account", [Account(), NASTY])
def test_tokens_carry_the_claims_of_the_real_ones_and_are_plainly_fake(account: Account) -> None:
    peer = Peer(approve="auto", account=account)
    tokens = peer.sign_in()
    for name in ("access_token", "id_token"):
        head, payload, signature = tokens[name].split(".")
        assert claims_of(f"x.{head}.x")["alg"] == "none"
        assert not {"-", "_"} & set(payload)
        assert signature == "fake"
        assert "opens nothing" in str(claims_of(tokens[name])["fake"])
        assert account_id_from_token(Secret(tokens[name])) == account.account_id
    identity, access = claims_of(tokens["id_token"]), claims_of(tokens["access_token"])
    assert identity["email"] == account.email
    assert identity["https://api.openai.com/auth"]["chatgpt_plan_type"] == account.plan
    assert access["exp"] == int(peer.wall) + 864_000
    assert tokens["refresh_token"].startswith("fake-")


ANNA = Account(account_id="acct_team", user_id="user-anna", email="anna@example.com")
BERT = Account(account_id="acct_team", user_id="user-bert", email="bert@example.com")
UNSAID = Account(account_id=None, user_id=None, email=None, name=None, plan=None)


def whose(tokens: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Account, person and email of the tokens of one sign-in."""
    about = [claims_of(tokens[name])["https://api.openai.com/auth"] for name in ("access_token", "id_token")]
    assert about[0] == about[1]
    identity = claims_of(tokens["id_token"])
    assert identity.get("sub") == about[0].get("chatgpt_user_id") == about[0].get("user_id")
    return about[0].get("chatgpt_account_id"), about[0].get("chatgpt_user_id"), identity.get("email")


def test_several_people_approve_one_sign_in_each_and_a_login_stays_that_of_its_person() -> None:
    peer = Peer(approve="auto", accounts=[ANNA, BERT, UNSAID])
    anna, bert, nobody, again = (peer.sign_in() for _ in range(4))
    assert whose(anna) == whose(again) == ("acct_team", "user-anna", "anna@example.com")
    assert whose(bert) == ("acct_team", "user-bert", "bert@example.com")
    assert whose(nobody) == (None, None, None)
    assert not {"email_verified", "name", "sub"} & set(claims_of(nobody["id_token"]))
    for tokens in (bert, anna, nobody):
        answer = peer.refresh(tokens["refresh_token"])
        assert whose(read(answer)) == whose(tokens)


def claims_of(token: str) -> dict[str, Any]:
    return dict(read_claims(Secret(token)))


# -- strictness ---------------------------------------------------------------------------------------

CLIENT = {"client_id": CODEX.client_id}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({**CLIENT}, (400, "invalid_request")),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, (400, "invalid_request")),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_id": "y"}, (401, "invalid_client")),
        ({**CLIENT, "grant_type": "refresh_token"}, (400, "invalid_request")),
        ({**CLIENT, "grant_type": "refresh_token", "refresh_token": ""}, (400, "invalid_request")),
        ({**CLIENT, "grant_type": "password", "password": "x"}, (400, "unsupported_grant_type")),
        (
            {**CLIENT, "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"},
            (400, "unsupported_grant_type"),
        ),
        (
            {**CLIENT, "grant_type": "refresh_token", "refresh_token": "x", "state": "s"},
            (400, "invalid_request"),
        ),
    ],
)
@pytest.mark.parametrize("kind", [FORM, JSON])
def test_the_token_endpoint_names_every_mistake(
    peer: Peer, fields: dict[str, str], expected: tuple[int, str], kind: str
) -> None:
    assert refusal(peer.post(TOKEN, fields, kind)) == expected


@pytest.mark.parametrize("missing", ["code", "code_verifier", "redirect_uri"])
def test_an_exchange_needs_all_its_fields_and_a_mistake_does_not_spend_the_code(
    peer: Peer, missing: str
) -> None:
    code = browser_code(peer)
    whole = {
        **CLIENT,
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": URI,
    }
    part = {name: value for name, value in whole.items() if name != missing}
    assert refusal(peer.post(TOKEN, part, FORM)) == (400, "invalid_request")
    assert refusal(peer.post(TOKEN, {**whole, "state": "state-1"}, FORM)) == (400, "invalid_request")
    assert peer.post(TOKEN, whole, FORM).status == 200


def test_extra_parameters_are_ignored_and_percent_encoding_is_optional(peer: Peer) -> None:
    raw = (
        f"grant_type=authorization_code&client_id={CODEX.client_id}&code={browser_code(peer)}"
        f"&code_verifier={VERIFIER}&redirect_uri={URI}"
    )
    kind = (("content-type", f"{FORM}; charset=UTF-8"),)
    tokens = json.loads(peer.send("POST", TOKEN, raw.encode(), kind).body.reveal())
    body = {
        **CLIENT,
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "refresh_reason": "x",
    }
    assert peer.post(TOKEN, body, JSON).status == 200


def test_a_person_on_the_consent_page_leads_to_the_same_tokens() -> None:
    peer = Peer()
    consent = peer.authorize()
    form = {"csrf": hidden(consent, "csrf"), "ticket": hidden(consent, "ticket"), "decision": "approve"}
    uri, query = location(peer.browse("POST", "/oauth/authorize", form))
    assert uri == URI
    assert query["state"] == "state-1"
    assert read(peer.exchange(query["code"], URI))["access_token"]
