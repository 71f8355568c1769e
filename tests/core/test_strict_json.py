"""The one strict reader of JSON: what it refuses, with which word, and that no error shows what was read."""

from __future__ import annotations

import json
import math
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.reading.strict_json import DEEPEST, NotStrictJsonError, read_object, read_value

CANARY = "canary-0123456789"
LONGEST = 1000

REFUSED: dict[str, tuple[bytes | str, str, int | None]] = {
    "empty": (b"", "not_json", 1),
    "cut": (b'{"a": "' + CANARY.encode(), "not_json", 1),
    "two documents": (b"{}\n{}", "not_json", 2),
    "a comma too much": (b'{"a": 1,\n}', "not_json", 2),
    "a byte order mark": ("\ufeff{}".encode(), "not_json", 1),
    "Latin-1": (b'{"a": "\xe9"}', "not_utf8", None),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not_utf8", None),
    "a name twice": (f'{{"a": "{CANARY}", "a": 2}}'.encode(), "ambiguous", None),
    "a name twice within": (b'{"a": [{"b": 1, "b": 1}]}', "ambiguous", None),
    "NaN": (b'{"a": NaN}', "ambiguous", None),
    "infinity": (b'{"a": -Infinity}', "ambiguous", None),
    "beyond a float": (b'{"a": 1e999}', "ambiguous", None),
    "5000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "ambiguous", None),
    "a list": (f'["{CANARY}"]'.encode(), "not_an_object", None),
    "a text": (f'"{CANARY}"', "not_an_object", None),
    "null": (b"null", "not_an_object", None),
    "a level too deep": (b'{"a":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}", "too_deep", None),
    "100 000 lists": (b"[" * 100_000, "too_deep", None),
}


@pytest.mark.parametrize(("data", "reason", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(
    data: bytes | str, reason: str, line: int | None
) -> None:
    with pytest.raises(NotStrictJsonError) as raised:
        read_object(data, 1_000_000)
    assert (raised.value.reason, raised.value.line, str(raised.value)) == (reason, line, reason)


@pytest.mark.parametrize(("data", "reason", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_no_frame_of_an_error_holds_what_was_read(data: bytes | str, reason: str, line: int | None) -> None:
    error = raised_by(data)
    assert error.__context__ is None
    assert error.__cause__ is None
    frames: list[dict[str, Any]] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals["__name__"] == "codex_oauth_core.reading.strict_json":
            frames.append(trace.tb_frame.f_locals)
        trace = trace.tb_next
    assert frames
    assert not {"data", "document", "value"} & {name for frame in frames for name in frame}
    assert CANARY not in repr(frames)


def raised_by(data: bytes | str) -> NotStrictJsonError:
    try:
        read_object(data, 1_000_000)
    except NotStrictJsonError as error:
        return error
    raise AssertionError("it was read")


def test_the_longest_is_taken_and_one_more_is_not() -> None:
    whole = b'{"a": "' + b"x" * (LONGEST - 9) + b'"}'
    assert len(whole) == LONGEST
    assert read_object(whole, LONGEST)["a"][0] == "x"
    with pytest.raises(NotStrictJsonError, match="too_big"):
        read_object(whole + b" ", LONGEST)


def test_the_deepest_is_taken() -> None:
    inner = DEEPEST - 1
    assert read_object(b'{"a":' + b"[" * inner + b"]" * inner + b"}", LONGEST) != {}


def test_a_value_may_be_anything_and_a_whole_number_as_long_as_the_caller_likes() -> None:
    assert read_value("[1]", LONGEST) == [1]
    assert read_value('{"a": 12}', LONGEST, parse_int=str) == {"a": "12"}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_what_json_writes_is_read_as_it_was(document: dict[str, Any]) -> None:
    if any(isinstance(each, float) and math.isinf(each) for each in leaves(document)):
        return
    assert read_object(json.dumps(document), 1_000_000) == document
    assert (
        read_object(json.dumps(document, ensure_ascii=False).encode("utf-8", "ignore"), 1_000_000) is not None
    )


def leaves(value: object) -> list[object]:
    inner: list[object] = []
    if isinstance(value, dict):
        inner = [*cast("dict[str, object]", value).values()]
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    else:
        return [value]
    return [leaf for each in inner for leaf in leaves(each)]
