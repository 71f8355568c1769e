"""What a pool costs: `python -m tests.pool.measure` prints the figures of docs/pool.md (3 minutes).

Rules of this file: each figure is taken in a fresh process; times are ratios within one run, in interleaved
rounds, because machines differ; nothing here is a test that can fail by the clock.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import chain, pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeVar

import anyio
import trio
import trio.testing

from codex_oauth import FlowPool
from codex_oauth.clock import Clock, now
from codex_oauth.pool.deadlines import Deadlines
from codex_oauth_core import DeviceFlow, Event, Finished, ResponseReceived, SendRequest, Wait
from tests.pool.servers import Crowd
from tests.support import PENDING

T = TypeVar("T")

SIZES: Final = (1_000, 10_000, 100_000)
EVERY: Final = 5.0
"""Seconds after which each flow is told the time again."""

KEYS: Final = list(range(SIZES[-1]))
SECONDS: Final = 15.0
ROUNDS: Final = 5


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 1_000_003.25

    def now(self) -> tuple[float, float]:
        return self.at, self.at + 1.8e9


class Rearmed(DeviceFlow):
    """A device flow that wants to be told the time every 5 s, and does nothing then."""

    __slots__ = ()

    def receive(self, event: Event) -> SendRequest | Wait | Finished:
        effect = super().receive(event)
        return Wait(event.at + EVERY, effect.why, effect.prompt) if isinstance(effect, Wait) else effect


class Quick(Crowd):
    """Answers at once, every poll with the same bytes."""

    async def __call__(self, effect: SendRequest) -> ResponseReceived:
        if effect.request.url.endswith("/usercode"):
            return await super().__call__(effect)
        at, wall = self._now()
        return ResponseReceived(at, at, wall, PENDING.status, PENDING.headers, PENDING.body)


@asynccontextmanager
async def waiting(
    keys: Sequence[int], now: Clock, make: Callable[[], DeviceFlow], interval: float
) -> AsyncGenerator[FlowPool[int]]:
    """A pool with so many flows that wait for their first poll. They are dropped at the end."""
    shown: list[None] = []
    send = Quick(now, expires_in=90_000, interval=interval)
    async with FlowPool[int](send, now=now, on_prompt=lambda key, prompt: shown.append(None)) as pool:
        for key in keys:
            pool.add(make(), key)
        while len(shown) < len(keys):  # noqa: ASYNC110  # an event would be set with every one of them
            await anyio.sleep(0.01)
        shown.clear()
        yield pool
        pool._deadlines = Deadlines()


def flow() -> DeviceFlow:
    return DeviceFlow(max_lifetime=90_000.0)


def rearmed() -> DeviceFlow:
    return Rearmed(max_lifetime=90_000.0)


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def memory(number: int, *, traced: bool) -> float:
    """Bytes of one waiting flow, with its handle, its texts and its place in the heap."""
    async with waiting(KEYS[:10], Hands().now, flow, 300):
        gc.collect()
    keys = KEYS[:number]  # they belong to the program
    if traced:
        tracemalloc.start()
    before = 0 if traced else _rss()
    async with waiting(keys, Hands().now, flow, 300):
        gc.collect()
        used = (tracemalloc.get_traced_memory()[0] if traced else _rss()) - before
    return used / number


async def rearming(number: int) -> tuple[float, float]:
    """The share of a core that re-arming takes, and the 99th percentile of the loop's lag in milliseconds."""
    async with waiting(KEYS[:number], now, rearmed, 300):
        await anyio.sleep(EVERY)
        gc.collect()
        gc.freeze()
        lags: list[float] = []
        began, used = time.perf_counter(), time.process_time()
        while time.perf_counter() - began < SECONDS:
            before = time.perf_counter()
            await anyio.sleep(0.005)
            lags.append(time.perf_counter() - before - 0.005)
        share = (time.process_time() - used) / (time.perf_counter() - began)
    return share, statistics.quantiles(lags, n=100)[98] * 1000


