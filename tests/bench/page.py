"""The page and the charts that a run leaves in `docs/`.

Rules of this file: only what was measured in this run is written; a page is written when every row was
measured, and never from a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from tests.bench.chart import drawn
from tests.bench.peers import ROOT
from tests.bench.ratios import Result
from tests.bench.released import Released
from tests.bench.table import Row
from tests.bench.words import NONE, figure_lines, spread

__all__ = ["CHARTS", "PAGE", "Run", "overview", "page", "slower", "write"]

PAGE: Final = ROOT / "docs" / "performance.md"
CHARTS: Final = PAGE.with_suffix("")


@attrs.frozen
class Run:
    """What a run was: its command, its date, its machine, and what it measured."""

    command: str
    date: str
    machine: str
    versions: str
    took: float
    results: Sequence[tuple[Row, Result]]
    failed: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """By row, why there are no figures."""
    left_out: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """The same of rows that this machine has not got what they need for."""
    before: Released | None = None
    """What the last release had."""


def overview(run: Run) -> Iterator[str]:
    """Every target with its verdict, as Markdown."""
    before = run.before
    column = "before" if before is None else f"at {before.called}"
    yield f"| row | what a user feels | target | measured (quartiles) | {column} | verdict |"
    yield "|---|---|---|---|---|---|"
    for row, result in run.results:
        for target in result.targets:
            sign = "≥" if target.at_least else "≤"
            limit = f"{sign} {target.limit:g} {target.unit}".strip()
            measured = spread(target.measured, target.unit)
            then = None if before is None else before.then(row.number, target)
            was = (
                NONE
                if then is None
                else spread(attrs.evolve(then, low=then.median, high=then.median), target.unit)
            )
            yield f"| {row.number} | {row.feels} | {target.text}: {limit} | {measured} | {was} | {target.verdict} |"
    for number, why in {**run.failed, **run.left_out}.items():
        yield f"| {number} | not measured | {NONE} | {NONE} | {NONE} | {why} |"


def slower(run: Run) -> Iterator[str]:
    """What got slower since the last release: the last lines of a run."""
    if run.before is None:
        return
    found = [
        f"Slower than at {run.before.called}: {number}, {target.text}: {spread(target.measured, target.unit)}, "
        f"then {spread(then, target.unit)}."
        for number, target, then in run.before.slower(result for _, result in run.results)
    ]
    yield from found or [f"Nothing is slower than at {run.before.called}."]


_HEAD = """\
# How fast, how small

Written by `{command}` on {date}; it took {took:.0f} s. Do not edit it: run the command again.

Every figure is a ratio of two things that were measured side by side in this run: in rounds in which each has its
turn, each round with another one first. A ratio is taken within a round; the median of all rounds is shown, with
its quartiles. Absolute times are those of this machine and say little elsewhere. *Barely* means that the quartiles
lie on both sides of the target.

A column says what the last release had. What got slower is named below the table: what is worse by a tenth, and by
more than the spread of both.

Machine: {machine}.

Compared: {versions}. Each is called as its own documentation shows; the tables say what was called.

## Targets
"""


def page(run: Run) -> str:
    """The page."""
    lines = [
        _HEAD.format(
            command=run.command, date=run.date, took=run.took, machine=run.machine, versions=run.versions
        )
    ]
    lines += [*overview(run), "", *slower(run)]
    lines += ["", "## Rows", ""]
    for row, result in run.results:
        body = list(figure_lines(row, result))
        chart = f"![{row.number}: ratios to {result.unit}](performance/{row.number}.svg)"
        lines += [*body[:2], chart, "", *body[2:], ""]
    return "\n".join(lines).rstrip() + "\n"


def write(run: Run, docs: Path = PAGE.parent) -> None:
    """Write the page and its charts."""
    charts = docs / CHARTS.name
    charts.mkdir(exist_ok=True)
    for row, result in run.results:
        (charts / f"{row.number}.svg").write_text(drawn(row, result))
    (docs / PAGE.name).write_text(page(run))
