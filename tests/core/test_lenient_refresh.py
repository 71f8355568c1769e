"""R3, F25, F31: the answer to a refresh token is read in spite of what is wrong beside its tokens."""

from __future__ import annotations

import codecs
import json
import zlib
from typing import Any, Final

import pytest

from codex_oauth.testing import Reply
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import Granted, Tokens, TryAgain
from codex_oauth_core.secret import Secret
from tests.codex_readers import read_refresh
from tests.support import account_token, response, tokens

E = ErrorKind


def read(reply: Reply) -> Any:
    return read_refresh(response(reply))


def granted(**fields: Any) -> Tokens:
    fact = read(tokens(**fields))
    assert isinstance(fact, Granted)
    return fact.tokens


GRANTED: Final = granted()
UNUSABLE: tuple[Any, ...] = (
    *("", " ", "a b", "a\n", "\ta", "ä", "\ud800", "\0", "x" * 16385, "x" * 17 * 1024),
    *(0, 7, 1.5, float("nan"), True, False, [], ["canary"], {}, {"value": "canary"}),
)
"""Refresh tokens that are there, and of no use."""


@pytest.mark.parametrize(
    ("value", "unusable"), [(..., False), (None, False), *((each, True) for each in UNUSABLE)]
)
def test_f31_a_refresh_token_of_no_use_is_not_an_absent_one(value: Any, unusable: bool) -> None:
    found = granted(refresh_token=value)
    assert (found.refresh_token, found.refresh_token_unusable) == (None, unusable)
    assert (found.access_token, found.problem) == (Secret(account_token()), None)


WHOLE = tokens(scope="canary").body


def said(body: bytes, **headers: str) -> Any:
    return read(Reply(200, body, {"content-type": "application/json", **headers}))


def beside(member: bytes) -> bytes:
    return WHOLE.replace(b'"scope": "canary"', member)


def encoded(form: int, body: bytes = WHOLE) -> bytes:
    packer = zlib.compressobj(wbits=form)
    return packer.compress(body) + packer.flush()


FAULTS: dict[str, Any] = {
    "BOM": said(codecs.BOM_UTF8 + WHOLE),
    "UTF-16": said(WHOLE.decode().encode("utf-16")),
    "UTF-32": said(WHOLE.decode().encode("utf-32")),
    "one bad byte": said(beside(b'"scope": "can\xffary"')),
    "one bad byte in a name": said(beside(b'"sc\xffope": "canary"')),
    "Latin-1": said(beside('"name": "M\xfcller"'.encode("latin-1"))),
    "5000 digits": said(beside(b'"scope": ' + b"7" * 5_000)),
    "5000 digits within": said(beside(b'"scope": {"a": [' + b"7" * 5_000 + b"]}")),
    "depth 2000": said(beside(b'"scope": ' + b"[" * 2_000 + b"]" * 2_000)),
    "depth 2000 of objects": said(beside(b'"scope": ' + b'{"a":' * 2_000 + b"1" + b"}" * 2_000)),
    "depth 100000": said(beside(b'"scope": ' + b"[" * 100_000 + b"]" * 100_000)),
    "NaN": said(beside(b'"scope": NaN, "more": -Infinity')),
    "control characters": said(beside(b'"scope": "a\x00\x01\nb"')),
    "the same twice": said(beside(b'"scope": "canary", "refresh_token": "canary-refresh-token-5566"')),
    "null after it": said(beside(b'"scope": "canary", "refresh_token": null, "access_token": 7')),
    "something behind": said(WHOLE + b"\n<!-- 7 ms -->"),
    "a comma too many": said(WHOLE[:-1] + b",}"),
    "gzip": said(encoded(31), **{"content-encoding": "gzip"}),
    "gzip, upper case": said(encoded(31), **{"Content-Encoding": "GZip"}),
    "gzip that is not told": said(encoded(31)),
    "deflate": said(encoded(15), **{"content-encoding": "deflate"}),
    "deflate without a head": said(encoded(-15), **{"content-encoding": "deflate"}),
    "gzip of a BOM": said(encoded(31, codecs.BOM_UTF8 + WHOLE), **{"content-encoding": "gzip"}),
    "an encoding that it has not": said(WHOLE, **{"content-encoding": "br"}),
}


