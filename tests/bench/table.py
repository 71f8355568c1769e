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
        "the floor has the same libraries and the same classes of attrs, without their methods. It takes longer than "
        "`import httpx`; attrs and transitions alone take half of it. What is above the floor is the rest of some fifty "
        "modules.",
    ),
    Row(
        "P2",
        "`import codex_oauth`",
        "imports:package",
        15,
        "as in P1: the floor of `from codex_oauth import login` takes longer than `import httpx`.",
    ),
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
        "where a request goes is compared with where the last one went, in three parts; and that the token is still good "
        "with two clocks.",
    ),
    Row(
        "P5",
        "CPU of a device flow, transport in the process",
        "device:measure",
        11,
        "three polls: the checks of the tokens, which the hand-written loop lacks. Asyncio and trio: two cancel scopes a "
        "request, for the time limit and for `cancel()`.",
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
        "after a fork each process copies some 1 200 pages as it first touches what a renewal needs, some 10 ms of a "
        "core, and all share the cores of this machine. The thread of a renewal shares the interpreter with the tasks that "
        "begin to wait.",
    ),
    Row("P12", "`codex-oauth token` with a fresh token, a whole process", "command:token", 25),
    Row(
        "P12b",
        "the same of another issuer, and of a copy without a refresh token",
        "command:every_client",
        25,
    ),
    Row("P12c", "`codex-oauth status`, `codex-oauth list`, a whole process", "command:accounts", 15),
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
    Row(
        "P16",
        "CPU of the official sign-in, transport in the process",
        "official:measure",
        15,
        "what comes in is judged where it comes in: the redirect by its listener and by the flow, the client id in it by "
        "whoever uses it. In all it is a tenth of a millisecond, once, of a sign-in in which a person reads a page.",
    ),
    Row(
        "P17",
        "the wheel, and a cold installation",
        "install:measure",
        3,
        "its own files are unpacked and compiled, which takes as long as all of httpx's installation.",
    ),
    Row("P18", "memory of a process that holds a `TokenSource`", "holding:measure", 7),
)


def chosen(numbers: str | None) -> tuple[Row, ...]:
    """The rows that `numbers` names, as in `P3,P6`; all without. Raises ValueError for another name."""
    if not numbers:
        return ROWS
    wanted = {number.strip().upper() for number in numbers.split(",")}
    if unknown := wanted - {row.number.upper() for row in ROWS}:
        raise ValueError(f"there is no row {', '.join(sorted(unknown))}")
    return tuple(row for row in ROWS if row.number.upper() in wanted)
