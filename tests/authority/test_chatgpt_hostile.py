"""The hostile answers: each is given when its script says so, is wrong in its one respect, and then is over."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from typing import Any

import pytest

from codex_oauth.authority import (
    HOSTILE_ANSWERS,
    Answer,
    ChatGptFault,
    Hostile,
    HostileAnswer,
    Person,
    read_chatgpt_faults,
)
from codex_oauth.authority.chatgpt.hostile import ATTACKER, CHATGPT_ENDPOINTS
from codex_oauth.authority.chatgpt.signing import ATTACKER_KEY, TEST_KEYS
from codex_oauth_core import Cause, RequestFailed
from tests.authority.chatgpt_client import (
    DISCOVERY,
    FIRST,
    ISSUER,
    KEYS,
    PLAN,
    Client,
    api_error,
    claims_of,
    decoded,
    error,
    header_of,
    read,
    verifies,
    way_back,
)

STATE = "state-" + "s" * 37


def hostile(name: str, requests: int | str = 1, **policy: Any) -> Client:
    return Client(HostileAnswer(name=name, requests=requests), **policy)


def test_there_are_twenty_rows_and_every_name_is_in_one() -> None:
    assert set(HOSTILE_ANSWERS) == set(Hostile)
    assert set(Counter(kind.row for kind in HOSTILE_ANSWERS.values())) == set(range(1, 21))
    assert {kind.stage for kind in HOSTILE_ANSWERS.values()} <= CHATGPT_ENDPOINTS | {"callback"}


# -- 1 to 7: the way back to the client ---------------------------------------------------------------


def ways(name: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The hostile redirect, and the one after it."""
    client = hostile(name)
    return way_back(client.authorize()), way_back(client.authorize())


@pytest.mark.parametrize(
    "name",
    [
        "wrong_state",
        "denied_wrong_state",
        "two_states",
        "two_client_ids",
        "two_codes",
        "no_client_id",
        "registration_client_id",
        "other_client_id",
    ],
)
def test_the_next_redirect_is_right_again(name: str) -> None:
    wrong, right = ways(name)
    assert wrong != right
    assert [key for key, _ in right] == ["code", "scope", "state", "client_id"]
    assert dict(right)["state"] == STATE


def test_1_another_state_with_a_code_that_works() -> None:
    client = hostile("wrong_state")
    way = dict(way_back(client.authorize()))
    assert way["state"] != STATE
    client.client_id = way["client_id"]
    assert client.exchange(way["code"]).status == 200, "who does not look at the state is signed in"


def test_2_a_denial_with_another_state() -> None:
    wrong, _ = ways("denied_wrong_state")
    assert [key for key, _ in wrong] == ["error", "state"]
    assert dict(wrong)["error"] == "access_denied"
    assert dict(wrong)["state"] != STATE


@pytest.mark.parametrize(
    ("name", "key"), [("two_states", "state"), ("two_client_ids", "client_id"), ("two_codes", "code")]
)
def test_3_a_parameter_that_comes_twice(name: str, key: str) -> None:
    wrong, _ = ways(name)
    values = [value for name, value in wrong if name == key]
    assert len(values) == len(set(values)) == 2
    assert len(wrong) == 5
    if key == "state":
        assert values[0] == STATE


def test_4_no_client_id() -> None:
    assert [key for key, _ in ways("no_client_id")[0]] == ["code", "scope", "state"]


def test_5_the_registration_id_as_client_id() -> None:
    wrong, _ = ways("registration_client_id")
    assert [key for key, _ in wrong] == ["code", "scope", "state", "client_id"]
    assert dict(wrong)["client_id"] == FIRST


def test_6_another_client_id_on_return() -> None:
    client = hostile("other_client_id", 2)
    client.walk_in()
    wrong = way_back(client.authorize())
    assert [key for key, _ in wrong] == ["code", "scope", "state", "client_id"]
    assert dict(wrong)["client_id"] not in ("", client.client_id)
    client.policy.client_id_on_return = False
    client.authority.faults = (HostileAnswer(name="other_client_id"),)
    assert dict(way_back(client.authorize()))["client_id"] != client.client_id


