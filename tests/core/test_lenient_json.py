"""The members of an object that was paid for: read in spite of what is wrong beside them, and in bounds."""

from __future__ import annotations

import codecs
import gzip
import json
import time
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.reading.json_body import MAX_BODY, UNREADABLE
from codex_oauth_core.reading.lenient_json import read_members
from tests.strategies import json_values

BODY = b'{"a": "x", "b": [1, {"c": "}"}], "d": null}'
MEMBERS: list[tuple[str, object]] = [("a", "x"), ("b", [1, {"c": "}"}]), ("d", None)]


def packed(form: int, body: bytes = BODY) -> bytes:
    made = zlib.compressobj(wbits=form)
    return made.compress(body) + made.flush()


objects = st.dictionaries(st.text(max_size=12), json_values, max_size=6)
indents = st.sampled_from([None, 0, 2])


@given(objects, indents, st.booleans())
def test_of_json_the_same_is_read_as_by_everybody(
    value: dict[str, Any], indent: Any, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = read_members(text.encode("utf-8", "replace"))
    expected = json.loads(text.encode("utf-8", "replace"))
    assert repr(found) == repr(list(expected.items()))  # NaN is not equal to itself


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b" \r\n\t" + BODY + b"\n",
        codecs.BOM_UTF8 + BODY,
        codecs.BOM_UTF8 * 2 + BODY,
        codecs.BOM_UTF16_LE + BODY.decode().encode("utf-16-le"),
        codecs.BOM_UTF16_BE + BODY.decode().encode("utf-16-be"),
        codecs.BOM_UTF32_LE + BODY.decode().encode("utf-32-le"),
        BODY.decode().encode("utf-16-le"),
        b"\xff" + BODY,
        BODY + b"\0\0",
        BODY + b"<!-- canary -->",
        BODY + BODY,
        BODY.replace(b', "', b',, "'),
        BODY.replace(b"null}", b"null,}"),
        BODY.replace(b', "d"', b'\xff"d"'),
    ],
)
def test_what_is_wrong_around_the_members_is_forgiven(body: bytes) -> None:
    assert read_members(body) == MEMBERS


@pytest.mark.parametrize("encoding", [None, "gzip", "x-gzip", "GZIP ", "deflate", "br", "identity"])
def test_gzip_is_known_by_its_own_mark(encoding: str | None) -> None:
    assert read_members(gzip.compress(BODY), encoding) == MEMBERS
    assert read_members(BODY, encoding) == MEMBERS


@pytest.mark.parametrize("form", [31, 15, -15], ids=["gzip", "zlib", "raw"])
@pytest.mark.parametrize("encoding", ["deflate", "gzip", " Deflate"])
def test_whatever_a_server_calls_deflate(form: int, encoding: str) -> None:
    assert read_members(packed(form), encoding) == MEMBERS


@pytest.mark.parametrize("encoding", [None, "br", "zstd", "gzip, gzip", "compress", ""])
def test_no_other_encoding_is_undone(encoding: str | None) -> None:
    assert read_members(packed(15), encoding) is None
    assert read_members(gzip.compress(gzip.compress(BODY)), encoding) is None


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b" " * MAX_BODY + BODY),
        gzip.compress(b"\0" * 20 * MAX_BODY),
        gzip.compress(b'{"a": "' + b"x" * MAX_BODY + b'"}'),
        b" " * MAX_BODY + BODY,
    ],
    ids=[
        "packed space",
        "packed zeros",
        "packed string",
        "as it is",
    ],  # packing writes the time into the bytes
)
def test_more_than_a_body_may_be_is_not_read_packed_or_not(body: bytes) -> None:
    assert read_members(body, "gzip") is None


