"""What a pool tells its flows the time by, and that whoever waits for outcomes hears of every end.

Rules of this file: the instant and Unix time are far apart here, so that one is not taken for the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from codex_oauth import FlowPool
from codex_oauth.testing.fake_world import START, WALL
from codex_oauth_core import (
    BrowserFlow,
    Cancelled,
    DeviceFlow,
    Event,
    Finished,
    Pkce,
    RequestFailed,
    ResponseReceived,
    Secret,
    SendRequest,
    SignInEffect,
    Started,
    Wait,
)
from codex_oauth_core.callback import Accepted
from tests.pool.servers import Crowd
from tests.pool.virtual import each_backend, now, run

LATENCY: Final = 2.0
POLLING: Final = LATENCY + 5 + LATENCY / 2
EXCHANGING: Final = LATENCY + 5 + LATENCY * 1.5
STATE: Final = "canary-state-0123456789-0123456789-012345678"

Effects = SendRequest | Wait | Finished
Pool = FlowPool[str]
seen: list[str] = []


def _note(event: Event) -> None:
    """Each event is of this very instant, and the first has Unix time as well."""
    assert event.at == pytest.approx(now()[0], abs=0.01)
    if isinstance(event, Started):
        assert event.wall == pytest.approx(now()[1], abs=0.01)
    seen.append(type(event).__name__)


class WatchedDevice(DeviceFlow):
    """Notes what it is told."""

    def receive(self, event: Event) -> Effects:
        _note(event)
        return super().receive(event)


class WatchedBrowser(BrowserFlow):
    """Notes what it is told."""

    def receive(self, event: Event) -> SignInEffect | Finished:
        _note(event)
        return super().receive(event)


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    assert abs(START - WALL) > 1e6
    seen.clear()


def browser() -> WatchedBrowser:
    pair = Pkce.from_entropy(bytes(range(32)))
    return WatchedBrowser(redirect_uri="http://localhost:1455/auth/callback", pkce=pair, state=Secret(STATE))


def crowd() -> Crowd:
    return Crowd(now, latency=LATENCY, polls=1)


async def to_the_end(pool: Pool) -> None:
    pool.add(WatchedDevice(), "ada")
    await pool.join()


async def cancelled_in_a_wait(pool: Pool) -> None:
    ada = pool.add(WatchedDevice(), "ada")
    await anyio.sleep(LATENCY + 1)
    ada.cancel()


async def cancelled_unborn(pool: Pool) -> None:
    pool.add(WatchedDevice(), "ada").cancel()


async def cancelled_in_a_poll(pool: Pool) -> None:
    ada = pool.add(WatchedDevice(), "ada")
    await anyio.sleep(POLLING)
    ada.cancel()
    await pool.join()


async def cancelled_before_a_request(pool: Pool) -> None:
    """In the moment between two requests of one turn."""
    ada = pool.add(WatchedDevice(), "ada")
    await anyio.sleep(POLLING)
    assert ada.flow is not None
    await anyio.sleep(LATENCY / 2 - 0.0001)
    ada.cancel()
    await pool.join()


async def all_cancelled(pool: Pool) -> None:
    pool.add(WatchedDevice(), "ada")
    await anyio.sleep(LATENCY + 1)
    pool.add(WatchedDevice(), "bob")
    await anyio.sleep(LATENCY / 2)
    await pool.cancel_all()


async def the_block_is_left(pool: Pool) -> None:
    pool.add(WatchedDevice(), "ada")
    await anyio.sleep(POLLING)


async def the_block_is_left_in_an_exchange(pool: Pool) -> None:
    pool.add(WatchedDevice(), "ada")
    await anyio.sleep(EXCHANGING)


async def called_back(pool: Pool) -> None:
    ada = pool.add(browser(), "ada")
    await anyio.sleep(1)
    assert ada.accept(Accepted(Secret(f"code=x&state={STATE}")))
    await pool.join()


WAYS: Final[dict[Callable[[Pool], Awaitable[None]], set[str]]] = {
    to_the_end: {"Started", "TimeReached", "ResponseReceived"},
    cancelled_in_a_wait: {"Started", "ResponseReceived", "Cancelled"},
    cancelled_unborn: {"Cancelled"},
    cancelled_in_a_poll: {"Started", "TimeReached", "ResponseReceived", "Cancelled"},
    cancelled_before_a_request: {"Started", "TimeReached", "ResponseReceived"},
    all_cancelled: {"Started", "ResponseReceived", "Cancelled"},
    the_block_is_left: {"Started", "TimeReached", "ResponseReceived", "Cancelled"},
    the_block_is_left_in_an_exchange: {"Started", "TimeReached", "ResponseReceived"},
    called_back: {"Started", "CallbackReceived", "ResponseReceived"},
}


@each_backend
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_event_has_the_instant_and_every_end_wakes_who_waits(
    way: Callable[[Pool], Awaitable[None]], backend: str
) -> None:
    woken: list[str] = []

    async def waiting(pool: Pool, name: str, sleep: Callable[[], Awaitable[object]]) -> None:
        with anyio.fail_after(10_000):
            await sleep()
        woken.append(name)

    async def main() -> None:
        pool = Pool(crowd(), jitter=0, now=now)
        async with anyio.create_task_group() as others, pool:
            first = pool.add(DeviceFlow(), "the first")
            others.start_soon(waiting, pool, "iterates", pool.__anext__)
            others.start_soon(waiting, pool, "joins", pool.join)
            await anyio.lowlevel.checkpoint()
            first.cancel()
            await way(pool)
        assert sorted(woken) == ["iterates", "joins"]
        assert len(pool) == 0

    run(main, backend)
    assert WAYS[way] <= set(seen)


def test_the_end_of_asyncio_is_told_at_its_instant() -> None:
    async def work() -> None:
        async with Pool(crowd(), jitter=0, now=now) as pool:
            pool.add(WatchedDevice(), "ada")
            await pool.join()

    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        tasks.append(asyncio.create_task(work()))
        await asyncio.sleep(POLLING)

    run(main, "asyncio")
    assert tasks[0].cancelled()
    assert seen[-1] == "Cancelled"


@each_backend
def test_a_request_that_is_given_up_failed_at_its_instant(backend: str) -> None:
    at_hand = crowd()

    async def hangs(effect: SendRequest) -> ResponseReceived | RequestFailed:
        if effect.once:
            await anyio.sleep_forever()
        return await at_hand(effect)

    async def main() -> None:
        async with Pool(hangs, jitter=0, now=now) as pool:
            pool.add(WatchedDevice(), "ada")
            await anyio.sleep(100)

    run(main, backend)
    assert "RequestFailed" in seen


@each_backend
def test_how_late_it_is_is_told_by_instants(backend: str) -> None:
    async def main() -> None:
        async with Pool(crowd(), jitter=0, max_requests=1, now=now) as pool:
            assert pool.late == 0
            for key in "abc":
                pool.add(DeviceFlow(), key)
            await anyio.sleep(LATENCY / 2)
            assert pool.late == pytest.approx(LATENCY / 2)

    run(main, backend)


@each_backend
def test_jitter_prolongs_a_wait_by_a_part_of_what_is_left_of_it(backend: str) -> None:
    waits: list[float] = []

    async def sends(effect: SendRequest) -> ResponseReceived:
        waits.append(now()[0] - START)
        return await at_hand(effect)

    at_hand = crowd()

    async def main() -> None:
        async with Pool(sends, jitter=60, draw=lambda: 1.0, now=now) as pool:
            pool.add(DeviceFlow(), "ada")
            await pool.join()

    run(main, backend)
    assert waits[1] - LATENCY == pytest.approx(5 * 1.1, abs=0.01)  # a tenth of it at most


@each_backend
def test_who_waits_is_woken_by_the_end_of_a_pool_whose_flow_broke(backend: str) -> None:
    """A flow that raises has no outcome: nobody can wait for it."""
    woken: list[str] = []

    class Broken(DeviceFlow):
        def receive(self, event: Event) -> Effects:
            if isinstance(event, Started | Cancelled):
                return super().receive(event)
            raise LookupError("broken")

    async def iterate(pool: Pool) -> None:
        assert [ended async for ended in pool] == []
        woken.append("iterates")

    async def join(pool: Pool) -> None:
        await pool.join()
        woken.append("joins")

    async def use(pool: Pool, others: TaskGroup) -> None:
        async with pool:
            pool.add(Broken(), "ada")
            others.start_soon(iterate, pool)
            others.start_soon(join, pool)
            await anyio.sleep(100)

    async def main() -> None:
        pool = Pool(crowd(), jitter=0, now=now)
        with anyio.fail_after(10_000):
            async with anyio.create_task_group() as others:
                with pytest.raises(ExceptionGroup):
                    await use(pool, others)

    run(main, backend)
    assert sorted(woken) == ["iterates", "joins"]
