"""The published checks of an asynchronous world, checked: each catches what it is there for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import pytest

from codex_oauth import AsyncHttpxWorld
from codex_oauth.testing import (
    ASYNC_LISTENING_CHECKS,
    ASYNC_WORLD_CHECKS,
    LISTENING_CHECKS,
    TASK_CHECKS,
    WORLD_CHECKS,
    check_async_world,
    loopback,
    prompt,
    world_checks,
    world_failure_checks,
    world_task_checks,
)
from codex_oauth_core import Event, SignInEffect
from tests.conformance.broken_tasks import BROKEN_TASKS, OF_ASYNCIO, Blocks

TASKS = {check.__name__: check for check in TASK_CHECKS}
CAUGHT = [(what, name) for what, (_, names) in BROKEN_TASKS.items() for name in names]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(("what", "name"), CAUGHT, ids=[" | ".join(row) for row in CAUGHT])
def test_a_broken_world_fails_the_check_that_is_there_for_it(
    what: str, name: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "trio" and name in OF_ASYNCIO:
        pytest.skip("it is about asyncio")
    monkeypatch.setattr(world_task_checks, "SOON", 0.5)
    monkeypatch.setattr(world_failure_checks, "SOON", 0.5)
    monkeypatch.setattr(loopback, "PATIENCE", 2.5)
    monkeypatch.setattr(prompt, "TRIES", 1)
    with pytest.raises(AssertionError) as failed:
        anyio.run(TASKS[name], BROKEN_TASKS[what][0], backend=backend)
    assert len(str(failed.value)) > 15


def test_each_check_catches_two_broken_worlds() -> None:
    caught = Counter(name for _, name in CAUGHT)
    assert {name for name in TASKS if caught[name] < 2} == set()
    assert set(caught) <= set(TASKS)


def test_blocking_worlds_are_held_to_the_same_but_for_tasks() -> None:
    assert [check.__name__ for check in WORLD_CHECKS] == [check.__name__ for check in ASYNC_WORLD_CHECKS]
    names = [check.__name__ for check in ASYNC_LISTENING_CHECKS]
    assert [check.__name__ for check in LISTENING_CHECKS] == names


def _alone(patch: pytest.MonkeyPatch, **others: Any) -> None:
    """Only one group of checks is run."""
    for name in ("ASYNC_WORLD_CHECKS", "ASYNC_LISTENING_CHECKS", "TASK_CHECKS"):
        patch.setattr(world_checks, name, others.get(name, ()))


def test_tasks_are_checked_unless_the_event_loop_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _alone(monkeypatch, TASK_CHECKS=(TASKS["other_tasks_go_on_meanwhile"],))
    anyio.run(lambda: check_async_world(Blocks, tasks=False))
    with pytest.raises(AssertionError, match=r"^other_tasks_go_on_meanwhile: the event loop stood still"):
        anyio.run(check_async_world, Blocks)


def test_a_world_that_listens_is_held_to_more(monkeypatch: pytest.MonkeyPatch) -> None:
    _alone(monkeypatch, ASYNC_LISTENING_CHECKS=ASYNC_LISTENING_CHECKS)

    class Deaf(AsyncHttpxWorld):
        def __init__(self, **options: Any) -> None:
            options["callbacks"] = ()
            super().__init__(**options)

    anyio.run(check_async_world, Deaf)
    with pytest.raises(AssertionError, match=r"^sources_start_before_the_wait_is_shown"):
        anyio.run(lambda: check_async_world(AsyncHttpxWorld, listening=Deaf))


def test_what_a_world_raises_is_told_with_its_cause() -> None:
    class Unfinished(AsyncHttpxWorld):
        async def perform(self, effect: SignInEffect) -> Event:
            raise NotImplementedError

    with pytest.raises(AssertionError, match=r": NotImplementedError was raised$") as failed:
        anyio.run(check_async_world, Unfinished)
    assert isinstance(failed.value.__cause__, NotImplementedError)
