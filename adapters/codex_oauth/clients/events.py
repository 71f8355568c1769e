"""Server-sent events from bytes, however they are cut (WHATWG HTML, "Server-sent events").

Rules of this file: no I/O; what was fed comes out again, byte for byte, event by event, so that an answer can
be passed on as it came; an event that is longer than `most` bytes is an error, and not a growing memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

__all__ = ["EventDecoder", "EventTooLongError", "ServerEvent"]

_BLANK_LINE: Final = re.compile(rb"(?:\A|\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?=[^\n]))")
"""A line that ends where it begins. A carriage return that comes last waits: a line feed may belong to it."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_LONGEST_END: Final = 4
_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


class EventTooLongError(ValueError):
    """An event is longer than it may be."""


@attrs.frozen
class ServerEvent:
    """One event. `raw` is what it came as; `data` is None where nothing is told: of a comment, say."""

    raw: bytes
    name: str
    data: str | None


@attrs.define(eq=False)
class EventDecoder:
    """Give it bytes, and take the events that are complete."""

    most: int = 64 * 2**20
    rest: bytearray = attrs.field(factory=bytearray, init=False)
    """What is no event yet; at the end of a stream it never will be."""
    _searched: int = attrs.field(default=0, init=False)
    _is_first: bool = attrs.field(default=True, init=False)

    def feed(self, data: bytes) -> Iterator[ServerEvent]:
        """The events that are complete with `data`. EventTooLongError for one that is too long."""
        self.rest += data
        while found := _BLANK_LINE.search(self.rest, self._searched):
            raw = bytes(self.rest[: found.end()])
            del self.rest[: found.end()]
            self._searched = 0
            yield self._event(raw)
        self._searched = max(0, len(self.rest) - _LONGEST_END + 1)
        if len(self.rest) > self.most:
            raise EventTooLongError(f"an event is longer than {self.most} bytes")

    def _event(self, raw: bytes) -> ServerEvent:
        text = raw.decode("utf-8", "replace")
        if self._is_first:
            text, self._is_first = text.removeprefix(_BOM), False
        name, data = "", list[str]()
        for line in _LINE_END.split(text):
            field, _, value = line.partition(":")
            if field == "data":
                data.append(value.removeprefix(" "))
            elif field == "event":
                name = value.removeprefix(" ")
        return ServerEvent(raw, name, "\n".join(data) if data else None)
