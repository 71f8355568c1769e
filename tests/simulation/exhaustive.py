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
from tests.simulation.disk import Disk
from tests.simulation.invariants import Excuse, Violation
from tests.simulation.process import Ended, Op, Process
from tests.simulation.run import is_final, judge, losses_of
from tests.simulation.scheduler import Role
from tests.simulation.server import ACCOUNT, ANNA, BERT, LIFETIME, WALL
from tests.simulation.slot import Steps
from tests.simulation.trace import named
from tests.simulation.world import World

__all__ = ["PAIRS", "RELEASES", "Explored", "Pair", "explore"]

_STEP: Final = 0.001
_A_MINUTE: Final = 61.0
_LONGEST_PATH: Final = 40.0
"""Virtual seconds; an intent counts for longer, so no state depends on how old one is."""


@attrs.frozen
class Pair:
    """What the two processes do, and when after the sign-in they begin. At most `crashes` of them die. `roles`: who
    they are; `former`: the login is of an earlier release, which they had before.
    """

    first: Op
    second: Op
    began: float
    crashes: int
    roles: tuple[Role, Role] = (Role(), Role())
    former: bool = False
    then: tuple[Op, ...] = ()
    """What the second one does after that, each after a minute."""

    @property
    def name(self) -> str:
        """For a person."""
        told = " and ".join(map(_told, (self.first, self.second), self.roles))
        told += "".join(f", then {op}" for op in self.then)
        former = ", a former name" if self.former else ""
        return f"{told} at {self.began:g} s{former}, up to {self.crashes} crashes"


def _told(op: Op, role: Role) -> str:
    who = " of Bert" if role.signs_in_as == BERT else ""
    return f"{op}{who}{' (earlier release)' if role.earlier else ''}"


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
"""All that is walked with one login under its key."""

_NEW: Final = Role()
_BERT: Final = Role(account=BERT, signs_in_as=BERT)
_BERT_HURRIED: Final = Role(account=BERT, signs_in_as=BERT, hurried=True)
_OLD: Final = Role(earlier=True)
_OLD_BERT: Final = Role(signs_in_as=BERT, earlier=True)

