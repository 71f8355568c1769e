"""Numbers and rows as text.

Rules of this file: three significant digits and no more; a unit stands with every number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.bench.ratios import TIMES, Figure, Result, Spread, Target
from tests.bench.table import Row

__all__ = ["NONE", "amount", "figure_lines", "ratio", "spread", "target_line"]

NONE: Final = "\N{EN DASH}"

_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (0.0, "ns"))


def _digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", " ")


def amount(value: float, scale: str) -> str:
    """A duration in seconds, a number of bytes, or a plain number."""
    if scale == "B":
        return f"{_digits(value)} B"
    if scale == "n":
        return _digits(value)
    least, unit = next(row for row in _UNITS if abs(value) >= row[0])
    return f"{_digits(value / (least or 1e-9))} {unit}"


def ratio(value: float) -> str:
    """A ratio, with its sign."""
    return f"{_digits(value)} {TIMES}"


def spread(measured: Spread, unit: str) -> str:
    """A median, and its quartiles where there were several rounds."""
    median = f"{_digits(measured.median)} {unit}".strip()
    if measured.low == measured.high:
        return median
    return f"{median} ({_digits(measured.low)} to {_digits(measured.high)})"


def target_line(target: Target) -> str:
    """A target as a sentence."""
    sign = "≥" if target.at_least else "≤"
    limit = f"{_digits(target.limit)} {target.unit}".strip()
    return (
        f"{target.text}: {spread(target.measured, target.unit)}; target {sign} {limit}: **{target.verdict}**"
    )


def _figure_line(figure: Figure, scale: str) -> str:
    name = f"**{figure.name}**" if figure.ours else figure.name
    taken = amount(figure.taken.median, scale)
    return f"| {name} | {figure.called} | {taken} | {spread(figure.ratio, TIMES)} |"


def figure_lines(row: Row, result: Result) -> Iterator[str]:
    """A row as Markdown."""
    yield f"### {row.number}: {row.feels}"
    yield ""
    yield f"| who | what was called | median | ratio to *{result.unit}* (quartiles) |"
    yield "|---|---|---|---|"
    yield from (_figure_line(figure, result.scale) for figure in result.figures)
    yield from (f"| {name} | cannot do this | {NONE} | {NONE} |" for name in result.absent)
    yield ""
    yield from (f"- {target_line(target)}" for target in result.targets)
    if row.limited and not all(target.met for target in result.targets):
        yield f"- What limits it: {row.limited}"
    yield from (f"- {note}" for note in result.notes)
