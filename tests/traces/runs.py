"""Sign-ins to record: the published scenarios of the device flow, and a table of the browser flow's.

Rules of this file: every run is the same every time; a run's name, as a file name, is its trace's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any, Final

import attrs

from codex_oauth import run
from codex_oauth.authority import Hostile, HostileAnswer
from codex_oauth.testing import SCENARIOS, FakeWorld, Lost, Reply, Scenario, scripted
from codex_oauth.testing.fake_world import Server
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    CallbackReceived,
    Cancelled,
    Cause,
    Credential,
    DeviceFlow,
    Effect,
    Event,
    Finished,
    Phase,
    Pkce,
    Provider,
    Recorder,
    RequestFailed,
    Secret,
    SignInError,
    Started,
    TimeReached,
)
from codex_oauth_core.flows.machine import Drivable
from codex_oauth_core.flows.sign_in import SignInFlow
from tests.core.chatgpt import FIRST, Desk, authority, signed_in
from tests.core.chatgpt import flow as officially
from tests.support import CODE, T0, W0, as_json, code, response, tokens

__all__ = ["BROWSER", "OFFICIAL", "RUNS", "Recorded", "Told", "record", "record_device", "slug", "then_lost"]

STATE: Final = "canary-state-0123456789-0123456789-012345678"
PAIR: Final = Pkce.from_entropy(bytes(range(32)))
URI: Final = "http://localhost:1455/auth/callback"


@attrs.frozen
class Recorded:
    """A sign-in that was recorded: its trace, and what the real flow did."""

    lines: list[str]
    effects: list[Effect]

    @property
    def text(self) -> str:
        return "".join(self.lines)

    @property
    def outcome(self) -> Any:
        last = self.effects[-1]
        assert isinstance(last, Finished)
        return last.outcome


@attrs.frozen
class Told:
    """A browser sign-in as the events that it is told, after `Started`."""

    name: str
    events: Sequence[Event]
    workspaces: tuple[str, ...] = ()


@attrs.define(eq=False)
class _Seen:
    """A world that keeps what it was asked for."""

    inner: FakeWorld
    effects: list[Effect] = attrs.field(factory=list[Effect])

    def now(self) -> tuple[float, float]:
        return self.inner.now()

    def perform(self, effect: Any) -> Event:
        self.effects.append(effect)
        return self.inner.perform(effect)


def record(flow: SignInFlow, server: Server, **options: Any) -> Recorded:
    """Run a flow, recorded, in virtual time."""
    lines: list[str] = []
    world = _Seen(FakeWorld(server, **options))
    outcome = run(Recorder(flow=flow, write=lines.append), world)
    assert isinstance(outcome, Credential | SignInError)
    return Recorded(lines, [*world.effects, Finished(outcome)])


def then_lost(replies: Iterable[Reply | Lost]) -> Server:
    """A server that gives these answers, and then loses every request."""
    return scripted(chain(replies, repeat(Lost())))


def record_device(scenario: Scenario, provider: Provider = CODEX) -> Recorded:
    """Record a scenario of the device flow."""
    flow = DeviceFlow(provider=provider, workspaces=scenario.workspaces)
    return record(flow, scripted(scenario.replies))


def browser_flow(**options: Any) -> BrowserFlow:
    return BrowserFlow(redirect_uri=URI, pkce=PAIR, state=Secret(STATE), **options)


def tell(flow: Drivable[Any, Any], events: Sequence[Event]) -> list[Effect]:
    """Started and these events; every effect."""
    return [flow.receive(event) for event in (Started(T0, W0), *events)]


def record_browser(told: Told) -> Recorded:
    """Record a browser sign-in."""
    lines: list[str] = []
    flow = browser_flow(workspaces=told.workspaces)
    effects = tell(Recorder(flow=flow, write=lines.append), told.events)
    return Recorded(lines, effects)


def back(query: str = f"code={CODE}&state={STATE}", at: float = 20.0) -> CallbackReceived:
    return CallbackReceived(T0 + at, Secret(query))


def lost(phase: Phase = Phase.NOT_SENT, at: float = 21.0) -> RequestFailed:
    return RequestFailed(T0 + at, phase, Cause.DNS if phase is Phase.NOT_SENT else Cause.TIMEOUT)


GRANTED: Final = response(tokens(), T0 + 21)

BROWSER: Final = (
    Told("browser approved", (back(), GRANTED)),
    Told(
        "browser a state with the provider's suffix",
        (back(f"code={CODE}&state={STATE}.onboarding_entrypoint%3Dlife_sciences"), GRANTED),
    ),
    Told(
        "browser the redirect of another sign-in first", (back("code=canary&state=canary"), back(), GRANTED)
    ),
    Told("browser woken early", (TimeReached(T0 + 5), back(), GRANTED)),
    Told("browser denied", (back(f"error=access_denied&state={STATE}"),)),
    Told(
        "browser a workspace without Codex",
        (back(f"error=access_denied&error_description=canary+missing_codex_entitlement&state={STATE}"),),
    ),
    Told(
        "browser an error of the server",
        (back(f"error=canary_error&error_description=canary&state={STATE}"),),
    ),
    Told("browser no code", (back(f"state={STATE}"),)),
    Told("browser nobody comes back", (TimeReached(T0 + 600),)),
    Told("browser cancelled", (Cancelled(T0 + 12.5),)),
    Told("browser the exchange is not reached at first", (back(), lost(), TimeReached(T0 + 22), GRANTED)),
    Told("browser the answer to the exchange is lost", (back(), lost(Phase.MAYBE_SENT))),
    Told(
        "browser a refresh token of no use",
        (back(), response(tokens(refresh_token="canary b"), T0 + 21), response(as_json(200, {}), T0 + 22)),
    ),
    Told("browser the code is refused", (back(), response(code("invalid_grant", 400), T0 + 21))),
    Told(
        "browser another workspace than asked for",
        (back(), GRANTED, response(as_json(200, {}), T0 + 22)),
        workspaces=("acct_other",),
    ),
)


def slug(name: str) -> str:
    """A run's name as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _of_device(scenario: Scenario) -> Callable[[], Recorded]:
    return lambda: record_device(scenario)


