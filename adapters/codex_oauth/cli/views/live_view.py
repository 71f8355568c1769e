"""The view for a terminal: what to do stays in sight, and one line below it says what is happening.

Rules of this file: what a person must read is appended and never erased; only the last line is written over.
No mode of the terminal is changed here (its cursor stays visible, its screen stays the same). The page is a
link where the terminal knows links; it and the code are each alone on a line, for a mouse to copy. A long
address is shortened only where the link surely works and the page is being opened. When the window becomes
too narrow for what was shown, that is shown again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Final

import attrs

from codex_oauth.cli.output import clock, hint, paint
from codex_oauth.cli.views.line_view import LineView
from codex_oauth.cli.views.terminal import Terminal
from codex_oauth.cli.views.view import (
    FINISHING,
    NO_OFFERS,
    Offers,
    Part,
    role_of,
    short_status,
    status_of,
)
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt, SendRequest, Wait

__all__ = ["LiveView"]

_LONGEST: Final = 79

_LINK: Final = "\x1b]8;;{}\x1b\\{}\x1b]8;;\x1b\\"
"""A hyperlink of a terminal (OSC 8), and the text that carries it."""
_TO_THE_END: Final = "\x1b[K"
"""Erase in line (ECMA-48 §8.3.41)."""

_ASKING: Final = "Asking the server"
_DONE: Final = "Done"


class LiveView(LineView):
    """Lines, and below them the time left and what is happening, about once a second."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._prompt: Prompt | None = None
        self._offers = NO_OFFERS
        self._status = _StatusLine(terminal)
        self._shown_width = 0  # what the prompt on the screen needs to stay as it is
        self._last_columns = terminal.columns()

    def prompt(self, prompt: Prompt, offers: Offers = NO_OFFERS) -> None:
        self._status.clear()
        self._prompt, self._offers = prompt, offers
        super().prompt(prompt, offers)

    def whole_page(self) -> None:
        """The whole address, for a person to copy."""
        if isinstance(self._prompt, BrowserPrompt) and self._is_shortened(
            self._prompt.authorize_url.reveal()
        ):
            self._offers = attrs.evolve(self._offers, opens=False)
            self._status.clear()
            for line in self._lines_of(Part("page", self._prompt.authorize_url.reveal())):
                hint(line)

    def sending(self, effect: SendRequest) -> None:
        if effect.once:
            self._draw(FINISHING, "waiting")
        elif self._prompt is None:
            self._draw(_ASKING, "waiting")

    def wait(self, wait: Wait) -> None:
        status, shown = status_of(wait), status_of(wait, wait.until)
        if status != self._said and not self._fits(shown):
            self._tell(f"{status}.")
        self._said = status

    def tick(self, wait: Wait, at: float) -> None:
        self._fit_again()
        rest = f"{clock(wait.prompt.expires_at - time.time())}  " if wait.prompt else ""
        shown = f"{rest}{status_of(wait, at)}"
        self._draw(shown, role_of(wait), f"{rest}{short_status(wait)}", rest.strip())

    def done(self) -> None:
        self._draw(_DONE, "done")
        hint()

    def close(self) -> None:
        self._status.clear()

    def _draw(self, status: str, role: str, *shorter: str) -> None:
        dot = "●" if self._terminal.utf8 else "*"
        self._status.draw([f"{dot} {status}", status, *filter(None, shorter)], role)

    def _tell(self, text: str) -> None:
        self._told = True
        self._status.clear()
        for line in folded(text, self._terminal):
            hint(line)

    def _show(self, prompt: Prompt, offers: Offers) -> None:
        super()._show(prompt, offers)
        if isinstance(prompt, DevicePrompt):
            self._shown_width = self._terminal.indent(prompt.user_code) + len(prompt.user_code)

    def _is_shortened(self, address: str) -> bool:
        """Whether a link stands for the address: where it surely works, and the page opens anyway."""
        return self._offers.opens and self._terminal.short_links and len(address) > _LONGEST

    def _lines_of(self, part: Part) -> list[str]:
        if part.role == "limit":  # the line below counts down
            return []
        if part.role == "page" and self._terminal.links:
            text = _shortened(part.text) if self._is_shortened(part.text) else part.text
            address = paint(text, part.role, colour=self._terminal.colour)
            return [" " * self._terminal.indent(text) + _LINK.format(part.text, address)]
        if part.role in ("page", "code"):
            return [self._line(part)]
        lines = folded(part.text, self._terminal) or [""]
        return [paint(line, part.role, colour=self._terminal.colour) for line in lines]

    def _fits(self, status: str) -> bool:
        return len(f"00:00  {status}") < self._terminal.columns()

    def _fit_again(self) -> None:
        """Show the prompt again once a window that became too narrow for it has come to rest."""
        columns, before = self._terminal.columns(), self._last_columns
        self._last_columns = columns
        if self._prompt is not None and columns == before and columns < self._shown_width:
            self._status.clear()
            hint()
            self._show(self._prompt, self._offers)


def _shortened(address: str) -> str:
    """The address without what only the browser needs."""
    return f"{address.partition('?')[0]}?..."


def folded(text: str, terminal: Terminal) -> list[str]:
    """`text` in lines that end between words; what is indented is to be copied, and stays whole."""
    from textwrap import wrap

    if text.startswith(" "):
        return [text]
    width = min(_LONGEST, max(10, terminal.columns() - 1))
    return wrap(text, width, break_long_words=False, break_on_hyphens=False)


class _StatusLine:
    """The line under the cursor, which is written over: in one go, and cleared behind its end, so that
    nothing flickers. It never reaches the last column, where it would wrap. From any thread.
    """

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
