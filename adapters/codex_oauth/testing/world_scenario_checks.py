"""Checks of a world: every scenario of the device flow, over real HTTP, with its outcome and its instants.

Rules of this file: the clock stands still but for the round trip of a request, and runs while the world
waits, after it was stepped to just before the end of that wait: so the instants are those of the table, plus
exactly how late the world woke.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, Self, assert_never
from urllib.parse import urlsplit

import attrs

from codex_oauth.testing.checking import fail, same, true
from codex_oauth.testing.fake_world import Lost, Reply
from codex_oauth.testing.loopback import OK_ANSWER, LoopbackRequest, LoopbackServer, answer, in_turn, reset
from codex_oauth.testing.performing import CheckedClock, MakeAsyncWorld
from codex_oauth.testing.scenarios import ROUND_TRIP, SCENARIOS, Scenario
from codex_oauth.testing.untrusted import untrusted_context
from codex_oauth.testing.world_failure_checks import nobody_listens
from codex_oauth.worlds.world import AsyncWorld, arun
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cause, Event, Phase, TimeReached
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.storage import Register

__all__ = ["SCENARIO_CHECKS", "ScenarioCheck"]

_LEFT: Final = 0.01
"""Seconds of a wait that are left to the world."""

_MOST_EARLY: Final = 20
_EXACT: Final = 0.001


class ScenarioCheck:
    """One scenario as a check. It is called as the scenario is."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.__name__ = scenario.name.replace(" ", "_")

    @property
    def over_tls(self) -> bool:
        """Whether it needs TLS."""
        return any(_is(reply, Cause.TLS_CERTIFICATE) for reply in self.scenario.replies)

    async def __call__(self, make: MakeAsyncWorld, /) -> None:
        """Raises AssertionError if a world from `make` ends it in another way, or waits otherwise."""
        scenario = self.scenario
        clock = CheckedClock()
        with _Peers(scenario, clock) as peers, clock.standing():
            flow = DeviceFlow(provider=CODEX.at(peers.server.url), workspaces=scenario.workspaces)
            async with make(now=clock) as world:
                directed = _Directed(world, clock, peers)
                outcome = await arun(flow, directed)
        _same_end(scenario, outcome)
        _same_waits(scenario, directed.waits)


class _Peers:
    """The server of a scenario, and the two that no request gets through to."""

    def __init__(self, scenario: Scenario, clock: CheckedClock) -> None:
        self._replies: Iterator[Reply | Lost] = iter(scenario.replies)
        self._now: Reply | Lost | None = None
        self._clock = clock
        self._open = ExitStack()
        self.server = LoopbackServer(self._act)
        self._certificates = any(_is(reply, Cause.TLS_CERTIFICATE) for reply in scenario.replies)
        self._elsewhere: dict[Cause, str] = {}

    def addressed(self, effect: SendRequest) -> SendRequest:
        """The next request, to where it meets what the scenario says."""
        reply = next(self._replies, None)
        if reply is None:
            fail("one more request than the scenario has was asked for")
        self._now = reply
        if not (isinstance(reply, Lost) and reply.phase is Phase.NOT_SENT):
            return effect
        self._clock.step(ROUND_TRIP)
        path = urlsplit(effect.request.url).path
        url = self._elsewhere[reply.cause] + path
        return attrs.evolve(effect, request=attrs.evolve(effect.request, url=url))

    def _act(self, sock: socket.socket, request: LoopbackRequest) -> None:
        reply, self._now = self._now, None
        self._clock.step(ROUND_TRIP)
        if isinstance(reply, Reply):
            sock.sendall(answer(reply.status, reply.body, reply.headers))
        else:  # lost; or sent twice
            reset(sock)

    def __enter__(self) -> Self:
        self._open.enter_context(self.server)
        self._elsewhere[Cause.CONNECT] = self._open.enter_context(nobody_listens())
        if self._certificates:
            untrusted = self._open.enter_context(LoopbackServer(in_turn(OK_ANSWER), untrusted_context()))
            self._elsewhere[Cause.TLS_CERTIFICATE] = untrusted.url
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._open.close()


@attrs.frozen
class _Waited:
    """A wait that was asked for: seconds since `Started`, of which so many are the world's own lateness."""

    until: float
    why: str
    late: float


@attrs.define(eq=False)
class _Directed:
    """`world`, with the clock stepped past what takes long. `waits` is what it waited for."""

    world: AsyncWorld
    clock: CheckedClock
    peers: _Peers
    waits: list[_Waited] = attrs.field(factory=list[_Waited])
    _begun: float = 0.0
    _late: float = 0.0
    _last: Wait | None = None
    _early: int = 0

    def now(self) -> tuple[float, float]:
        """The instant of `Started`, and the Unix time then."""
        same(self.world.now(), self.clock(), "the instant and the Unix time of the world")
        self._begun = self.clock.instant()
        return self.world.now()

    async def perform(self, effect: SignInEffect) -> Event:
        """What the world answers."""
        match effect:
            case SendRequest():
                return await self.world.perform(self.peers.addressed(effect))
            case Wait():
                self._note(effect)
                return await self._wait(effect)
            case Register():
                return await self.world.perform(effect)
            case _:
                assert_never(effect)

    def _note(self, effect: Wait) -> None:
        if effect == self._last:  # it was answered early, so it comes again
            self._early += 1
            true(self._early < _MOST_EARLY, "the world does not wait: it answers again and again too early")
            return
        self._last, self._early = effect, 0
        self.waits.append(_Waited(effect.until - self._begun, effect.why.value, self._late))

    async def _wait(self, effect: Wait) -> Event:
        self.clock.step(effect.until - _LEFT - self.clock.instant())
        with self.clock.running():
            event = await self.world.perform(effect)
        if not isinstance(event, TimeReached):
            fail(f"the event of a wait is {event!r}")
        now = self.clock.instant()
        true(event.at <= now, "`at` of a wait that is over must not be in the future")
        self._late += max(0.0, now - effect.until)
        return event


def _is(reply: Reply | Lost, cause: Cause) -> bool:
    return isinstance(reply, Lost) and reply.cause is cause


def _same_end(scenario: Scenario, outcome: object) -> None:
    kind = outcome.kind if isinstance(outcome, SignInError) else None
    same(kind, scenario.ends, f"the end of the scenario {scenario.name!r}")
    if isinstance(outcome, SignInError):
        found = {name: outcome.details.get(name) for name in scenario.details}
        same(found, dict(scenario.details), f"details of the end of the scenario {scenario.name!r}")


def _same_waits(scenario: Scenario, waits: list[_Waited]) -> None:
    what = f"of the waits of the scenario {scenario.name!r}"
    same([waited.why for waited in waits], [why for _, why in scenario.waits], f"the reasons {what}")
    for waited, (until, _) in zip(waits, scenario.waits, strict=True):
        exact = until - _EXACT <= waited.until <= until + waited.late + _EXACT
        true(exact, f"the ends {what}: expected {until} s after the start, found {waited.until:.3f} s")


SCENARIO_CHECKS: Final = tuple(ScenarioCheck(scenario) for scenario in SCENARIOS)
