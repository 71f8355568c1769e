"""What tests of flows that are put down have in common: a server that counts, and the way through a database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio

from codex_oauth.pool.handle import Handle
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    Cause,
    DeviceFlow,
    ErrorKind,
    Event,
    Phase,
    Pkce,
    RequestFailed,
    SendRequest,
    SignInError,
    Wait,
    restore,
)
from codex_oauth_core.callback import Accepted
from tests.core.chatgpt import STATE
from tests.pool.servers import Crowd
from tests.pool.virtual import now

__all__ = [
    "EXCHANGING",
    "LATENCY",
    "POLLING",
    "SIGNED_IN",
    "Counting",
    "Foreign",
    "accepted_by",
    "again",
    "browser_flow",
    "kind",
    "nobody_ends",
]

LATENCY = 2.0
POLLING = LATENCY + 5 + LATENCY / 2  # seconds after the start: the first poll is in flight
EXCHANGING = LATENCY + 5 + LATENCY * 1.5
"""And here its approval is being exchanged."""
SIGNED_IN = 5 + 3 * LATENCY


class Counting(Crowd):
    """Counts what was asked for, and can lose exchanges before they are sent."""

    def __init__(self, polls: int = 1, latency: float = LATENCY, lost: int = 0) -> None:
        super().__init__(now, latency=latency, polls=polls)
        self.begun: list[str] = []
        self.exchanged = 0
        self.lost = lost

    async def __call__(self, effect: SendRequest) -> Any:
        self.begun.append(effect.request.url.rpartition("/")[2] + ("!" if effect.once else ""))
        if effect.once and self.lost:
            self.lost -= 1
            await anyio.sleep(LATENCY)
            return RequestFailed(now()[0], Phase.NOT_SENT, Cause.CONNECT)
        self.exchanged += effect.once
        return await super().__call__(effect)


def again(checkpoint: Mapping[str, Any] | None, provider: Any = CODEX) -> DeviceFlow | BrowserFlow:
    """The flow of a checkpoint that went through a database."""
    assert checkpoint is not None
    return restore(json.loads(json.dumps(checkpoint)), provider)


def kind(outcome: object) -> ErrorKind | None:
    return outcome.kind if isinstance(outcome, SignInError) else None


def nobody_ends(key: object, outcome: object) -> None:
    raise AssertionError(f"{key} was put down")


def browser_flow() -> BrowserFlow:
    pair = Pkce.from_entropy(bytes(range(32)))
    return BrowserFlow(redirect_uri="http://localhost:1455/auth/callback", pkce=pair, state=STATE)


def accepted_by(handle: Handle[Any], says: str = "code=canary-code") -> Accepted:
    assert handle.flow is not None
    assert isinstance(handle.flow.effect, Wait)
    assert handle.flow.effect.callback is not None
    accepted = handle.flow.effect.callback.judge(f"{says}&state={STATE.reveal()}")
    assert isinstance(accepted, Accepted)
    return accepted


class Foreign:
    """A flow of somebody else's: it knows no checkpoint."""

    def __init__(self) -> None:
        self._inner = DeviceFlow()

    @property
    def effect(self) -> Any:
        return self._inner.effect

    @property
    def state(self) -> Any:
        return self._inner.state

    def receive(self, event: Event) -> Any:
        return self._inner.receive(event)
