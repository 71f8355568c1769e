"""P5: the CPU time of a device flow with 3 and with 178 pending polls, answered in the process.

Rules of this file: CPU seconds of this process, in one thread; each kind of loop has a hand-written one as
its unit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from tests.bench.contest import Contestant, contest, figures
from tests.bench.peers import has
from tests.bench.ratios import Figure, Result, Target, Times
from tests.bench.rows.device_hand import by_hand, by_hand_async, by_hand_careful, by_hand_limited
from tests.bench.rows.device_ours import in_loop, ours, ours_async
from tests.bench.rows.device_peers import DEVICE_PEERS

HAND: Final = "by hand"
LIMITED: Final = "by hand, with limits"
CAREFUL: Final = "by hand, carefully"
SHORT: Final = 3
LENGTHS: Final = ((SHORT, 12), (178, 1))
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
        Contestant(
            f"{CAREFUL}, {polls}",
            "the same loop, with every check",
            cpu(partial(by_hand_careful, polls), number),
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


def _peers(all_of: Sequence[Contestant]) -> list[str]:
    known = tuple(name for name, *_ in DEVICE_PEERS)
    return [one.name for one in all_of if one.name.startswith(known)]


def _of_peer(kind: str, name: str, times: Times, limit: float) -> Target:
    return Target(f"{kind}: of {name.partition(',')[0]}", times.ratio(f"codex-oauth, {kind}", name), limit)


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
        if kind == f"{SHORT}":
            careful = f"{CAREFUL}, {kind}"
            floor = times.ratio(mine, careful)
            targets.append(Target(f"{kind}: of the careful one by hand, the floor", floor, 1.2))
            for name in _peers(all_of):
                to_be_had = round(1.2 * times.ratio(careful, name).median, 2)
                targets.append(_of_peer(kind, name, times, max(0.6, to_be_had)))
        elif kind.isdecimal():
            targets.append(Target(f"{kind}: of the hand-written loop", times.ratio(mine), 1))
            targets += [_of_peer(kind, name, times, 0.6) for name in _peers(all_of)]
        else:
            floor = times.ratio(mine, f"{LIMITED}, {kind}")
            targets.append(Target(f"{kind}: of such a loop that can be cancelled, the floor", floor, 1.2))
    notes = (
        "The number is that of pending polls; asyncio and trio have 178, in a new event loop each.",
        f"Of {SHORT} polls more than half of the time is for what comes before and after them. The one by hand that checks it is "
        "the floor; 0.6 times the time of Authlib, which checks none of it, is not to be had there.",
        "An asynchronous loop gives way to others once a poll, where it would sleep. To be at 1.05 times of one that has "
        "no time limit and cannot be cancelled is not to be had with what anyio takes for both.",
    )
    return Result("P5", "the hand-written loop of the same kind", tuple(found), tuple(targets), notes=notes)
