"""What the judge of a run takes for a reason, and what it does not, where people share the place of an earlier release."""

from __future__ import annotations

import random

import pytest

from codex_oauth_core import Record
from tests.simulation.faults import Plan
from tests.simulation.invariants import Violation
from tests.simulation.network import Mishap
from tests.simulation.process import Op
from tests.simulation.run import end_of
from tests.simulation.scheduler import Role, Scheduler
from tests.simulation.server import ACCOUNT, ANNA, BERT, WALL
from tests.simulation.world import World


def _earlier(person: str) -> Role:
    return Role(signs_in_as=person, earlier=True, hurried=True)


def _two_kept_beside(first: str, second: str) -> Scheduler:
    """Two sign-ins that cannot wait for a renewal of Bert's login, and somebody of today who asks for Anna's."""
    scheduler = Scheduler(random.Random(0), Plan(mishaps={1: Mishap.TIMEOUT}))
    world = scheduler.world
    world.keep(world.server.sign_in(0.0, WALL, BERT, earlier=True), ACCOUNT)
    world.now = 3000.0
    scheduler.start([(8.0, Op.CALL)], role=Role(ANNA))
    scheduler.start([(0.0, Op.RENEW)], role=_earlier(BERT))
    scheduler.start([(2.0, Op.SIGN_IN)], role=_earlier(first))
    scheduler.start([(4.0, Op.SIGN_IN)], role=_earlier(second))
    return scheduler


@pytest.mark.parametrize(("first", "second", "gone"), [(ANNA, BERT, {ANNA}), (BERT, ANNA, {BERT})])
def test_the_older_of_two_that_an_earlier_release_kept_beside_makes_room(
    first: str, second: str, gone: set[str]
) -> None:
    scheduler = _two_kept_beside(first, second)
    scheduler.run()
    assert scheduler.world.watch.gone == set()
    end_of(scheduler)
    assert scheduler.world.watch.gone == gone


@pytest.fixture
def world() -> World:
    return Scheduler(random.Random(0), Plan()).world


def _signed_in(world: World, person: str, pid: int = 1) -> Record:
    record = world.server.sign_in(0.0, WALL, person)
    world.watch.depositing(pid, record)
    return record


def test_who_has_a_login_elsewhere_is_not_gone(world: World) -> None:
    world.watch.earlier.add(1)
    dropped, kept = _signed_in(world, ANNA), _signed_in(world, BERT)
    world.keep(world.server.sign_in(0.0, WALL, ANNA), ANNA)
    world.watch.dropped(2, world.home.place(ACCOUNT), dropped, kept)
    assert world.watch.gone == set()


@pytest.mark.parametrize(("name", "of_earlier"), [(ANNA, True), (ACCOUNT, False)])
def test_nobodys_login_is_dropped_for_anothers_by_a_release_that_knows_people(
    world: World, name: str, of_earlier: bool
) -> None:
    world.watch.earlier |= {1} if of_earlier else set()
    dropped, kept = _signed_in(world, ANNA), _signed_in(world, BERT)
    with pytest.raises(Violation, match=r"drops r0\.0 for somebody else's"):
        world.watch.dropped(2, world.home.place(name), dropped, kept)
    world.watch.dropped(2, world.home.place(name), dropped, _signed_in(world, ANNA))
    assert world.watch.gone == set()
