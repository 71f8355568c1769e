"""What the token endpoint of the official sign-in says to a code, row by row, and by which clock it is judged."""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from codex_oauth.authority.chatgpt.signing import TEST_KEYS, rs256
from codex_oauth.testing import Reply
from codex_oauth_core import CHATGPT, ErrorKind, Secret
from codex_oauth_core.facts import Granted, PublicKey, Refusal, Tokens
from codex_oauth_core.provider import CodeInHand
from tests.core.chatgpt import FIRST
from tests.support import W0, as_json, page, response

E = ErrorKind
KEY: Final = TEST_KEYS[0]
AGAIN: Final = FIRST.registered("oaiapp_1")
CODE: Final = CodeInHand(
    authorization_code=Secret("c"),
    code_verifier=Secret("v"),
    redirect_uri="http://127.0.0.1:1/auth/callback",
    query=Secret("code=c"),
    nonce=Secret("n"),
    keys=(PublicKey(KEY.kid, KEY.jwk()["n"], KEY.jwk()["e"]),),
)
DATE: Final = "Fri, 15 Jan 2027 08:00:00 GMT"
SERVER: Final = 1_800_000_000


def id_token(**claims: Any) -> str:
    usual = {"iss": CHATGPT.issuer, "aud": ["oaiapp_1"], "sub": "user-1", "iat": SERVER, "exp": SERVER + 3600}
    return rs256(KEY, {**usual, "nonce": "n", **claims}).reveal()


def granted(
    headers: dict[str, str] | None = None, wall: float = W0, provider: Any = AGAIN, **fields: Any
) -> Tokens:
    body = {"access_token": "a", "refresh_token": "r", "id_token": id_token(), "scope": "openid", **fields}
    reply = as_json(200, {name: value for name, value in body.items() if value is not ...}, headers)
    fact = AGAIN.dialect.read_exchange(provider, CODE, response(reply, wall=wall))
    assert isinstance(fact, Granted)
    return fact.tokens


def refused(reply: Reply) -> Refusal:
    fact = AGAIN.dialect.read_exchange(AGAIN, CODE, response(reply))
    assert isinstance(fact, Refusal)
    return fact


def why(tokens: Tokens) -> str | None:
    return None if tokens.refusal is None else tokens.refusal.reason


# -- by which clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wall", [W0, W0 - 86_400 * 400, W0 + 86_400 * 400, 0.0])
def test_an_answer_that_is_dated_is_judged_by_its_own_date(wall: float) -> None:
    assert why(granted({"Date": DATE}, wall=wall)) is None
    assert why(granted({"Date": DATE}, wall=wall, id_token=id_token(exp=SERVER - 61))) == "exp"
    assert why(granted({"Date": DATE}, wall=wall, id_token=id_token(iat=SERVER + 61))) == "iat"


@pytest.mark.parametrize("headers", [{}, {"Date": "no date"}, {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}])
def test_one_that_is_not_is_judged_by_this_machines_clock(headers: dict[str, str]) -> None:
    assert why(granted(headers)) is None
    assert why(granted(headers, wall=W0 + 7200)) == "exp"
    assert why(granted(headers, wall=W0 - 7200)) == "iat"


# -- tokens --------------------------------------------------------------------------------------------


def test_the_tokens_are_bound_to_the_client_and_the_person() -> None:
    tokens = granted(expires_in="3600", earliest_refresh_at=SERVER + 60)
    assert (tokens.client_id, tokens.user_id, tokens.account_id) == ("oaiapp_1", "user-1", None)
    assert (tokens.expires_in, tokens.earliest_refresh_at) == (3600.0, (SERVER + 60) * 1000)
    assert (tokens.key_id, tokens.unknown_key, tokens.refusal) == (KEY.kid, False, None)


@pytest.mark.parametrize("token", [..., None, "", "opaque", "a.b.c", 7, "x" * 20_000])
def test_without_an_id_token_nobody_is_signed_in(token: Any) -> None:
    tokens = granted(id_token=token)
    assert (why(tokens), tokens.user_id, tokens.unknown_key) == ("id_token", None, False)


def test_without_a_check_of_signatures_nothing_is_believed() -> None:
    tokens = granted(provider=attrs.evolve(AGAIN, verify_signature=None))
    assert tokens.refusal == Refusal(E.MISCONFIGURED, reason="extra_missing")


