"""The view for a terminal, drawn with rich: the code large, the page as a link, text folded at words.

Rules of this file: the page and the code are also there as plain text, each alone on its line, for a mouse
to copy; what is longer than the window is folded by the terminal, which copies it as one line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.cli.output import hint
from codex_oauth.cli.views.letters import large
from codex_oauth.cli.views.live_view import LiveView, folded
from codex_oauth.cli.views.terminal import Terminal
from codex_oauth.cli.views.words import Part, parts_of
from codex_oauth_core.effects import Prompt

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["RichView", "card"]

_STYLES: Final = {"title": "bold", "text": "", "page": "underline cyan", "code": "bold cyan", "care": "dim"}
_INDENT: Final = 4
_ROWS_AROUND: Final = 16
"""Rows of the rest of a card, which stays in sight with a large code."""


class RichView(LiveView):
    """`LiveView` with a card for the prompt. ImportError where rich is missing."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        from rich.console import Console

        self._console: type[Any] = Console

    def _show(self, prompt: Prompt) -> None:
        terminal = self._terminal
        for row in (above := self._qr(prompt)):
            hint(row)
        lines = list(card(prompt, terminal, len(above)))
        console = self._console(
            file=terminal.stream,
            force_terminal=True,
            no_color=not terminal.colour,
            width=terminal.columns(),
            legacy_windows=False,
            highlight=False,
        )
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone
            for line in lines:
                console.print(line, soft_wrap=True)
        self._shown_width = max((len(line) for line in lines if line.style == _STYLES["code"]), default=0)


def card(prompt: Prompt, terminal: Terminal, above: int = 0) -> Iterator[Text]:
    """What a person must see, line by line, in the room that there is now below `above` rows."""
    for part in parts_of(prompt):
        if part.role == "code":
            yield from _large(part, terminal, above)
        yield from _lines(part, terminal)


def _large(part: Part, terminal: Terminal, above: int) -> Iterator[Text]:
    """The code in large letters, if the whole card has room for it."""
    from rich.text import Text

    lines = large(part.text, utf8=terminal.utf8)
    if (
        not lines
        or _INDENT + len(lines[0]) >= terminal.columns()
        or above + len(lines) + _ROWS_AROUND > terminal.rows()
    ):
        return
    yield from (Text(" " * _INDENT + line, style=_STYLES["code"]) for line in lines)
    yield Text()


def _lines(part: Part, terminal: Terminal) -> Iterator[Text]:
    from rich.style import Style
    from rich.text import Text

    if part.role == "gap":
        yield Text()
        return
    style = _STYLES[part.role]
    if part.role in ("page", "code"):
        text = Text(" " * terminal.indent(part.text), style=style if part.role == "code" else "")
        link = part.text if part.role == "page" and terminal.links else None
        text.append(part.text, Style.parse(style) + Style(link=link))
        yield text
        return
    for line in folded(part.text, terminal):
        yield Text(line, style=style)
