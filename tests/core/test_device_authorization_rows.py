"""What the server says to a new device login: fields, intervals, lifetimes, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.answers import read_device_authorization
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import Issued, Refusal, TryAgain
from codex_oauth_core.secret import Secret
from tests.strategies import objects
from tests.support import DEVICE_ID, as_json, code, issued, page, response

E = ErrorKind
DATE = {"Date": "Fri, 15 Jan 2027 12:00:00 GMT"}


def read(reply: Reply) -> Any:
    return read_device_authorization(CODEX, response(reply))


def test_what_is_issued() -> None:
    device = read(issued()).authorization
    assert device.device_auth_id == Secret(DEVICE_ID)
    assert device.user_code == "ABCD-12345"
    assert (device.interval, device.expires_in) == (5.0, 900.0)
    assert device.verification_uri == "https://auth.openai.com/codex/device"


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ('"5"', 5.0),
        ("5", 5.0),
        ("5.0", 5.0),
        ('"5.0"', 5.0),
        ('" 5 "', 5.0),
        ("7.5", 7.5),
        ('""', 5.0),
        ("null", 5.0),
        ("-5", 5.0),
        ('"-5"', 5.0),
        ("0", 1.0),
        ("0.2", 1.0),
        ("300", 300.0),
        ("301", 60.0),
        ("1e9", 60.0),
        ("1e400", 5.0),
        ("9" * 400, 5.0),
        ('"٣"', 5.0),
        ('"1_000"', 5.0),
        ('"1e2"', 5.0),
        ("NaN", 5.0),
        ("Infinity", 5.0),
        ("true", 5.0),
        ("[5]", 5.0),
        ('{"a": 1}', 5.0),
    ],
)
def test_intervals(raw: str, seconds: float) -> None:
    body = f'{{"device_auth_id": "x", "user_code": "ABCD-12345", "interval": {raw}}}'
    assert read(Reply(200, body.encode())).authorization.interval == seconds


def test_a_missing_interval_is_five_seconds() -> None:
    assert read(as_json(200, {"device_auth_id": "x", "user_code": "ABCD"})).authorization.interval == 5.0


@pytest.mark.parametrize(
    ("fields", "headers", "seconds"),
    [
        ({"expires_in": 600}, {}, 600.0),
        ({"expires_in": "600"}, {}, 600.0),
        ({"expires_in": 0}, {}, 900.0),
        ({"expires_in": -1}, {}, 900.0),
        ({"expires_in": True}, {}, 900.0),
        ({"expires_in": float("nan")}, {}, 900.0),
        ({"expires_in": [600]}, {}, 900.0),
        ({"expires_in": 600, "expires_at": "2027-01-15T12:01:00Z"}, DATE, 600.0),
        ({"expires_in": "junk", "expires_at": "2027-01-15T12:01:00Z"}, DATE, 60.0),
        ({"expires_at": "2027-01-15T12:05:00Z"}, DATE, 300.0),
        ({"expires_at": "2027-01-15T13:05:00+01:00"}, DATE, 300.0),
        ({"expires_at": "2027-01-15T12:00:00Z"}, DATE, 900.0),
        ({"expires_at": "2027-01-15T11:00:00Z"}, DATE, 900.0),
        ({"expires_at": "2027-01-15T12:05:00"}, DATE, 900.0),  # no offset: nobody knows when that is
        ({"expires_at": "2027-01-15T08:05:07.5Z"}, {}, 300.0),  # by our clock
        ({"expires_at": "2027-01-15T09:00:00Z"}, {}, 900.0),  # by our clock implausible
        ({"expires_at": "2020-01-15T09:00:00Z"}, {}, 900.0),
        ({"expires_at": "junk"}, DATE, 900.0),
        ({"expires_at": 1.8e9}, DATE, 900.0),
    ],
)
def test_lifetimes(fields: dict[str, Any], headers: dict[str, str], seconds: float) -> None:
    reply = issued(**fields)
    reply = Reply(200, reply.body, {**reply.headers, **headers})
    assert read(reply).authorization.expires_in == seconds


@pytest.mark.parametrize("user_code", ["ABCD-1234", "abc", "A.B_C-D 1", " ABCD ", "X" * 63])
def test_user_codes_stay_as_received(user_code: str) -> None:
    assert read(issued(user_code=user_code)).authorization.user_code == user_code


@pytest.mark.parametrize(
    "user_code",
    [
        "",
        "  ",
        "AB",
        "-ABC",
        "X" * 64,
        "AB\x1b[2J",
        "AB\rCD",
        "ABCD\n",
        "AB\u202eCD",
        "AB\u200bCD",
        "ÄBCD",
        7,
        ["ABCD"],
        None,
    ],
)
def test_a_user_code_that_is_unsafe_to_show_is_refused(user_code: object) -> None:
    assert read(issued(user_code=user_code)) == Refusal(E.INVALID_RESPONSE, None, 200, "user_code")


def test_either_name_of_the_user_code_but_not_two_that_differ() -> None:
    only_alias = {"device_auth_id": "x", "usercode": "WXYZ"}
    assert read(as_json(200, only_alias)).authorization.user_code == "WXYZ"
    assert read(issued(usercode="ABCD-12345")).authorization.user_code == "ABCD-12345"
    assert read(issued(usercode="OTHER")) == Refusal(E.INVALID_RESPONSE, None, 200, "user_code")


@pytest.mark.parametrize("device_auth_id", ["", None, 7, "x" * 4097, "é" * 2049, ["x"]])
def test_an_unusable_device_auth_id_is_refused(device_auth_id: object) -> None:
    assert read(issued(device_auth_id=device_auth_id)) == Refusal(
        E.INVALID_RESPONSE, None, 200, "device_auth_id"
    )


@pytest.mark.parametrize(
    ("reply", "fact"),
    [
        (as_json(404, {}), Refusal(E.DEVICE_CODE_UNSUPPORTED, None, 404)),
        (code("not_enabled", 404), Refusal(E.DEVICE_CODE_UNSUPPORTED, "not_enabled", 404)),
        (code("disabled", 403), Refusal(E.DEVICE_AUTH_FAILED, "disabled", 403)),
        (page(403), Refusal(E.BLOCKED, None, 403)),
        (page(404), Refusal(E.DEVICE_CODE_UNSUPPORTED, None, 404)),
        (page(400), Refusal(E.DEVICE_AUTH_FAILED, None, 400)),
        (page(401), Refusal(E.BLOCKED, None, 401)),
        (page(200), Refusal(E.BLOCKED, None, 200)),
        (Reply(302, b""), Refusal(E.BLOCKED, None, 302)),
        (Reply(407, b"{}"), Refusal(E.BLOCKED, None, 407)),
        (code("invalid_scope", 400), Refusal(E.DEVICE_AUTH_FAILED, "invalid_scope", 400)),
        (Reply(401, b""), Refusal(E.DEVICE_AUTH_FAILED, None, 401)),
        (
            code("unsupported_country_region_territory", 403),
            Refusal(E.REGION_BLOCKED, "unsupported_country_region_territory", 403),
        ),
        (Reply(200, b"noise"), Refusal(E.INVALID_RESPONSE, None, 200, None)),
        (as_json(429, {}, {"Retry-After": "3"}), TryAgain(E.RATE_LIMITED, False, 3.0, None, 429)),
        (code("busy", 429), TryAgain(E.RATE_LIMITED, False, None, "busy", 429)),
        (Reply(500, b"{}"), TryAgain(E.NETWORK, True, None, None, 500)),
        (Reply(408, b""), TryAgain(E.NETWORK, True, None, None, 408)),
        (page(503, **{"retry-after": "4"}), TryAgain(E.NETWORK, True, 4.0, None, 503)),
    ],
)
def test_refusals(reply: Reply, fact: object) -> None:
    assert read(reply) == fact


@given(status=st.integers(0, 999), body=st.binary(max_size=300), type_=st.text(max_size=20))
def test_every_response_has_a_meaning(status: int, body: bytes, type_: str) -> None:
    assert isinstance(read(Reply(status, body, {"content-type": type_})), Issued | Refusal | TryAgain)


@given(fields=objects("user_code", "interval", "expires_in", "expires_at"))
def test_every_issued_login_has_a_sane_pace(fields: dict[str, Any]) -> None:
    fact = read(Reply(200, json.dumps({"device_auth_id": "x", "user_code": "ABCD", **fields}).encode()))
    if isinstance(fact, Issued):
        assert 1.0 <= fact.authorization.interval <= 300.0
        assert fact.authorization.expires_in > 0
