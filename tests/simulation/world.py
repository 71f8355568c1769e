"""What all processes of a run have in common: time, the disk, the server, chance, and the rules' watch.

Rules of this file: everything that happens by chance is drawn from `rng`, so that a seed says it all; times
are seconds of virtual time, and whoever advances it is the scheduler.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import attrs

from codex_oauth.authority.messages import Call
from codex_oauth_core import Record, Request
from tests.simulation.disk import Disk, Home
from tests.simulation.invariants import Attempt, Watch
from tests.simulation.network import Mishap, Trip
from tests.simulation.server import WALL, Server, read_fields

__all__ = ["World"]

Later = Callable[[float, Callable[[], None]], None]
"""Have something done by the network after that many seconds."""


@attrs.define(eq=False)
class World:
    """A machine with one store of logins, and a server far away.

    `mishaps` befall the requests with these numbers; during an `outage` (until that instant) one befalls
    all. `trace` gets a line for each effect, if there is one.
    """

    rng: random.Random
    later: Later
    pace: Callable[[], float]
    """How long a step takes that is no request."""
    now: float = 0.0
    mishaps: dict[int, Mishap] = attrs.field(factory=dict[int, Mishap])
    outage: tuple[float, Mishap] | None = None
    trace: list[str] | None = None
    alive: set[int] = attrs.field(factory=set[int])
    injected: Counter[str] = attrs.field(factory=Counter[str])
    effects: int = 0
    requests: int = 0
    server: Server = attrs.field(init=False)
    home: Home = attrs.field(init=False)
    watch: Watch = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.server = Server(self.rng)
        self.home = Home(self._changed)
        self.watch = Watch(self.home, self.server)

    def _changed(self, pid: int, disk: Disk, old: Record | None, new: Record | None) -> None:
        self.watch.changed(pid, disk, old, new)

    def keep(self, record: Record, name: str) -> None:
        """Begin with a login under that name, which is the one in use."""
        self.home.place(name).main = record
        self.home.selected = name
        self.watch.deposited(record, name)

    def send(self, request: Request, timeout: float, attempt: Attempt | None) -> Trip:
        """Let a request go; `attempt` if it is a refresh, else it is a revocation."""
        trip = self._trip(timeout)
        if trip.arrives:
            arrives = self.now + trip.outbound
            call = Call.of(request, arrives, WALL + arrives)
            self.later(trip.outbound, lambda: self._arrive(call, trip, attempt))
        return trip

    def _trip(self, timeout: float) -> Trip:
        self.requests += 1
        mishap = self.mishaps.pop(self.requests, None)
        if self.outage is not None and self.now < self.outage[0]:
            mishap = self.outage[1]
        if mishap is not None:
            self.injected[mishap] += 1
        chance = self.rng.random()
        outbound = 0.01 + 0.2 * chance
        inbound = 0.01 + (chance * 7919 % 1.0) ** 8 * 55.0  # mostly quick, at times almost at the limit
        if mishap is None and outbound + inbound > timeout:  # a revocation has less time than a refresh
            mishap = Mishap.TIMEOUT
        duration = timeout if mishap is Mishap.TIMEOUT else min(outbound + inbound, timeout)
        return Trip(self.now, outbound, duration, mishap)

    def _arrive(self, call: Call, trip: Trip, attempt: Attempt | None) -> None:
        fields = read_fields(call)
        if attempt is None:
            trip.answer = self.server.revoke(call, fields)
        else:
            self.watch.arriving(attempt)
            trip.answer = self.server.refresh(call, fields)
        if self.trace is not None:
            self.trace.append(f"{self.now:12.4f}  server  answers {trip.answer.status}")
