"""The first look at what is stored: one for all who ask, and no renewal where it is good."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import anyio
import attrs
import pytest

from codex_oauth import Secret
from codex_oauth.authority import Fault
from codex_oauth.stores.memory_store import MemorySlot
from codex_oauth.tokens.flight import Job
from codex_oauth_core import ErrorKind, Record, SignInError
from tests.tokens.rig import PATIENCE, eventually, put, renewals, rig

MANY = 50


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for every time that the store is read, which takes a while."""
    seen: list[None] = []
    load = MemorySlot.load

    def counted(slot: MemorySlot) -> Record | None:
        seen.append(None)
        threading.Event().wait(0.05)
        return load(slot)

    monkeypatch.setattr(MemorySlot, "load", counted)
    return seen


def test_threads_that_ask_at_once_look_once(looks: list[None]) -> None:
    made = rig()
    looks.clear()
    start = threading.Barrier(MANY)
    with made.source() as source, ThreadPoolExecutor(MANY) as pool:

        def ask() -> str:
            start.wait(PATIENCE)
            return source.token()

        got = {each.result(PATIENCE) for each in [pool.submit(ask) for _ in range(MANY)]}
    assert len(looks) == 1
    assert got == {made.stored_token}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_that_ask_at_once_look_once(looks: list[None], backend: str) -> None:
    made = rig()
    looks.clear()
    got: list[str] = []

    async def ask() -> None:
        async with made.source() as source, anyio.create_task_group() as tasks:

            async def one() -> None:
                got.append(await source.atoken())

            for _ in range(MANY):
                tasks.start_soon(one)

    anyio.run(ask, backend=backend)
    assert len(looks) == 1
    assert set(got) == {made.stored_token}
    assert len(got) == MANY


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_that_find_an_expired_token_renew_it_once(backend: str) -> None:
    made = rig()
    made.make_due(-1)
    old, got = made.stored_token, set[str]()

    async def ask() -> None:
        async with made.source() as source, anyio.create_task_group() as tasks:

            async def one() -> None:
                got.add(await source.atoken())

            for _ in range(MANY):
                tasks.start_soon(one)

    anyio.run(ask, backend=backend)
    assert made.refreshes == 1
    assert got == {made.stored_token} != {old}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_that_ask_at_once_wait_once_for_the_look_and_the_renewal(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    waits: list[None] = []
    wait = Job[Any].wait_async

    async def counted(job: Job[Any], **options: Any) -> Any:
        waits.append(None)
        return await wait(job, **options)

    monkeypatch.setattr(Job, "wait_async", counted)
    made = rig()
    made.make_due(-1)
    made.gate.clear()

    async def ask() -> None:
        async with made.source() as source:
            async with anyio.create_task_group() as tasks:
                for _ in range(MANY):
                    tasks.start_soon(source.atoken)
                while len(waits) < MANY:  # noqa: ASYNC110  # a count is waited for
                    await anyio.sleep(0.001)
                made.gate.set()
            waited = len(waits)
            assert await source.atoken() == made.stored_token
            assert len(waits) == waited == MANY

    anyio.run(ask, backend=backend)
    assert made.refreshes == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_whose_renewal_fails_get_an_error_each(backend: str) -> None:
    made = rig(Fault(endpoint="refresh", status=503, headers={"Retry-After": "3600"}))
    made.make_due(-1)
    errors: list[SignInError] = []

    async def ask() -> None:
        async with made.source() as source, anyio.create_task_group() as tasks:

            async def one() -> None:
                with pytest.raises(SignInError) as found:
                    await source.atoken()
                errors.append(found.value)

            for _ in range(MANY):
                tasks.start_soon(one)

    anyio.run(ask, backend=backend)
    assert {error.kind for error in errors} == {ErrorKind.NETWORK}
    assert len({id(error) for error in errors}) == MANY


@pytest.mark.parametrize("moment", ["_landed", "_over"])
def test_who_asks_at_the_instant_a_failed_renewal_ends_hears_of_nothing_else(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rig(Fault(endpoint="refresh", status=503, headers={"Retry-After": "3600"}))
    made.make_due(-1)
    steps: list[Job[Any] | Record] = []
    begin = Job[Any].start
    with made.source() as source:

        def ask(_: object) -> None:
            steps.append(source._next(None))

        def begun(job: Job[Any]) -> bool:
            monkeypatch.setattr(Job, "start", begin)
            getattr(job, moment).add_done_callback(ask)  # on the thread of the job, at that very instant
            return begin(job)

        monkeypatch.setattr(Job, "start", begun)
        with pytest.raises(SignInError) as found:
            source.token()
        assert found.value.kind is ErrorKind.NETWORK
        eventually(lambda: len(steps) == 1)
    assert isinstance(steps[0], Job)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_that_ask_a_closed_source_for_the_first_time_are_told(backend: str) -> None:
    made = rig()
    made.make_due(-1)

    async def ask() -> None:
        source = made.source()
        source.close()
        for _ in range(2):
            with pytest.raises(SignInError) as found:
                await source.atoken()
            assert found.value.kind is ErrorKind.CANCELLED

    anyio.run(ask, backend=backend)
    assert not made.sent


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_look_without_a_thread_does_not_keep_the_loop_waiting_for_the_renewal(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    made, begun = rig(), list[bool]()
    made.make_due(-1)
    made.gate.clear()
    start = Job[Any].start

    def none_at_first(job: Job[Any]) -> bool:
        begun.append(len(begun) > 0 and start(job))
        return begun[-1]

    monkeypatch.setattr(Job, "start", none_at_first)

    async def ask() -> None:
        async with made.source() as source, anyio.create_task_group() as tasks:
            tasks.start_soon(source.atoken)
            await anyio.sleep(0.01)
            made.gate.set()

    anyio.run(ask, backend=backend)
    assert begun == [False, True]
    assert made.refreshes == 1


def test_two_event_loops_wait_for_one_renewal() -> None:
    made = rig()
    made.make_due(-1)
    made.gate.clear()
    with made.source() as source, ThreadPoolExecutor(2) as pool:

        def ask(backend: str) -> str:
            return anyio.run(source.atoken, backend=backend)

        asked = [pool.submit(ask, backend) for backend in ("asyncio", "trio")]
        eventually(lambda: made.sent)
        made.gate.set()
        got = {each.result(PATIENCE) for each in asked}
    assert got == {made.stored_token}
    assert made.refreshes == 1


def test_a_look_that_crashes_is_told_and_is_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rig()
    source = made.source()

    def crash(_: MemorySlot) -> NoReturn:
        sys.exit("broken")

    with monkeypatch.context() as broken:
        broken.setattr(MemorySlot, "load", crash)
        with pytest.raises(SystemExit):
            source.token()
    assert source.token() == made.stored_token
    assert renewals() == []


@pytest.mark.parametrize(("later", "whose"), [(0.5, "first"), (1.0, "other"), (3600.0, "other")])
def test_where_the_login_was_seen_counts_for_a_moment(later: float, whose: str) -> None:
    """Who asked went away after the look; the next one asks when somebody else may be signed in."""
    made = rig()
    made.make_due(-1)
    first = made.stored.credential
    assert first.expires_at is not None
    theirs: dict[str, Any] = {"account_id": "acct-2", "user_id": "user-2", "access_token": Secret("other")}
    other = attrs.evolve(first, expires_at=first.expires_at + 10**9, **theirs)
    with made.source() as source:
        source._look()
        put(made.store, other)
        made.pass_time(later)
        assert (source.credential().account_id == first.account_id) is (whose == "first")
