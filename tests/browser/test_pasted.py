"""Bytes from a terminal, put together to pastes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.browser.paste import GAP, IDLE, LONGEST_PASTE, PasteBuffer, pastes
from codex_oauth_core.callback import Accepted, Reason, Rejected, read_redirect
from tests.browser.redirects import CODE, RULE, SHAPES, URL

SILENCE = b""


def typed(*chunks: bytes) -> tuple[Callable[[float], bytes | None], list[float]]:
    """A `read` that gives each chunk, and then the end; and the patience that it was called with."""
    rest: Iterable[bytes | None] = iter([*chunks, None])
    asked: list[float] = []

    def read(seconds: float) -> bytes | None:
        asked.append(seconds)
        return next(iter(rest), None)

    return read, asked


def texts(*chunks: bytes) -> list[str]:
    """All pastes with something in them."""
    return [text for text in pastes(typed(*chunks)[0]) if text.strip()]


def code_of(text: str) -> str | None:
    verdict = RULE.judge(text)
    assert isinstance(verdict, Accepted), (verdict, text)
    code = read_redirect(verdict.query).code
    return None if code is None else code.reveal()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_one_paste_with_the_code(shape: str) -> None:
    (text,) = texts(SHAPES[shape].encode(), SILENCE)
    assert code_of(text) == CODE


@given(st.sampled_from(sorted(SHAPES)), st.lists(st.integers(1, 40), max_size=30))
def test_how_the_bytes_are_cut_does_not_matter(shape: str, cuts: list[int]) -> None:
    data, chunks = SHAPES[shape].encode(), list[bytes]()
    for cut in cuts:
        chunks.append(data[:cut])
        data = data[cut:]
    (text,) = texts(*(chunk for chunk in chunks if chunk), data, SILENCE)
    assert code_of(text) == CODE


def test_a_line_break_ends_nothing_without_silence() -> None:
    line = URL.encode()
    assert texts(line[:40] + b"\n", line[40:] + b"\n", SILENCE) == [f"{URL[:40]}\n{URL[40:]}\n"]


def test_silence_ends_nothing_without_a_line_break() -> None:
    line = URL.encode()
    assert texts(line[:40], SILENCE, SILENCE, line[40:] + b"\n", SILENCE) == [f"{URL}\n"]


def test_after_a_line_break_it_is_read_with_little_patience() -> None:
    read, asked = typed(b"abc", b"\n", SILENCE)
    list(pastes(read))
    assert asked == [IDLE, IDLE, GAP, IDLE]


def test_inside_a_bracketed_paste_a_line_break_needs_more_patience() -> None:
    buffer = PasteBuffer()
    buffer.feed(b"\x1b[200~abc\n")
    assert buffer.patience == IDLE > GAP
    buffer.feed(b"def\n\x1b[201~")
    assert buffer.patience == GAP


def test_two_pastes_are_two() -> None:
    assert texts(b"one\n", SILENCE, b"two\n", SILENCE) == ["one\n", "two\n"]


def test_the_end_of_input_completes_what_is_there() -> None:
    assert texts(URL.encode()) == [URL]


@pytest.mark.parametrize("typed_before", [b"", b"\n", b" \r\n"])
def test_ctrl_d_on_an_empty_line_is_the_end(typed_before: bytes) -> None:
    read, asked = typed(typed_before + b"\x04", b"never read\n", SILENCE)
    assert [text for text in pastes(read) if text.strip()] == []
    assert len(asked) == 1


def test_ctrl_d_after_text_completes_it() -> None:
    assert texts(URL.encode() + b"\x04", SILENCE) == [URL]


def test_more_is_erased_than_there_is() -> None:
    assert texts(b"ab\x7f\x7f\x7f\x7fcd\n", SILENCE) == ["cd\n"]


def test_a_lone_escape_takes_nothing_with_it() -> None:
    assert texts(b"\x1bhttp://x\n", SILENCE) == ["http://x\n"]


def test_an_endless_paste_is_not_kept() -> None:
    buffer = PasteBuffer()
    for _ in range(100):
        buffer.feed(b"x" * 4096)
    assert buffer.patience is None
    buffer.feed(b"\n")
    assert buffer.patience == GAP
    text = buffer.take()
    assert len(text) == LONGEST_PASTE
    assert RULE.judge(text) == Rejected(Reason.TOO_LONG)


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_no_bytes_raise(chunks: list[bytes]) -> None:
    for text in pastes(typed(*chunks, b"\n", SILENCE)[0]):
        assert isinstance(RULE.judge(text), Rejected)
