"""Whole sign-ins, event by event: every scenario of the device flow, the browser flow's, and those of a dialect
without an exchange. A test puts a flow down after any event of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from codex_oauth.authority import Hostile, HostileAnswer
from codex_oauth.testing import SCENARIOS, FakeWorld, Lost, Reply, scripted
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    CallbackReceived,
    Cause,
    DeviceFlow,
    ErrorKind,
    Event,
    Finished,
    Phase,
    Pkce,
    Provider,
    Resumed,
    Secret,
    SendRequest,
    SignInError,
    Started,
    Wait,
    restore,
)
from codex_oauth_core.storage import Register, StorageAnswer, StoreFailed
from tests.core.chatgpt import FIRST, Desk, authority, flow, signed_in
from tests.core.test_second_dialect import GRANTED, ISSUED, PLAIN
from tests.support import CODE, T0, W0, as_json, code, page, tokens

__all__ = ["JOURNEYS", "ORIGIN", "Journey", "moved", "picked_up", "same", "through_json"]

STATE: Final = "canary-state-0123456789-0123456789-012345678"
PAIR: Final = Pkce.from_entropy(bytes(range(32)))
URI: Final = "http://localhost:1455/auth/callback"
ORIGIN: Final = -987_654.5
"""Seconds by which another machine's monotonic clock differs. All times here are exact in binary."""

Flow = DeviceFlow | BrowserFlow
Redirect = str
UNSENT: Final = Lost(Cause.CONNECT, Phase.NOT_SENT)


@attrs.frozen
class Journey:
    """A sign-in that was driven to its end: its events, and the effect after each."""

    name: str
    make: Callable[[], Flow]
    provider: Provider
    events: tuple[Event, ...]
    effects: tuple[Any, ...]

    def after(self, count: int) -> Flow:
        """A flow that has received the first `count` events."""
        flow = self.make()
        for event in self.events[:count]:
            flow.receive(event)
        return flow

    def stops(self) -> range:
        """After how many events it can be put down."""
        return range(1, len(self.events))

    def time(self, count: int) -> tuple[float, float]:
        """The instant and the Unix time of the last of the first `count` events."""
        at = self.events[count - 1].at
        return at, W0 + (at - T0)


def travelled(
    name: str, make: Callable[[], Flow], provider: Provider, steps: tuple[Reply | Lost | Redirect, ...]
) -> Journey:
    redirects = [step for step in steps if isinstance(step, str)]
    world = FakeWorld(scripted(step for step in steps if not isinstance(step, str)))
    flow, events, effects = make(), list[Event](), list[Any]()
    event: Event = Started(*world.now())
    while True:
        effect = flow.receive(event)
        events.append(event)
        effects.append(effect)
        if isinstance(effect, Finished):
            return Journey(name, make, provider, tuple(events), tuple(effects))
        if isinstance(effect, Wait) and effect.callback is not None and redirects:
            world.at, world.wall = world.at + 20, world.wall + 20
            event = CallbackReceived(world.at, Secret(redirects.pop(0)))
        else:
            event = world.perform(effect)


def _browser() -> BrowserFlow:
    return BrowserFlow(redirect_uri=URI, pkce=PAIR, state=Secret(STATE))


GENUINE: Final = f"code={CODE}&state={STATE}"
_UNWANTED: Final = tokens(access_token="two words")
_BROWSER: Final[Mapping[str, tuple[Reply | Lost | Redirect, ...]]] = {
    "signed in": (GENUINE, tokens()),
    "a foreign redirect first": ("code=x&state=wrong", GENUINE, tokens()),
    "denied": (f"error=access_denied&state={STATE}",),
    "the exchange is not reached, twice": (GENUINE, UNSENT, UNSENT, tokens()),
    "the exchange is never reached": (GENUINE, UNSENT, UNSENT, UNSENT, UNSENT, UNSENT),
    "a lost exchange": (GENUINE, Lost()),
    "an unusable token": (GENUINE, _UNWANTED, as_json(200, {})),
    "an unusable token, and no confirmation": (GENUINE, _UNWANTED, page(500)),
    "nobody came": (),
}
_PLAIN: Final[Mapping[str, tuple[Reply, ...]]] = {
    "granted by a poll": (ISSUED, as_json(400, {"error": "slow_down"}), GRANTED),
    "unwanted": (ISSUED, as_json(200, {"access_token": "x", "refresh_token": "r1"}), as_json(200, {})),
}
_MORE: Final[Mapping[str, tuple[Reply | Lost, ...]]] = {
    "a rate limit with a code": (
        as_json(200, {"device_auth_id": "\ud800 é", "user_code": " ABCD-1234 ", "interval": 1}),
        code("rate_limit_exceeded", 429, {"Retry-After": "30"}),
        code("access_denied"),
    ),
}


