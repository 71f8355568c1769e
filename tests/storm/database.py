"""Processes that share logins in PostgreSQL, while everything between them and their tokens fails: F1, F2, F5, F8.

Rules of this file: the processes are killed and stopped, at named points and at any instant; the server is restarted,
in order and as if it had crashed; its backends are ended, connections are cut, answers are lost; some go through
PgBouncer. The times of a renewal are shorter by one factor, so that leases and intents run out within the storm.
At its end nobody lives any more, so what the rows say of time is set back, and each login is renewed once more.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.authority import AuthorityServer
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.schema import migrate
from codex_oauth_core import Secret
from tests.fleet.bouncer import Bouncer
from tests.fleet.cluster import Cluster
from tests.fleet.cutter import Cutter
from tests.fleet.logins import KEYS, age_marks, put, store_in
from tests.storm import database_work as work
from tests.storm.database_work import AFTER_RESERVE, POINTS, Orders
from tests.storm.evidence import Evidence, Stop, Times, read
from tests.storm.logins import EXPIRED, authority, grant
from tests.storm.nursery import LIMIT, Child, Killed, Nursery
from tests.storm.tally import Row, Tally

__all__ = ["BREEZE", "CALM", "GALE", "Ground", "Weather", "ground", "storm"]


@attrs.frozen(kw_only=True)
class Weather:
    """How hard it blows: how many processes and logins, for how many seconds, and what happens how often.

    `hurry`: the factor by which the times of a renewal are shorter. `kills`, `stops`, `cuts`: seconds between two.
    `restarts`: of the server, spread over the time, the first in order and the next as if it had crashed.
    `answers_in`: seconds that the authority takes. `acts`: what processes do themselves, one after the other,
    every `acting`th of them, in a renewal between the first and the last of `turns`. `stop_for`: seconds, at least and
    at most. The rest are faults of the programs: see `Orders`.
    """

    processes: int = 16
    logins: int = 48
    seconds: float = 12.0
    hurry: float = 10.0
    kills: float | None = 1.5
    stops: float | None = 1.0
    cuts: float | None = 0.7
    restarts: int = 2
    answers_in: float = 0.05
    acts: Sequence[tuple[str, str]] = (
        *(("kill", point) for point in POINTS),
        ("stop", AFTER_RESERVE),
    )
    acting: int = 3
    turns: tuple[int, int] = (1, 4)
    stop_for: tuple[float, float] = (0.1, 3.0)
    sends_anyway: bool = False
    ignores_intents: bool = False


GALE: Final = Weather()
"""At full size."""

BREEZE: Final = Weather(
    processes=4, logins=8, seconds=4.0, hurry=20.0, kills=1.5, stops=1.0, restarts=1, stop_for=(0.1, 1.5)
)
"""For every run of the tests."""

CALM: Final = Weather(
    processes=4,
    logins=3,
    seconds=9.0,
    hurry=30.0,
    kills=None,
    stops=None,
    cuts=None,
    restarts=0,
    acts=(("", ""),),
)
"""No faults but those of the programs: for programs that are wrong."""

_LIFETIME: Final = 2
"""Seconds that an access token lives."""


@attrs.frozen
class Ground:
    """A PostgreSQL with a PgBouncer, and a network before it."""

    cluster: Cluster
    bouncer: Bouncer
    network: Cutter


@contextlib.contextmanager
def ground() -> Generator[Ground]:
    """Servers for a storm."""
    with Cluster() as cluster, Bouncer(cluster.port) as bouncer, Cutter(cluster.port) as network:
        yield Ground(cluster, bouncer, network)


def storm(nursery: Nursery, home: Path, ground: Ground, weather: Weather, seed: int) -> Row:
    """One storm. `nursery` hurries by as much as `weather` says."""
    with (
        authority(delay=weather.answers_in, access_lifetime=_LIFETIME) as server,
        ThreadPoolExecutor(1) as servers,
    ):
        tally = Tally("PostgreSQL, and everything fails", weather.processes, weather.logins)
        storm = _Storm(nursery, home, ground, weather, server, servers, random.Random(seed))
        storm.rage()
        storm.judge(tally, seed)
        return tally.row


@attrs.define(eq=False)
class _Storm:
    nursery: Nursery
    home: Path
    ground: Ground
    weather: Weather
    server: AuthorityServer
    servers: ThreadPoolExecutor
    draw: random.Random
    counted: Counter[str] = attrs.field(factory=Counter[str])
    killed: set[int] = attrs.field(factory=set[int])
    stops: list[Stop] = attrs.field(factory=list[Stop])
    _living: list[Child] = attrs.field(factory=list[Child])
    _stopped: dict[int, tuple[Child, float, float]] = attrs.field(
        factory=dict[int, tuple[Child, float, float]]
    )
    _busy: Future[None] | None = None
    _began: int = 0
    dsn: str = attrs.field(init=False)
    key: str = attrs.field(init=False, repr=False)
    owners: tuple[str, ...] = attrs.field(init=False)
    _ways: Iterator[str] = attrs.field(init=False)
    _acts: Iterator[tuple[str, str]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        dsn = self.ground.cluster.create_database()
        name = dsn.rpartition("/")[2].partition("?")[0]
        network, bouncer = self.ground.network.dsn(name), self.ground.bouncer.dsn(name)
        self.dsn, self._ways = dsn, cycle((network, bouncer, network, dsn))
        self._acts = cycle(self.weather.acts)
        database = Database(dsn)
        migrate(database)
        owners = list[str]()
        for number in range(self.weather.logins):
            record, owner = grant(self.server, EXPIRED), f"owner-{number}"
            put(store_in(database, owner), record, record.credential.key)
            store_in(database, owner).select(record.credential.key)
            owners.append(owner)
            self.key = record.credential.key
        database.close()
        self.owners = tuple(owners)

    # -- while it lasts --------------------------------------------------------------------------------------

    def rage(self) -> None:
        """From the first process to the end of the last one."""
        weather = self.weather
        end = time.monotonic() + weather.seconds
        due = [
            (self._kill, _every(weather.kills, self.draw)),
            (self._stop, _every(weather.stops, self.draw)),
            (self._cut, _every(weather.cuts, self.draw)),
            (self._restart, _spread(weather.restarts, weather.seconds)),
        ]
        while (now := time.monotonic()) < end:
            self._replace_the_dead()
            for act, instants in due:
                if instants and now >= instants[0]:
                    instants.pop(0)
                    act()
            self._wake(now)
            time.sleep(0.005)
        self._end()

    def _replace_the_dead(self) -> None:
        for child in list(self._living):
            while child.link.poll() and not child.over:
                try:
                    word = child.hear()
                except Killed:
                    self._died(child)
                    break
                if word == "ready":
                    child.tell()
                elif word == "stopping":
                    self._stand_still(child, self.draw.uniform(*self.weather.stop_for))
                    self.counted["stops at a point"] += 1
        while len(self._living) < self.weather.processes:
            self._begin()

    def _begin(self) -> None:
        weather, number = self.weather, self._began
        act, point = next(self._acts) if number % weather.acting == 0 else ("", "")
        orders = Orders(
            dsn=next(self._ways),
            key=KEYS.current.reveal(),
            owners=self.owners,
            log=self.home / f"{number}.log",
            seed=self.draw.getrandbits(32),
            answers_in=weather.answers_in,
            patience=None if number % 4 == 0 else 0.3,
            act=act,
            point=point,
            turn=self.draw.randint(*weather.turns),
            keeps_sources=number % 2 == 0,
            sends_anyway=weather.sends_anyway,
            ignores_intents=weather.ignores_intents,
        )
        self._began += 1
        self._living.append(self.nursery.fork(work.ask_on, orders))

    def _died(self, child: Child) -> None:
        self._living.remove(child)
        self.killed.add(child.pid)
        self.counted["kills"] += 1
        if (stopped := self._stopped.pop(child.pid, None)) is not None:
            self.stops.append(Stop(child.pid, stopped[1], time.monotonic()))

    def _kill(self) -> None:
        self.draw.choice(self._living).send_signal(signal.SIGKILL)

    def _stop(self) -> None:
        child = self.draw.choice(self._living)
        child.send_signal(signal.SIGSTOP)
        self._stand_still(child, self.draw.uniform(*self.weather.stop_for))
        self.counted["stops"] += 1

    def _stand_still(self, child: Child, seconds: float) -> None:
        at = time.monotonic()
        _, since, until = self._stopped.get(child.pid, (child, at, at))
        self._stopped[child.pid] = child, since, max(until, at + seconds)

    def _wake(self, now: float) -> None:
        for child, since, until in list(self._stopped.values()):
            if now >= until:
                del self._stopped[child.pid]
                child.send_signal(signal.SIGCONT)
                self.stops.append(Stop(child.pid, since, time.monotonic()))

    # -- the servers, on a thread of their own -----------------------------------------------------------------

    def _meanwhile(self, name: str, work: Callable[[], object]) -> None:
        """Do one thing after the other to the servers; what comes while one is under way is left out."""
        if self._busy is not None:
            if not self._busy.done():
                return
            self._busy.result()

        def do() -> None:
            work()

        self.counted[name] += 1
        self._busy = self.servers.submit(do)

    def _cut(self) -> None:
        network, cluster = self.ground.network, self.ground.cluster
        cuts = (
            ("cuts", network.cut),
            ("answers lost", lambda: network.lose_answer("UPDATE codex_oauth_login AS login SET body")),
            ("backends ended", cluster.kill_backends),
            ("answers lost", lambda: network.lose_answer("SET intent_owner")),
        )
        self._meanwhile(*self.draw.choice(cuts))

    def _restart(self) -> None:
        if self._busy is not None:
            self._busy.result()
        crashed = self.counted["restarts"] % 2 == 1
        self._meanwhile("restarts", lambda: self.ground.cluster.restart("immediate" if crashed else "fast"))

    # -- the end -------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Everybody who lives is told to end, and does."""
        if self._busy is not None:
            self._busy.result()
        self._wake(float("inf"))
        ending = list(self._living)
        for child in ending:
            child.tell("end")
        for child in ending:
            self._hear_out(child)

    def _hear_out(self, child: Child) -> None:
        give_up_at = time.monotonic() + LIMIT
        while not child.over:
            if child.link.poll(0.02):
                try:
                    word = child.hear()
                except Killed:
                    self._died(child)
                    return
                if word == "ready":
                    child.tell("end")
            else:
                child.send_signal(signal.SIGCONT)  # it may have stopped itself
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"process {child.pid} does not end")

    def judge(self, tally: Tally, seed: int) -> None:
        """Hold what was received against what was written down."""
        age_marks(self.dsn, 1000.0)
        orders = Orders(self.dsn, KEYS.current.reveal(), self.owners, self.home / "last.log", seed)
        ends: dict[str, str] = self.nursery.run(work.renew_all, orders, self.key)
        evidence = Evidence(read(self.home.glob("*.log")), self.killed, self.stops, Times(self.weather.hurry))
        windows = Counter[str]()
        received = Counter(self._marks())
        tally.sent, tally.duplicates = received.total(), received.total() - len(received)
        excused = set[str]()
        for mark, count in received.items():
            if count == 1:
                continue
            owner = next(line.owner for line in evidence.lines if line.mark == mark)
            causes = evidence.causes(mark, count)
            if tally.check(causes is not None, f"seed {seed}: a token of {owner} was sent {count} times"):
                windows.update(causes or ())
                excused.add(owner)
        for owner, how in ends.items():
            if how == "Renewed":
                continue
            if tally.check(owner in excused, f"seed {seed}: the login of {owner} ended as {how}"):
                tally.lost += 1
        lost = {owner for owner, how in ends.items() if how == "login_required"}
        answers, wrong, slowest = evidence.answers(lost)
        for what in wrong:
            tally.check(False, f"seed {seed}: {what}")
        tally.check(answers["served"] > 0, f"seed {seed}: nobody was served")
        tally.notes = "; ".join(
            [
                f"times / {self.weather.hurry:g}, {self.weather.seconds:g} s, seed {seed}",
                _told(self.counted) or "no fault",
                f"asked {answers.total()}: {_told(answers)}",
                f"slowest caller {slowest:.1f} s",
                *([_told(windows)] if windows else []),
            ]
        )

    def _marks(self) -> Iterator[str]:
        for each in self.server.authority.received("refresh"):
            token = each.fields["refresh_token"]
            assert isinstance(token, Secret)
            yield token.fingerprint()


def _every(pause: float | None, draw: random.Random) -> list[float]:
    """Instants, that long apart on the average."""
    if pause is None:
        return []
    at, instants = time.monotonic(), list[float]()
    for _ in range(1000):
        at += draw.uniform(0.5, 1.5) * pause
        instants.append(at)
    return instants


def _spread(count: int, seconds: float) -> list[float]:
    """So many instants, as far apart as they can be."""
    return [time.monotonic() + (number + 1) * seconds / (count + 1) for number in range(count)]


def _told(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items()) if count)
