"""A world with a store that keeps registrations: `Register` is performed there, all else by a world within.

Rules of this file: a storage that fails is an answer and no exception; without a store nothing is kept, and
the world within says so. In an asynchronous world the storing goes on a worker thread, and is never cut.
"""

from __future__ import annotations

from codex_oauth.event_loops import run_blocking
from codex_oauth.stores.store import KeepsRegistrations
from codex_oauth.worlds.world import AsyncPerformer, Performer
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Event, StoreAnswered
from codex_oauth_core.registration import Registration
from codex_oauth_core.storage import Register, Registered, StoreFailed

__all__ = ["AsyncRegisteringWorld", "RegisteringWorld"]


class RegisteringWorld:
    """`world`, with a store that keeps the client ids a server issues. Use it inside the block of `world`."""

    def __init__(self, world: Performer, store: KeepsRegistrations | None) -> None:
        self._world = world
        self._store = store

    def now(self) -> tuple[float, float]:
        """The clocks of the world: the instant and Unix time, both in seconds."""
        return self._world.now()

    def perform(self, effect: SignInEffect) -> Event:
        """Perform the effect, and return the event that answers it."""
        if not isinstance(effect, Register) or self._store is None:
            return self._world.perform(effect)
        answer = _registered(self._store, effect.registration)
        return StoreAnswered(*self.now(), answer)


def _registered(store: KeepsRegistrations, registration: Registration) -> Registered | StoreFailed:
    try:
        store.register(registration)
    except SignInError as error:
        return StoreFailed(error)
    return Registered()


# -- with await ----------------------------------------------------------------------------------------


class AsyncRegisteringWorld:
    """`RegisteringWorld` for asyncio and trio."""

    def __init__(self, world: AsyncPerformer, store: KeepsRegistrations | None) -> None:
        self._world = world
        self._store = store

    def now(self) -> tuple[float, float]:
        """The clocks of the world: the instant and Unix time, both in seconds."""
        return self._world.now()

    async def perform(self, effect: SignInEffect) -> Event:
        """Perform the effect, and return the event that answers it."""
        store = self._store
        if not isinstance(effect, Register) or store is None:
            return await self._world.perform(effect)
        answer = await run_blocking(lambda: _registered(store, effect.registration))
        return StoreAnswered(*self.now(), answer)
