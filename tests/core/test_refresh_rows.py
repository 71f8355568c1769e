"""Every answer to a refresh token: F26 to F31, F37 and R3. Whose clock an expiry is by is in `test_server_clock`.

What a flow may conclude is in the type and in two fields: `Granted`; `Refusal(LOGIN_REQUIRED)`, the login is
over; `Refusal` of any other kind, not spent, and not to be repeated now; `TryAgain`, not spent; and
`TryAgain(maybe_answered=True)`, perhaps spent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import Reply
from codex_oauth_core.codex.codes import CLIENT_REJECTED, LOGIN_OVER
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import Granted, Refusal, Tokens, TryAgain
from codex_oauth_core.flows.grant import expires_at
from codex_oauth_core.secret import Secret
from tests.codex_readers import read_refresh
from tests.strategies import objects
from tests.support import account_token, as_json, code, page, response, tokens

E = ErrorKind
REGION = "unsupported_country_region_territory"
CHALLENGED = {"cf-mitigated": "challenge"}
OVER = {
    *("refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated", "invalid_grant"),
    *(
        "token_expired",
        "token_revoked",
        "invalid_refresh_token",
        "token_invalidated",
        "app_session_terminated",
    ),
    *("account_session_expired", "account_auth_invalidated", "account_deactivated", "account_suspended"),
    "account_deleted",
}
"""The codes that end a login, spelled out a second time."""

ANY_STATUS = [199, 200, 302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 503]
BETWEEN = [407, 511]
"""The statuses with which a proxy, and not the server, answers."""

REFUSALS = [*range(400, 408), *range(409, 429), *range(430, 500)]
"""The statuses with which a server refuses a request."""


def refresh(reply: Reply) -> Any:
    return read_refresh(response(reply))


def granted(**fields: Any) -> Tokens:
    fact = refresh(tokens(**fields))
    assert isinstance(fact, Granted)
    return fact.tokens


# -- the login is over (F30, F37) ----------------------------------------------------------------------

SHAPES: dict[str, Callable[[str], Any]] = {
    "nested": lambda name: {"error": {"code": name, "message": "prose"}},
    "flat": lambda name: {"error": name, "error_description": "prose"},
    "top level": lambda name: {"code": name},
    "type": lambda name: {"error": {"type": name, "code": None, "message": "prose"}},
    "upper case": lambda name: {"error": {"code": name.upper()}},
    "spaced": lambda name: {"error": f" {name}\n"},
    "type in upper case": lambda name: {"error": {"type": name.upper()}},
    "beside a type that is not known": lambda name: {
        "error": {"type": "invalid_request_error", "code": name}
    },
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("status", ANY_STATUS)
@pytest.mark.parametrize("name", sorted(LOGIN_OVER))
def test_f30_a_known_code_ends_the_login_in_every_shape(name: str, status: int, shape: Any) -> None:
    fact = refresh(as_json(status, shape(name)))
    assert fact == Refusal(E.LOGIN_REQUIRED, name, status, message=LOGIN_OVER[name])


def test_f30_each_of_those_codes_has_its_own_message() -> None:
    assert len(set(LOGIN_OVER.values())) == len(LOGIN_OVER)
    assert set(LOGIN_OVER) == OVER


NO_CODES: tuple[Any, ...] = (7, None, True, [], {}, 1.5, "", " ")
WITHOUT_KNOWN_CODE: tuple[Any, ...] = (
    *({}, [], None, 7, "word", {"error": None}, {"error": 7}, {"error": []}, {"detail": "Unauthorized"}),
    *({"error": {"code": value}} for value in NO_CODES),
    *({"error": {"code": "weird"}}, {"error": "weird"}, {"error": {"type": "weird"}}),
)


@pytest.mark.parametrize("body", WITHOUT_KNOWN_CODE)
def test_f30_a_401_in_json_ends_the_login_whatever_it_says(body: Any) -> None:
    fact = refresh(as_json(401, body))
    assert isinstance(fact, Refusal)
    assert (fact.kind, fact.status, fact.message) == (E.LOGIN_REQUIRED, 401, None)


@pytest.mark.parametrize("name", ["invalid_grant", "refresh_token_reused", "token_expired", "token_revoked"])
def test_f30_such_a_code_ends_a_login_at_every_status_but_those_of_a_proxy(name: str) -> None:
    for status in sorted({*range(600), 600, 999} - {*BETWEEN}):
        assert refresh(code(name, status)).kind is E.LOGIN_REQUIRED, status
    for status in BETWEEN:
        assert refresh(code(name, status)).kind is not E.LOGIN_REQUIRED, status


@pytest.mark.parametrize(
    "name", ["token", "token_expired_soon", "expired_token", "slow_down", "server_error"]
)
def test_f30_no_other_code_ends_a_login_at_a_status_that_is_no_refusal(name: str) -> None:
    for status in sorted({*range(600), 600, 999} - {*REFUSALS}):
        fact = refresh(code(name, status))
        assert isinstance(fact, TryAgain), status
        assert fact.maybe_answered is (status != 429), status


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_f30_such_a_code_on_a_page_of_something_in_between_ends_nothing(status: int) -> None:
    for reply in (code("token_expired", status, CHALLENGED), page(status)):
        assert refresh(reply).kind is not E.LOGIN_REQUIRED


# -- a refusal that keeps the login, and the refresh token unspent (F26, F30) --------------------------


@pytest.mark.parametrize("name", CLIENT_REJECTED)
@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_f30_a_rejected_client_keeps_the_login(name: str, status: int, shape: Any) -> None:
    assert refresh(as_json(status, shape(name))) == Refusal(E.CLIENT_REJECTED, name, status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 408, 429, 451, 500, 503])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_f30_a_region_that_is_not_served_keeps_the_login_at_every_status(status: int, shape: Any) -> None:
    assert refresh(as_json(status, shape(REGION))) == Refusal(E.REGION_BLOCKED, REGION, status)


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        *((page(status), None) for status in (400, 401, 403, 404, 405, 407, 413)),
        *((as_json(status, {}, CHALLENGED), None) for status in (401, 403)),
        *((Reply(status, b"", CHALLENGED), None) for status in (401, 403)),
        *((Reply(status, b"<?xml version='1.0'?>", {}), None) for status in (401, 403)),
        *((Reply(407, body, {}), None) for body in (b"", b"noise", b"{}")),
        *(
            (as_json(status, {"error": "invalid_grant"}, CHALLENGED), "invalid_grant")
            for status in (400, 401)
        ),
        (code("invalid_grant", 407), "invalid_grant"),
        (code("invalid_client", 401, CHALLENGED), "invalid_client"),
    ],
)
def test_f26_what_came_from_in_between_keeps_the_login(reply: Reply, named: str | None) -> None:
    assert refresh(reply) == Refusal(E.BLOCKED, named, reply.status)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        *((b"", None), (b"noise", None), (b"\xff\x00", None), (b"{", None), (b"{}", None), (b"[]", None)),
        *((b'{"error": {"code": 7}}', None), (b'{"error": {"code": null}}', None), (b'{"error": []}', None)),
        *((b'{"error": "weird"}', "weird"), (b'{"error": {"code": "invalid_request"}}', "invalid_request")),
        (b'{"error": "NOT a word"}', "other"),
        (b'{"error": {"type": "weird"}}', None),
    ],
)
def test_f30_any_other_4xx_is_a_refusal_that_keeps_the_login(body: bytes, named: str | None) -> None:
    for status in sorted({*REFUSALS} - {401, 407}):
        assert refresh(Reply(status, body)) == Refusal(E.INVALID_RESPONSE, named, status)


@pytest.mark.parametrize("body", [b"", b" \n", b"noise", b"\xff", b'{"error":'])
def test_f30_a_401_that_is_no_json_keeps_the_login(body: bytes) -> None:
    assert refresh(Reply(401, body)) == Refusal(E.INVALID_RESPONSE, None, 401)


# -- not spent, and to be repeated (F28, F29) ----------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *(
            ("7", 7.0),
            ("0", 0.0),
            ("1000000000", 1e9),
            (None, None),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
        ),
        ("Fri, 15 Jan 2027 08:01:07 GMT", 59.5),
    ],
)
def test_f28_too_many_requests_spend_nothing(header: str | None, seconds: float | None) -> None:
    headers = {} if header is None else {"Retry-After": header}
    for reply in (
        as_json(429, {}, headers),
        attrs.evolve(page(429), headers=headers),
        Reply(429, b"", headers),
    ):
        assert refresh(reply) == TryAgain(E.RATE_LIMITED, False, seconds, None, 429)
    assert refresh(code("slow_down", 429, headers)) == TryAgain(
        E.RATE_LIMITED, False, seconds, "slow_down", 429
    )


def test_f28_a_date_to_retry_after_is_measured_by_the_servers_own_clock() -> None:
    dates = {"Retry-After": "Fri, 15 Jan 2027 12:00:30 GMT", "Date": "Fri, 15 Jan 2027 12:00:00 GMT"}
    assert refresh(as_json(429, {}, dates)).retry_after == 30.0


def test_f29_503_with_retry_after_spends_nothing() -> None:
    for reply in (as_json(503, {}, {"Retry-After": "5"}), page(503, **{"retry-after": "5"})):
        assert refresh(reply) == TryAgain(E.NETWORK, False, 5.0, None, 503)


# -- perhaps spent (R3, F24, F26, F27, F29, F31) -------------------------------------------------------


@pytest.mark.parametrize("status", range(500, 600))
def test_f29_a_failing_server_leaves_open_what_it_did(status: int) -> None:
    for reply in (as_json(status, {}), page(status), Reply(status, b"")):
        assert refresh(reply) == TryAgain(E.NETWORK, True, None, None, status)
    assert refresh(code("server_error", status)) == TryAgain(E.NETWORK, True, None, "server_error", status)
    vague = refresh(as_json(status, {}, {"Retry-After": "soon"}))
    assert vague == TryAgain(E.NETWORK, True, None, None, status)
    if status != 503:
        told = refresh(as_json(status, {}, {"Retry-After": "5"}))
        assert told == TryAgain(E.NETWORK, True, 5.0, None, status)


def test_f29_a_challenge_with_a_5xx_is_told_as_blocked_and_stays_open() -> None:
    assert refresh(Reply(503, b"<html>", CHALLENGED)) == TryAgain(E.BLOCKED, True, None, None, 503)


def test_r3_a_request_timeout_of_the_server_leaves_open_what_it_did() -> None:
    for reply in (as_json(408, {}), Reply(408, b""), page(408)):
        assert refresh(reply) == TryAgain(E.NETWORK, True, None, None, 408)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"noise"])
def test_f27_a_redirect_leaves_open_what_was_done_before_it(status: int, body: bytes) -> None:
    reply = Reply(status, body, {"Location": "https://elsewhere.example/oauth/token"})
    assert refresh(reply) == TryAgain(E.BLOCKED, True, None, None, status)


def test_f27_tokens_in_a_redirect_are_not_taken() -> None:
    assert isinstance(refresh(attrs.evolve(tokens(), status=302)), TryAgain)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((0, E.INVALID_RESPONSE), (100, E.INVALID_RESPONSE), (101, E.INVALID_RESPONSE)),
        *((199, E.INVALID_RESPONSE), (600, E.NETWORK), (999, E.NETWORK)),
    ],
)
def test_r3_a_status_of_no_known_class_leaves_everything_open(status: int, kind: ErrorKind) -> None:
    assert refresh(as_json(status, {})) == TryAgain(kind, True, None, None, status)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        *(
            (b"", None),
            (b"noise", None),
            (b"\xff", None),
            (b'{"access_token": "a"', None),
            (b"[" * 100_000, None),
        ),
        *((b"[]", None), (b"null", None), (b'"a"', None), (b"7", None), (b'[{"access_token": "a"}]', None)),
        *((b"{}", None), (b'{"access_token": null, "refresh_token": null}', None)),
        *((b'{"access_token": "", "refresh_token": "a b"}', None), (b'{"id_token": "a.b.c"}', None)),
        *((b'{"access_token": "a", "token_type": "mac"}', None), (b'{"access_token": ["a"]}', None)),
        *((b'{"error": "server_error"}', "server_error"), (b'{"error": {"code": "weird"}}', "weird")),
    ],
)
def test_f26_f31_a_success_without_a_usable_token_leaves_everything_open(
    status: int, body: bytes, named: str | None
) -> None:
    assert refresh(Reply(status, body)) == TryAgain(E.INVALID_RESPONSE, True, None, named, status)


@pytest.mark.parametrize("status", [200, 203])
def test_f26_the_page_of_a_captive_portal_leaves_everything_open(status: int) -> None:
    assert refresh(page(status)) == TryAgain(E.BLOCKED, True, None, None, status)


# -- granted (F26, F31) --------------------------------------------------------------------------------


def test_f26_tokens_labelled_as_plain_text_are_tokens() -> None:
    for label in ("text/plain", "text/html", "", "application/octet-stream"):
        reply = attrs.evolve(tokens(), headers={"content-type": label})
        assert isinstance(refresh(reply), Granted)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_f31_tokens_are_granted_at_every_success(status: int) -> None:
    assert isinstance(refresh(attrs.evolve(tokens(), status=status)), Granted)


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ({"access_token": ...}, "access_token"),
        ({"access_token": None}, "access_token"),
        ({"access_token": "not usable"}, "access_token"),
        ({"access_token": "x" * 16385}, "access_token"),
        ({"access_token": {"value": "x"}}, "access_token"),
        ({"token_type": "mac"}, "token_type"),
        ({"token_type": 7}, "token_type"),
        ({"access_token": ..., "error": {"code": "invalid_grant"}}, "access_token"),
    ],
)
def test_f31_a_usable_refresh_token_is_granted_whatever_the_rest_is(rest: Any, problem: str) -> None:
    found = granted(**rest)
    assert found.refresh_token == Secret("canary-refresh-token-5566")
    assert (found.access_token, found.problem) == (None, problem)


@pytest.mark.parametrize(
    "error", ["invalid_grant", "token_expired", {"code": "refresh_token_reused"}, REGION, {"type": REGION}]
)
def test_f31_an_error_beside_tokens_changes_nothing(error: Any) -> None:
    assert granted(error=error) == granted()


def test_f31_the_same_refresh_token_and_another_account_are_told_as_they_are() -> None:
    found = granted(refresh_token="the-same", access_token=account_token("acct_other"), id_token=...)
    assert (found.refresh_token, found.account_id, found.id_token) == (Secret("the-same"), "acct_other", None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(
            (..., None),
            (None, None),
            (0, None),
            (-1, None),
            (-0.5, None),
            (True, None),
            ("0", None),
            ("", None),
        ),
        *((3600, 3600.0), ("3600", 3600.0), (" 3600 ", 3600.0), (0.5, 0.5), ("1_000", None), ("٣", None)),
        *((float("nan"), None), (float("inf"), None), (10**400, None), (1e300, 1e300), ("1e3", None)),
    ],
)
def test_f31_every_kind_of_expires_in(value: Any, seconds: float | None) -> None:
    assert granted(expires_in=value).expires_in == seconds


# -- everything ----------------------------------------------------------------------------------------


@given(st.integers(0, 999), st.binary(max_size=300), st.text(max_size=20), st.text(max_size=30))
def test_every_response_has_a_meaning(status: int, body: bytes, type_: str, date: str) -> None:
    fact = refresh(Reply(status, body, {"content-type": type_, "date": date}))
    assert isinstance(fact, Granted | Refusal | TryAgain)
    if isinstance(fact, TryAgain):
        unspent = status == 429 or (status == 503 and fact.retry_after is not None)
        assert fact.maybe_answered is not unspent


@given(
    st.integers(200, 299),
    objects(
        *("access_token", "refresh_token", "id_token", "expires_in", "earliest_refresh_at", "token_type"),
        *("error", "code"),
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_every_json_object_is_granted_or_leaves_all_open(status: int, fields: Any, wall: float) -> None:
    event = response(as_json(status, fields), wall=wall)
    fact = read_refresh(event)
    if isinstance(fact, Granted):
        assert fact.tokens.access_token or fact.tokens.refresh_token
        moment = expires_at(fact.tokens, event)
        assert moment is None or 978_307_200_000 <= moment < 4_133_980_800_000
    else:
        assert isinstance(fact, TryAgain) or fact.kind is E.REGION_BLOCKED