def _officially(
    name: str,
    *faults: HostileAnswer,
    again: bool = False,
    store: tuple[StorageAnswer, ...] = (),
    **policy: Any,
) -> Journey:
    """The official sign-in; with `again` one of a program that is registered, with all that it may say."""
    desk = Desk(authority(**policy), store=store)
    provider, options = FIRST, dict[str, Any]()
    if again:
        first = signed_in(desk.run(flow()))
        provider = FIRST.registered(first.client_id)
        said = {"id_token_hint": first.id_token, "login_hint": "somebody@example.com", "prompt": "consent"}
        options = {**said, "account": first.identity}
        desk = Desk(desk.server)
    desk.server.faults = faults
    desk.run(flow(provider, **options))
    events, effects = tuple(desk.events), tuple(desk.effects)
    return Journey(f"official: {name}", lambda: flow(provider, **options), provider, events, effects)


def _hostile(name: Hostile, requests: str = "every") -> HostileAnswer:
    return HostileAnswer(name=name, requests=requests)


_OFFICIAL: Final = (
    _officially("signed in"),
    _officially("again", again=True),
    _officially("denied", approve="deny"),
    _officially("keys that come late", _hostile(Hostile.KEYS_UNAVAILABLE, "1-3")),
    _officially("no keys", _hostile(Hostile.KEYS_HTML)),
    _officially("a new key", _hostile(Hostile.KEYS_UNKNOWN_KID, "1")),
    _officially("a key that stays unknown", _hostile(Hostile.KEYS_UNKNOWN_KID)),
    _officially("another nonce", _hostile(Hostile.OTHER_NONCE)),
    _officially("somebody else", _hostile(Hostile.EXCHANGE_OTHER_SUBJECT), again=True),
    _officially("no client id", _hostile(Hostile.NO_CLIENT_ID)),
    _officially(
        "not kept", store=(StoreFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="ENOSPC")),)
    ),
)


def _device(workspaces: tuple[str, ...] = (), provider: Provider = CODEX) -> Callable[[], Flow]:
    return lambda: DeviceFlow(workspaces=workspaces, provider=provider)


JOURNEYS: Final = (
    *(travelled(f"device: {each.name}", _device(each.workspaces), CODEX, each.replies) for each in SCENARIOS),
    *(travelled(f"device: {name}", _device(), CODEX, steps) for name, steps in _MORE.items()),
    *(travelled(f"browser: {name}", _browser, CODEX, steps) for name, steps in _BROWSER.items()),
    *_OFFICIAL,
    *(travelled(f"plain: {name}", _device(provider=PLAIN), PLAIN, steps) for name, steps in _PLAIN.items()),
)


def through_json(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping as another process reads it."""
    read: dict[str, Any] = json.loads(json.dumps(mapping, allow_nan=False))
    return read


def picked_up(
    flow: Flow, provider: Provider, now: tuple[float, float], *, asleep: float = 0.0, handed_over: bool = True
) -> tuple[Flow, Any]:
    """The flow put down at `now` and picked up on another machine, `asleep` seconds later; with its effect."""
    at, wall = now
    mapping = flow.checkpoint(at=at, wall=wall, handed_over=handed_over)
    again = restore(through_json(mapping), provider)
    return again, again.receive(Resumed(at + asleep + ORIGIN, wall + asleep))


def moved(event: Any, by: float = ORIGIN) -> Any:
    """The event as another machine's monotonic clock times it."""
    sent = {"sent_at": event.sent_at + by} if hasattr(event, "sent_at") else {}
    return attrs.evolve(event, at=event.at + by, **sent)


def same(effect: Any, other: Any, by: float = ORIGIN) -> bool:
    """Whether `effect`, on a clock that differs by `by`, is `other`."""
    if isinstance(effect, Wait):
        return isinstance(other, Wait) and attrs.evolve(effect, until=effect.until - by) == other
    if isinstance(effect, Finished) and isinstance(effect.outcome, SignInError):
        ended = other.outcome if isinstance(other, Finished) else None
        return isinstance(ended, SignInError) and effect.outcome.to_dict() == ended.to_dict()
    assert isinstance(effect, SendRequest | Register | Finished)
    return bool(effect == other)
