"""Contestants side by side: rounds in which each has its turn, and each time another is first.

Rules of this file: every contestant runs in every round, so that what slows the machine slows them all; a
turn repeats its work until it is long enough for the clock; the collector runs between turns, not in them.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

import attrs

from tests.bench.ratios import Figure, Times

__all__ = ["Contestant", "contest", "figures", "repeated", "turn"]

TURN = 0.02
"""Seconds that a turn lasts about."""


@attrs.frozen
class Contestant:
    """`run` takes one turn and returns what it took for one piece of work. `called` says what was called."""

    name: str
    called: str
    run: Callable[[], float]
    ours: bool = False


def contest(contestants: Sequence[Contestant], rounds: int, unit: str) -> Times:
    """Let all of them take `rounds` turns. One turn before is for warming up."""
    taken: dict[str, list[float]] = {one.name: [] for one in contestants}
    for one in contestants:
        one.run()
    for number in range(rounds):
        first = number % len(contestants)
        for one in (*contestants[first:], *contestants[:first]):
            gc.collect()
            taken[one.name].append(one.run())
    return Times(unit, taken)


def figures(contestants: Sequence[Contestant], times: Times) -> tuple[Figure, ...]:
    """The figures of all, in their order."""
    return tuple(times.figure(one.name, one.called, ours=one.ours) for one in contestants)


def turn(work: Callable[[], object], number: int) -> float:
    """Seconds of one `work`, of `number` in a row."""
    gc.disable()
    try:
        began = time.perf_counter()
        for _ in range(number):
            work()
        return (time.perf_counter() - began) / number
    finally:
        gc.enable()


def repeated(work: Callable[[], object], seconds: float = TURN) -> Callable[[], float]:
    """A turn of so many repetitions that it lasts about so many seconds."""
    number = 1
    while (taken := turn(work, number) * number) < seconds / 4:
        number *= 4
    number = max(1, round(number * seconds / taken))
    return lambda: turn(work, number)
