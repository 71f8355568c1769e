"""The rows that are measured.

Rules of this file: one line a row; a row's module has a function that takes the number of rounds, and is
loaded in the process that measures it and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final, cast

import attrs

from tests.bench.ratios import Result

__all__ = ["ROWS", "Row", "chosen"]


@attrs.frozen
class Row:
    """`feels` is what a user feels; `where` is MODULE:FUNCTION in `tests.bench.rows`; `limited` by what it is
    where it misses a target.
    """

    number: str
    feels: str
    where: str
    rounds: int
    limited: str = ""

    def measure(self, rounds: int | None = None) -> Result:
        """Measure it here and now."""
        module, _, name = self.where.partition(":")
        found = getattr(import_module(f"tests.bench.rows.{module}"), name)
        return cast("Callable[[int], Result]", found)(rounds or self.rounds)


ROWS: Final = (
    Row(
        "P1",
        "`import codex_oauth_core`",
        "imports:core",
        15,
        "attrs and transitions take more than half of the budget; the rest is some sixty classes of attrs, half a "
        "millisecond each, most of it in `compile`. A union of all effects needs them all.",
    ),
    Row("P2", "`import codex_oauth`", "imports:package", 15),
    Row(
        "P3",
        "a fresh token from `TokenSource`",
        "token:measure",
        21,
        "the clock is compared on both sides, so that setting it back makes no token younger, and a `Secret` is "
        "revealed by a call.",
    ),
    Row(
        "P4",
        "an httpx request with the auth plug-in",
        "auth:measure",
        21,
        "to set three headers of httpx takes four times as long as the whole no-op, and to have its URL as text "
        "longer than it.",
    ),
    Row(
        "P5",
        "CPU of a device flow, transport in the process",
        "device:measure",
        11,
        "asyncio and trio: two cancel scopes a request (the time limit, and `cancel()`) and a checkpoint a wait, "
        "which the hand-written loop lacks. Three polls: the checks of the tokens, which it lacks too.",
    ),
    Row("P6", "a 15-minute flow, replayed in virtual time", "replay:measure", 21),
    Row("P7", "memory of a waiting flow; re-arming 100 000", "pool:memory_and_rearming", 2),
    Row("P8", "growth: a step at 1 000, 10 000, 100 000 flows", "pool:growth", 2),
    Row("P9", "the browser's answer from the callback receiver", "callback:measure", 31),
    Row(
        "P10",
        "a durable save of a 3 KB credential",
        "save:measure",
        41,
        "what was written is read back, and what is stored is read and compared before it is replaced.",
    ),
    Row(
        "P11",
        "one expired token, and everybody asks",
        "contention:measure",
        5,
        "each process loads what a renewal needs, some 10 to 25 ms of a core after a fork, and all share the cores "
        "of this machine. Tasks are woken one after the other, some 30 µs each.",
    ),
    Row("P12", "`codex-oauth token` with a fresh token, a whole process", "command:token", 25),
    Row("P13", "`codex-oauth --help`, a whole process", "command:usage", 25),
    Row(
        "P14",
        "CPU of a poll, over HTTP and through the whole pool",
        "polls:measure",
        5,
        "over httpx the cost grows with the number of requests in flight: with 64, for which the server is near, it is "
        "some six times as much. Of ours, half is aiohttp's, and a fifth is for sending and receiving.",
    ),
    Row(
        "P15",
        "a renewal's work on a login that hosts share",
        "shared:measure",
        31,
        "four of the five statements are transactions of their own, each of which waits for the disk, where a file is "
        "written through three times.",
    ),
)


def chosen(numbers: str | None) -> tuple[Row, ...]:
    """The rows that `numbers` names, as in `P3,P6`; all without. Raises ValueError for another name."""
    if not numbers:
        return ROWS
    wanted = {number.strip().upper() for number in numbers.split(",")}
    if unknown := wanted - {row.number for row in ROWS}:
        raise ValueError(f"there is no row {', '.join(sorted(unknown))}")
    return tuple(row for row in ROWS if row.number in wanted)
