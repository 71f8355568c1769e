"""A terminal that shows what it is sent: bytes in, a screen out.

Rules of this file: an order that is not known here is a mistake of the command's, for it sends no other: so
no mode of a terminal changes, and nothing but the last line is ever written over.
"""

from __future__ import annotations

import re
from typing import Final

import pyte

__all__ = ["Emulator", "screen_of"]

_ORDERS: Final = re.compile(
    r"\x1b\[(?P<sgr>[0-9;]*)m"
    r"|\x1b\[0?K"
    r"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|[\r\n]"
    r"|(?P<unknown>[\x00-\x1f\x7f-\x9f])"
)
_ROWS: Final = 200
"""More than anything here writes: what has left the window is seen too."""


class Emulator:
    """A window of `columns`. `orders` are the OSC sequences that came, `styles` the SGR ones."""

    def __init__(self, columns: int) -> None:
        self._screen = pyte.Screen(columns, _ROWS)
        self._stream = pyte.Stream(self._screen)
        self.orders: list[str] = []
        self.styles: set[str] = set()

    def feed(self, text: str) -> None:
        """Show `text`; an order begins and ends within it."""
        for order in _ORDERS.finditer(text):
            assert order["unknown"] is None, f"an order that is not known: {text[order.start() :][:12]!r}"
            if order["sgr"] is not None:
                self.styles.add(order["sgr"])
            if order["osc"] is not None:
                self.orders.append(order["osc"])
        self._stream.feed(text)
        assert self._screen.cursor.y < _ROWS - 1, "the window is too low for what was written"

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from zero."""
        return self._screen.cursor.y, self._screen.cursor.x

    def screen(self) -> list[str]:
        """The rows, without trailing blanks."""
        rows = [row.rstrip() for row in self._screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows


def screen_of(text: str, columns: int) -> list[str]:
    """The screen after `text`."""
    emulator = Emulator(columns)
    emulator.feed(text)
    return emulator.screen()
