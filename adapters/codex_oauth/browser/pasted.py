"""What was typed or pasted, put together again.

Rules of this file: pure; bytes come in as a terminal without line editing delivers them. A pasted URL may
be wrapped over several lines, so a line break alone ends nothing: a pause after it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

__all__ = ["IDLE", "PasteBuffer", "pastes"]

GAP: Final = 0.3
"""Seconds of silence after a line break that end a paste."""

IDLE: Final = 1.0
"""Seconds of silence after which a paste that a terminal has announced, and not finished, ends anyway; and
the longest that one read lasts."""

LONGEST_PASTE: Final = 64 * 1024
"""Bytes kept of one paste: more than any judgement reads."""

_OPENED: Final = b"\x1b[200~"  # bracketed paste: what follows is pasted, line breaks included
_CLOSED: Final = b"\x1b[201~"
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)?")  # what keys and terminals send
_ERASE: Final = "\x7f\x08"
_KILL: Final = "\x15"  # Ctrl-U
_END: Final = "\x04"  # Ctrl-D
_BLANK: Final = " \r\n"


class PasteBuffer:
    """The bytes since the last complete paste, and whether they are one."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Add what has arrived. Of an endless paste the beginning and the end are kept."""
        data = self._data + data
        self._data = data if len(data) <= LONGEST_PASTE else data[: LONGEST_PASTE - 64] + data[-64:]

    @property
    def patience(self) -> float | None:
        """Seconds of silence that complete what is here; None while only more input can."""
        if not self._text().rstrip(" ").endswith(("\r", "\n", _END)):
            return None
        return IDLE if self._data.rfind(_OPENED) > self._data.rfind(_CLOSED) else GAP

    @property
    def at_end(self) -> bool:
        """Whether Ctrl-D was typed on an empty line."""
        text = self._text()
        return _END in text and not text.strip(_BLANK + _END)

    def take(self) -> str:
        """What was pasted, edited as a terminal would have; the buffer is empty afterwards."""
        text, self._data = self._text().replace(_END, ""), b""
        return _edited(text)

    def _text(self) -> str:
        return _ESCAPE.sub("", self._data.decode("utf-8", "replace"))


def _edited(text: str) -> str:
    """The text after Backspace and Ctrl-U."""
    kept: list[str] = []
    for char in text.rpartition(_KILL)[2]:
        if char not in _ERASE:
            kept.append(char)
        elif kept:
            kept.pop()
    return "".join(kept)


def pastes(read: Callable[[float], bytes | None]) -> Iterator[str]:
    """Each complete paste. `read` takes seconds, and returns what arrives within them, `b""` for silence,
    or None at the end of input, which completes what is there.
    """
    buffer = PasteBuffer()
    while (data := read(buffer.patience or IDLE)) is not None:
        buffer.feed(data)
        if buffer.at_end:
            return
        if not data and buffer.patience is not None:
            yield buffer.take()
    yield buffer.take()