def _of_browser(told: Told) -> Callable[[], Recorded]:
    return lambda: record_browser(told)


@attrs.frozen
class Official:
    """An official sign-in against the authority, with these hostile answers; `again` of a registered program."""

    name: str
    hostile: tuple[HostileAnswer, ...] = ()
    again: bool = False
    policy: tuple[tuple[str, Any], ...] = ()


def _late(name: Hostile, requests: str) -> HostileAnswer:
    return HostileAnswer(name=name, requests=requests)


OFFICIAL: Final = (
    Official("official registered"),
    Official("official again", again=True),
    Official("official denied", policy=(("approve", "deny"),)),
    Official("official without the plan", policy=(("plan_use", False),)),
    Official("official keys that come late", (_late(Hostile.KEYS_UNAVAILABLE, "1-2"),)),
    Official("official a new key", (_late(Hostile.KEYS_UNKNOWN_KID, "1"),)),
    Official("official another nonce", (_late(Hostile.OTHER_NONCE, "every"),)),
    Official("official no client id", (_late(Hostile.NO_CLIENT_ID, "every"),)),
    Official("official another client id", (_late(Hostile.OTHER_CLIENT_ID, "every"),), again=True),
)


def record_official(told: Official) -> Recorded:
    """Record an official sign-in."""
    desk, provider = Desk(authority(**dict(told.policy))), FIRST
    if told.again:
        provider = FIRST.registered(signed_in(desk.run(officially())).client_id)
        desk = Desk(desk.server)
    desk.server.faults = told.hostile
    lines: list[str] = []
    desk.run(Recorder(flow=officially(provider), write=lines.append))
    return Recorded(lines, list(desk.effects))


def _of_official(told: Official) -> Callable[[], Recorded]:
    return lambda: record_official(told)


RUNS: Final[dict[str, Callable[[], Recorded]]] = {
    **{slug(scenario.name): _of_device(scenario) for scenario in SCENARIOS},
    **{slug(told.name): _of_browser(told) for told in BROWSER},
    **{slug(told.name): _of_official(told) for told in OFFICIAL},
}
"""Every sign-in of the corpus, by the name of its trace."""
