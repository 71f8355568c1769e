"""A login that is kept beside: it stays, also at every step of another process that has the lock as well.

Rules of this file: every interleaving is enumerated, none is drawn; the lock's file is removed before the first step.
"""

from __future__ import annotations

import random
from itertools import combinations
from typing import Final

import attrs
import pytest

from codex_oauth_core import CODEX, Revocation
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Deleted,
    Lock,
    Locked,
    Reserve,
    Save,
    StorageAnswer,
    StorageEffect,
    StoreFailed,
)
from tests.simulation.disk import Copy
from tests.simulation.faults import Plan
from tests.simulation.process import Process
from tests.simulation.scheduler import Scheduler
from tests.simulation.server import ACCOUNT, WALL
from tests.simulation.slot import Steps

LONGEST: Final = 8
"""More steps than either of the two takes."""
ORDERS: Final = tuple(combinations(range(2 * LONGEST), LONGEST))
"""Which turns are those of the process that saves."""


@attrs.frozen
class Met:
    """What became of two processes with one lock: one saves a sign-in, the other signs out what was stored before."""

    saved: StorageAnswer
    deleted: StorageAnswer
    kept: bool
    """Whether the sign-in is in its place, or beside."""


def _met(turns: tuple[int, ...]) -> Met:
    scheduler = Scheduler(random.Random(0), Plan())
    world = scheduler.world
    saver, leaver = scheduler.start([]), scheduler.start([])
    old = world.server.sign_in(0.0, WALL)
    new = world.server.sign_in(10.0, WALL + 10.0)
    world.keep(old, ACCOUNT)
    world.watch.depositing(saver.pid, new)
    leaver.flow = Revocation(provider=CODEX)
    disk = world.home.place(ACCOUNT)
    list(saver.slot.perform(Lock()))
    disk.remove_lock_file()
    answers: dict[Process, StorageAnswer] = {}
    ways = {
        saver: _all_of(saver, [Save(new, old.fingerprint)], answers),
        leaver: _all_of(leaver, [Lock(), Delete(old.fingerprint)], answers),
    }
    for turn in range(2 * LONGEST):
        next(ways[saver if turn in turns else leaver], None)
    assert not any(list(way) for way in ways.values())
    copies = [copy.record for copy in disk.copies.values() if copy.rescued]
    return Met(answers[saver], answers[leaver], new in (disk.main, *copies))


def _all_of(
    process: Process, effects: list[StorageEffect], answers: dict[Process, StorageAnswer]
) -> Steps[None]:
    for effect in effects:
        answers[process] = yield from process.slot.perform(effect)


@pytest.fixture(scope="module")
def met() -> list[Met]:
    return [_met(turns) for turns in ORDERS]


def test_what_was_rescued_stays_whoever_saw_it_as_a_leftover_before(met: list[Met]) -> None:
    rescued = [each for each in met if isinstance(each.saved, StoreFailed) and each.saved.rescued]
    assert rescued
    assert all(each.kept for each in rescued)


def test_a_logout_takes_nothing_with_it_that_was_rescued_since_it_took_the_lock(met: list[Met]) -> None:
    assert {each.kept for each in met if isinstance(each.deleted, Conflict)} == {True}
    assert {each.kept for each in met if isinstance(each.deleted, Deleted)} == {False}


def test_nothing_is_reserved_while_a_leftover_could_not_be_put_in_its_place() -> None:
    scheduler = Scheduler(random.Random(0), Plan())
    world, process = scheduler.world, scheduler.start([])
    old, new = world.server.sign_in(0.0, WALL), world.server.sign_in(10.0, WALL + 10.0)
    world.keep(old, ACCOUNT)
    disk = world.home.place(ACCOUNT)
    disk.copies[0] = Copy(new, rescued=True)
    world.home.medium.broken = True
    answers: dict[Process, StorageAnswer] = {}
    list(_all_of(process, [Lock()], answers))
    assert answers[process] == Locked(old)
    world.home.medium.broken = False
    list(_all_of(process, [Reserve(old)], answers))
    assert isinstance(answers[process], StoreFailed)
    assert (disk.main, disk.copies[0].record) == (old, new)