async def sweep(pool: FlowPool[int], hands: Hands) -> None:
    """Move the clock until every flow is due, and let each have its step."""
    hands.at += 2 * EVERY
    pool._work.ring()
    while pool.late or pool.in_flight:
        await anyio.lowlevel.checkpoint()


async def growth(make: Callable[[], DeviceFlow], interval: float) -> dict[int, float]:
    """Microseconds of a step at each size: the median of interleaved rounds."""
    clocks = {number: Hands() for number in SIZES}
    times: dict[int, list[float]] = {number: [] for number in SIZES}
    async with AsyncExitStack() as stack:
        pools = {
            number: await stack.enter_async_context(waiting(KEYS[:number], hands.now, make, interval))
            for number, hands in clocks.items()
        }
        gc.collect()
        gc.freeze()
        for _ in range(ROUNDS):
            for number, pool in pools.items():
                times[number].append(await step_of(pool, clocks[number]))
    return {number: statistics.median(taken) for number, taken in times.items()}


async def step_of(pool: FlowPool[int], hands: Hands) -> float:
    """Microseconds of one step, over as many sweeps as make 20 000 steps."""
    sweeps = max(1, 20_000 // len(pool))
    began = time.perf_counter()
    for _ in range(sweeps):
        await sweep(pool, hands)
    return (time.perf_counter() - began) / (sweeps * len(pool)) * 1e6


async def overload() -> tuple[int, list[float]]:
    """5 000 flows that all come at once and want 1 000 polls a second, of a server that can do 256, in virtual
    time: the most requests in flight, and the pauses between two polls of a flow in seconds.
    """

    def virtual() -> tuple[float, float]:
        at = trio.current_time()
        return at, at + 1.8e9

    crowd = Crowd(virtual, latency=0.25)
    with trio.move_on_after(200):
        async with FlowPool[int](crowd, now=virtual) as pool:
            for key in range(5_000):
                pool.add(flow(), key)
            await pool.join()
    pauses = [b - a for polls in crowd.polled.values() for a, b in pairwise(polls)]
    return crowd.most, pauses


def apart(main: Callable[[], Awaitable[T]]) -> T:
    """The result of `main` in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(anyio.run, main).result()


def overloaded() -> tuple[int, list[float]]:
    return trio.run(overload, clock=trio.testing.MockClock(autojump_threshold=0))


def table(rows: Iterable[tuple[str, str, str]]) -> None:
    for row in chain((("what", "measured", "target"), ("---", "---", "---")), rows):
        print("| " + " | ".join(row) + " |", flush=True)


def rows() -> Iterable[tuple[str, str, str]]:
    for number in SIZES:
        traced = apart(partial(memory, number, traced=True))
        resident = apart(partial(memory, number, traced=False))
        target = "≤ 1024" if number >= 10_000 else "none"  # of few flows the pool itself is a part
        yield f"bytes of a waiting flow, {number} flows", f"{traced:.0f} ({resident:.0f} resident)", target
    share, lag = apart(partial(rearming, SIZES[-1]))
    yield "re-arming 100000 flows every 5 s, share of a core", f"{share:.0%}", "≤ 40 %"
    yield "the same, lag of the event loop, p99", f"{lag:.1f} ms", "≤ 10 ms"
    for name, make, interval in (
        ("re-arming step", rearmed, 300),
        ("poll", flow, 5),
    ):
        step = apart(partial(growth, make, interval))
        least = step[SIZES[0]]
        measured = " · ".join(f"{taken:.0f} µs ({taken / least:.2f})" for taken in step.values())
        yield f"{name}, at 1000, 10000, 100000 flows", measured, "≤ 1.3"
    most, pauses = overloaded()
    low, *_, high = statistics.quantiles(pauses, n=100)
    yield "four times too many flows: requests in flight", f"{most}", "≤ 64"
    yield "the same: pause between polls of a flow, p1 to p99", f"{low:.1f} s to {high:.1f} s", "even"


if __name__ == "__main__":
    table(rows())
