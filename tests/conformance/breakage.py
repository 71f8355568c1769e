"""A way in which a world of one's own comes out broken.

Rules of this file: a broken world is a whole world that does one thing wrong; it names every check that is
there to catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import httpx

from codex_oauth import HttpxWorld
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.protocol import SendOutcome
from codex_oauth_core import Event, Request, RequestFailed, ResponseReceived, SendRequest, SignInEffect

__all__ = [
    "BROKEN",
    "Altered",
    "Broken",
    "WithClient",
    "answering",
    "breaks",
    "broken",
    "failing",
    "performing",
    "sending",
]


@attrs.frozen
class Broken:
    """`make` makes it, and the checks `caught_by` fail."""

    make: Any
    caught_by: tuple[str, ...]


BROKEN: dict[str, Broken] = {}
"""By what is wrong."""

_M = TypeVar("_M", bound=Callable[..., Any])


def breaks(*caught_by: str) -> Callable[[_M], _M]:
    """What is decorated makes broken worlds. A scenario is named as in the table."""

    def add(make: _M) -> _M:
        BROKEN[make.__name__] = Broken(make, tuple(name.replace(" ", "_") for name in caught_by))
        return make

    return add


def broken(what: str, make: Any, *caught_by: str) -> None:
    """A broken world under a name of its own."""
    assert what not in BROKEN, what
    BROKEN[what] = Broken(make, tuple(name.replace(" ", "_") for name in caught_by))


GoOn = Callable[[SignInEffect], Event]


def performing(do: Callable[[HttpxWorld, SignInEffect, GoOn], Event]) -> type[HttpxWorld]:
    """A world that performs by `do`, which gets the world, the effect, and what a good world does."""

    class Performing(HttpxWorld):
        def perform(self, effect: SignInEffect) -> Event:
            return do(self, effect, super().perform)

    return Performing


def sending(change: Callable[[Request], Request]) -> type[HttpxWorld]:
    """A world that sends another request."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        if isinstance(effect, SendRequest):
            effect = attrs.evolve(effect, request=change(effect.request))
        return go_on(effect)

    return performing(do)


def answering(change: Callable[[ResponseReceived], Event]) -> type[HttpxWorld]:
    """A world that tells another answer."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        event = go_on(effect)
        return change(event) if isinstance(event, ResponseReceived) else event

    return performing(do)


def failing(change: Callable[[RequestFailed], Event]) -> type[HttpxWorld]:
    """A world that tells another failure."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        event = go_on(effect)
        return change(event) if isinstance(event, RequestFailed) else event

    return performing(do)


class Altered(HttpxWorld):
    """A world that answers requests with something else than it should."""

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, ResponseReceived):
            return self.answered(event)
        return self.failed(event) if isinstance(event, RequestFailed) else event

    def answered(self, event: ResponseReceived) -> Event:
        return event

    def failed(self, event: RequestFailed) -> Event:
        return event


class WithClient(HttpxWorld):
    """A world over a client that was not told what a world must not do."""

    def client(self) -> httpx.Client:
        return httpx.Client(trust_env=False)

    def perform(self, effect: SignInEffect) -> Event:
        if not isinstance(effect, SendRequest):
            return super().perform(effect)
        return self.request(effect)

    def request(self, effect: SendRequest) -> SendOutcome:
        with self.client() as client:
            return HttpxTransport(client, now=self.now)(effect)
