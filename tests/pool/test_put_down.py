"""Flows that are put down in one pool, and go on in another: at every moment, and beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from codex_oauth import FlowPool
from codex_oauth.pool.handle import GRACE, Handle
from codex_oauth.testing.fake_world import START
from codex_oauth_core import (
    CheckpointError,
    DeviceFlow,
    ErrorKind,
    Resumed,
    SendRequest,
    SignInError,
)
from tests.pool.handing_over import (
    EXCHANGING,
    LATENCY,
    POLLING,
    SIGNED_IN,
    Counting,
    Foreign,
    again,
    kind,
    nobody_ends,
)
from tests.pool.virtual import each_backend, now, run

# -- one flow ------------------------------------------------------------------------------------------


@each_backend
@pytest.mark.parametrize("after", [0.0, 0.001, LATENCY / 2, LATENCY + 1, POLLING])
def test_a_flow_that_is_put_down_is_gone_at_once_and_goes_on_elsewhere(after: float, backend: str) -> None:
    """Before it began, as it begins, during the first request, in a wait, and during a poll."""
    server = Counting()

    async def main() -> None:
        async with FlowPool[str](server, jitter=0, now=now, on_end=nobody_ends) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            await anyio.sleep(after)
            checkpoint = await ada.put_down()
            assert round(now()[0] - START, 6) == after
            assert (len(pool), pool.in_flight, pool.late, ada.over) == (0, 0, 0, True)
            begun = list(server.begun)
            await pool.join()
            await anyio.sleep(10)
            assert server.begun == begun
            assert await ada.put_down() is None
            ada.cancel()
        async with FlowPool[str](server, jitter=0, now=now) as pool:
            pool.add(again(checkpoint), "ada", begin=Resumed)
            assert [(key, kind(outcome)) async for key, outcome in pool] == [("ada", None)]
        assert server.exchanged == 1

    run(main, backend)


@each_backend
def test_an_exchange_in_flight_is_finished_first_and_counts(backend: str) -> None:
    server = Counting()

    async def main() -> None:
        async with FlowPool[str](server, jitter=0, now=now) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            await anyio.sleep(EXCHANGING)
            assert await ada.put_down() is None
            assert round(now()[0] - START, 6) == SIGNED_IN
            assert [(key, kind(outcome)) async for key, outcome in pool] == [("ada", None)]
        assert server.exchanged == 1

    run(main, backend)


@each_backend
def test_an_exchange_that_was_not_sent_goes_on_elsewhere(backend: str) -> None:
    """It is put down where it stands: in the wait for the next try."""
    server = Counting(lost=1)

    async def main() -> None:
        async with FlowPool[str](server, jitter=0, now=now, on_end=nobody_ends) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            await anyio.sleep(EXCHANGING)
            checkpoint = await ada.put_down()
            assert server.exchanged == 0
        async with FlowPool[str](server, jitter=0, now=now) as pool:
            pool.add(again(checkpoint), "ada", begin=Resumed)
            assert [kind(outcome) async for _, outcome in pool] == [None]
        assert server.exchanged == 1

    run(main, backend)


@each_backend
def test_an_answer_that_came_with_the_cut_counts_and_what_follows_is_sent_elsewhere(backend: str) -> None:
    """The poll's approval is used up; the exchange that it asks for is handed over, and sent once."""
    server = Counting()
    handles: list[Handle[str]] = []
    checkpoints: list[Mapping[str, Any] | None] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:

            async def put_down() -> None:
                checkpoints.append(await handles[0].put_down())

            async def send(effect: SendRequest) -> Any:
                answer = await server(effect)
                if answer.status == 200 and effect.request.url.endswith("/deviceauth/token"):
                    tasks.start_soon(put_down)
                    with anyio.CancelScope(shield=True):
                        await anyio.sleep(0.5)
                return answer

            async with FlowPool[str](send, jitter=0, now=now, on_end=nobody_ends) as pool:
                handles.append(pool.add(DeviceFlow(), "ada"))
                await pool.join()
        assert server.exchanged == 0
        async with FlowPool[str](server, jitter=0, now=now) as pool:
            pool.add(again(checkpoints[0]), "ada", begin=Resumed)
            assert [kind(outcome) async for _, outcome in pool] == [None]
        assert server.exchanged == 1

    run(main, backend)


@each_backend
def test_a_flow_is_put_down_while_it_waits_for_a_request_slot(backend: str) -> None:
    server = Counting()

    async def main() -> None:
        async with FlowPool[str](server, max_requests=1, jitter=0, now=now) as pool:
            pool.add(DeviceFlow(), "ada")
            bob = pool.add(DeviceFlow(), "bob")
            await anyio.sleep(LATENCY / 2)
            checkpoint = await bob.put_down()
            assert now()[0] - START == LATENCY / 2
            assert (len(pool), pool.in_flight) == (1, 1)
            await pool.join()
            assert server.begun.count("usercode") == 1
            pool.add(again(checkpoint), "bob", begin=Resumed)
            assert {key: kind(outcome) async for key, outcome in pool} == {"ada": None, "bob": None}

    run(main, backend)


