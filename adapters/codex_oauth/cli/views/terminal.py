"""What the terminal behind stderr can do, and what the person wants of it.

Rules of this file: the width is asked anew each time, of stderr itself: stdout may be a file, and a window
may change; the locale decides about characters beyond ASCII, for Python assumes UTF-8 where it says C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final, TextIO

import attrs

from codex_oauth.cli.output import wants_colour

__all__ = ["Terminal", "ViewOptions", "terminal_of"]

_USUAL: Final = (80, 24)
_INDENT: Final = 4
_NO_LINKS: Final = ("linux", "vt")
"""Terminals, by how their names begin, that may print what belongs to a link."""

_KNOWN_BY: Final = (
    "VTE_VERSION",
    "KITTY_WINDOW_ID",
    "WT_SESSION",
    "KONSOLE_VERSION",
    "GHOSTTY_RESOURCES_DIR",
    "WEZTERM_PANE",
    "DOMTERM",
)
"""Variables that a terminal sets which surely shows links."""

_KNOWN_PROGRAMS: Final = (
    "iTerm.app",
    "WezTerm",
    "vscode",
    "ghostty",
    "Hyper",
    "Tabby",
    "rio",
    "WarpTerminal",
)
_KNOWN_NAMES: Final = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour")

_C_LOCALES: Final = ("", "C", "POSIX")
_COERCED: Final = ("C.UTF-8", "C.utf8", "UTF-8")


@attrs.frozen(kw_only=True)
class ViewOptions:
    """The options of `login` that are about how it looks."""

    color: str = "auto"
    accessible: bool = False
    quiet: bool = False
    qr: bool = False


@attrs.frozen(kw_only=True)
class Terminal:
    """Where a view writes. `redraws`: a line can be written over; `utf8`: more than ASCII can be shown;
    `links` (OSC 8) and `escapes` (any other order) are understood, or passed over; `short_links`: links are
    surely understood.
    """

    stream: TextIO
    is_terminal: bool = False
    redraws: bool = False
    colour: bool = False
    utf8: bool = False
    links: bool = False
    short_links: bool = False
    escapes: bool = False
    qr: bool = False

    def indent(self, text: str) -> int:
        """By how much a line that holds `text` alone is indented: not where only that would fold it."""
        room = self.columns() - len(text)
        return 0 if self.is_terminal and 0 < room <= _INDENT else _INDENT

    def columns(self) -> int:
        """The width now; 80 if there is none."""
        return self._size()[0]

    def rows(self) -> int:
        """The height now; 24 if there is none."""
        return self._size()[1]

    def _size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError, AttributeError):
            return _USUAL
        return columns or _USUAL[0], rows or _USUAL[1]


def terminal_of(
    stream: TextIO, environ: Mapping[str, str], wishes: ViewOptions, platform: str = sys.platform
) -> Terminal:
    """The terminal behind `stream`, by the environment and the person's wishes."""
    plain = wishes.accessible or environ.get("ACCESSIBLE", "0") not in ("", "0")
    is_terminal = stream.isatty()
    name = environ.get("TERM", "") or ("windows" if environ.get("WT_SESSION") else "dumb")
    colourless = plain or (is_terminal and name == "dumb")
    auto = "never" if colourless and wishes.color == "auto" else wishes.color
    redraws = is_terminal and name != "dumb" and not plain
    links = redraws and not name.startswith(_NO_LINKS)
    return Terminal(
        stream=stream,
        is_terminal=is_terminal,
        redraws=redraws,
        colour=wants_colour(stream, environ, auto),
        utf8=_is_utf8(stream, environ, platform),
        links=links,
        short_links=links and _surely_shows_links(environ, name),
        escapes=is_terminal and name != "dumb" and not name.startswith(_NO_LINKS),
        qr=wishes.qr,
    )


def _surely_shows_links(environ: Mapping[str, str], name: str) -> bool:
    """Whether it is known to: within tmux and screen it depends on their settings."""
    if name.startswith(("tmux", "screen")) or environ.get("TMUX") or environ.get("STY"):
        return False
    by_name = name.startswith(_KNOWN_NAMES) or environ.get("TERM_PROGRAM") in _KNOWN_PROGRAMS
    return by_name or any(environ.get(variable) for variable in _KNOWN_BY)


def _is_utf8(stream: TextIO, environ: Mapping[str, str], platform: str) -> bool:
    if (stream.encoding or "").lower().replace("-", "") != "utf8":
        return False
    locale = _locale(environ, platform).lower().replace("-", "")
    return platform == "win32" or locale.endswith(("utf8", "utf8@euro"))


def _locale(environ: Mapping[str, str], platform: str) -> str:
    """The locale of characters: the first that is set and not empty (POSIX, XBD 8.2).

    LC_CTYPE does not count where Python itself may have set it, in the place of the C locale (PEP 538).
    """
    everything, characters, usual = (environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    if platform != "darwin" and characters in _COERCED and usual in _C_LOCALES:
        characters = ""
    return everything or characters or usual
