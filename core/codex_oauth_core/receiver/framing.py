"""Where a request's head ends, and what is refused before anything parses it.

Rules of this file: a line is judged when it is complete, so that the cuts in which bytes arrive change
no answer; a line that may not end in time is refused at the limit; nothing past the head is kept. What
is refused here is what h11 would let through, and peers that do not speak HTTP/1.1 at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from codex_oauth_core.receiver.pages import NOT_FOR_YOU, SILENCE, Answer

__all__ = ["HeadReader"]

LONGEST_LINE: Final = 8 * 1024
"""Bytes of the request line, its end included."""

LONGEST_FIELDS: Final = 16 * 1024
"""Bytes of all header lines, the empty one included."""

MOST_FIELDS: Final = 100

_TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""What a method can begin with (RFC 9110 §5.6.2). TLS begins with 0x16, SOCKS with 4 or 5."""

_HTTP_2: Final = b"PRI * HTTP/2.0\r\n"  # RFC 9113 §3.4


@attrs.frozen
class _Rule:
    """A line that `breaks` it, `number` lines into the head, gets the answer."""

    breaks: Callable[[bytes, int], bool]
    answer: Answer


_RULES: Final = (
    _Rule(lambda line, number: number == 0 and line == _HTTP_2, SILENCE),
    _Rule(lambda line, number: not line.endswith(b"\r\n"), NOT_FOR_YOU[400]),  # RFC 9112 §2.2 allows it
    _Rule(lambda line, number: b"\r" in line[:-2] or b"\0" in line, NOT_FOR_YOU[400]),
    _Rule(lambda line, number: line.startswith((b" ", b"\t")), NOT_FOR_YOU[400]),  # RFC 9112 §5.2
    _Rule(lambda line, number: number > MOST_FIELDS and line != b"\r\n", NOT_FOR_YOU[431]),
)


@attrs.define(eq=False, repr=False)
class HeadReader:
    """Reads one request's head, however it is cut."""

    _buffer: bytearray = attrs.field(factory=bytearray, init=False)
    _lines: int = attrs.field(default=0, init=False)
    _line_at: int = attrs.field(default=0, init=False)
    """Where the line begins that is not complete yet."""
    _limit: int = attrs.field(default=LONGEST_LINE, init=False)
    """Where that line must end."""

    @property
    def wants_no_body(self) -> bool:
        """Whether the request is HEAD."""
        return self._buffer.startswith(b"HEAD ")

    def receive(self, data: bytes) -> bytes | Answer | None:
        """The whole head, or the answer to what can be none, or None while more must come."""
        self._buffer += data[: LONGEST_LINE + LONGEST_FIELDS - len(self._buffer)]
        if self._buffer[0] not in _TOKEN:
            return SILENCE
        while end := self._buffer.find(b"\n", self._line_at) + 1:
            read = self._line(end)
            if read is not None:
                return read
        return self._too_long() if len(self._buffer) >= self._limit else None

    def _line(self, end: int) -> bytes | Answer | None:
        """The same, after the line that ends at `end`."""
        if end > self._limit:
            return self._too_long()
        line = bytes(self._buffer[self._line_at : end])
        for rule in _RULES:
            if rule.breaks(line, self._lines):
                return rule.answer
        if self._lines == 0:
            self._limit = end + LONGEST_FIELDS
        self._lines, self._line_at = self._lines + 1, end
        return bytes(self._buffer[:end]) if line == b"\r\n" else None

    def _too_long(self) -> Answer:
        return NOT_FOR_YOU[431 if self._lines else 414]
