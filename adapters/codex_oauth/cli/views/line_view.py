"""The plain view, complete without anything: lines, for pipes, screen readers and old terminals.

Rules of this file: it only appends; without colour it writes no control character but the newline. A QR
code of the page to open saves typing its address: it is there, whole and legible, or it is not there, and
nothing says why.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from codex_oauth.cli.output import complain, hint, left, paint, printable
from codex_oauth.cli.views.terminal import Terminal
from codex_oauth.cli.views.view import FINISHING, NO_OFFERS, Offers, Part, parts_of, status_of
from codex_oauth_core.effects import DevicePrompt, Prompt, SendRequest, Wait

__all__ = ["LineView", "QuietView", "matrix_of", "qr_lines"]


_QUIET_ZONES: Final = (4, 3, 2)
"""Light modules around the code: four (ISO/IEC 18004 §5.3.8), or what there is room for. Cameras read it with
two.
"""

_HALVES: Final = {(True, True): "█", (True, False): "▀", (False, True): "▄"}
_WHITE_ON_BLACK: Final = "\x1b[97;40m{}\x1b[0m"


def qr_lines(text: str, terminal: Terminal, others: int = 0) -> list[str]:
    """The code as lines of half blocks; none where it could not be read, or segno is missing. `others`: how
    many lines must be in sight beside it.
    """
    if not (terminal.is_terminal and terminal.utf8):
        return []
    for zone in _QUIET_ZONES:
        matrix = matrix_of(text, zone)
        if matrix is None:
            return []
        lines = (len(matrix) + 1) // 2
        if len(matrix) < terminal.columns() and lines + others <= terminal.rows():
            look = _WHITE_ON_BLACK if terminal.colour else "{}"
            return [look.format(line) for line in _rows(matrix)]
    return []


def matrix_of(text: str, zone: int = _QUIET_ZONES[0]) -> list[list[bool]] | None:
    """The modules with their quiet zone, row by row: True for light. None without segno, and for what is too
    long for a code.
    """
    try:
        import segno
    except ImportError:
        return None
    try:
        code = segno.make_qr(text, error="m")
    except segno.DataOverflowError:
        return None
    return [[not dark for dark in row] for row in code.matrix_iter(border=zone)]


def _rows(matrix: Sequence[Sequence[bool]]) -> Iterator[str]:
    """Two rows of modules become a line."""
    for above, below in zip_longest(matrix[::2], matrix[1::2]):
        pairs = zip(above, below or [True] * len(above), strict=True)
        yield "".join(_HALVES.get(pair, " ") for pair in pairs)


# -- line view -----------------------------------------------------------------------------------------


HEARTBEAT: Final = 30.0
"""Seconds between two lines that say that it still waits."""

_ALONE: Final = ("page", "code")


class LineView:
    """Appends lines to stderr, and one heartbeat each half minute."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._said: str | None = None
        self._next_beat = 0.0
        self._told = False

    def prompt(self, prompt: Prompt, offers: Offers = NO_OFFERS) -> None:
        if self._told:
            hint()
        self._told = False
        self._show(prompt, offers)

    def whole_page(self) -> None:
        """Nothing: the address was shown whole."""

    def note(self, note: str) -> None:
        self._tell(printable(note))

    def warn(self, text: str) -> None:
        self._tell(printable(text))

    def detail(self, text: str) -> None:
        self._tell(printable(text))

    def sending(self, effect: SendRequest) -> None:
        if effect.once:
            self._say(FINISHING)

    def wait(self, wait: Wait) -> None:
        self._say(status_of(wait))

    def tick(self, wait: Wait, at: float) -> None:
        if at < self._next_beat or wait.prompt is None:
            return
        if self._next_beat:
            hint(f"{status_of(wait)}; {left(wait.prompt.expires_at - time.time())} left.")
        self._next_beat = at + HEARTBEAT

    def done(self) -> None:
        """Nothing: the result follows."""

    def close(self) -> None:
        """Nothing: what was said stays."""

    def _show(self, prompt: Prompt, offers: Offers) -> None:
        for line in self._screen(prompt, offers):
            hint(line)

    def _screen(self, prompt: Prompt, offers: Offers) -> list[str]:
        """All that is shown of a prompt: with a QR code in few lines, so that all of it is in sight."""
        brief = [(part, self._lines_of(part)) for part in parts_of(prompt, offers, brief=True)]
        code = self._qr(prompt, sum(len(lines) for _, lines in brief) + _STATUS)
        if not code:
            parts = parts_of(prompt, offers)
            return [line for part in parts for line in self._lines_of(part)]
        shown: list[str] = []
        for part, lines in brief:
            shown += lines
            if part.role == "page":
                shown += code
        return shown

    def _lines_of(self, part: Part) -> list[str]:
        return [self._line(part)]

    def _tell(self, text: str) -> None:
        self._told = True
        hint(text)

    def _say(self, status: str) -> None:
        if status != self._said:
            self._said = status
            hint(f"{status}.")

    def _line(self, part: Part) -> str:
        painted = paint(part.text, part.role, colour=self._terminal.colour)
        return " " * self._terminal.indent(part.text) + painted if part.role in _ALONE else painted

    def _qr(self, prompt: Prompt, others: int) -> list[str]:
        if not self._terminal.qr or not isinstance(prompt, DevicePrompt):
            return []
        page = prompt.verification_uri_complete or prompt.verification_uri
        return qr_lines(page, self._terminal, others)


_STATUS: Final = 1  # line below the prompt


class QuietView(LineView):
    """Only what a person must see: the page, the code, and what went wrong."""

    def prompt(self, prompt: Prompt, offers: Offers = NO_OFFERS) -> None:
        """The page, and below it the code, if there is one."""
        for part in parts_of(prompt):
            if part.role in _ALONE:
                complain(self._line(part))
            if part.role == "page":
                for line in self._qr(prompt, 4):
                    complain(line)

    def warn(self, text: str) -> None:
        complain(printable(text))

    def note(self, note: str) -> None:
        """Nothing."""

    def sending(self, effect: SendRequest) -> None:
        """Nothing."""

    def wait(self, wait: Wait) -> None:
        """Nothing."""

    def tick(self, wait: Wait, at: float) -> None:
        """Nothing."""