def test_a_redirect_that_issued_nothing_of_use_has_no_tokens_either() -> None:
    tokens = granted(provider=FIRST)
    assert why(tokens) == "client_id_missing"


@pytest.mark.parametrize(
    ("kid", "unknown", "named"),
    [("new", True, "new"), ("", False, None), (7, False, None), ("a b", False, None)],
)
def test_a_key_that_may_be_new_is_worth_a_look(kid: Any, unknown: bool, named: str | None) -> None:
    claims = {"iss": CHATGPT.issuer, "aud": "oaiapp_1"}
    tokens = granted(id_token=rs256(KEY, claims, {"kid": kid}).reveal())
    assert (why(tokens), tokens.unknown_key, tokens.key_id) == ("kid", unknown, named)
    other = granted(id_token=rs256(KEY, claims, {"kid": kid, "alg": "none"}).reveal())
    assert (why(other), other.unknown_key) == ("alg", False)


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("b a", ("b", "a")),
        ("", ()),
        ("  a   b ", ("a", "b")),
        ("a é b", ("a", "b")),
        (f"a {'x' * 256}", ("a",)),
        (..., ()),
        (None, ()),
        (["a"], ()),
        (7, ()),
    ],
)
def test_what_was_granted_is_what_the_answer_says(scope: Any, scopes: tuple[str, ...]) -> None:
    assert granted(scope=scope).scopes == scopes


def test_more_scopes_than_anybody_has_are_cut() -> None:
    assert len(granted(scope=" ".join(f"s{number}" for number in range(500))).scopes or ()) == 100


def test_without_a_refresh_token_it_is_good_until_it_expires() -> None:
    tokens = granted(refresh_token=...)
    assert (tokens.refresh_token, tokens.refusal) == (None, None)


# -- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "kind", "uncertain"),
    [
        (as_json(400, {"error": "invalid_grant"}), E.TOKEN_REQUEST_FAILED, False),
        (as_json(400, {"error": {"code": "invalid_grant"}}), E.TOKEN_REQUEST_FAILED, False),
        (as_json(401, {"error": "invalid_client"}), E.CLIENT_REJECTED, False),
        (as_json(400, {"error": "invalid_client"}), E.CLIENT_REJECTED, False),
        (as_json(407, {"error": "invalid_client"}), E.TOKEN_REQUEST_FAILED, False),
        (as_json(400, {"error": "invalid_target"}), E.TOKEN_REQUEST_FAILED, False),
        (as_json(500, {}), E.TOKEN_REQUEST_FAILED, True),
        (as_json(307, {}), E.TOKEN_REQUEST_FAILED, True),
        (page(200), E.TOKEN_REQUEST_FAILED, True),
        (page(403), E.BLOCKED, False),
        (page(401), E.BLOCKED, False),
        (Reply(200, b"not json"), E.TOKEN_REQUEST_FAILED, True),
    ],
)
def test_what_is_said_to_a_code(reply: Reply, kind: ErrorKind, uncertain: bool) -> None:
    fact = refused(reply)
    assert (fact.kind, fact.uncertain) == (kind, uncertain)


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [(503, {}, None), (503, {"retry-after": "7"}, 7.0), (400, {"retry-after": "9"}, 9.0)],
)
def test_a_refresh_that_cannot_be_done_now_leaves_the_token_in_doubt(
    status: int, headers: Any, after: Any
) -> None:
    reply = as_json(status, {"error": "temporarily_unavailable"}, headers)
    fact = AGAIN.dialect.read_refresh(AGAIN, response(reply))
    assert (fact.kind, fact.maybe_answered, fact.retry_after) == (E.NETWORK, True, after)  # type: ignore[union-attr]


@pytest.mark.parametrize("code", ["temporarily_unavailable", "invalid_scope", "invalid_grant"])
def test_a_code_on_a_firewalls_page_is_not_the_servers(code: str) -> None:
    reply = as_json(403, {"error": code}, {"cf-mitigated": "challenge"})
    fact = AGAIN.dialect.read_refresh(AGAIN, response(reply))
    assert isinstance(fact, Refusal)
    assert fact.kind is E.BLOCKED