@pytest.mark.parametrize("fact", FAULTS.values(), ids=FAULTS.keys())
def test_r3_no_fault_beside_the_tokens_loses_them(fact: Any) -> None:
    assert fact == Granted(GRANTED)


def test_r3_one_bad_byte_never_brings_the_old_refresh_token_back() -> None:
    """Wherever it is: the new one is there, or the old one is spent, or what became of it is open."""
    for at in range(len(WHOLE)):
        fact = said(WHOLE[:at] + b"\xff" + WHOLE[at + 1 :])
        if isinstance(fact, Granted):
            found = fact.tokens
            assert found.refresh_token == GRANTED.refresh_token or found.refresh_token_unusable, at
        else:
            assert fact == TryAgain(E.INVALID_RESPONSE, True, None, None, 200), at


@pytest.mark.parametrize(
    "value",
    [b"7" * 5_000, b"[" * 2_000 + b"]" * 2_000, b"canary", b"'canary'", b'"can\xffary"', b'"\\u00e4"'],
    ids=range(6),
)
def test_r3_a_refresh_token_that_cannot_even_be_read_is_there_all_the_same(value: bytes) -> None:
    found = said(WHOLE.replace(b'"canary-refresh-token-5566"', value)).tokens
    assert (found.refresh_token, found.refresh_token_unusable) == (None, True)
    assert found.access_token == GRANTED.access_token


@pytest.mark.parametrize(
    "name",
    [b"\xffefresh_token", b"refresh\xfftoken", b"refresh_toke\xff", b"refr\xff_token", b"r\xffefresh_token"],
)
def test_r3_a_name_with_one_bad_byte_is_known_by_the_rest(name: bytes) -> None:
    found = said(WHOLE.replace(b"refresh_token", name)).tokens
    mended = len(name) == len("refresh_token")
    assert found.refresh_token == (GRANTED.refresh_token if mended else None)
    assert not found.refresh_token_unusable


@pytest.mark.parametrize(
    ("values", "found", "unusable"),
    [
        (("one", "two"), "two", False),
        (("one", ""), "one", False),
        (("", "two"), "two", False),
        (("one", None), "one", False),
        ((None, ""), None, True),
        (("", None), None, False),
        (("a b", ["c"]), None, True),
    ],
)
def test_r3_of_two_the_last_of_use_counts(values: tuple[Any, Any], found: str | None, unusable: bool) -> None:
    twice = ", ".join(f'"refresh_token": {json.dumps(value)}' for value in values)
    fact = said(WHOLE.replace(b'"refresh_token": "canary-refresh-token-5566"', twice.encode()))
    assert fact.tokens.refresh_token == (None if found is None else Secret(found))
    assert fact.tokens.refresh_token_unusable is unusable


@pytest.mark.parametrize("status", [400, 401, 403, 500, 503])
def test_r3_what_is_no_success_is_read_strictly(status: int) -> None:
    body = codecs.BOM_UTF8 + b'{"error": "weird"}'
    fact = read(Reply(status, body))
    assert fact.code is None
    assert fact.kind is not E.LOGIN_REQUIRED


@pytest.mark.parametrize(
    "body",
    [
        *(codecs.BOM_UTF8 + b"{}", codecs.BOM_UTF8 + b'{"access_token": "a b", "refresh_token": "a b"}'),
        *(
            WHOLE[:-1],
            WHOLE[:-40],
            encoded(31)[:-60],
            encoded(31, b"{}"),
            encoded(31, encoded(31)),
            b"x" + WHOLE,
        ),
        encoded(31, b" " * 2**20 + WHOLE),
    ],
)
def test_r3_an_answer_that_yields_nothing_leaves_everything_open(body: bytes) -> None:
    assert said(body, **{"content-encoding": "gzip"}) == TryAgain(E.INVALID_RESPONSE, True, None, None, 200)
