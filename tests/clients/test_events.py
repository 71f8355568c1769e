"""The decoder of server-sent events, against the rules of WHATWG and against bytes that are cut anywhere."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.clients.events import EventDecoder, EventTooLongError, ServerEvent


def decoded(*pieces: bytes) -> tuple[list[ServerEvent], bytes]:
    decoder = EventDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events, bytes(decoder.rest)


def told(*pieces: bytes) -> list[tuple[str, str]]:
    return [(event.name, event.data) for event in decoded(*pieces)[0] if event.data is not None]


def by_the_standard(stream: bytes) -> list[tuple[str, str]]:
    """The standard's own steps over the whole stream: lines first, then fields; no event at the end without a
    blank line. Written apart from the decoder.
    """
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = re.findall(r"([^\r\n]*)(?:\r\n|\r|\n)", text)
    found: list[tuple[str, str]] = []
    name, data = "", None
    for line in lines:
        if line == "":
            if data is not None:
                found.append((name, data.removesuffix("\n")))
            name, data = "", None
            continue
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not colon:
            field, value = line, ""
        if field == "event":
            name = value
        elif field == "data":
            data = (data or "") + value + "\n"
    return found


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [("", "a")]),
        (b"event: x\ndata: a\n\n", [("x", "a")]),
        (b"event: x\r\ndata: a\r\n\r\n", [("x", "a")]),
        (b"event: x\rdata: a\r\rdata: b\n\n", [("x", "a"), ("", "b")]),
        (b"data: a\ndata: b\n\n", [("", "a\nb")]),
        (b"data\n\n", [("", "")]),
        (b"data:\n\n", [("", "")]),
        (b"data:a\n\n", [("", "a")]),
        (b"data:  a\n\n", [("", " a")]),
        (b": comment\n\ndata: a\n\n", [("", "a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("", "a")]),
        (b"id: 1\nretry: 2\nelse: x\ndata: a\n\n", [("", "a")]),
        (b"event: x\n\ndata: a\n\n", [("", "a")]),  # a name without data is forgotten
        (b"\n\n\ndata: a\n\n\n", [("", "a")]),
        (b"data: a\n", []),  # the stream was cut
        (b"data: \xff\n\n", [("", "\ufffd")]),
        (b"data: a\r\n\ndata: b\n\r\n", [("", "a"), ("", "b")]),
    ],
)
def test_a_stream_is_read_as_the_standard_says(stream: bytes, events: Any) -> None:
    assert told(stream) == by_the_standard(stream) == events


ALPHABET = st.sampled_from(
    [
        b"data",
        b"event",
        b":",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"x",
        "ü".encode(),
        b"\xef\xbb\xbf",
        b"\xff",
        b"id",
    ]
)
STREAMS = st.lists(ALPHABET, max_size=40).map(b"".join)


@given(STREAMS, st.data())
def test_it_makes_no_difference_where_the_bytes_are_cut(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    pieces = [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]
    events, rest = decoded(*pieces)
    assert b"".join(event.raw for event in events) + rest == stream
    one_by_one = [bytes([byte]) for byte in stream]
    assert told(*pieces) == told(*one_by_one)
    whole = stream if stream.endswith(b"\n") else stream.removesuffix(b"\r")  # a last \r waits for its \n
    assert told(*pieces) == by_the_standard(whole)


def test_an_event_is_out_with_its_last_byte() -> None:
    decoder = EventDecoder()
    stream = b"data: a\n\ndata: b\r\n\r\n"
    counts = [len(list(decoder.feed(bytes([byte])))) for byte in stream]
    assert [at for at, count in enumerate(counts, 1) if count] == [9, len(stream)]


def test_a_long_event_is_read_in_linear_time() -> None:
    piece = b"x" * 1024
    events, _ = decoded(b"data: ", *[piece] * 8192, b"\n\n")
    assert [len(event.data or "") for event in events] == [8 * 2**20]


def test_an_event_that_is_too_long_is_an_error() -> None:
    decoder = EventDecoder(most=10)
    assert list(decoder.feed(b"data: 123\n\n" * 9))
    with pytest.raises(EventTooLongError):
        list(decoder.feed(b"data: 12345"))