def test_7_the_redirect_claims_a_plan_that_is_not_granted() -> None:
    client = hostile("callback_claims_plan")
    way = dict(way_back(client.authorize()))
    assert PLAN in way["scope"].split()
    client.client_id = way["client_id"]
    client.tokens = read(client.exchange(way["code"]))
    assert PLAN not in client.tokens["scope"].split()
    assert api_error(client.ask()) == (403, "chatpass_v2_scope_not_authorized")


# -- 8 to 13: the token answer and its ID token -------------------------------------------------------


def test_8_a_token_answer_without_scope() -> None:
    client = hostile("no_scope")
    assert "scope" not in client.walk_in()
    assert "scope" in client.walk_in()


ID_TOKENS: dict[str, dict[str, Any]] = {
    "other_audience": {"aud": "oaiapp_test_of_somebody_else"},
    "other_azp": {"azp": "oaiapp_test_of_somebody_else"},
    "issuer_slash": {"iss": f"{ISSUER}/"},
    "expired_id_token": {"exp": 1_800_000_007 - 3600, "iat": 1_800_000_007 - 7200},
}


@pytest.mark.parametrize(("name", "wrong"), ID_TOKENS.items())
def test_10_12_one_claim_is_wrong_and_the_signature_right(name: str, wrong: dict[str, Any]) -> None:
    client = hostile(name)
    token = client.walk_in()["id_token"]
    claims = claims_of(token)
    assert {key: claims[key] for key in wrong} == wrong
    assert client.is_signed(token)
    good = claims_of(client.walk_in()["id_token"])
    assert {key: value for key, value in good.items() if key not in (*wrong, "jti")} == {
        key: value for key, value in claims.items() if key not in (*wrong, "jti")
    }


def test_10_two_audiences_without_azp() -> None:
    client = hostile("two_audiences")
    token = client.walk_in()["id_token"]
    claims = claims_of(token)
    assert claims["aud"][0] == client.client_id
    assert (len(claims["aud"]), "azp" in claims, client.is_signed(token)) == (2, False, True)


def test_11_another_nonce_or_none() -> None:
    client = hostile("other_nonce")
    token = client.walk_in()["id_token"]
    assert claims_of(token)["nonce"] != "nonce-" + "n" * 37
    assert client.is_signed(token)
    client = hostile("no_nonce")
    token = client.walk_in()["id_token"]
    assert "nonce" not in claims_of(token)
    assert client.is_signed(token)


def test_9_alg_none() -> None:
    client = hostile("alg_none")
    token = client.walk_in()["id_token"]
    assert header_of(token)["alg"] == "none"
    assert claims_of(token)["nonce"] == "nonce-" + "n" * 37
    assert not client.is_signed(token)
    assert client.is_signed(client.walk_in()["id_token"])


def test_9_hs256_with_the_modulus_as_key() -> None:
    client = hostile("alg_hs256")
    head, payload, signature = client.walk_in()["id_token"].split(".")
    assert json.loads(decoded(head)) == {"alg": "HS256", "typ": "JWT", "kid": "test-key-1"}
    modulus = decoded(read(client.get(KEYS))["keys"][0]["n"])
    expected = hmac.digest(modulus, f"{head}.{payload}".encode(), hashlib.sha256)
    assert decoded(signature) == expected, "it verifies for who takes the algorithm from the header"


@pytest.mark.parametrize("name", ["header_jku", "header_jwk"])
def test_13_a_forged_token_brings_its_own_key(name: str) -> None:
    client = hostile(name)
    token = client.walk_in()["id_token"]
    head, payload, signature = token.split(".")
    header = header_of(token)
    assert (header["alg"], header["kid"]) == ("RS256", "test-key-1")
    assert not client.is_signed(token)
    assert verifies(ATTACKER_KEY.jwk(), f"{head}.{payload}", decoded(signature))
    if name == "header_jwk":
        assert header["jwk"]["n"] == ATTACKER_KEY.jwk()["n"]
        return
    (key,) = read(client.send("GET", header["jku"]))["keys"]
    assert key == ATTACKER_KEY.jwk()
    assert client.authority.counts["attacker"] == 1, "who fetches it is seen"


# -- 14 and 15: keys and discovery --------------------------------------------------------------------


