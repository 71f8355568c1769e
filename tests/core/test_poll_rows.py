"""Every row of the poll answer's list: what one response means, whatever happened before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import Reply
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import Approved, Gone, Pending, Refusal, SlowDown, TryAgain, Unrecognized
from codex_oauth_core.secret import Secret
from tests.codex_readers import read_poll
from tests.strategies import objects
from tests.support import CODE, VERIFIER, W0, approved, as_json, code, page, response

E = ErrorKind
PENDING_CODES = (
    "deviceauth_authorization_pending",
    "authorization_pending",
    "deviceauth_authorization_unknown",
)
SLOW_CODES = ("slow_down", "deviceauth_slow_down")
DENIED_CODES = (
    "access_denied",
    "deviceauth_access_denied",
    "deviceauth_denied",
    "deviceauth_authorization_denied",
    "authorization_declined",
)
EXPIRED_CODES = (
    "expired_token",
    "deviceauth_expired",
    "deviceauth_expired_token",
    "deviceauth_authorization_expired",
    "deviceauth_user_code_expired",
    "deviceauth_code_expired",
)
ANY_STATUS = (200, 202, 302, 400, 401, 403, 404, 408, 418, 429, 500, 503)


def text(status: int, body: str, content_type: str = "text/plain", **headers: str) -> Reply:
    return Reply(status, body.encode(), {"content-type": content_type, **headers})


def meaning(reply: Reply) -> Any:
    return read_poll(response(reply))


def test_1_a_2xx_with_both_strings_is_an_approval() -> None:
    assert meaning(approved()) == Approved(Secret(CODE), Secret(VERIFIER))
    assert meaning(as_json(201, {"authorization_code": CODE, "code_verifier": VERIFIER})) == Approved(
        Secret(CODE), Secret(VERIFIER)
    )


def test_1_an_approval_wins_over_a_code_beside_it() -> None:
    assert isinstance(meaning(approved(error="access_denied")), Approved)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"code_challenge": "x" * 43}, "challenge_mismatch"),
        ({"code_challenge": 7}, "challenge_mismatch"),
        ({"authorization_code": ""}, "unusable_code"),
        ({"authorization_code": "a b"}, "unusable_code"),
        ({"authorization_code": "x" * 2049}, "unusable_code"),
        ({"authorization_code": "\ud800"}, "unusable_code"),
        ({"code_verifier": "short"}, "unusable_code"),
        ({"code_verifier": "x" * 129}, "unusable_code"),
        ({"code_verifier": "é" * 43}, "unusable_code"),
    ],
)
def test_1_an_approval_that_cannot_be_used_ends_the_login(fields: dict[str, Any], reason: str) -> None:
    assert meaning(approved(**fields)) == Refusal(E.INVALID_RESPONSE, None, 200, reason)


def test_1_a_missing_or_null_challenge_is_no_mismatch() -> None:
    assert isinstance(meaning(approved(code_challenge=None)), Approved)


@pytest.mark.parametrize("status", ANY_STATUS)
@pytest.mark.parametrize(
    ("codes", "fact"),
    [
        (PENDING_CODES, Pending()),
        (SLOW_CODES, SlowDown()),
        (("rate_limit_exceeded",), SlowDown(limited=True)),
    ],
)
def test_2_pending_and_slow_down_at_any_status(codes: tuple[str, ...], fact: object, status: int) -> None:
    for name in codes:
        assert meaning(code(name, status)) == fact
        assert meaning(code(name.upper(), status)) == fact


@pytest.mark.parametrize("status", ANY_STATUS)
@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (DENIED_CODES, E.DENIED),
        (EXPIRED_CODES, E.EXPIRED),
        (("unsupported_country_region_territory",), E.REGION_BLOCKED),
    ],
)
def test_2_the_last_words_at_any_status(codes: tuple[str, ...], kind: ErrorKind, status: int) -> None:
    for name in codes:
        assert meaning(code(name, status)) == Refusal(kind, name, status)


@pytest.mark.parametrize("status", ANY_STATUS)
def test_2_gone_at_any_status(status: int) -> None:
    assert meaning(code("deviceauth_not_found", status)) == Gone("deviceauth_not_found", status)


@pytest.mark.parametrize(
    ("body", "fact"),
    [
        ({"error": {"code": "slow_down"}}, SlowDown()),
        ({"error": "slow_down"}, SlowDown()),
        ({"code": "slow_down"}, SlowDown()),
        ({"error": {"type": "slow_down"}}, SlowDown()),
        ({"error": {"type": "slow_down"}, "code": "access_denied"}, SlowDown()),
        ({"error": {"code": "slow_down"}, "code": "access_denied"}, SlowDown()),
        ({"error": {"code": None}, "code": "slow_down"}, SlowDown()),
        ({"error": {"code": 7, "type": "nonsense"}, "code": " Slow_Down "}, SlowDown()),
        ({"error": "slow_down", "interval": 12}, SlowDown(12.0)),
        ({"error": {"code": "slow_down", "interval": "12"}}, SlowDown(12.0)),
        ({"error": "slow_down", "interval": 1000}, SlowDown(60.0)),
        ({"error": "slow_down", "interval": -1}, SlowDown()),
    ],
)
def test_2_where_a_code_is_found(body: dict[str, Any], fact: object) -> None:
    assert meaning(as_json(400, body)) == fact


def test_2_a_slow_down_keeps_its_retry_after() -> None:
    assert meaning(code("slow_down", 429, {"Retry-After": "17"})) == SlowDown(None, 17.0)


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("deviceauth_something_pending", Pending()),
        ("deviceauth_x_unknown", Pending()),
        ("deviceauth_please_slow_down", SlowDown()),
        ("deviceauth_x_denied", Refusal(E.DENIED, "deviceauth_x_denied", 418)),
        ("deviceauth_x_declined", Refusal(E.DENIED, "deviceauth_x_declined", 418)),
        ("deviceauth_x_expired", Refusal(E.EXPIRED, "deviceauth_x_expired", 418)),
        ("deviceauth_x_expired_token", Refusal(E.EXPIRED, "deviceauth_x_expired_token", 418)),
        ("other_x_denied", Refusal(E.DEVICE_AUTH_FAILED, "other_x_denied", 418)),
    ],
)
def test_3_another_deviceauth_code_by_its_ending(name: str, fact: object) -> None:
    assert meaning(code(name, 418)) == fact


@pytest.mark.parametrize("body", [{}, [], None, 7, "text", {"authorization_code": CODE}, {"error": "weird"}])
def test_4_another_2xx_in_json_cannot_be_used(body: object) -> None:
    fact = meaning(as_json(200, body))
    assert isinstance(fact, Refusal)
    assert fact.kind is E.INVALID_RESPONSE


@pytest.mark.parametrize(
    "reply", [text(200, ""), text(200, "hello"), page(200), text(200, "\xff\xfe"), page(204)]
)
def test_4_a_2xx_that_cannot_be_decoded_is_transient(reply: Reply) -> None:
    assert isinstance(meaning(reply), TryAgain)


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(
    "body", ["", "  ", "{}", "[]", "null", '{"error": {"message": "not yet"}}', '{"error": {"code": 7}}']
)
def test_5_a_403_or_404_without_a_code_is_pending(status: int, body: str) -> None:
    assert meaning(text(status, body)) == Pending(named=False)


def test_5_a_403_whose_message_says_expired_is_expired() -> None:
    body = {"error": {"message": "This Code HAS EXPIRED, sorry"}}
    assert meaning(as_json(403, body)) == Refusal(E.EXPIRED, None, 403)
    assert meaning(as_json(404, body)) == Pending(named=False)


@pytest.mark.parametrize("status", [403, 404])
def test_6_an_unknown_code_at_403_or_404_depends_on_history(status: int) -> None:
    assert meaning(code("weird", status)) == Unrecognized("weird", status)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (page(403), E.BLOCKED),
        (page(404), E.BLOCKED),
        (page(400), E.BLOCKED),
        (page(429), E.RATE_LIMITED),
        (page(200), E.BLOCKED),
        (text(403, "<html>no type</html>"), E.BLOCKED),
        (text(503, "{}", **{"cf-mitigated": "challenge"}), E.BLOCKED),
        (text(302, ""), E.BLOCKED),
        (as_json(307, {"error": "weird"}), E.BLOCKED),
        (text(407, "{}"), E.BLOCKED),
        (text(408, "{}"), E.NETWORK),
        (text(500, "{}"), E.NETWORK),
        (page(502), E.NETWORK),
        (code("weird", 503), E.NETWORK),
        (text(599, ""), E.NETWORK),
        (text(403, "Forbidden"), E.INVALID_RESPONSE),
        (text(400, "Bad Request"), E.INVALID_RESPONSE),
        (text(400, ""), E.INVALID_RESPONSE),
        (text(401, '{"error"'), E.INVALID_RESPONSE),
    ],
)
def test_7_what_says_nothing_is_transient_with_its_cause(reply: Reply, kind: ErrorKind) -> None:
    fact = meaning(reply)
    assert isinstance(fact, TryAgain)
    assert fact.kind is kind


def test_7_only_a_failing_server_and_noise_may_hide_an_approval() -> None:
    assert meaning(text(500, "")).maybe_answered
    assert meaning(text(200, "noise")).maybe_answered
    assert not meaning(page(403)).maybe_answered
    assert not meaning(text(302, "")).maybe_answered


def test_7_a_transient_failure_keeps_its_retry_after() -> None:
    assert meaning(text(503, "", **{"Retry-After": "9"})).retry_after == 9.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": " 30 "}, 30.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:47 GMT"}, 1_800_000_047 - W0),
        (
            {"Retry-After": "Fri, 15 Jan 2027 09:00:47 GMT", "Date": "Fri, 15 Jan 2027 09:00:07 GMT"},
            40.0,
        ),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:00 GMT"}, 0.0),
    ],
)
def test_8_a_429_without_a_code_slows_down(headers: dict[str, str], seconds: float | None) -> None:
    assert meaning(Reply(429, b"{}", headers)) == SlowDown(None, seconds, limited=True)
    assert meaning(Reply(429, b"", headers)) == SlowDown(None, seconds, limited=True)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "30"}], ids=["at our pace", "at theirs"])
@pytest.mark.parametrize(
    "error",
    [
        *(
            "rate_limited",
            "too_many_requests",
            "Quota_Exceeded",
            "two words",
            "invalid_request",
            "invalid_grant",
        ),
        *({"code": "rate_limited"}, {"code": "deviceauth_rate_limited"}, {"type": "requests"}, {"code": 429}),
    ],
)
def test_8_a_429_slows_down_whatever_it_is_called(error: Any, headers: dict[str, str]) -> None:
    seconds = 30.0 if headers else None
    for body in ({"error": error}, {"code": error}, {"error": error, "interval": 9}):
        assert meaning(as_json(429, body, headers)) == SlowDown(None, seconds, limited=True)


@pytest.mark.parametrize("status", [400, 401, 402, 405, 410, 418, 422])
def test_9_any_other_refusal_ends_the_login_with_its_code(status: int) -> None:
    assert meaning(code("weird_code", status)) == Refusal(E.DEVICE_AUTH_FAILED, "weird_code", status)


def test_9_any_other_status_ends_the_login() -> None:
    assert meaning(text(400, "{}")) == Refusal(E.DEVICE_AUTH_FAILED, None, 400)


def test_a_code_that_is_no_word_is_called_other() -> None:
    assert meaning(code("two words\x1b[31m", 400)) == Refusal(E.DEVICE_AUTH_FAILED, "other", 400)


bodies = objects("error", "code", "type", "interval", "authorization_code", "code_verifier")


@given(
    status=st.integers(0, 999),
    body=st.binary(max_size=200) | bodies.map(lambda value: as_json(200, value).body),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "Retry-After", "date", "cf-mitigated"]), st.text(max_size=40)
    ),
)
def test_every_response_has_a_meaning(status: int, body: bytes, headers: dict[str, str]) -> None:
    fact = meaning(Reply(status, body, headers))
    assert isinstance(fact, Approved | Gone | Pending | Refusal | SlowDown | TryAgain | Unrecognized)
    if isinstance(fact, Approved):
        assert 200 <= status < 300


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"error": ' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{}", b"{}" + b" " * 2**20]
)
def test_hostile_bodies_are_noise(body: bytes) -> None:
    assert isinstance(meaning(Reply(200, body)), TryAgain)
