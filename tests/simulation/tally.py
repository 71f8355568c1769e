"""The sum of many runs, and the table that tells it.

Rules of this file: a run that was broken off counts as one violation, and for nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Self

import attrs

from codex_oauth_core import IllegalEvent
from tests.simulation.faults import Kind
from tests.simulation.invariants import Excuse
from tests.simulation.network import Mishap
from tests.simulation.run import Result, run_seed

__all__ = ["Tally", "tallied"]

Row = tuple[str, int]

_STORAGE_FAULTS = {
    "save_error": Kind.SAVE_ERROR.value,
    "rescue_error": "write error at rescue",
    "read_error": Kind.READ_ERROR.value,
}
_BROKEN_OFF = (AssertionError, IllegalEvent, RuntimeError)
"""A rule that was broken; an event, or an effect, that does not fit the machine or the lock."""


@attrs.define
class Tally:
    """What happened in some runs. `violations` are their seeds, and what was broken."""

    runs: int = 0
    effects: int = 0
    requests: int = 0
    refreshes: int = 0
    injected: Counter[str] = attrs.field(factory=Counter[str])
    duplicates: Counter[Excuse] = attrs.field(factory=Counter[Excuse])
    lost: Counter[Excuse] = attrs.field(factory=Counter[Excuse])
    violations: list[tuple[int, str]] = attrs.field(factory=list[tuple[int, str]])

    def add(self, result: Result) -> None:
        """Count a run."""
        self.runs += 1
        self.effects += result.effects
        self.requests += result.requests
        self.refreshes += result.refreshes
        self.injected.update(result.injected)
        self.duplicates.update(result.duplicates)
        self.lost.update(result.lost)

    def __iadd__(self, other: Tally) -> Self:
        self.runs += other.runs
        self.effects += other.effects
        self.requests += other.requests
        self.refreshes += other.refreshes
        self.injected.update(other.injected)
        self.duplicates.update(other.duplicates)
        self.lost.update(other.lost)
        self.violations += other.violations
        return self

    def rows(self) -> Iterator[Row]:
        """The table, row by row."""
        yield "runs", self.runs
        yield "effects performed", self.effects
        yield "requests sent", self.requests
        yield "refreshes seen by the authority", self.refreshes
        yield from self._faults()
        yield from self._of("logins lost", self.lost, "5:")
        yield from self._of("refresh tokens presented twice", self.duplicates, "1:")
        yield "rules broken", len(self.violations)

    def _faults(self) -> Iterator[Row]:
        named = Counter({_STORAGE_FAULTS.get(name, str(name)): n for name, n in self.injected.items()})
        yield "faults injected", named.total()
        known = (*Kind, *Mishap, *_STORAGE_FAULTS.values())
        for name in dict.fromkeys(str(each) for each in known):
            if name in named:
                yield f"· {name}", named[name]

    def _of(self, what: str, reasons: Counter[Excuse], rule: str) -> Iterator[Row]:
        """Those with a reason by their reasons, and those that broke the rule for want of one."""
        yield f"{what}, explained", reasons.total()
        for excuse in Excuse:
            if reasons[excuse]:
                yield f"· {excuse}", reasons[excuse]
        yield f"{what}, unexplained", sum(f": {rule}" in why for _, why in self.violations)

    def text(self) -> str:
        """For a terminal."""
        return "\n".join(f"{name:<60}{number:>12,}" for name, number in self.rows())

    def markdown(self) -> str:
        """For a document."""
        rows = [f"| {name} | {number:,} |" for name, number in self.rows()]
        return "\n".join(["| what | number |", "| :--- | ---: |", *rows])


def tallied(seeds: Iterable[int]) -> Tally:
    """Run these seeds."""
    tally = Tally()
    for seed in seeds:
        try:
            tally.add(run_seed(seed))
        except _BROKEN_OFF as error:
            tally.violations.append((seed, f"{type(error).__name__}: {error}"))
    return tally
