"""Figures of a comparison: spreads, per-round ratios and verdicts.

Rules of this file: pure arithmetic on numbers that were measured elsewhere; a ratio is taken within one
round and never between rounds, because a machine is slower in one moment than in the next.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final, Self

import attrs

__all__ = ["TIMES", "Figure", "NotMeasurable", "Result", "Spread", "Target", "Times", "per_round"]

TIMES: Final = "\N{MULTIPLICATION SIGN}"


class NotMeasurable(Exception):
    """A row needs something that this machine has not got; the text says what."""


@attrs.frozen
class Spread:
    """Quartiles of what several rounds gave."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The quartiles of `values`, of which there is at least one."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, median, high)


def per_round(above: Sequence[float], below: Sequence[float]) -> Spread:
    """The spread of the ratios of two series that were taken in the same rounds."""
    return Spread.of([a / b for a, b in zip(above, below, strict=True)])


@attrs.frozen
class Figure:
    """What one contestant took. `called` is what was called; `ratio` is to the row's unit."""

    name: str
    called: str
    taken: Spread
    ratio: Spread
    ours: bool = False


@attrs.frozen
class Target:
    """A limit, and what was measured against it. `at_least` says that more is better."""

    text: str
    measured: Spread
    limit: float
    at_least: bool = False
    unit: str = TIMES

    @property
    def met(self) -> bool:
        """Whether the median keeps the limit."""
        return self.measured.median >= self.limit if self.at_least else self.measured.median <= self.limit

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or one of them with the word that the quartiles lie on both sides."""
        sides = {(edge >= self.limit) is self.at_least for edge in (self.measured.low, self.measured.high)}
        word = "met" if self.met else "missed"
        return word if len(sides) == 1 else f"{word}, barely"


@attrs.frozen
class Times:
    """Seconds (or what else is counted) of every contestant, by round. `unit` names what ratios are to."""

    unit: str
    taken: dict[str, list[float]]

    def ratio(self, name: str, to: str | None = None) -> Spread:
        """How many times as much `name` took as `to` (by default as the unit)."""
        return per_round(self.taken[name], self.taken[to or self.unit])

    def figure(self, name: str, called: str, *, ours: bool = False) -> Figure:
        """The figure of one contestant."""
        return Figure(name, called, Spread.of(self.taken[name]), self.ratio(name), ours)


@attrs.frozen
class Result:
    """A row, measured. `unit` names the contestant that has the ratio 1; `absent` who cannot do this."""

    number: str
    unit: str
    figures: tuple[Figure, ...]
    targets: tuple[Target, ...]
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    scale: str = "s"
    """What `taken` counts: `s` seconds, `B` bytes, `n` a number."""
