"""What a storm came to: one row for each scenario, and the table of all rows.

Rules of this file: a loss is explained or it is a problem; a problem says what was promised and did not
hold, and one is enough for a storm to have failed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, Protocol

import attrs

from tests.storm.logins import Ground

__all__ = ["Row", "Tally", "table"]

_HEADINGS: Final = (
    "scenario",
    "processes",
    "rounds",
    "refreshes sent",
    "duplicate refreshes",
    "logins lost: explained / unexplained",
    "notes",
)
_MOST_SHOWN: Final = 20


class Counted(Protocol):
    """A login, and what was sent about it."""

    @property
    def sent(self) -> int:
        """How many refreshes the authority received."""
        ...

    @property
    def duplicates(self) -> int:
        """How many of them brought a refresh token that had been sent before."""
        ...


@attrs.frozen
class Row:
    """One scenario. `lost` were lost and explained; `problems` are what else went wrong, in words."""

    scenario: str
    processes: str
    rounds: int
    sent: int
    duplicates: int
    lost: int
    problems: tuple[str, ...]
    notes: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        lost = f"{self.lost} / {len(self.problems)}"
        return (
            self.scenario,
            self.processes,
            str(self.rounds),
            str(self.sent),
            str(self.duplicates),
            lost,
            self.notes,
        )


@attrs.define(eq=False)
class Tally:
    """Counts the rounds of one scenario."""

    scenario: str
    processes: int | str
    rounds: int = 0
    sent: int = 0
    duplicates: int = 0
    lost: int = 0
    notes: str = ""
    problems: list[str] = attrs.field(factory=list[str])
    _began: float = attrs.field(factory=time.monotonic)

    def count(self, ground: Counted) -> None:
        """Take in a round that is over."""
        self.rounds += 1
        self.sent += ground.sent
        self.duplicates += ground.duplicates

    def check(self, holds: bool, what: str) -> bool:
        """Note what does not hold."""
        if not holds:
            self.problems.append(f"{self.scenario}: {what}")
        return holds

    def check_one_exchange(self, ground: Ground, where: str = "") -> None:
        """Exactly one refresh was sent, and none was refused."""
        sent = (ground.sent, ground.duplicates, ground.refused)
        self.check(sent == (1, 0, 0), f"{where} sent, duplicate, refused: {sent}")

    @property
    def row(self) -> Row:
        """The scenario as a row."""
        took = f"{time.monotonic() - self._began:.1f} s"
        return Row(
            self.scenario,
            str(self.processes),
            self.rounds,
            self.sent,
            self.duplicates,
            self.lost,
            tuple(self.problems),
            f"{self.notes}; {took}" if self.notes else took,
        )


def table(rows: Sequence[Row], *, markdown: bool) -> str:
    """All rows, with the problems after them."""
    cells = [_HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    lines = [_line(row, widths, markdown=markdown) for row in cells]
    lines.insert(1, _line(tuple("-" * width for width in widths), widths, markdown=markdown))
    problems = [problem for row in rows for problem in row.problems]
    return "\n".join([*lines, *problems[:_MOST_SHOWN]])


def _line(cells: Sequence[str], widths: Sequence[int], *, markdown: bool) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip()
