"""Two processes at one login: every interleaving of their steps, and a crash at every point of each.

Rules of this file: a path is the list of choices that led to it, and is walked again from the beginning for
each of its continuations, so nothing is copied; of two paths to the same state one is gone on with. A state is
all that decides what can happen next, but for the time, which stays within seconds. From every last state a
process that comes later must get a working token, or be told the true reason why not.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from enum import StrEnum, unique
from typing import Final

import attrs

from codex_oauth_core import FinishSignIn, Record, Renewal
from tests.simulation.invariants import Excuse, Violation
from tests.simulation.process import Ended, Op, Process
from tests.simulation.run import judge, loss_of
from tests.simulation.server import LIFETIME, WALL
from tests.simulation.slot import Steps
from tests.simulation.trace import named
from tests.simulation.world import World

__all__ = ["PAIRS", "Explored", "Pair", "explore"]

_STEP: Final = 0.001
_LONGEST_PATH: Final = 15.0
"""Virtual seconds; an intent counts for longer, so no state depends on how old one is."""


@attrs.frozen
class Pair:
    """What the two processes do, and when after the sign-in they begin. At most `crashes` of them die."""

    first: Op
    second: Op
    began: float
    crashes: int

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.first} and {self.second} at {self.began:g} s, up to {self.crashes} crashes"


PAIRS: Final = tuple(
    Pair(first, second, began, crashes=2)
    for first, second in (
        (Op.CALL, Op.CALL),
        (Op.RENEW, Op.CALL),
        (Op.CALL, Op.SIGN_IN),
        (Op.CALL, Op.SIGN_OUT),
        (Op.SIGN_IN, Op.SIGN_IN),
        (Op.SIGN_IN, Op.SIGN_OUT),
        (Op.SIGN_OUT, Op.SIGN_OUT),
    )
    for began in (3230.0, 3310.0, 3605.0)  # worth renewing, to be renewed, expired
    if Op.CALL in (first, second) or began == 3605.0  # only a call looks at the expiry
)
"""All that is walked."""


@unique
class _Do(StrEnum):
    STEP = "step"
    CRASH = "crash"
    DELIVER = "deliver"


_Choice = tuple[_Do, int]


@attrs.define
class Explored:
    """What was seen. `lost`: in how many last states the login is gone, and why; `refreshes`: how many the
    two processes can have sent in the end.
    """

    states: int = 0
    ends: int = 0
    refreshes: set[int] = attrs.field(factory=set[int])
    crash_points: set[str] = attrs.field(factory=set[str])
    lost: Counter[Excuse] = attrs.field(factory=Counter[Excuse])
    duplicates: Counter[Excuse] = attrs.field(factory=Counter[Excuse])


class _Path:
    """A world in which one choice after the other is made."""

    def __init__(self, pair: Pair) -> None:
        self.world = World(random.Random(1), self._later, lambda: _STEP)
        self.world.disk.main = record = self.world.server.sign_in(0.0, WALL)
        self.world.watch.deposited(record)
        self.world.now = self.began = pair.began
        self._crashes = pair.crashes
        self._underway: list[Callable[[], None]] = []
        self._processes: list[Process] = []
        self._steps: list[Steps[None] | None] = []
        self._due: list[float] = []
        self._moves: list[int] = []
        for op in (pair.first, pair.second):
            self._add([(_STEP, op)])

    def _add(self, program: list[tuple[float, Op]]) -> Process:
        process = Process(self.world, len(self._processes) + 1, program)
        self._processes.append(process)
        self._steps.append(process.run())
        self._due.append(self.world.now)
        self._moves.append(0)
        return process

    def _later(self, after: float, work: Callable[[], None]) -> None:
        self._underway.append(work)

    def choices(self) -> list[_Choice]:
        """What can happen next."""
        running = [number for number, steps in enumerate(self._steps) if steps is not None]
        crashes = [(_Do.CRASH, number) for number in running] if self._crashes else []
        able = [number for number in running if not self._waits(number)]
        deliver = [(_Do.DELIVER, 0)] if self._underway else []
        return [(_Do.STEP, number) for number in able] + deliver + crashes

    def _waits(self, number: int) -> bool:
        return self._processes[number].waits_for_answer and bool(self._underway)

    def make(self, choice: _Choice) -> None:
        """Let it happen. Raises Violation."""
        do, number = choice
        if do is _Do.DELIVER:
            self._underway.pop(0)()
        elif do is _Do.CRASH:
            self._crashes -= 1
            self._processes[number].die()
            self._steps[number] = None
        else:
            self._step(number)

    def _step(self, number: int) -> None:
        steps = self._steps[number]
        assert steps is not None
        process = self._processes[number]
        self.world.now = max(self.world.now, self._due[number])
        before = process.effect
        try:
            self._due[number] = self.world.now + next(steps)
        except StopIteration:
            self._steps[number] = None
        self._moves[number] = self._moves[number] + 1 if process.effect is before else 0

    def point(self, number: int) -> str:
        """Where a process is: its effect, and the steps that it has made in it."""
        process = self._processes[number]
        moves = self._moves[number]
        if process.flow is None:
            return f"between operations {moves}"
        flow = process.flow
        state = flow.state.value
        if isinstance(flow, FinishSignIn) and flow._leg is not None:
            state = f"{state}.{flow._leg.state.value}"
        return f"{type(flow).__name__} {state} {type(process.effect).__name__} {moves}"

    def key(self) -> object:
        """The state: all that decides what can happen next, but for the time."""
        return (
            tuple(self._of_process(number) for number in range(len(self._processes))),
            self._of_disk(),
            self.world.server.summary(),
            len(self._underway),
            self._crashes,
        )

    def _of_process(self, number: int) -> object:
        process, flow = self._processes[number], self._processes[number].flow
        running = self._steps[number] is not None
        seen: tuple[object, ...] = ()
        if isinstance(flow, Renewal):
            seen = (self._name(flow._record), self._name(flow._first_seen))
        elif isinstance(flow, FinishSignIn):
            replaced = getattr(flow._leg, "_replaced", None) or getattr(flow._deposited, "replaced", None)
            seen = (self._name(replaced), type(flow._error).__name__)
        result = type(getattr(getattr(flow, "_leg", flow), "_result", None)).__name__
        held = process.slot.held
        return (
            running,
            self.point(number) if running else "",
            seen,
            result,
            None if held is None else (self._name(held.marked), held.space is not None),
            self._name(process.memory.record),
            process.waits_for_answer,
            str(process.outcome),
            len(process.known_dead),
        )

    def _of_disk(self) -> object:
        disk = self.world.disk
        copies = sorted((self._name(copy.record), copy.rescued) for copy in disk.copies.values())
        return self._name(disk.main), tuple(copies), tuple(disk.holders.items())

    def _name(self, record: Record | None) -> str:
        return named(record, self.world.server.labels)

    def end(self, explored: Explored) -> None:
        """Let a third process come, at once and again when the token has expired."""
        if self.world.now - self.began > _LONGEST_PATH:
            raise AssertionError("this path is too long for what a state leaves out")
        for deliver in self._underway:
            deliver()
        self._underway.clear()
        explored.refreshes.add(self.world.watch.refreshes)
        third = self._add([(_STEP, Op.CALL), (LIFETIME + 100.0, Op.CALL), (200.0, Op.CALL)])
        steps = self._steps[-1]
        assert steps is not None
        for delay in steps:
            for deliver in self._underway:
                deliver()
            self._underway.clear()
            self.world.now += delay
        judge(third, self.world)
        lost = loss_of(self.world)
        explored.ends += 1
        explored.duplicates.update(self.world.watch.duplicates)
        explored.lost.update([] if lost is None else [lost])
        if third.outcome is not Ended.WORKED and lost is None and not self.world.watch.signed_out:
            raise Violation(f"5: the login is lost without a reason: {third.outcome!r}")


def explore(pair: Pair) -> Explored:
    """Walk every path. Raises Violation, with the path in a note."""
    explored, seen = Explored(), set[object]()
    paths: list[list[_Choice]] = [[]]
    while paths:
        choices = paths.pop()
        try:
            path = _walked(pair, choices)
            key = path.key()
            if key in seen:
                continue
            seen.add(key)
            explored.states += 1
            following = path.choices()
            explored.crash_points |= {path.point(number) for do, number in following if do is _Do.CRASH}
            if not following:
                path.end(explored)
        except Violation as violation:
            violation.add_note(" ".join(f"{do}:{number + 1}" for do, number in choices))
            raise
        paths.extend([*choices, choice] for choice in following)
    return explored


def _walked(pair: Pair, choices: list[_Choice]) -> _Path:
    path = _Path(pair)
    for choice in choices:
        path.make(choice)
    return path