@each_backend
@pytest.mark.parametrize("after", [LATENCY + 1, POLLING, EXCHANGING])
def test_of_two_that_put_a_flow_down_one_gets_the_checkpoint(after: float, backend: str) -> None:
    found: list[Mapping[str, Any] | None] = []
    server = Counting(lost=1)

    async def main() -> None:
        async with FlowPool[str](server, jitter=0, now=now, on_end=nobody_ends) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            await anyio.sleep(after)

            async def put_down() -> None:
                found.append(await pool.put_down(ada))
                assert ada.over

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(put_down)
            assert await pool.put_down_all() == []

    run(main, backend)
    assert [checkpoint is None for checkpoint in found].count(False) == 1


@each_backend
@pytest.mark.parametrize("first", ["cancel", "put_down"])
@pytest.mark.parametrize(
    ("after", "lost"), [(LATENCY / 2, 0), (POLLING, 0), (EXCHANGING, 1), (EXCHANGING, 0)]
)
def test_a_flow_that_is_cancelled_too_ends(after: float, lost: int, first: str, backend: str) -> None:
    server = Counting(lost=lost)

    async def main() -> None:
        async with FlowPool[str](server, jitter=0, now=now) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            await anyio.sleep(after)
            if first == "cancel":
                ada.cancel()

            async def put_down() -> None:
                assert await ada.put_down() is None

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(put_down)
                if backend == "asyncio":
                    await asyncio.sleep(0)
                ada.cancel()
            ended = [kind(outcome) async for _, outcome in pool]
            assert ended == [ErrorKind.CANCELLED if after < EXCHANGING or lost else None]

    run(main, backend)


@each_backend
@pytest.mark.parametrize(("lost", "ends"), [(1, []), (0, [None])])
def test_leaving_the_block_waits_for_who_is_put_down(
    lost: int, ends: list[ErrorKind | None], backend: str
) -> None:
    server = Counting(lost=lost)
    found: list[Mapping[str, Any] | None] = []

    async def main() -> None:
        pool = FlowPool[str](server, jitter=0, now=now)
        async with anyio.create_task_group() as tasks:

            async def put_down() -> None:
                found.append(await ada.put_down())

            async with pool:
                ada = pool.add(DeviceFlow(), "ada")
                await anyio.sleep(EXCHANGING)
                tasks.start_soon(put_down)
                await anyio.sleep(0.1)
        assert round(now()[0] - START, 6) == SIGNED_IN
        assert [kind(outcome) async for _, outcome in pool] == ends
        assert [checkpoint is not None for checkpoint in found] == [lost == 1]

    run(main, backend)


@each_backend
def test_a_cancelled_caller_gets_the_checkpoint_all_the_same(backend: str) -> None:
    """Else the sign-in would be lost: its cancellation is raised by what it awaits next."""
    found: list[Mapping[str, Any] | None] = []
    server = Counting(lost=1)

    async def main() -> None:
        async with FlowPool[str](server, jitter=0, now=now, on_end=nobody_ends) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            await anyio.sleep(EXCHANGING)
            with anyio.CancelScope() as scope:
                scope.cancel()
                found.append(await ada.put_down())
                await anyio.sleep(50)
                raise AssertionError

    run(main, backend)
    assert isinstance(again(found[0]), DeviceFlow)


@each_backend
def test_an_exchange_that_is_never_answered_holds_it_up_for_a_bounded_time(backend: str) -> None:
    at_hand = Counting(latency=0.5)

    async def hangs(effect: SendRequest) -> Any:
        if effect.once:
            await anyio.sleep_forever()
        return await at_hand(effect)

    async def main() -> None:
        async with FlowPool[str](hangs, jitter=0, now=now) as pool:
            ada = pool.add(DeviceFlow(request_timeout=15), "ada")
            await anyio.sleep(100)
            assert await ada.put_down() is None
            assert now()[0] - START == 100 + 15 + GRACE
            (outcome,) = [outcome async for _, outcome in pool]
            assert isinstance(outcome, SignInError)
            assert outcome.details["uncertain"] is True

    run(main, backend)


@each_backend
def test_the_flow_that_was_put_down_takes_no_more_events(backend: str) -> None:
    flow = DeviceFlow()

    async def main() -> None:
        async with FlowPool[str](Counting(), jitter=0, now=now) as pool:
            ada = pool.add(flow, "ada")
            await anyio.sleep(LATENCY + 1)
            assert await ada.put_down() is not None
        with pytest.raises(CheckpointError):
            flow.checkpoint(at=0, wall=0)

    run(main, backend)


@each_backend
@pytest.mark.parametrize("after", [0.0, LATENCY / 2, LATENCY + 1, EXCHANGING])
def test_a_flow_without_checkpoints_is_refused_and_goes_on(after: float, backend: str) -> None:
    flow: Any = Foreign()

    async def main() -> None:
        async with FlowPool[str](Counting(), jitter=0, now=now) as pool:
            handle = pool.add(flow, "ada")
            await anyio.sleep(after)
            with pytest.raises(TypeError, match="Foreign has no checkpoint"):
                await handle.put_down()
            assert [(kind(outcome), now()[0] - START) async for _, outcome in pool] == [(None, SIGNED_IN)]

    run(main, backend)
