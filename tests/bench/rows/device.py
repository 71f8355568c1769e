"""P5: the CPU time of a device flow with 3 and with 178 pending polls, answered in the process.

Rules of this file: CPU seconds of this process, in one thread; each kind of loop has a hand-written one as
its unit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from tests.bench.contest import Contestant, contest, figures
from tests.bench.peers import has
from tests.bench.ratios import Figure, Result, Target
from tests.bench.rows.device_ours import by_hand, by_hand_async, by_hand_limited, in_loop, ours, ours_async
from tests.bench.rows.device_peers import DEVICE_PEERS

HAND: Final = "by hand"
LIMITED: Final = "by hand, with limits"
LENGTHS: Final = ((3, 12), (178, 1))
"""Pending polls, and sign-ins in a turn."""


def cpu(work: Callable[[], object], number: int) -> Callable[[], float]:
    """A turn that takes CPU seconds."""

    def run() -> float:
        began = time.process_time()
        for _ in range(number):
            work()
        return (time.process_time() - began) / number

    return run


def _blocking(polls: int, number: int) -> list[Contestant]:
    all_of = [
        Contestant(f"{HAND}, {polls}", "a loop over httpx.Client", cpu(partial(by_hand, polls), number)),
        Contestant(
            f"codex-oauth, {polls}",
            "run(DeviceFlow(), HttpxWorld(…))",
            cpu(partial(ours, polls), number),
            ours=True,
        ),
    ]
    for name, needs, called, work in DEVICE_PEERS:
        if has(needs):
            all_of.append(Contestant(f"{name}, {polls}", called, cpu(partial(work, polls), number)))
    return all_of


def _awaiting(backend: str, polls: int) -> list[Contestant]:
    hand = partial(in_loop, by_hand_async, polls, backend)
    limited = partial(in_loop, by_hand_limited, polls, backend)
    mine = partial(in_loop, ours_async, polls, backend)
    called = "arun(DeviceFlow(), AsyncHttpxWorld(…))"
    return [
        Contestant(f"{HAND}, {backend}", "a loop over httpx.AsyncClient", cpu(hand, 1)),
        Contestant(f"codex-oauth, {backend}", called, cpu(mine, 1), ours=True),
        Contestant(
            f"{LIMITED}, {backend}", "the same, with move_on_after() and a CancelScope", cpu(limited, 1)
        ),
    ]


def measure(rounds: int) -> Result:
    """The row."""
    found: list[Figure] = []
    targets: list[Target] = []
    groups = [(f"{polls}", _blocking(polls, number)) for polls, number in LENGTHS]
    groups += [(backend, _awaiting(backend, LENGTHS[-1][0])) for backend in ("asyncio", "trio")]
    for kind, all_of in groups:
        times = contest(all_of, rounds, f"{HAND}, {kind}")
        found += figures(all_of, times)
        mine = f"codex-oauth, {kind}"
        if kind.isdecimal():
            targets.append(Target(f"{kind}: of the hand-written loop", times.ratio(mine), 1))
            targets += [
                Target(f"{kind}: of {one.name.partition(',')[0]}", times.ratio(mine, one.name), 0.6)
                for one in all_of[2:]
            ]
        else:
            floor = times.ratio(mine, f"{LIMITED}, {kind}")
            targets.append(Target(f"{kind}: of such a loop that can be cancelled, the floor", floor, 1.2))
    notes = (
        "The number is that of pending polls; asyncio and trio have 178, in a new event loop each.",
        "An asynchronous loop gives way to others once a poll, where it would sleep. To be at 1.05 times of one that has "
        "no time limit and cannot be cancelled is not to be had with what anyio takes for both.",
    )
    return Result("P5", "the hand-written loop of the same kind", tuple(found), tuple(targets), notes=notes)