@pytest.mark.parametrize(
    "value",
    [
        *(
            b"9" * 5_000,
            b"-" + b"9" * 5_000,
            b"[" * 200_000 + b"]" * 200_000,
            b'{"x":' * 100_000 + b"0" + b"}" * 100_000,
        ),
        *(b"[" + b"9" * 5_000 + b"]", b'{"x": ' + b"9" * 5_000 + b"}", b"nil", b"1e", b"01", b"'x'", b"[}"),
        b'"\\x"',
    ],
    ids=lambda value: f"{value[:6]!r}",
)
def test_a_value_that_cannot_be_read_costs_that_member_alone(value: bytes) -> None:
    assert read_members(b'{"a": 1, "odd": %s, "b": "x"}' % value) == [
        ("a", 1),
        ("odd", UNREADABLE),
        ("b", "x"),
    ]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *(
            (b"NaN", "nan"),
            (b"-Infinity", "-inf"),
            (b'"a\nb\x00"', "'a\\nb\\x00'"),
            (b'"a\xffb"', "'a\ufffdb'"),
        ),
        (b'"\\ud800"', "'\\ud800'"),
    ],
)
def test_a_value_that_json_does_not_have_is_read_as_it_stands(value: bytes, read: str) -> None:
    found = read_members(b'{"odd": %s, "b": "x"}' % value)
    assert found is not None
    assert (repr(found[0][1]), found[1]) == (read, ("b", "x"))


def test_a_name_may_come_twice() -> None:
    assert read_members(b'{"a": 1, "a": 2}') == [("a", 1), ("a", 2)]


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b" ",
            b"\xef\xbb\xbf",
            b"noise",
            b"<html>",
            b"[]",
            b"null",
            b'"a"',
            b"7",
            b'[{"a": 1}]',
            b"\x1f\x8b",
        ),
        *(
            b"{",
            b'{"a"',
            b'{"a":',
            b'{"a": 1',
            b'{"a": 1,',
            b'{"a": "x',
            b'{"a": [1',
            b'{"a": {"b": "c"}',
            b"{a: 1}",
        ),
        *(b'{"a": "x\\', b'{"a" 1}', b'{"a": }', b"{:}", b'{"a": ["]}', b"{7: 1}", b"x{}", b"{]"),
    ],
)
def test_what_is_no_whole_object_is_none(body: bytes) -> None:
    assert read_members(body) is None


def test_an_object_of_a_thousand_members_is_read_and_no_larger_one() -> None:
    for count, read in ((1000, True), (1001, False)):
        body = json.dumps({str(number): number for number in range(count)}).encode()
        assert (read_members(body) is not None) is read


@given(st.binary(max_size=200), st.sampled_from([None, "gzip", "deflate", "br"]))
def test_no_bytes_raise(body: bytes, encoding: str | None) -> None:
    for each in (body, b"{" + body + b"}", b'{"a": ' + body, packed(31, body), b"\x1f\x8b" + body):
        found = read_members(each, encoding)
        assert found is None or all(isinstance(name, str) for name, _ in found)


@pytest.mark.parametrize(
    "body",
    [
        *(b'{"a": "' + rb"\"" * (MAX_BODY // 2 - 8), b'{"a": [' + rb"\"" * (MAX_BODY // 2 - 8)),
        *(
            b"{" + b'"":0,' * (MAX_BODY // 5 - 1) + b"}",
            b'{"a": ' + b"[" * (MAX_BODY - 10),
            b'{"a": [' + b'"' * 1_000_001,
        ),
        *(b'{"a":' * (MAX_BODY // 5), b"{" + b" " * (MAX_BODY - 2), b"{" + b'"a"' * (MAX_BODY // 3 - 1)),
        packed(31, b"{" + b'"":0,' * (MAX_BODY // 5 - 1) + b"}"),
    ],
    ids=range(9),
)
def test_the_work_grows_with_the_body_and_not_faster(body: bytes) -> None:
    """Eight times the body, and not much more than eight times the work; a quadratic reader takes minutes."""
    assert len(body) <= MAX_BODY
    begun = time.process_time()
    read_members(body)
    assert time.process_time() - begun < 30
