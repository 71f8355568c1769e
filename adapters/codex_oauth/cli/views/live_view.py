"""The view for a terminal: what to do stays in sight, and one line below it says what is happening.

Rules of this file: what a person must read is appended and never erased; only the last line is written over.
When the window becomes too narrow for what was shown, that is shown again.
"""

from __future__ import annotations

import time
from typing import Final

from codex_oauth.cli.output import hint
from codex_oauth.cli.text import clock
from codex_oauth.cli.views.line_view import LineView
from codex_oauth.cli.views.status_line import StatusLine
from codex_oauth.cli.views.terminal import Terminal
from codex_oauth.cli.views.words import FINISHING, role_of, short_status, status_of
from codex_oauth_core.effects import Prompt, SendRequest, Wait

__all__ = ["LiveView", "folded"]

_LONGEST: Final = 79

_ASKING: Final = "Asking for a code"
_DONE: Final = "Done"


class LiveView(LineView):
    """Lines, and below them the time left and what is happening, about once a second."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._prompt: Prompt | None = None
        self._status = StatusLine(terminal)
        self._shown_width = 0  # what the prompt on the screen needs to stay as it is
        self._last_columns = terminal.columns()

    def prompt(self, prompt: Prompt) -> None:
        self._status.clear()
        self._prompt = prompt
        super().prompt(prompt)

    def sending(self, effect: SendRequest) -> None:
        if effect.once:
            self._draw(FINISHING, "waiting")
        elif self._prompt is None:
            self._draw(_ASKING, "waiting")

    def wait(self, wait: Wait) -> None:
        status = status_of(wait)
        if status != self._said and not self._fits(status):
            self._tell(f"{status}.")
        self._said = status

    def tick(self, wait: Wait, at: float) -> None:
        self._fit_again()
        rest = f"{clock(wait.prompt.expires_at - time.time())}  " if wait.prompt else ""
        self._draw(f"{rest}{status_of(wait)}", role_of(wait), f"{rest}{short_status(wait)}", rest.strip())

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

    def _fits(self, status: str) -> bool:
        return len(f"00:00  {status}") < self._terminal.columns()

    def _fit_again(self) -> None:
        """Show the prompt again once a window that became too narrow for it has come to rest."""
        columns, before = self._terminal.columns(), self._last_columns
        self._last_columns = columns
        if self._prompt is not None and columns == before and columns < self._shown_width:
            self._status.clear()
            hint()
            self._show(self._prompt)


def folded(text: str, terminal: Terminal) -> list[str]:
    """`text` in lines that end between words; what is indented is to be copied, and stays whole."""
    from textwrap import wrap

    if text.startswith(" "):
        return [text]
    width = min(_LONGEST, max(10, terminal.columns() - 1))
    return wrap(text, width, break_long_words=False, break_on_hyphens=False)
