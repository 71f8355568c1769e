"""Write the picture in README.md: the sign-in screen, from the one that the tests keep.

Rules of this file: the text is that of `tests/cli/screens`, to the letter; colours are told from the words,
and none carries a meaning; the picture needs no font and no file beside it. `--check` writes nothing, and
exits with 1 if the picture differs.

    python -m docs.pictures.write [--check]
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

__all__ = ["COMMAND", "PICTURE", "SCREEN", "main", "picture"]

ROOT: Final = Path(__file__).resolve().parents[2]
SCREEN: Final = ROOT / "tests" / "cli" / "screens" / "device-waiting.txt"
PICTURE: Final = Path(__file__).resolve().parent / "sign-in.svg"
COMMAND: Final = "codex-oauth login"
"""What shows the screen."""

COLUMNS: Final = 80
WIDE: Final = 8.4
"""Pixels of a column."""
HIGH: Final = 19
"""Pixels of a row."""
MARGIN: Final = 22
BAR: Final = 34

GROUND, TEXT, SOFT = "#161b22", "#e6edf3", "#9aa4af"
_LOOKS: Final = (
    (re.compile(r"^\$ "), TEXT, True),
    (re.compile(r"^\s+https://\S+$"), "#79c0ff", False),
    (re.compile(r"^\s+[A-Z0-9]{4}-[A-Z0-9]{4,5}$"), "#7ee787", True),
    (re.compile(r"^Sign in with "), TEXT, True),
    (re.compile(r"^● "), "#79c0ff", False),
)
"""How a line looks: what it is like, its colour, and whether it is bold."""


def _look(line: str) -> tuple[str, bool]:
    return next(((colour, bold) for like, colour, bold in _LOOKS if like.match(line)), (SOFT, False))


def picture() -> str:
    """The picture as SVG."""
    return "\n".join(_lines([f"$ {COMMAND}", *SCREEN.read_text(encoding="utf-8").splitlines()])) + "\n"


def _lines(rows: list[str]) -> Iterator[str]:
    width, height = round(COLUMNS * WIDE) + 2 * MARGIN, BAR + len(rows) * HIGH + MARGIN
    size = f'viewBox="0 0 {width} {height}" width="{width}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"<!-- Written from {SCREEN.relative_to(ROOT)} by `make pictures`. Do not edit. -->"
    yield f"<title>{escape(COMMAND)}: the sign-in screen</title>"
    yield f'<rect width="{width}" height="{height}" rx="10" fill="{GROUND}"/>'
    yield from (f'<circle cx="{MARGIN + 18 * at}" cy="18" r="6" fill="#3d444d"/>' for at in range(3))
    yield '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">'
    for number, row in enumerate(rows, 1):
        if row.strip():
            yield _text(row, BAR + number * HIGH)
    yield "</g>"
    yield "</svg>"


def _text(row: str, y: int) -> str:
    colour, bold = _look(row)
    begins = len(row) - len(row.lstrip())
    words = row.strip()
    place = f'x="{MARGIN + begins * WIDE:g}" y="{y}" xml:space="preserve"'
    length = f'textLength="{len(words) * WIDE:g}" lengthAdjust="spacingAndGlyphs"'
    weight = ' font-weight="700"' if bold else ""
    return f'<text {place} {length} fill="{colour}"{weight}>{escape(words)}</text>'


def main(arguments: list[str] | None = None) -> int:
    """Write, or check; the exit code."""
    parser = argparse.ArgumentParser(description="Write the picture of the sign-in screen.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if it differs")
    if parser.parse_args(arguments).check:
        return int(not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != picture())
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