def test_14_no_usable_key_set() -> None:
    assert hostile("keys_unavailable").get(KEYS).status == 503
    assert read(hostile("keys_empty").get(KEYS)) == {"keys": []}
    page = hostile("keys_html").get(KEYS)
    assert (page.status, (page.header("Content-Type") or "").partition(";")[0]) == (200, "text/html")
    (key,) = read(hostile("keys_unknown_kid").get(KEYS))["keys"]
    assert key["kid"] not in {one.kid for one in TEST_KEYS}


@pytest.mark.parametrize("name", ["keys_unavailable", "keys_empty", "keys_html", "keys_unknown_kid"])
def test_14_the_second_fetch_is_right(name: str) -> None:
    client = hostile(name)
    client.get(KEYS)
    assert client.is_signed(client.walk_in()["id_token"])
    assert client.authority.counts["keys"] == 2


def test_15_endpoints_of_another_origin() -> None:
    client = hostile("foreign_endpoints")
    document = read(client.get(DISCOVERY))
    assert document["issuer"] == ISSUER
    for name in ("revocation_endpoint", "jwks_uri", "token_endpoint", "authorization_endpoint"):
        assert document[name].startswith(f"{ATTACKER}/")
    assert read(client.get(DISCOVERY))["jwks_uri"] == ISSUER + KEYS


def test_15_another_issuer() -> None:
    document = read(hostile("other_issuer").get(DISCOVERY))
    assert document["issuer"] == ATTACKER
    assert document["jwks_uri"] == ISSUER + KEYS


def test_15_20_a_request_to_the_other_host_is_seen() -> None:
    client = Client()
    answer = client.send("POST", f"{ATTACKER}/api/accounts/oauth/token", b"secret")
    assert answer.status == 404
    assert client.mistakes == [("attacker", "attacker")]
    assert client.authority.counts["attacker"] == 1


# -- 16 to 19: refreshes and returning sign-ins -------------------------------------------------------


def test_16_a_return_brings_another_persons_tokens() -> None:
    for people, other in (
        ((Person(),), "user-fake-else"),
        ((Person(), Person(subject="user-b", email="b@example.com")), "user-b"),
    ):
        client = hostile("exchange_other_subject", 2, people=people)
        assert claims_of(client.walk_in()["id_token"])["sub"] == "user-fake-1"
        token = client.walk_in()["id_token"]
        assert claims_of(token)["sub"] == other
        assert client.is_signed(token)
        assert client.revoke().status == 200
        assert client.refresh().status == 401


def test_17_a_refresh_brings_another_persons_id_token() -> None:
    client = hostile("refresh_other_subject")
    client.walk_in()
    old = client.tokens["refresh_token"]
    answer = read(client.refresh())
    assert (
        claims_of(answer["id_token"])["sub"] == claims_of(answer["access_token"])["sub"] == "user-fake-else"
    )
    assert client.is_signed(answer["id_token"])
    assert answer["refresh_token"] != old
    assert client.refresh().status == 200, "the new refresh token is good"


def test_18_a_refresh_whose_answer_is_lost_was_done() -> None:
    client = hostile("refresh_lost")
    client.walk_in()
    answer = client.refresh()
    assert isinstance(answer.received(1.0, 2.0, 3.0), RequestFailed)
    assert answer.received(1.0, 2.0, 3.0) == RequestFailed(2.0, answer_phase(answer), Cause.RESET)
    assert error(client.refresh()) == (401, "refresh_token_reused")
    assert client.client_id in client.authority.registrations


def answer_phase(answer: Answer) -> Any:
    failed = answer.received(1.0, 2.0, 3.0)
    assert isinstance(failed, RequestFailed)
    return failed.phase


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("earliest_refresh_2099", 4_070_908_800),
        ("earliest_refresh_negative", -1),
        ("earliest_refresh_object", {"at": {"seconds": 1}}),
    ],
)
def test_19_an_earliest_refresh_that_makes_no_sense(name: str, value: object) -> None:
    client = hostile(name, "1-2")
    assert client.walk_in()["earliest_refresh_at"] == value
    client.sleep(3601)
    assert api_error(client.ask()) == (401, "token_expired")
    assert read(client.refresh())["earliest_refresh_at"] == value
    assert client.ask().status == 200
    assert isinstance(read(client.refresh())["earliest_refresh_at"], int)


