"""Whose turn it is: the processes' steps and the network's, in the order of virtual time.

Rules of this file: one step at a time, and never two processes in one; a fault is done between two steps; a
process that is paused keeps all it has; a process that dies may have a successor, which knows nothing of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Final

import attrs

from tests.simulation.disk import Disk
from tests.simulation.faults import Kind, Plan, Strike
from tests.simulation.process import Op, Process
from tests.simulation.server import ANNA
from tests.simulation.slot import Steps
from tests.simulation.world import World

__all__ = ["Role", "Scheduler"]

LONGEST_PAUSE: Final = 180.0
JUMP: Final = 7200.0
FULL_FOR: Final = 90.0
AWAY_FOR: Final = 60.0
_SLOWEST_STEP: Final = 0.004


@attrs.frozen
class Role:
    """Who a process is: see `Process`."""

    account: str | None = None
    signs_in_as: str = ANNA
    earlier: bool = False
    hurried: bool = False


_USUAL: Final = Role()


@attrs.define(eq=False)
class _Turn:
    """A process that is to take its next step."""

    process: Process
    steps: Steps[None]


_Task = _Turn | Callable[[], None]


class Scheduler:
    """Runs processes in a world of its own."""

    def __init__(self, rng: random.Random, plan: Plan, *, trace: bool = False) -> None:
        chance = rng.random
        self.world = World(rng, self._later, lambda: chance() * _SLOWEST_STEP)
        self.world.trace = [] if trace else None
        self.world.mishaps, self.world.outage = dict(plan.mishaps), plan.outage
        self.processes: list[Process] = []
        self.steps = 0
        self._strikes = list(plan.strikes)
        self._heap: list[tuple[float, int, _Task]] = []
        self._order = count()
        self._pids = count(1)

    def start(self, program: Iterable[tuple[float, Op]], after: float = 0.0, role: Role = _USUAL) -> Process:
        """Begin a process."""
        process = Process(
            self.world,
            next(self._pids),
            program=iter(program),
            jitter=self.world.rng.random(),
            account=role.account,
            signs_in_as=role.signs_in_as,
            earlier=role.earlier,
            hurried=role.hurried,
        )
        self.processes.append(process)
        self._push(after, _Turn(process, process.run()))
        return process

    def resume(self, process: Process) -> None:
        """Let a process that has ended go on with a new program."""
        self._push(0.0, _Turn(process, process.run()))

    def run(self) -> None:
        """Go on until nobody has anything to do."""
        heap, world = self._heap, self.world
        while heap:
            at, _, task = heappop(heap)
            world.now = at
            if isinstance(task, _Turn):
                self._take(task)
            else:
                task()

    def calm(self) -> None:
        """No fault from now on: the disk has space, and the clocks are right again."""
        self._strikes.clear()
        self.world.mishaps.clear()
        self.world.outage = None
        medium = self.world.home.medium
        medium.full = medium.sticky = medium.broken = False
        for disk in self.world.home.places.values():
            disk.unreadable = False
            disk.bring_back()
        for process in self.processes:
            process.skew = 0.0
            process.errors.clear()

    def _push(self, after: float, task: _Task) -> None:
        heappush(self._heap, (self.world.now + after, next(self._order), task))

    def _later(self, after: float, work: Callable[[], None]) -> None:
        self._push(after, work)

    def _take(self, turn: _Turn) -> None:
        process = turn.process
        if process.pid not in self.world.alive:
            return
        if process.paused_until > self.world.now:
            self._push(process.paused_until - self.world.now, turn)
            return
        self.steps += 1
        while self._strikes and self._is_due(self._strikes[0], process):
            self._do(self._strikes.pop(0), process)
            if process.pid not in self.world.alive or process.paused_until > self.world.now:
                self._push(0.0, turn)
                return
        try:
            delay = next(turn.steps)
        except StopIteration:
            return
        self._push(delay, turn)

    # -- faults -----------------------------------------------------------------------------------------

    def _is_due(self, strike: Strike, process: Process) -> bool:
        return strike.step <= self.steps and not (strike.holding and process.slot.held is None)

    def _do(self, strike: Strike, process: Process) -> None:
        world, disk = self.world, process.slot.disk
        medium = world.home.medium
        if strike.kind not in (Kind.SAVE_ERROR, Kind.UNSAVED, Kind.READ_ERROR):
            world.injected[strike.kind] += 1
        if world.trace is not None:
            world.trace.append(f"{world.now:12.4f}  p{process.pid}  FAULT: {strike.kind}")
        match strike.kind:
            case Kind.CRASH:
                self._crash(process, strike.amount)
            case Kind.PAUSE:
                self._pause(process, strike.amount)
            case Kind.DISK_FULL:
                medium.full = True
                self._later(FULL_FOR * strike.amount, self._make_room)
            case Kind.SAVE_ERROR:
                process.errors["save_error"] += 1
            case Kind.UNSAVED:
                process.errors.update(("save_error", "rescue_error"))
            case Kind.READ_ERROR:
                process.errors["read_error"] += 1
            case Kind.STICKY:
                medium.sticky = True
            case Kind.UNREADABLE:
                disk.unreadable = True
                self._later(AWAY_FOR * strike.amount, partial(self._make_readable, disk))
            case Kind.DISK_AWAY:
                medium.broken = True
                self._later(2 * AWAY_FOR * strike.amount, self._mend_the_disk)
            case Kind.FILE_AWAY:
                disk.take_away()
                self._later(AWAY_FOR * strike.amount, disk.bring_back)
            case Kind.LOCK_REMOVED:
                self._remove_lock(disk)
            case Kind.LOCK_STOLEN:
                self._remove_lock(disk)
                self._pause(process, strike.amount)
            case Kind.CLOCK_JUMP:
                process.skew = JUMP if strike.amount < 0.4 else -JUMP if strike.amount < 0.8 else 0.0
            case Kind.FAMILY_REVOKED:
                if disk.main is not None:
                    world.server.end_family(world.server.family_of(disk.main.fingerprint))
            case Kind.TOKEN_REJECTED:
                if disk.main is not None:
                    world.server.refused.add(disk.main.credential.access_token.fingerprint())

    def _crash(self, process: Process, amount: float) -> None:
        process.die()
        if amount < 0.7:
            role = Role(process.account, process.signs_in_as, process.earlier, process.hurried)
            self.start(process.program, 5.0 * amount, role)

    def _pause(self, process: Process, amount: float) -> None:
        seconds = LONGEST_PAUSE * amount**2
        process.paused_until = self.world.now + seconds
        process.paused_for += seconds

    def _make_readable(self, disk: Disk) -> None:
        disk.unreadable = False

    def _mend_the_disk(self) -> None:
        self.world.home.medium.broken = False

    def _make_room(self) -> None:
        self.world.home.medium.full = False

    def _remove_lock(self, disk: Disk) -> None:
        self.world.watch.lock_removed(disk)
        disk.remove_lock_file()
