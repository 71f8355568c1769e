"""One line of a terminal that is written over.

Rules of this file: no mode of the terminal is changed (its cursor stays visible, its screen stays the same),
so that there is nothing to put back, even after SIGKILL; a line is written in one go, over the old one and
cleared behind its end, so that nothing flickers; it never reaches the last column, where it would wrap.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Final

from codex_oauth.cli.colour import paint
from codex_oauth.cli.views.terminal import Terminal

__all__ = ["StatusLine"]

_TO_THE_END: Final = "\x1b[K"
"""Erase in line (ECMA-48 §8.3.41)."""


class StatusLine:
    """The line under the cursor. From any thread."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._lock = threading.RLock()
        self._length = 0

    def draw(self, forms: list[str], role: str) -> None:
        """Show the first of `forms` that fits, the longest first; the last one is cut."""
        with self._lock:
            width = max(1, self._terminal.columns() - 1)
            text = next((form for form in forms if len(form) <= width), forms[-1][:width])
            self._write(f"{self._start()}{paint(text, role, colour=self._terminal.colour)}{_TO_THE_END}")
            self._length = len(text)

    def clear(self) -> None:
        """Leave the line empty, and the cursor at its start, for what is written next."""
        with self._lock:
            if self._length:
                self._write(f"{self._start()}{_TO_THE_END}")
            self._length = 0

    def _start(self) -> str:
        """To the start of the line. One that a narrower window has folded is left, and a new one begun: which
        rows it takes now, only the terminal knows.
        """
        return "\r\n" if self._length >= self._terminal.columns() else "\r"

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone
            self._terminal.stream.write(text)
            self._terminal.stream.flush()