RELEASES: Final = tuple(
    Pair(first, second, 3605.0, crashes, (one, two), former=True)
    for first, one, second, two, crashes in (
        (Op.SIGN_IN, _NEW, Op.CALL, _NEW, 1),
        (Op.CALL, _NEW, Op.SIGN_IN, _NEW, 1),
        (Op.SIGN_IN, _NEW, Op.CALL, _OLD, 1),
        (Op.CALL, _OLD, Op.SIGN_IN, _NEW, 1),
        (Op.SIGN_IN, _NEW, Op.SIGN_IN, _OLD, 1),
        (Op.SIGN_IN, _OLD, Op.SIGN_IN, _NEW, 1),
        (Op.SIGN_IN, _NEW, Op.SIGN_IN, _OLD_BERT, 1),
        (Op.SIGN_IN, _OLD_BERT, Op.SIGN_IN, _NEW, 1),
        (Op.SIGN_IN, _NEW, Op.SIGN_OUT, _OLD, 1),
        (Op.SIGN_IN, _NEW, Op.SIGN_OUT, _NEW, 1),
        (Op.SIGN_IN, _NEW, Op.SIGN_IN, _NEW, 1),
        (Op.SIGN_IN, _BERT, Op.CALL, _NEW, 1),
        (Op.SIGN_IN, _BERT, Op.CALL, _OLD, 1),
        (Op.SIGN_IN, _NEW, Op.SIGN_IN, _BERT, 1),
        (Op.CALL, _NEW, Op.CALL, _OLD, 2),
        (Op.CALL, _NEW, Op.SIGN_IN, _OLD_BERT, 1),
        (Op.CALL, _NEW, Op.SIGN_OUT, _OLD, 1),
    )
) + (
    Pair(Op.SIGN_IN, Op.SIGN_IN, 3605.0, 0, (_NEW, _OLD_BERT), former=True, then=(Op.RENEW,)),
    Pair(Op.SIGN_IN, Op.SIGN_IN, 3605.0, 1, (_BERT_HURRIED, _NEW), former=True),
    Pair(Op.SIGN_IN, Op.SIGN_IN, 3605.0, 0, (_BERT, _BERT_HURRIED), former=True),
)
"""What is walked with a login that an earlier release has stored under its account id."""


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
        self._initial = record = self.world.server.sign_in(0.0, WALL, earlier=pair.former)
        self.world.keep(record, ACCOUNT if pair.former else record.credential.key)
        self.world.now = self.began = pair.began
        self._pair = pair
        self._crashes = pair.crashes
        self._underway: list[Callable[[], None]] = []
        self._processes: list[Process] = []
        self._steps: list[Steps[None] | None] = []
        self._due: list[float] = []
        self._moves: list[int] = []
        for op, role, then in zip((pair.first, pair.second), pair.roles, ((), pair.then), strict=True):
            process = self._add([(_STEP, op), *((_A_MINUTE, each) for each in then)], role)
            if pair.former and op is Op.CALL and role is _NEW:
                process.learns(record)

    def _add(self, program: list[tuple[float, Op]], role: Role = _NEW) -> Process:
        process = Process(
            self.world,
            len(self._processes) + 1,
            program=program,
            account=role.account,
            signs_in_as=role.signs_in_as,
            earlier=role.earlier,
            hurried=role.hurried,
        )
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
            former = getattr(flow._leg, "_record", None)
            seen = (self._name(replaced), type(flow._error).__name__, self._name(former), flow._names)
        result = type(getattr(getattr(flow, "_leg", flow), "_result", None)).__name__
        held = process.slot.held
        seen = (*seen, process.slot.disk.name, tuple(self._looked_at(each) for each in process.looks))
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

    def _looked_at(self, answer: object) -> object:
        return self._name(answer) if isinstance(answer, Record) else str(answer)

    def _of_disk(self) -> object:
        home = self.world.home
        return home.selected, tuple(
            (name, self._of_place(disk)) for name, disk in sorted(home.places.items())
        )

    def _of_place(self, disk: Disk) -> object:
        copies = sorted((self._name(copy.record), copy.rescued) for copy in disk.copies.values())
        return self._name(disk.main), tuple(copies), tuple(disk.holders.items())

    def _name(self, record: Record | None) -> str:
        return named(record, self.world.server.labels)

    def _asking(self) -> Role:
        """Who comes later: one who wants the login in use, or Anna's, if nothing is, or an earlier release said so."""
        home = self.world.home
        named = home.selected is not None and home.place(home.selected)
        there = named and (named.main is not None or any(copy.rescued for copy in named.copies.values()))
        return _NEW if there and not self.world.watch.is_selected_by_earlier else Role(account=ANNA)

    def end(self, explored: Explored) -> None:
        """Let a third process come, at once and again when the token has expired."""
        if self.world.now - self.began > _LONGEST_PATH + _A_MINUTE * len(self._pair.then):
            raise AssertionError("this path is too long for what a state leaves out")
        for deliver in self._underway:
            deliver()
        self._underway.clear()
        explored.refreshes.add(self.world.watch.refreshes)
        if Op.SIGN_OUT not in (self._pair.first, self._pair.second):
            for process in self._processes:  # what they were told is still so
                if is_final(process.outcome):
                    judge(process, self.world)
        third = self._add([(_STEP, Op.CALL), (LIFETIME + 100.0, Op.CALL), (200.0, Op.CALL)], self._asking())
        steps = self._steps[-1]
        assert steps is not None
        for delay in steps:
            for deliver in self._underway:
                deliver()
            self._underway.clear()
            self.world.now += delay
        judge(third, self.world)
        lost = losses_of(self.world)
        explored.ends += 1
        explored.duplicates.update(self.world.watch.duplicates)
        explored.lost.update(lost)
        if third.outcome is not Ended.WORKED and not lost and not self.world.watch.gone:
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
