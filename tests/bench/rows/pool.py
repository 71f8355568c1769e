"""P7 and P8: many flows in one pool. How much memory, how much of a core, and whether a step costs more.

Rules of this file: what is measured is in `tests.pool.measure`; each figure is taken in a fresh process, so
that nothing of another one is in it. Floors are objects of Python, measured here.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import threading
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import attrs
import httpx

from tests.bench.ratios import Figure, Result, Spread, Target, Times
from tests.bench.rows.throughput import throughput
from tests.pool import measure as pool

FLOOR: Final = "slotted object and heap entry"
OURS: Final = "codex-oauth, {}"
FEW: Final = 500


@attrs.define(eq=False)
class _Bare:
    until: float
    url: str
    state: str


def _traced(make: Callable[[int], object], number: int) -> float:
    tracemalloc.start()
    kept = [make(key) for key in range(number)]
    gc.collect()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return used / number


async def bare() -> float:
    """Bytes of a slotted object with a place in a heap."""
    heap: list[tuple[float, int, _Bare]] = []

    def make(key: int) -> object:
        one = _Bare(float(key), f"https://auth.example.com/{key}", "waiting")
        heapq.heappush(heap, (one.until, key, one))
        return one

    return _traced(make, 100_000)


async def a_task_each() -> float:
    """Bytes of a task of asyncio that sleeps."""
    tracemalloc.start()
    tasks = [asyncio.ensure_future(asyncio.sleep(3600)) for _ in range(10_000)]
    await asyncio.sleep(0.1)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return used / len(tasks)


async def a_client_each() -> float:
    """Bytes of an `httpx.AsyncClient` over one shared transport."""
    transport = httpx.AsyncHTTPTransport(verify=False)
    return _traced(lambda _: httpx.AsyncClient(transport=transport), FEW)


async def a_thread_each() -> float:
    """Resident bytes of a thread that waits."""
    end = threading.Event()
    before = pool._rss()
    threads = [threading.Thread(target=end.wait, daemon=True) for _ in range(FEW)]
    for thread in threads:
        thread.start()
    used = pool._rss() - before
    end.set()
    for thread in threads:
        thread.join()
    return used / FEW


def _times(unit: str, one: dict[str, Sequence[float]]) -> Times:
    return Times(unit, {name: list(values) for name, values in one.items()})


def memory_and_rearming(rounds: int) -> Result:
    """P7."""
    most = pool.SIZES[-1]
    works: dict[str, Callable[[], Awaitable[float]]] = {
        FLOOR: bare,
        "an asyncio task each": a_task_each,
        "an httpx.AsyncClient each": a_client_each,
        "a thread each": a_thread_each,
        **{OURS.format(number): partial(pool.memory, number, traced=True) for number in pool.SIZES},
    }
    called = {
        FLOOR: "an attrs class with three slots, heapq",
        OURS.format(most): "FlowPool.add(DeviceFlow(), key)",
    }
    times = _times(FLOOR, {name: [pool.apart(work)] for name, work in works.items()})
    rearmed = [pool.apart(partial(pool.rearming, most)) for _ in range(min(rounds, 2))]
    figures = tuple(
        times.figure(name, called.get(name, "the same" if "codex" in name else name), ours="codex" in name)
        for name in works
    )
    targets = (
        Target(f"bytes of each of {most} flows", Spread.of(times.taken[OURS.format(most)]), 1024, unit="B"),
        Target(
            "re-arming all every 5 s, of a core",
            Spread.of([100 * share for share, _ in rearmed]),
            40,
            unit="%",
        ),
        Target("lag of the event loop meanwhile, p99", Spread.of([lag for _, lag in rearmed]), 10, unit="ms"),
    )
    notes = ("Bytes are those that tracemalloc counts; those of a thread are resident ones.", *throughput())
    return Result("P7", FLOOR, figures, targets, notes=notes, scale="B")


def growth(rounds: int) -> Result:
    """P8."""
    names = {number: f"codex-oauth, {number}" for number in pool.SIZES}
    kinds = (("re-arming", pool.rearmed, 300.0), ("poll", pool.flow, 5.0))
    figures: list[Figure] = []
    targets: list[Target] = []
    for kind, make, interval in kinds:
        found = [pool.apart(partial(pool.growth, make, interval)) for _ in range(min(rounds, 2))]
        unit = f"{kind}: {names[pool.SIZES[0]]}"
        times = _times(
            unit, {f"{kind}: {name}": [one[number] * 1e-6 for one in found] for number, name in names.items()}
        )
        figures += [times.figure(name, f"a step of FlowPool, {kind}", ours=True) for name in times.taken]
        last = f"{kind}: {names[pool.SIZES[-1]]}"
        targets.append(
            Target(f"{kind}, at {pool.SIZES[-1]} of that at {pool.SIZES[0]}", times.ratio(last), 1.3)
        )
    return Result("P8", "1 000 flows", tuple(figures), tuple(targets))
