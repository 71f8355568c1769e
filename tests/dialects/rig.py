"""A server of somebody else's, a client of it, and people who approve: what the tests of the dialect share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, Final
from urllib.request import ProxyHandler, build_opener

import anyio
import attrs

from codex_oauth import (
    AsyncHttpxWorld,
    BrowserPrompt,
    Credential,
    DeviceFlow,
    DevicePrompt,
    HttpxWorld,
    Provider,
    SignInError,
    Wait,
    arun,
    run,
)
from codex_oauth_core import Why
from tests.adapters.virtual_time import SkippingClock
from tests.dialects.home_server import CLIENT_ID, Home, Policy, home_server
from tests.dialects.plain import provider_at

__all__ = [
    "BACKENDS",
    "Rig",
    "answering",
    "browsing",
    "by_device",
    "refused",
    "rig",
    "signed_in",
]

BACKENDS: Final = ("sync", "asyncio", "trio")
Watch = Callable[[Wait], None]


@attrs.frozen
class Rig:
    """A server, this client of it, and a clock that both have."""

    home: Home
    clock: SkippingClock
    provider: Provider

    def pass_time(self, seconds: float) -> None:
        self.clock.skip(Wait(self.clock.instant() + seconds, Why.PENDING))


def rig(**policy: Any) -> Generator[Rig]:
    clock = SkippingClock()
    with home_server(Policy(now=clock.wall, **policy)) as home:
        yield Rig(home, clock, provider_at(home.url, CLIENT_ID))


def by_device(here: Rig, backend: str, watch: Watch, provider: Provider | None = None) -> Any:
    """The outcome of a device sign-in; `watch` sees each wait, which takes no time."""
    flow = DeviceFlow(provider=provider or here.provider)

    def waits(wait: Wait) -> None:
        watch(wait)
        here.clock.skip(wait)

    async def main() -> Any:
        async with AsyncHttpxWorld(now=here.clock.now, on_wait=waits) as world:
            return await arun(flow, world)

    if backend != "sync":
        return anyio.run(main, backend=backend)
    with HttpxWorld(now=here.clock.now, on_wait=waits) as world:
        return run(flow, world)


def answering(here: Rig, approved: bool, after: int = 1) -> Watch:
    """Somebody who says yes or no during the wait of this number."""
    seen: list[Wait] = []

    def watch(wait: Wait) -> None:
        seen.append(wait)
        if len(seen) == after:
            assert isinstance(wait.prompt, DevicePrompt)
            here.home.approvals[wait.prompt.user_code] = approved

    return watch


def signed_in(outcome: Any) -> Credential:
    assert isinstance(outcome, Credential), outcome
    return outcome


def refused(outcome: Any) -> SignInError:
    assert isinstance(outcome, SignInError), outcome
    return outcome


def visit(url: str) -> None:
    """What a browser does, without the environment's proxies: follow the redirect to whoever listens."""
    with build_opener(ProxyHandler({})).open(url, timeout=20) as page:
        page.read()


def browsing(prompts: list[BrowserPrompt]) -> Callable[[Any], None]:
    def on_prompt(prompt: Any) -> None:
        assert isinstance(prompt, BrowserPrompt)
        prompts.append(prompt)
        threading.Thread(target=visit, args=(prompt.authorize_url.reveal(),)).start()

    return on_prompt
