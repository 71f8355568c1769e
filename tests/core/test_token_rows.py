"""Every row of the token endpoint's answers: its fields, an exchange, a revocation.

A refresh has rows of its own: see `test_refresh_rows`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.token_answers import account_id_from_token
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import Granted, Refusal, TryAgain
from codex_oauth_core.flows.grant import accept_tokens, expires_at
from codex_oauth_core.secret import Secret
from tests.codex_readers import read_exchange, read_revocation
from tests.strategies import objects
from tests.support import CLAIMS, W0, account_token, as_json, code, jwt, page, response, tokens

E = ErrorKind


def exchange(reply: Reply) -> Any:
    return read_exchange(response(reply))


def judged(reply: Reply, *workspaces: str) -> Any:
    event = response(reply)
    return accept_tokens(read_exchange(event).tokens, CODEX, workspaces, event)  # type: ignore[union-attr]


# -- fields ------------------------------------------------------------------------------------------


def test_a_whole_answer_is_a_credential() -> None:
    credential = judged(tokens())
    assert credential == Credential(
        access_token=Secret(account_token()),
        refresh_token=Secret("canary-refresh-token-5566"),
        account_id="acct_fake",
        issuer="https://auth.openai.com",
        client_id="app_EMoamEEZ73f0CkXaXp7hrann",
        obtained_at="2027-01-15T08:00:07Z",
        id_token=Secret(account_token(marker="id")),
        expires_at=int((W0 - 0.25 + 864000) * 1000),
    )


@pytest.mark.parametrize(
    ("fields", "kind", "reason"),
    [
        ({"access_token": ...}, E.INVALID_RESPONSE, "access_token"),
        ({"access_token": None}, E.INVALID_RESPONSE, "access_token"),
        ({"access_token": ""}, E.INVALID_RESPONSE, "access_token"),
        ({"access_token": "two words"}, E.INVALID_RESPONSE, "access_token"),
        ({"access_token": "line\r\nbreak"}, E.INVALID_RESPONSE, "access_token"),
        ({"access_token": "naïve"}, E.INVALID_RESPONSE, "access_token"),
        ({"access_token": "x" * 16385}, E.INVALID_RESPONSE, "access_token"),
        ({"access_token": ["x"]}, E.INVALID_RESPONSE, "access_token"),
        ({"token_type": "mac"}, E.INVALID_RESPONSE, "token_type"),
        ({"token_type": 7}, E.INVALID_RESPONSE, "token_type"),
        ({"refresh_token": ...}, E.INVALID_RESPONSE, "refresh_token"),
        ({"refresh_token": "a\x00b"}, E.INVALID_RESPONSE, "refresh_token"),
    ],
)
def test_an_answer_that_makes_no_credential(
    fields: dict[str, Any], kind: ErrorKind, reason: str | None
) -> None:
    assert judged(tokens(**fields)) == Refusal(kind, reason=reason)


@pytest.mark.parametrize(
    "fields",
    [
        {"access_token": "opaque", "id_token": ...},
        {"access_token": jwt({}), "id_token": jwt({"organizations": [{"id": "org-1"}]})},
    ],
)
def test_a_sign_in_without_an_account_is_a_sign_in(fields: dict[str, Any]) -> None:
    credential = judged(tokens(**fields))
    assert isinstance(credential, Credential)
    assert (credential.account_id, credential.user_id) == (None, None)


@pytest.mark.parametrize("token_type", [..., None, "Bearer", "bearer", "BEARER"])
def test_token_types_that_are_bearer(token_type: object) -> None:
    assert isinstance(judged(tokens(token_type=token_type)), Credential)


@pytest.mark.parametrize(
    ("expires_in", "exp", "expected"),
    [
        (3600, None, (W0 - 0.25 + 3600) * 1000),
        ("3600", None, (W0 - 0.25 + 3600) * 1000),
        (3600, W0 + 7200, (W0 - 0.25 + 3600) * 1000),
        (..., W0 + 7200, (W0 + 7200) * 1000),
        (0, W0 + 7200, (W0 + 7200) * 1000),
        (-5, W0 + 7200, (W0 + 7200) * 1000),
        (True, W0 + 7200, (W0 + 7200) * 1000),
        (float("nan"), W0 + 7200, (W0 + 7200) * 1000),
        ("junk", W0 + 7200, (W0 + 7200) * 1000),
        (1e300, W0 + 7200, (W0 + 7200) * 1000),
        (..., None, None),
        (..., "1800007200", None),
        (..., True, None),
        (..., 1_800_007_200_000, None),
        (..., -1, None),
        (..., 10**400, None),
    ],
)
def test_expiry_is_anchored_at_the_start_of_the_request(
    expires_in: object, exp: object, expected: float | None
) -> None:
    claims: dict[str, Any] = {} if exp is None else {"exp": exp}
    access = account_token(**claims)
    event = response(tokens(expires_in=expires_in, access_token=access))
    fact = read_exchange(event)
    assert isinstance(fact, Granted)
    assert expires_at(fact.tokens, event) == (None if expected is None else int(expected))


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("2027-02-01T00:00:00Z", 1_801_440_000_000),
        (1_801_440_000, 1_801_440_000_000),
        (1_801_440_000_000, 1_801_440_000_000),
        (True, None),
        (10**400, None),
        (-1, None),
        ("junk", None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_earliest_refresh_at_is_kept_if_it_is_a_time(value: object, milliseconds: int | None) -> None:
    assert judged(tokens(earliest_refresh_at=value)).earliest_refresh_at == milliseconds


def test_the_account_is_named_by_the_access_token_before_the_id_token() -> None:
    both = tokens(access_token=account_token("first"), id_token=account_token("second"))
    assert judged(both).account_id == "first"
    assert judged(tokens(access_token=jwt({}), id_token=account_token("second"))).account_id == "second"
    assert judged(tokens(access_token="opaque", id_token=account_token("second"))).account_id == "second"


# J8
@pytest.mark.parametrize("account_id", ["", 7, None, ["x"], "a b", "a\r\nX: y", "é", "x" * 256, {"id": "x"}])
def test_an_account_id_that_is_no_header_value_is_none(account_id: object) -> None:
    assert account_id_from_token(Secret(jwt({CLAIMS: {"chatgpt_account_id": account_id}}))) is None


def test_a_workspace_that_was_not_asked_for_is_refused() -> None:
    refused = judged(tokens(), "acct_other")
    text = "acct_fake signed in, and is not in the workspace that was asked for."
    assert refused == Refusal(E.WORKSPACE_RESTRICTED, message=text)
    assert isinstance(judged(tokens(), "acct_other", "acct_fake"), Credential)


# -- an exchange that is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "fact"),
    [
        (code("invalid_grant", 400), Refusal(E.TOKEN_REQUEST_FAILED, "invalid_grant", 400)),
        (code("whatever", 401), Refusal(E.TOKEN_REQUEST_FAILED, "whatever", 401)),
        (as_json(403, {}), Refusal(E.TOKEN_REQUEST_FAILED, None, 403)),
        (code("rate_limit_exceeded", 429), Refusal(E.TOKEN_REQUEST_FAILED, "rate_limit_exceeded", 429)),
        (page(403), Refusal(E.BLOCKED, None, 403)),
        (page(401), Refusal(E.BLOCKED, None, 401)),
        (as_json(403, {}, {"cf-mitigated": "challenge"}), Refusal(E.BLOCKED, None, 403)),
        (
            code("unsupported_country_region_territory", 403),
            Refusal(E.REGION_BLOCKED, "unsupported_country_region_territory", 403),
        ),
        (page(200), Refusal(E.TOKEN_REQUEST_FAILED, None, 200, uncertain=True)),
        (
            code("unsupported_country_region_territory", 200),
            Refusal(E.REGION_BLOCKED, "unsupported_country_region_territory", 200),
        ),
        (as_json(200, []), Refusal(E.TOKEN_REQUEST_FAILED, None, 200, uncertain=True)),
        (Reply(200, b""), Refusal(E.TOKEN_REQUEST_FAILED, None, 200, uncertain=True)),
        (Reply(302, b""), Refusal(E.TOKEN_REQUEST_FAILED, None, 302, uncertain=True)),
        (Reply(400, b"oops"), Refusal(E.TOKEN_REQUEST_FAILED, None, 400, uncertain=True)),
        (as_json(408, {}), Refusal(E.TOKEN_REQUEST_FAILED, None, 408, uncertain=True)),
        (code("oops", 500), Refusal(E.TOKEN_REQUEST_FAILED, "oops", 500, uncertain=True)),
        (page(502), Refusal(E.TOKEN_REQUEST_FAILED, None, 502, uncertain=True)),
    ],
)
def test_a_refused_exchange(reply: Reply, fact: object) -> None:
    assert exchange(reply) == fact


# -- a revocation, and every answer --------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 204, 299])
@pytest.mark.parametrize("body", [b"", b"whatever", b"{}", b"<html>"])
def test_any_2xx_confirms_a_revocation(status: int, body: bytes) -> None:
    assert read_revocation(response(Reply(status, body))) is True


@pytest.mark.parametrize(
    "reply",
    [
        as_json(400, {}),
        code("unsupported_token_type", 400),
        code("invalid_client", 401),
        as_json(403, {}),
        as_json(404, {}),
        as_json(400, {}, {"retry-after": "1"}),
    ],
    ids=repr,
)
def test_a_servers_word_does_not_confirm_a_revocation(reply: Reply) -> None:
    assert read_revocation(response(reply)) is False


@pytest.mark.parametrize(
    ("reply", "fact"),
    [
        (as_json(429, {}), TryAgain(E.RATE_LIMITED, status=429)),
        (as_json(429, {}, {"retry-after": "7"}), TryAgain(E.RATE_LIMITED, retry_after=7.0, status=429)),
        (Reply(429), TryAgain(E.RATE_LIMITED, status=429)),
        (code("slow", 429), TryAgain(E.RATE_LIMITED, code="slow", status=429)),
        (as_json(408, {}), TryAgain(E.NETWORK, True, status=408)),
        (as_json(500, {}), TryAgain(E.NETWORK, True, status=500)),
        (page(502), TryAgain(E.NETWORK, True, status=502)),
        (as_json(503, {}, {"retry-after": "2"}), TryAgain(E.NETWORK, True, 2.0, status=503)),
        (page(403), TryAgain(E.BLOCKED, status=403)),
        (as_json(407, {}), TryAgain(E.BLOCKED, status=407)),
        (as_json(307, {}, {"location": "http://else.example"}), TryAgain(E.BLOCKED, status=307)),
        (Reply(400, b"\xff"), TryAgain(E.INVALID_RESPONSE, True, status=400)),
    ],
    ids=repr,
)
def test_rfc7009_a_server_that_cannot_revoke_now_is_to_be_asked_again(reply: Reply, fact: TryAgain) -> None:
    assert read_revocation(response(reply)) == fact


@given(status=st.integers(0, 999), body=st.binary(max_size=300), type_=st.text(max_size=20))
def test_every_answer_to_a_revocation_has_a_meaning(status: int, body: bytes, type_: str) -> None:
    fact = read_revocation(response(Reply(status, body, {"content-type": type_})))
    assert isinstance(fact, bool | TryAgain)
    assert (fact is True) is (200 <= status < 300)


@given(status=st.integers(0, 999), body=st.binary(max_size=300), type_=st.text(max_size=20))
def test_every_response_has_a_meaning(status: int, body: bytes, type_: str) -> None:
    reply = Reply(status, body, {"content-type": type_})
    assert isinstance(exchange(reply), Granted | Refusal)


@given(
    objects("access_token", "refresh_token", "id_token", "expires_in", "earliest_refresh_at", "token_type")
)
def test_every_json_object_is_read(fields: dict[str, Any]) -> None:
    event = response(as_json(200, fields))
    fact = read_exchange(event)
    assert isinstance(fact, Granted)
    assert isinstance(accept_tokens(fact.tokens, CODEX, (), event), Credential | Refusal)
