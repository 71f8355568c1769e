"""One run: a few processes at one login, whatever goes wrong, and then what is left of it.

Rules of this file: a seed says everything, so that a run can be seen again; when the faults are over, time
moves on beyond every expiry, and everybody must get a working token, or be told the true reason why not.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs

from codex_oauth_core import ErrorKind, IllegalEvent, SignInError
from tests.simulation.faults import draw_plan
from tests.simulation.invariants import Excuse, Violation
from tests.simulation.process import Ended, Op, Process
from tests.simulation.scheduler import Scheduler
from tests.simulation.server import LIFETIME, WALL
from tests.simulation.world import World

__all__ = ["Result", "end_of", "judge", "loss_of", "run_seed", "traced"]

_PROCESSES: Final = (2, 2, 2, 2, 3, 3, 3, 4, 5)
_BEGINNINGS: Final = (1000.0, 3200.0, 3310.0, 3310.0, 3590.0, 3605.0, 3605.0, 3605.0)
"""Seconds after the sign-in: fresh, worth renewing, to be renewed, just before the expiry, and after it."""
_SPREADS: Final = (0.005, 0.005, 1.0, 30.0)
_GAPS: Final = (0.01, 1.0, 1.0, 20.0, 70.0, 400.0, 3300.0)
_OPS: Final = (Op.CALL, Op.RENEW, Op.SIGN_IN, Op.SIGN_OUT)
_WEIGHTS: Final = (80, 5, 7, 4)
_LAST_TRIES: Final = 4
_BETWEEN_TRIES: Final = 200.0


@attrs.frozen
class Result:
    """What happened in one run. `lost`: why the login is gone, if it is and nobody signed out."""

    effects: int
    requests: int
    refreshes: int
    injected: Counter[str]
    duplicates: Counter[Excuse]
    lost: Excuse | None


def run_seed(seed: int, *, trace: list[str] | None = None) -> Result:
    """The run of a seed. Raises Violation. Its lines are added to `trace`."""
    rng = random.Random(seed)
    began = rng.choice(_BEGINNINGS)
    scheduler = Scheduler(rng, draw_plan(rng, began), trace=trace is not None)
    world = scheduler.world
    if trace is not None:
        world.trace = trace
    record = world.server.sign_in(0.0, WALL)
    world.disk.main = record
    world.watch.deposited(record)
    world.now = began
    spread = rng.choice(_SPREADS)
    for _ in range(rng.choice(_PROCESSES)):
        scheduler.start(_program(rng, spread))
    scheduler.run()
    lost = end_of(scheduler)
    return Result(
        world.effects, world.requests, world.watch.refreshes, world.injected, world.watch.duplicates, lost
    )


def traced(seed: int) -> tuple[list[str], str]:
    """The lines of a run, and how it was broken off, if it was."""
    lines: list[str] = []
    try:
        run_seed(seed, trace=lines)
    except (AssertionError, IllegalEvent, RuntimeError) as broken:
        return lines, f"{type(broken).__name__}: {broken}"
    return lines, ""


def _program(rng: random.Random, spread: float) -> list[tuple[float, Op]]:
    program = [(spread * rng.random(), rng.choices(_OPS, _WEIGHTS)[0])]
    if rng.random() < 0.03:  # one who cannot wait
        return program + [(3.0, Op.CALL)] * 40
    more = rng.choice((0, 0, 1, 2))
    return program + [(rng.choice(_GAPS) * rng.random(), rng.choices(_OPS, _WEIGHTS)[0]) for _ in range(more)]


def end_of(scheduler: Scheduler) -> Excuse | None:
    """Let all be well, time move on and everybody call once more; why the login is lost, if it is."""
    scheduler.calm()
    world = scheduler.world
    world.now += LIFETIME + 100.0
    old = [process for process in scheduler.processes if process.pid in world.alive]
    if not old:
        old = [scheduler.start([])]
    for process in old:
        process.program = _last_calls(process)
        scheduler.resume(process)
    scheduler.run()
    for process in old:
        judge(process, world)
    return loss_of(world)


def _last_calls(process: Process) -> Iterator[tuple[float, Op]]:
    """A call, and again after a while if it met what passes."""
    yield 0.01 * process.pid, Op.CALL
    for _ in range(_LAST_TRIES):
        if process.outcome is Ended.WORKED or _is_final(process.outcome):
            return
        yield _BETWEEN_TRIES, Op.CALL


def _is_final(outcome: object) -> bool:
    return isinstance(outcome, SignInError) and outcome.kind is ErrorKind.LOGIN_REQUIRED


def judge(process: Process, world: World) -> None:
    """Rule 5 for one process."""
    if process.outcome is Ended.WORKED:
        return
    if not _is_final(process.outcome):
        raise Violation(f"5: process {process.pid} ends with {process.outcome!r}")
    stored = world.disk.main
    nobody = stored is None and world.watch.signed_out
    if not nobody and (
        stored is None or not world.server.is_dead(world.server.family_of(stored.fingerprint))
    ):
        raise Violation(
            f"5: process {process.pid} is told to sign in, and the login lives: {process.outcome!r}"
        )


def loss_of(world: World) -> Excuse | None:
    """Why the stored login is worth nothing, if it is."""
    stored = world.disk.main
    if stored is None:
        return None
    number = world.server.family_of(stored.fingerprint)
    if not world.server.is_dead(number):
        return None
    why = world.server.deaths.get(number)
    if why is None:
        raise Violation(f"5: the login {number} is lost without a reason")
    return Excuse(_NAMES.get(why, why))


_NAMES: Final = {"server": Excuse.SERVER, "logout": Excuse.LOGOUT}
