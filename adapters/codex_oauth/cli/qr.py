"""A QR code of the page to open, which saves typing its address: the code is typed all the same.

Rules of this file: it is there, whole and legible, or it is not there: nothing says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from codex_oauth.cli.views.terminal import Terminal

__all__ = ["matrix_of", "qr_lines"]

_QUIET_ZONE: Final = 4
"""Light modules around the code (ISO/IEC 18004 §5.3.8)."""

_HALVES: Final = {(True, True): "█", (True, False): "▀", (False, True): "▄"}
_WHITE_ON_BLACK: Final = "\x1b[97;40m{}\x1b[0m"


def qr_lines(text: str, terminal: Terminal) -> list[str]:
    """The code as lines of half blocks; none where it could not be read, or segno is missing."""
    if not (terminal.is_terminal and terminal.utf8):
        return []
    matrix = matrix_of(text)
    if matrix is None or len(matrix) >= terminal.columns() or len(matrix) // 2 + 1 >= terminal.rows():
        return []
    look = _WHITE_ON_BLACK if terminal.colour else "{}"
    return [*(look.format(line) for line in _rows(matrix)), ""]


def matrix_of(text: str) -> list[list[bool]] | None:
    """The modules with their quiet zone, row by row: True for light. None without segno."""
    try:
        import segno
    except ImportError:
        return None
    code = segno.make_qr(text, error="m")
    return [[not dark for dark in row] for row in code.matrix_iter(border=_QUIET_ZONE)]


def _rows(matrix: Sequence[Sequence[bool]]) -> Iterator[str]:
    """Two rows of modules become a line."""
    for above, below in zip_longest(matrix[::2], matrix[1::2]):
        pairs = zip(above, below or [False] * len(above), strict=True)
        yield "".join(_HALVES.get(pair, " ") for pair in pairs)
