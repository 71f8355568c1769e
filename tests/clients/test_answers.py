"""A streamed answer, gathered or filled: whole, or an error; wherever its bytes are cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.clients.answers import Filling, Gathering, WholeAnswer, is_usage_limit
from tests.clients.model_backend import ITEM, LIMIT, TEXT, events, response, stream_of


def gathered(*pieces: bytes, **options: Any) -> WholeAnswer:
    gathering = Gathering(**options)
    for piece in pieces:
        if gathering.feed(piece):
            break
    return gathering.end()


def filled(*pieces: bytes, **options: Any) -> bytes:
    filling = Filling(**options)
    passed = [each for piece in pieces for each in filling.feed(piece)]
    return b"".join([*passed, filling.end()])


def told(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: ")]


def cut(stream: bytes, data: st.DataObject) -> list[bytes]:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    return [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]


WHOLE, EMPTY = stream_of(events(empty=False)), stream_of(events(empty=True))


@given(st.booleans(), st.data())
def test_an_answer_is_gathered_with_its_items(empty: bool, data: st.DataObject) -> None:
    answer = gathered(*cut(EMPTY if empty else WHOLE, data))
    assert (answer.status, answer.headers) == (200, ())
    assert json.loads(answer.content) == response("completed", [ITEM])


@given(st.data())
def test_a_stream_that_passes_is_changed_in_its_last_event_only(data: st.DataObject) -> None:
    assert filled(*cut(WHOLE, data)) == WHOLE
    passed = filled(*cut(EMPTY, data))
    last = EMPTY.rindex(b"event: response.completed")
    assert passed[:last] == EMPTY[:last]
    assert told(passed) == events(empty=False)
    assert filled(passed) == passed


def test_a_piece_passes_as_soon_as_it_is_an_event() -> None:
    filling = Filling()
    one = b"event: response.output_text.delta\ndata: {}\n\n"
    assert list(filling.feed(one + b"event: x")) == [one]
    assert list(filling.feed(b"\ndata: {}\n\n")) == [b"event: x\ndata: {}\n\n"]


def test_what_a_stream_ends_with_passes_too() -> None:
    for length in range(len(EMPTY) - 200, len(EMPTY)):
        assert filled(EMPTY[:length]).startswith(
            EMPTY[: min(length, EMPTY.rindex(b"event: response.completed"))]
        )
    assert filled(b"data: half") == b"data: half"


def test_items_come_in_the_order_of_their_index_and_an_answer_s_own_are_kept() -> None:
    first, second = {"id": "a"}, {"id": "b"}
    done = [
        {"type": "response.output_item.done", "output_index": n, "item": item}
        for n, item in ((1, second), (0, first))
    ]
    for output, expected in (
        ([], [first, second]),
        ([{"id": "own"}], [{"id": "own"}]),
        (None, [first, second]),
    ):
        stream = stream_of([*done, {"type": "response.completed", "response": {"output": output}}])
        assert json.loads(gathered(stream).content)["output"] == expected
        assert told(filled(stream))[-1]["response"]["output"] == expected


def test_an_item_without_a_place_follows_those_before_it() -> None:
    items = [{"id": name} for name in "abcd"]
    places: list[dict[str, int]] = [{"output_index": 1}, {}, {"output_index": 3}, {"output_index": 0}]
    done = [
        {"type": "response.output_item.done", **place, "item": item}
        for place, item in zip(places, items, strict=True)
    ]
    stream = stream_of([*done, {"type": "response.completed", "response": {"output": []}}])
    expected = [{"id": name} for name in "dabc"]
    assert json.loads(gathered(stream).content)["output"] == expected
    assert told(filled(stream))[-1]["response"]["output"] == expected


def test_an_answer_without_items_stays_so() -> None:
    stream = stream_of([{"type": "response.completed", "response": {"output": []}}])
    assert json.loads(gathered(stream).content) == {"output": []}
    assert filled(stream) == stream


def test_an_incomplete_answer_is_an_answer_that_says_so() -> None:
    last = {
        "type": "response.incomplete",
        "response": {**response("incomplete", []), "incomplete_details": {"reason": "content_filter"}},
    }
    answer = gathered(stream_of([*events()[:-1], last]))
    body = json.loads(answer.content)
    assert (answer.status, body["status"], body["output"]) == (200, "incomplete", [ITEM])


def failed(code: str | None, message: str | None = "why") -> dict[str, Any]:
    return {
        "type": "response.failed",
        "response": {**response("failed", []), "error": {"code": code, "message": message}},
    }


@pytest.mark.parametrize(
    ("event", "status", "code", "again"),
    [
        (failed("rate_limit_exceeded"), 429, "rate_limit_exceeded", True),
        (failed("server_is_overloaded"), 503, "server_is_overloaded", True),
        (failed("server_error"), 500, "server_error", True),
        (failed("context_length_exceeded"), 400, "context_length_exceeded", True),
        (failed("insufficient_quota"), 429, "insufficient_quota", False),
        (failed("usage_not_included"), 429, "usage_not_included", False),
        (failed("a_new_code"), 400, "a_new_code", True),
        (failed(None, None), 502, None, True),
        ({"type": "response.failed"}, 502, None, True),
        (
            {"type": "error", "code": "server_error", "message": "m", "param": None, "sequence_number": 3},
            500,
            "server_error",
            True,
        ),
        ({"type": "error", **LIMIT, "status_code": 429, "headers": {}}, 429, None, False),
        ({"type": "error", **LIMIT}, 429, None, False),
        (
            {"type": "error", "status": 400, "error": {"type": "invalid_request_error", "message": "m"}},
            400,
            None,
            True,
        ),
        (
            {"type": "error", "status": 404, "error": {"type": "invalid_request_error", "message": "m"}},
            404,
            None,
            True,
        ),
        ({"type": "error", "status": 200, "error": {"message": "m"}}, 502, None, True),
        ({"type": "error", "status": "x", "error": "text"}, 502, None, True),
    ],
)
def test_a_failure_in_the_stream_is_an_error_and_not_half_an_answer(
    event: Any, status: int, code: str | None, again: bool
) -> None:
    answer = gathered(stream_of([*events()[:5], event, *events()[5:]]))
    error = json.loads(answer.content)["error"]
    assert (answer.status, error["code"]) == (status, code)
    assert error["message"]
    assert error["type"]
    assert answer.headers == (() if again else (("x-should-retry", "false"),))


def test_what_comes_after_an_answer_is_read_for_a_while_and_changes_nothing() -> None:
    gathering = Gathering()
    assert not gathering.has_answer
    assert not gathering.feed(EMPTY + stream_of([failed("server_error")]))
    assert gathering.has_answer
    assert not gathering.feed(stream_of([failed("server_error")] * 10))
    assert gathering.feed(stream_of([failed("server_error")] * 10))
    assert gathering.end().status == 200


def test_a_stream_that_is_kept_open_after_the_answer_is_left() -> None:
    pieces = [EMPTY, *[b": ping\n\n"] * 1000]
    assert gathered(*pieces).status == 200
    gathering = Gathering()
    assert [gathering.feed(piece) for piece in pieces].index(True) < 5
    gathering = Gathering()
    assert [gathering.feed(piece) for piece in (EMPTY, b"data: [DONE]\n\n")] == [False, False]  # to the end
    gathering = Gathering()
    assert [gathering.feed(piece) for piece in (EMPTY, b": " + b"x" * 2**17)] == [False, True]


def test_a_usage_limit_in_the_stream_says_all_that_it_says() -> None:
    error = json.loads(gathered(stream_of([{"type": "error", **LIMIT}])).content)["error"]
    assert {**error, **LIMIT["error"]} == error


@pytest.mark.parametrize("length", [0, 1, len(EMPTY) // 2, len(EMPTY) - 1])
def test_a_stream_that_is_cut_is_an_error(length: int) -> None:
    answer = gathered(EMPTY[:length])
    assert (answer.status, json.loads(answer.content)["error"]["code"]) == (502, "stream_truncated")


@pytest.mark.parametrize(
    "data",
    [
        "[DONE]",
        "7",
        "null",
        "[]",
        "{",
        '{"type": 7}',
        '{"type": "response.completed"}',
        '{"type": "response.output_item.done", "item": 7}',
        "[" * 99_999,
    ],
)
def test_what_nobody_understands_is_passed_by(data: str) -> None:
    odd = f": ping\n\nevent: response.completed\n\ndata: {data}\n\n".encode()
    assert gathered(odd + EMPTY).status == 200
    assert filled(odd + WHOLE) == odd + WHOLE


def test_a_name_stands_for_a_type_that_is_missing() -> None:
    stream = b'event: response.completed\ndata: {"response": {"id": "r"}}\n\n'
    assert json.loads(gathered(stream).content) == {"id": "r"}


def test_an_event_of_a_megabyte_is_an_event() -> None:
    item = {**ITEM, "content": [{"type": "output_text", "text": "x" * 2**20}]}
    stream = stream_of(
        [{"type": "response.output_item.done", "output_index": 0, "item": item}, *events()[-1:]]
    )
    pieces = [stream[at : at + 4096] for at in range(0, len(stream), 4096)]
    assert json.loads(gathered(*pieces).content)["output"] == [item]
    assert told(filled(*pieces))[-1]["response"]["output"] == [item]


ITEMS = [
    {"type": "response.output_item.done", "output_index": n, "item": {"id": "x" * 50}} for n in range(40)
]


@pytest.mark.parametrize(
    "stream", [stream_of([*ITEMS, *events()[-1:]]), b"data: " + b"x" * 2000, b": x\n" * 1000]
)
@pytest.mark.parametrize("length", [64, 10_000])
def test_no_more_is_kept_than_may_be(stream: bytes, length: int) -> None:
    pieces = [stream[at : at + length] for at in range(0, len(stream), length)]
    answer = gathered(*pieces, most=1000)
    assert (answer.status, json.loads(answer.content)["error"]["code"]) == (502, "answer_too_large")
    assert ("x-should-retry", "false") in answer.headers
    assert filled(*pieces, most=1000) == stream  # who reads a stream keeps it himself


@pytest.mark.parametrize(
    ("body", "is_limit"),
    [
        (json.dumps(LIMIT).encode(), True),
        (b'{"error": {"type": "usage_not_included"}}', True),
        (b'{"error": {"code": "insufficient_quota"}}', True),
        (b'{"error": {"type": "rate_limit_exceeded", "code": null}}', False),
        (b'{"error": {"type": ["usage_limit_reached"]}}', False),
        (b'{"error": "usage_limit_reached"}', False),
        (b'{"detail": "usage_limit_reached"}', False),
        (b"usage_limit_reached", False),
        (b"", False),
    ],
)
def test_a_usage_limit_is_told_from_a_busy_moment(body: bytes, is_limit: bool) -> None:
    assert is_usage_limit(body) is is_limit


def test_the_text_of_the_rows_is_the_item_s() -> None:
    assert ITEM["content"][0]["text"] == TEXT
