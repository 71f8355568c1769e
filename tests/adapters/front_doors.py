"""Every front door as one function: the same parameters, the same outcome, in blocking code, on asyncio and on trio.

Rules of this file: the asynchronous doors are asked in the real world of asyncio and trio, `AnyioWorld`, even where
the server is fake and time is virtual: the fake is its transport and its clock. No task and no socket is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import pytest

from codex_oauth import (
    AnyioWorld,
    AsyncHttpxWorld,
    HttpxWorld,
    Store,
    afinish_sign_in,
    alogin,
    astore_login,
    finish_sign_in,
    login,
    store_login,
)
from codex_oauth.stored_login import aend_login, end_login
from codex_oauth.testing import FakeWorld
from codex_oauth.transport.protocol import AsyncSendOutcome
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core import (
    Cancelled,
    Credential,
    Provider,
    Record,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignedIn,
    Wait,
)
from codex_oauth_core.effects import Prompt
from tests.adapters.virtual_time import SkippingClock
from tests.asynchronous.running import run

__all__ = ["DOORS", "Door", "each_door", "each_prompted_door"]


@attrs.frozen
class Door:
    """One way in. `world` is a fake one; with a `clock` the world speaks HTTP and its waits are skipped; with
    neither it is the usual one.
    """

    backend: str | None
    awaits_prompts: bool = False

    @property
    def blocks(self) -> bool:
        """Whether it is for blocking code."""
        return self.backend is None

    def login(
        self,
        *,
        on_prompt: Callable[[Prompt], None] | None,
        world: FakeWorld | None = None,
        clock: SkippingClock | None = None,
        **options: Any,
    ) -> Credential:
        """`login()`, or `alogin()` in an event loop of its own."""
        if world is not None:
            options["make_world"] = _always(world) if self.blocks else _always_awaited(world)
        if clock is not None:
            options["make_world"] = _over_http(clock, HttpxWorld if self.blocks else AsyncHttpxWorld)
        if self.backend is None:
            return login(on_prompt=on_prompt, **options)

        async def prompted(prompt: Prompt) -> None:
            assert on_prompt is not None
            on_prompt(prompt)

        given: Any = prompted if self.awaits_prompts and on_prompt else on_prompt
        return run(lambda: alogin(on_prompt=given, **options), self.backend)

    def store_login(
        self, store: Store, granted: Credential | Record, world: FakeWorld, **options: Any
    ) -> SignedIn:
        """`store_login()`, or `astore_login()`."""
        if self.backend is None:
            return store_login(store, granted, make_world=lambda: world, **options)
        return run(
            lambda: astore_login(store, granted, make_world=lambda: _awaited(world), **options), self.backend
        )

    def finish_sign_in(
        self,
        granted: Credential | Record,
        store: Store,
        provider: Provider | None,
        world: FakeWorld,
        **options: Any,
    ) -> SignedIn:
        """`finish_sign_in()`, or `afinish_sign_in()`."""
        if self.backend is None:
            return finish_sign_in(granted, store, provider, world, **options)

        async def main() -> SignedIn:
            async with _awaited(world) as awaited:
                return await afinish_sign_in(granted, store, provider, awaited, **options)

        return run(main, self.backend)

    def end_login(
        self, store: Store, key: str, provider: Provider | None, world: FakeWorld, **options: Any
    ) -> bool | None:
        """`end_login()`, or `aend_login()`."""
        if self.backend is None:
            return end_login(store, key, provider, world, **options)

        async def main() -> bool | None:
            async with _awaited(world) as awaited:
                return await aend_login(store, key, provider, awaited, **options)

        return run(main, self.backend)


def _awaited(fake: FakeWorld) -> AnyioWorld:
    """The world of event loops, with the fake one's server and in its time."""

    async def send(effect: SendRequest) -> AsyncSendOutcome:
        answer = fake.perform(effect)
        assert isinstance(answer, ResponseReceived | RequestFailed), answer
        return answer

    def wait(effect: Wait) -> None:
        if isinstance(fake.perform(effect), Cancelled):
            world.cancel()

    world = AnyioWorld(send, on_wait=wait, now=fake.now)
    return world


def _always(world: FakeWorld) -> Callable[[Sequence[CallbackSource]], FakeWorld]:
    return lambda sources: world


def _always_awaited(world: FakeWorld) -> Callable[[Sequence[CallbackSource]], AnyioWorld]:
    return lambda sources: _awaited(world)


def _over_http(clock: SkippingClock, kind: Callable[..., Any]) -> Callable[[Sequence[CallbackSource]], Any]:
    return lambda sources: kind(now=clock.now, on_wait=clock.skip, callbacks=sources)


DOORS: Final = {"sync": Door(None), "asyncio": Door("asyncio"), "trio": Door("trio")}
PROMPTED: Final = {
    **DOORS,
    "asyncio, a coroutine shows": Door("asyncio", awaits_prompts=True),
    "trio, a coroutine shows": Door("trio", awaits_prompts=True),
}

each_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
each_prompted_door = pytest.mark.parametrize("door", PROMPTED.values(), ids=PROMPTED)
