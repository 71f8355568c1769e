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

from codex_oauth_core import ErrorKind, IllegalEvent, Record, SignInError
from tests.simulation.faults import draw_plan
from tests.simulation.invariants import Excuse, Violation
from tests.simulation.process import Ended, Op, Process
from tests.simulation.scheduler import Role, Scheduler
from tests.simulation.server import ACCOUNT, ANNA, BERT, LIFETIME, WALL
from tests.simulation.world import World

__all__ = ["Result", "end_of", "is_final", "judge", "losses_of", "run_seed", "traced"]

_PROCESSES: Final = (2, 2, 2, 2, 3, 3, 3, 4, 5)
_BEGINNINGS: Final = (1000.0, 3200.0, 3310.0, 3310.0, 3590.0, 3605.0, 3605.0, 3605.0)
"""Seconds after the sign-in: fresh, worth renewing, to be renewed, just before the expiry, and after it."""
_SPREADS: Final = (0.005, 0.005, 1.0, 30.0)
_GAPS: Final = (0.01, 1.0, 1.0, 20.0, 70.0, 400.0, 3300.0)
_OPS: Final = (Op.CALL, Op.RENEW, Op.SIGN_IN, Op.SIGN_OUT)
_WEIGHTS: Final = (80, 5, 7, 4)
_WITH_NAMES: Final = (50, 5, 35, 5)
_SEVERAL: Final = 0.5
"""Of so many runs there are several people, several places, and processes of an earlier release."""
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
    lost: tuple[Excuse, ...]


def run_seed(seed: int, *, trace: list[str] | None = None) -> Result:
    """The run of a seed. Raises Violation. Its lines are added to `trace`."""
    rng = random.Random(seed)
    began = rng.choice(_BEGINNINGS)
    scheduler = Scheduler(rng, draw_plan(rng, began), trace=trace is not None)
    world = scheduler.world
    if trace is not None:
        world.trace = trace
    names = random.Random(f"names of {seed}")
    releases = names.random() < _SEVERAL
    _keep_logins(world, names, former=releases)
    world.now = began
    spread, weights = rng.choice(_SPREADS), _WITH_NAMES if releases else _WEIGHTS
    for _ in range(rng.choice(_PROCESSES)):
        role = _role(names) if releases else Role()
        scheduler.start(_program(rng, spread, weights), role=role)
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


def _keep_logins(world: World, names: random.Random, *, former: bool) -> None:
    """What is stored at the beginning: a login under its key; or also, or only, one of an earlier release."""
    if not former:
        record = world.server.sign_in(0.0, WALL)
        world.keep(record, record.credential.key)
        return
    if names.random() < 0.4:
        record = world.server.sign_in(0.0, WALL, names.choice((ANNA, BERT)))
        world.keep(record, record.credential.key)
    world.keep(world.server.sign_in(0.0, WALL, earlier=True), ACCOUNT)


def _role(names: random.Random) -> Role:
    person = names.choice((ANNA, ANNA, BERT))
    account = None if names.random() < 0.4 else person
    earlier, hurried = names.random() < 0.35, names.random() < 0.3
    return Role(account, person, earlier, hurried)


def _program(rng: random.Random, spread: float, weights: tuple[int, ...]) -> list[tuple[float, Op]]:
    program = [(spread * rng.random(), rng.choices(_OPS, weights)[0])]
    if rng.random() < 0.03:  # one who cannot wait
        return program + [(3.0, Op.CALL)] * 40
    more = rng.choice((0, 0, 1, 2))
    return program + [(rng.choice(_GAPS) * rng.random(), rng.choices(_OPS, weights)[0]) for _ in range(more)]


def end_of(scheduler: Scheduler) -> tuple[Excuse, ...]:
    """Let all be well, time move on and everybody call once more; why logins are lost, if any are."""
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
    return losses_of(world)


def _last_calls(process: Process) -> Iterator[tuple[float, Op]]:
    """A call, and again after a while if it met what passes."""
    yield 0.01 * process.pid, Op.CALL
    for _ in range(_LAST_TRIES):
        if process.outcome is Ended.WORKED or is_final(process.outcome):
            return
        yield _BETWEEN_TRIES, Op.CALL


def is_final(outcome: object) -> bool:
    """Whether a call ended because nobody is signed in."""
    return isinstance(outcome, SignInError) and outcome.kind is ErrorKind.LOGIN_REQUIRED


def judge(process: Process, world: World) -> None:
    """Rule 5 for one process."""
    if process.outcome is Ended.WORKED:
        return
    if not is_final(process.outcome):
        raise Violation(f"5: process {process.pid} ends with {process.outcome!r}")
    found = _logins_for(process, world)
    if any(not world.server.is_dead(world.server.family_of(record.fingerprint)) for record in found):
        raise Violation(
            f"5: process {process.pid} is told to sign in, and the login lives: {process.outcome!r}"
        )
    if not found and process.asked_for in world.watch.had - world.watch.gone:
        raise Violation(f"5: process {process.pid} is told to sign in, and nobody has ended the login")


def _logins_for(process: Process, world: World) -> list[Record]:
    """The stored logins of which the process wants one."""
    home, whose = world.home, process.asked_for
    if whose is not None:
        own = [each for each in home.records() if world.server.person_of(each.fingerprint) == whose]
        by_key = [each for each in own if home.place(each.credential.key).main is each]
        return by_key or own
    name = ACCOUNT if process.earlier else home.selected
    stored = None if name is None else home.place(name).main
    return [] if stored is None else [stored]


def losses_of(world: World) -> tuple[Excuse, ...]:
    """Why stored logins are worth nothing, for each that is."""
    numbers = {world.server.family_of(record.fingerprint) for record in world.home.records()}
    lost = sorted(number for number in numbers if world.server.is_dead(number))
    reasons = [world.server.deaths.get(number) for number in lost]
    if None in reasons:
        raise Violation(f"5: one of the logins {lost} is lost without a reason")
    return tuple(Excuse(_NAMES.get(why, why)) for why in reasons if why is not None)


_NAMES: Final = {"server": Excuse.SERVER, "logout": Excuse.LOGOUT}
