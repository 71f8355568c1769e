"""A row as a chart: one bar for each contestant, as long as its ratio, on a logarithmic scale.

Rules of this file: plain SVG text; it is readable on white and on black; a bar that is ours has the colour
of ours; each bar says its number, and each target is a line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from tests.bench.ratios import Figure, Result
from tests.bench.table import Row
from tests.bench.words import amount, ratio

__all__ = ["drawn"]

_WIDTH, _LEFT, _RIGHT, _TOP, _STEP, _BAR = 760, 220, 130, 58, 28, 18
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#24292f}.t{font-weight:600;font-size:16px}.s{fill:#57606a}"
    ".b{fill:#9aa4ae}.o{fill:#0a7d4f}.n{font-weight:600}.g{stroke:#57606a;stroke-dasharray:3 3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9da7b1}.b{fill:#6e7781}.o{fill:#3fb985}"
    ".g{stroke:#9da7b1}}"
)


class _Scale:
    """Where a ratio is, from left to right."""

    def __init__(self, figures: tuple[Figure, ...]) -> None:
        least = min(1.0, *(figure.ratio.median for figure in figures))
        most = max(1.0, *(figure.ratio.median for figure in figures))
        self._low = math.log10(least) - 0.25
        self._span = max(0.3, math.log10(most) - self._low)

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / self._span
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(1.0, max(0.01, share))


def drawn(row: Row, result: Result) -> str:
    """The chart of a row, as the text of an SVG."""
    height = _TOP + _STEP * len(result.figures) + 12
    title = f"{row.number}: {row.feels}".replace("`", "")
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            f'width="{_WIDTH}" height="{height}">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style>",
            f'<text class="t" x="12" y="24">{escape(title)}</text>',
            f'<text class="s" x="12" y="44">ratio to: {escape(result.unit)}. '
            "Shorter is better; logarithmic scale.</text>",
            *_bars(result),
            "</svg>\n",
        )
    )


def _bars(result: Result) -> Iterator[str]:
    x = _Scale(result.figures)
    bottom = _TOP + _STEP * len(result.figures)
    yield f'<line class="g" x1="{x(1):.1f}" x2="{x(1):.1f}" y1="{_TOP - 4}" y2="{bottom}"/>'
    for number, figure in enumerate(result.figures):
        top = _TOP + _STEP * number
        end = x(figure.ratio.median)
        mark = " n" if figure.ours else ""
        said = f"{ratio(figure.ratio.median)} · {amount(figure.taken.median, result.scale)}"
        yield f'<text class="s{mark}" x="{_LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(figure.name)}</text>'
        yield (
            f'<rect class="{"o" if figure.ours else "b"}" x="{_LEFT}" y="{top}" '
            f'width="{max(2.0, end - _LEFT):.1f}" height="{_BAR}" rx="2"/>'
        )
        yield f'<text class="v{mark}" x="{end + 6:.1f}" y="{top + 14}">{escape(said)}</text>'
