"""P11: a token has expired, and everybody asks for it at once. One refresh is right, and nobody waits long.

Rules of this file: the server is our authority on loopback and takes 50 ms for a refresh; every turn has a
login of its own; the time ends when the last one has its token; what the server received is counted.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from typing import Final

import attrs

from codex_oauth import TokenSource
from codex_oauth.authority import AuthorityServer
from tests.bench.contest import Contestant, contest, figures
from tests.bench.ratios import Result, Spread, Target
from tests.bench.rows.contention_work import by_hand, post_refresh
from tests.storm import work
from tests.storm.logins import Ground, authority, grant
from tests.storm.nursery import Child, Nursery
from tests.storm.work import Job

UNIT: Final = "the server's latency"
DELAY: Final = 0.05
PROCESSES: Final = (2, 8, 32, 50)
THREADS, TASKS = 32, 1000
EVENT: Final = f"an event by hand, {TASKS} tasks"


@attrs.define(eq=False)
class Arena:
    """Where they meet. `most` is the highest number of refreshes that one login saw."""

    server: AuthorityServer
    nursery: Nursery
    home: Path
    numbers: itertools.count[int] = attrs.field(factory=itertools.count)
    most: int = 0

    def ground(self) -> Ground:
        """A login that has expired."""
        return Ground.of(self.server, self.home / f"login{next(self.numbers)}")

    def check(self, ground: Ground) -> None:
        """Count what the server received."""
        self.most = max(self.most, ground.sent)

    def bare(self) -> float:
        """A refresh by nobody else."""
        token = grant(self.server, -1).credential.refresh_token
        assert token is not None
        began = time.perf_counter()
        post_refresh(self.server.url, token.reveal())
        return time.perf_counter() - began

    def processes(self, number: int) -> float:
        """Processes that are ready, each with a `TokenSource`."""
        ground = self.ground()
        job = Job(ground.home, ground.key)
        took = _all_at_once([self.nursery.fork(work.token, job) for _ in range(number)])
        self.check(ground)
        return took

    def by_hand(self, number: int) -> float:
        """The same processes, with a blocking lock and no more."""
        record = grant(self.server, -1)
        token = record.credential.refresh_token
        assert token is not None
        path = self.home / f"hand{next(self.numbers)}.json"
        path.write_text(json.dumps({"expires_at": 0, "refresh_token": token.reveal()}))
        return _all_at_once([self.nursery.fork(by_hand, path, self.server.url) for _ in range(number)])

    def threads(self) -> float:
        """Threads that share a `TokenSource`."""
        ground, start = self.ground(), Barrier(THREADS + 1)
        with TokenSource(ground.store) as source, ThreadPoolExecutor(THREADS) as pool:

            def ask() -> str:
                start.wait()
                return source.token()

            asked = [pool.submit(ask) for _ in range(THREADS)]
            start.wait()
            began = time.perf_counter()
            got = {each.result() for each in asked}
            took = time.perf_counter() - began
        assert len(got) == 1
        self.check(ground)
        return took

    def bare_tasks(self) -> float:
        """As many tasks that wait for one event, which a thread sets when it has its answer."""
        record = grant(self.server, -1)
        token = record.credential.refresh_token
        assert token is not None

        async def ask() -> float:
            done = asyncio.Event()

            async def wait() -> str:
                await done.wait()
                return answer

            began = time.perf_counter()
            waiting = asyncio.gather(*(wait() for _ in range(TASKS)))
            answer = str(await asyncio.to_thread(post_refresh, self.server.url, token.reveal()))
            done.set()
            assert len(set(await waiting)) == 1
            return time.perf_counter() - began

        return asyncio.run(ask())

    def tasks(self) -> float:
        """Tasks that share a `TokenSource`."""
        ground = self.ground()

        async def ask() -> float:
            async with TokenSource(ground.store) as source:
                began = time.perf_counter()
                got = await asyncio.gather(*(source.atoken() for _ in range(TASKS)))
                assert len(set(got)) == 1
                return time.perf_counter() - began

        took = asyncio.run(ask())
        self.check(ground)
        return took


def _all_at_once(children: Sequence[Child]) -> float:
    for child in children:
        assert child.hear() == "ready"
    began = time.perf_counter()
    for child in children:
        child.tell()
    for child in children:
        child.result()
    return time.perf_counter() - began


def measure(rounds: int) -> Result:
    """The row."""
    with authority(delay=DELAY) as server, Nursery() as nursery, TemporaryDirectory() as home:
        arena = Arena(server, nursery, Path(home))

        def processes(number: int) -> Callable[[], float]:
            return lambda: arena.processes(number)

        all_of = [
            Contestant(UNIT, "one POST with http.client; the server waits for 50 ms", arena.bare),
            *(
                Contestant(
                    f"codex-oauth, {number} processes",
                    "TokenSource.token() each",
                    processes(number),
                    ours=True,
                )
                for number in PROCESSES
            ),
            Contestant(
                "flock by hand, 32 processes", "blocking flock, read again, POST", lambda: arena.by_hand(32)
            ),
            Contestant(
                f"codex-oauth, {THREADS} threads", "one TokenSource, token()", arena.threads, ours=True
            ),
            Contestant(f"codex-oauth, {TASKS} tasks", "one TokenSource, atoken()", arena.tasks, ours=True),
            Contestant(EVENT, "asyncio.Event, one POST on a thread", arena.bare_tasks),
        ]
        times = contest(all_of, rounds, UNIT)
        most = arena.most
    in_ms = Spread.of([1000 * taken for taken in times.taken["codex-oauth, 32 processes"]])
    targets = (
        Target("refreshes of one login, at most", Spread.of([float(most)]), 1, unit=""),
        Target("32 processes, until all are served", in_ms, 180, unit="ms"),
        Target(
            "32 processes, of the ones by hand",
            times.ratio("codex-oauth, 32 processes", "flock by hand, 32 processes"),
            2,
        ),
        Target(f"{THREADS} threads, of the latency", times.ratio(f"codex-oauth, {THREADS} threads"), 1.3),
        Target(f"{TASKS} tasks, of the latency", times.ratio(f"codex-oauth, {TASKS} tasks"), 1.3),
    )
    return Result("P11", UNIT, figures(all_of, times), targets)
