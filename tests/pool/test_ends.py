"""How flows of a pool end before their time: cancelled one by one, all, or with the block around them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable

import anyio
import pytest

from codex_oauth import FlowPool
from codex_oauth.pool.handle import GRACE, Handle
from codex_oauth.testing.fake_world import START
from codex_oauth_core import (
    Credential,
    DeviceFlow,
    ErrorKind,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInError,
)
from tests.pool.servers import Crowd
from tests.pool.virtual import each_backend, now, run
from tests.transport.servers import no_new_sockets

LATENCY = 2.0
POLLING = LATENCY + 5 + LATENCY / 2  # seconds after the start: the first poll is in flight
EXCHANGING = LATENCY + 5 + LATENCY * 1.5
"""And here its approval is being exchanged."""


def crowd(polls: int = 1, latency: float = LATENCY) -> Crowd:
    return Crowd(now, latency=latency, polls=polls)


def kind(outcome: object) -> ErrorKind | None:
    return outcome.kind if isinstance(outcome, SignInError) else None


async def first_of(pool: FlowPool[str]) -> tuple[str, ErrorKind | None, float]:
    """Who ends first, how, and after how many seconds."""
    key, outcome = await anext(pool)
    return key, kind(outcome), round(now()[0] - START, 2)


# -- one flow ------------------------------------------------------------------------------------------


@each_backend
@pytest.mark.parametrize("after", [0.0, LATENCY / 2, LATENCY + 1, POLLING])
def test_a_cancelled_flow_ends_at_once_and_the_others_go_on(after: float, backend: str) -> None:
    """Before it began, during the first request, in a wait, and during a poll."""

    async def main() -> None:
        async with FlowPool[str](crowd(), jitter=0, now=now) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            pool.add(DeviceFlow(), "bob")
            if after:
                await anyio.sleep(after)
            ada.cancel()
            ada.cancel()
            assert await first_of(pool) == ("ada", ErrorKind.CANCELLED, after)
            assert ada.over
            assert len(pool) == 1
            ada.cancel()
            assert await first_of(pool) == ("bob", None, 5 + 3 * LATENCY)

    run(main, backend)


@each_backend
def test_a_cancelled_exchange_is_finished_first_and_counts(backend: str) -> None:
    async def main() -> None:
        async with FlowPool[str](crowd(), jitter=0, now=now) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            await anyio.sleep(EXCHANGING)
            ada.cancel()
            assert not ada.over
            assert await first_of(pool) == ("ada", None, 5 + 3 * LATENCY)

    run(main, backend)


@each_backend
def test_a_flow_that_is_cancelled_while_it_is_shown_ends(backend: str) -> None:
    handles: dict[str, Handle[str]] = {}

    async def main() -> None:
        async with FlowPool[str](
            crowd(), now=now, on_prompt=lambda key, prompt: handles[key].cancel(), on_wait=never
        ) as pool:
            handles["ada"] = pool.add(DeviceFlow(), "ada")
            assert await first_of(pool) == ("ada", ErrorKind.CANCELLED, LATENCY)

    def never(key: str, wait: object) -> None:
        raise AssertionError("it was over")

    run(main, backend)


@each_backend
def test_flows_that_are_over_free_their_memory(backend: str) -> None:
    """Also if the handle is kept, and before the instant at which they would have been due."""

    async def main() -> None:
        async with FlowPool[int](crowd(latency=0.1), now=now, on_end=lambda key, outcome: None) as pool:
            flows = [DeviceFlow() for _ in range(200)]
            alive = [weakref.ref(flow) for flow in flows]
            handles = [pool.add(flow, key) for key, flow in enumerate(flows)]
            del flows
            await anyio.sleep(2)
            assert all(ref() for ref in alive)
            for handle in handles[100:]:
                handle.cancel()
            gc.collect()
            assert [ref() is None for ref in alive] == [False] * 100 + [True] * 100
            await pool.join()
            gc.collect()
            assert not any(ref() for ref in alive)
            assert repr(handles[0]) == "<Handle of 0, over>"

    run(main, backend)


# -- all of them ---------------------------------------------------------------------------------------


@each_backend
@pytest.mark.parametrize("after", [LATENCY / 2, LATENCY + 1, POLLING])
def test_cancelling_all_ends_waiting_flowing_and_unborn_flows(after: float, backend: str) -> None:
    async def main() -> None:
        async with FlowPool[int](crowd(), jitter=0, max_requests=30, now=now) as pool:
            for key in range(100):
                pool.add(DeviceFlow(), key)
            await anyio.sleep(after)
            await pool.cancel_all()
            ended = dict([ended async for ended in pool])
            assert {kind(outcome) for outcome in ended.values()} == {ErrorKind.CANCELLED}
            assert len(ended) == 100
            assert now()[0] - START == after
            pool.add(DeviceFlow(), 101)  # it goes on
            assert [kind(outcome) async for _, outcome in pool] == [None]

    run(main, backend)


@each_backend
def test_every_flow_is_cancelled_although_a_callback_fails_each_time(backend: str) -> None:
    ended: list[int] = []

    def on_end(key: int, outcome: object) -> None:
        ended.append(key)
        raise LookupError(key)

    async def main() -> None:
        async with FlowPool[int](crowd(), max_requests=90, now=now, on_end=on_end) as pool:
            for key in range(90):
                pool.add(DeviceFlow(), key)
            await anyio.sleep(LATENCY + 1)
            with pytest.raises(ExceptionGroup) as failed:
                await pool.cancel_all()
            assert len(failed.value.exceptions) == 90

    run(main, backend)
    assert sorted(ended) == list(range(90))


# -- the block -----------------------------------------------------------------------------------------


def times_of(
    leave: Callable[[FlowPool[str]], Awaitable[None]], backend: str
) -> list[tuple[str, object, float]]:
    """Who ends how and when, if a block that has three flows is left while one exchanges its code, one waits
    and one polls.
    """
    ended: list[tuple[str, object, float]] = []

    async def block() -> None:
        with anyio.CancelScope() as scope:
            pool = FlowPool[str](crowd(), jitter=0, now=now, on_end=on_end)
            scopes[pool] = scope
            async with pool:
                pool.add(DeviceFlow(), "exchanges")
                await anyio.sleep(LATENCY)
                pool.add(DeviceFlow(), "polls")
                await anyio.sleep(EXCHANGING - 2 * LATENCY - 0.5)
                pool.add(DeviceFlow(), "waits")
                await anyio.sleep(LATENCY + 0.5)
                await leave(pool)

    def on_end(key: str, outcome: Credential | SignInError) -> None:
        ended.append((key, kind(outcome), round(now()[0] - START, 2)))

    async def main() -> None:
        before = len(anyio.get_running_tasks())
        try:
            await block()
        except KeyError:
            assert leave is by_exception
        assert len(anyio.get_running_tasks()) == before
        assert now()[0] - START == 5 + 3 * LATENCY

    with no_new_sockets():
        run(main, backend)
    return sorted(ended)


scopes: dict[FlowPool[str], anyio.CancelScope] = {}


async def by_its_end(pool: FlowPool[str]) -> None:
    return


async def by_exception(pool: FlowPool[str]) -> None:
    raise KeyError("of the block")


async def by_the_scope(pool: FlowPool[str]) -> None:
    scopes[pool].cancel()
    await anyio.sleep_forever()


async def by_the_scope_while_joining(pool: FlowPool[str]) -> None:
    scopes[pool].deadline = anyio.current_time()
    await pool.join()


@each_backend
@pytest.mark.parametrize("leave", [by_its_end, by_exception, by_the_scope, by_the_scope_while_joining])
def test_leaving_the_block_ends_everybody_and_finishes_the_exchange(
    leave: Callable[[FlowPool[str]], Awaitable[None]], backend: str
) -> None:
    assert times_of(leave, backend) == [
        ("exchanges", None, 5 + 3 * LATENCY),
        ("polls", ErrorKind.CANCELLED, EXCHANGING),
        ("waits", ErrorKind.CANCELLED, EXCHANGING),
    ]


def test_a_task_that_asyncio_cancels_finishes_the_exchange() -> None:
    outcomes: list[object] = []

    async def work() -> None:
        pool = FlowPool[str](crowd(), jitter=0, now=now)
        try:
            async with pool:
                pool.add(DeviceFlow(), "ada")
                pool.add(DeviceFlow(), "bob")
                await pool.join()
        finally:
            outcomes.extend([kind(outcome) async for _, outcome in pool])

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(EXCHANGING)
        task.cancel()
        await asyncio.sleep(0.1)
        task.cancel()  # an impatient one
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with no_new_sockets():
        run(main, "asyncio")
    assert outcomes == [None, None]


@pytest.mark.parametrize(("after", "ends"), [(EXCHANGING, None), (POLLING, ErrorKind.CANCELLED)])
def test_the_end_of_asyncio_finishes_the_exchange_of_a_background_task(after: float, ends: object) -> None:
    """It cancels every task, the pool's own too, which no shield keeps off."""
    outcomes: list[object] = []

    async def work() -> None:
        async with FlowPool[str](crowd(), jitter=0, now=now, on_end=on_end) as pool:
            pool.add(DeviceFlow(), "ada")
            await pool.join()

    def on_end(key: str, outcome: object) -> None:
        outcomes.append(kind(outcome))

    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        tasks.append(asyncio.create_task(work()))
        await asyncio.sleep(after)

    run(main, "asyncio")
    assert tasks[0].cancelled()
    assert outcomes == [ends]


@each_backend
def test_a_transport_that_never_answers_holds_the_end_up_for_a_bounded_time(backend: str) -> None:
    at_hand = crowd(latency=0.5)

    async def hangs(effect: SendRequest) -> ResponseReceived | RequestFailed:
        if effect.once:
            await anyio.sleep_forever()
        return await at_hand(effect)

    async def main() -> None:
        pool = FlowPool[str](hangs, jitter=0, now=now)
        async with pool:
            pool.add(DeviceFlow(request_timeout=15), "ada")
            await anyio.sleep(100)
        ((_, outcome),) = [ended async for ended in pool]
        assert isinstance(outcome, SignInError)
        assert outcome.kind is ErrorKind.TOKEN_REQUEST_FAILED
        assert outcome.details["uncertain"] is True
        assert now()[0] - START == 100 + 15 + GRACE

    run(main, backend)
