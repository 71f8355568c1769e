"""Claims are hints: whatever a token is, reading it gives a mapping."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.reading.jwt import expiry, read_claims
from codex_oauth_core.reading.times import plausible_time
from codex_oauth_core.secret import Secret
from tests.support import jwt


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_claims_of_a_token_with_both_special_letters() -> None:
    token = "h." + segment(json.dumps({"a": "~~~???>>>", "b": "ÿþ"}, ensure_ascii=False).encode()) + ".s"
    assert "-" in token or "_" in token
    assert read_claims(Secret(token)) == {"a": "~~~???>>>", "b": "ÿþ"}


@pytest.mark.parametrize("padding", ["", "="])
def test_padding_does_not_matter(padding: str) -> None:
    payload = segment(b'{"a":10}') + padding
    assert read_claims(Secret(f"h.{payload}.s")) == ({"a": 10} if len(payload) % 4 in (0, 3) else {})


# J1, J2, J5
@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b", "a..b", "....", "a.b.c.d", "h.!!!.s", "h.é.s", "h.YQ.s", "h." + segment(b"[1]") + ".s"]
    + [
        "h." + segment(body) + ".s"
        for body in (b"null", b"7", b"\xff", b"{", b"[" * 12_000, b'{"a":' + b"9" * 5000 + b"}")
    ]
    + ["h." + "a" * 16385 + ".s", "x" * 16385 + ".e30.s"],
)
def test_an_opaque_token_has_no_claims(token: str) -> None:
    assert read_claims(Secret(token)) == {}


# J4
def test_of_duplicate_claims_the_last_wins() -> None:
    assert read_claims(Secret("h." + segment(b'{"exp":1,"exp":2}') + ".s")) == {"exp": 2}


# J7
def test_algorithms_and_key_hints_are_ignored() -> None:
    token = jwt({"sub": "x"}).split(".")
    evil = segment(b'{"alg":"none","crit":["x"],"jku":"https://evil.example"}')
    assert read_claims(Secret(f"{evil}.{token[1]}.")) == {}  # an empty signature is no JWT of ours
    assert read_claims(Secret(f"{evil}.{token[1]}.x")) == {"sub": "x"}


# J3
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_800_000_000, 1_800_000_000.0),
        (1_800_000_000.5, 1_800_000_000.5),
        (978_307_199, None),
        (4_133_980_800, None),
        (1_800_000_000_000, None),
        (-1, None),
        ("1800000000", None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (None, None),
        ([], None),
    ],
)
def test_only_a_plausible_time_is_an_expiry(value: object, seconds: float | None) -> None:
    assert plausible_time(value) == seconds


def test_the_expiry_of_a_token() -> None:
    assert expiry(Secret(jwt({"exp": 1_800_000_000}))) == 1_800_000_000
    assert expiry(Secret("opaque")) is None


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda data: f"h.{segment(data)}.s"))
def test_reading_never_raises(token: str) -> None:
    assert isinstance(read_claims(Secret(token)), dict)
    assert expiry(Secret(token)) is None or expiry(Secret(token))


# J6
@pytest.mark.parametrize("text", ["\ud800", "\x1b[31m", "\u202e", "\u200b", "a\r\nb"])
def test_hostile_text_in_a_claim_is_read_as_it_is_and_escaped_by_who_shows_it(text: str) -> None:
    assert read_claims(Secret(jwt({"email": text}))) == {"email": text}


# J3
@pytest.mark.parametrize("exp", ["1e400", "-1e400", "NaN", "Infinity", "-Infinity"])
def test_an_expiry_that_is_no_number_of_json_is_none(exp: str) -> None:
    assert expiry(Secret("h." + segment(f'{{"exp": {exp}}}'.encode()) + ".s")) is None