# -- 20: the token endpoint itself --------------------------------------------------------------------


@pytest.mark.parametrize("grant", ["exchange", "refresh"])
@pytest.mark.parametrize("name", ["token_redirect", "token_html", "token_huge"])
def test_20_another_answer_than_tokens_and_nothing_was_done(name: str, grant: str) -> None:
    client = hostile(name, 1 if grant == "exchange" else 2)
    way = dict(way_back(client.authorize()))
    client.client_id = way["client_id"]
    if grant == "refresh":
        client.tokens = read(client.exchange(way["code"]))
    answer = client.exchange(way["code"]) if grant == "exchange" else client.refresh("unused-text")
    match name:
        case "token_redirect":
            assert answer.status == 307
            assert answer.header("Location") == f"{ATTACKER}/api/accounts/oauth/token"
        case "token_html":
            assert (answer.status, answer.header("Content-Type")) == (200, "text/html; charset=utf-8")
        case _:
            assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
            assert len(answer.body.reveal()) > 1024 * 1024
    again = client.exchange(way["code"]) if grant == "exchange" else client.refresh()
    assert again.status == 200


# -- the script ---------------------------------------------------------------------------------------


def test_several_hostile_answers_may_be_due_at_once() -> None:
    client = Client(HostileAnswer(name="no_scope"), HostileAnswer(name="other_nonce", requests="2-"))
    first, second = client.walk_in(), client.walk_in()
    assert ("scope" in first, "scope" in second) == (False, False)
    nonces = [claims_of(tokens["id_token"])["nonce"] for tokens in (first, second)]
    assert nonces[0] != nonces[1]


def test_a_script_may_change_while_the_authority_runs() -> None:
    client = Client()
    client.walk_in()
    client.authority.faults = (ChatGptFault(endpoint="refresh", status=503),)
    assert client.refresh("x").status == 503
    client.authority.faults = ()
    assert client.refresh().status == 200


@pytest.mark.parametrize("endpoint", sorted(CHATGPT_ENDPOINTS - {"attacker", "other"}))
def test_ordinary_faults_meet_every_endpoint(endpoint: str) -> None:
    client = Client(ChatGptFault(endpoint=endpoint, status=599))
    client.tokens = {"access_token": "x", "refresh_token": "x"}
    client.client_id = "x"
    seen = {
        "authorize": client.authorize(client_id=FIRST, agent_name_hint="x"),
        "exchange": client.exchange("x"),
        "refresh": client.refresh("x"),
        "revoke": client.revoke(),
        "discovery": client.get(DISCOVERY),
        "keys": client.get(KEYS),
        "models": client.models(),
        "responses": client.ask(),
    }
    hit = {name for name, answer in seen.items() if answer.status == 599}
    assert hit == {"token": {"exchange", "refresh"}, "any": set(seen)}.get(endpoint, {endpoint})


def test_a_file_says_both_kinds() -> None:
    rows = [
        {"answer": "alg_none", "requests": "1-3"},
        {"answer": "keys_html"},
        {"endpoint": "keys", "requests": 2, "status": 503},
    ]
    assert read_chatgpt_faults(json.dumps({"faults": rows})) == (
        HostileAnswer(name="alg_none", requests="1-3"),
        HostileAnswer(name="keys_html"),
        ChatGptFault(endpoint="keys", requests=2, status=503),
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "alg_nome"}, r"faults\[0\].answer: one of wrong_state, "),
        ({"answer": ["x"]}, r"faults\[0\].answer: one of"),
        (
            {"answer": "alg_none", "status": 500},
            r"faults\[0\]: 'status' is no field; the fields are answer, requests$",
        ),
        ({"answer": "alg_none", "requests": 0}, r"faults\[0\].requests"),
        ({"endpoint": "poll"}, r"faults\[0\].endpoint: one of any, attacker, "),
        (
            {"endpoint": "keys", "statuss": 1},
            r"faults\[0\]: 'statuss' is no field; the fields are requests, status, headers, body, delay, reset, truncate, act, endpoint, body_base64$",
        ),
        ({}, r"faults\[0\]: 'endpoint' is missing; the fields are "),
        (7, r"faults\[0\]: a row is an object such as "),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_row_is_named(row: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_chatgpt_faults(json.dumps({"faults": [row]}))
