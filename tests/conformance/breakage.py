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
from codex_oauth_core import Event, RequestFailed, ResponseReceived, SendRequest, SignInEffect

__all__ = ["BROKEN", "Altered", "Broken", "WithClient", "breaks"]


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
