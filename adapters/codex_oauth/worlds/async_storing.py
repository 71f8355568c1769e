"""An asynchronous world with a store that blocks: storage effects are performed on a worker thread.

Rules of this file: one storage effect at a time, and none is ever cut; the lock is given back when the
`async with` block ends, however the run ended, also where its task is cancelled.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from codex_oauth.event_loops import aside
from codex_oauth.stores.store import Store
from codex_oauth.worlds.async_world import AsyncPerformer
from codex_oauth.worlds.storage import Storage, too_late
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.events import Event, StoreAnswered
from codex_oauth_core.storage import StorageEffect

__all__ = ["AsyncStoringWorld"]


class AsyncStoringWorld:
    """`StoringWorld` for asyncio and trio: `world`, and one account's login in `store`.

    Use it in an `async with` block, for one run, inside the block of `world`. A task that is cancelled before
    a refresh token is sent leaves it alone; one that is cancelled while it is on its way still stores what
    comes back: the request is `once`, no storage effect is cut, and the cancellation is raised where nothing
    is at stake any more. Raises ValueError for what is no account id.
    """

    def __init__(self, world: AsyncPerformer, store: Store, account_id: str) -> None:
        self._world = world
        self._storage = Storage(store, account_id)

    def now(self) -> tuple[float, float]:
        """The world's clocks."""
        return self._world.now()

    async def perform(self, effect: SendRequest | Wait | StorageEffect) -> Event:
        """Do what the effect asks. Raises what the world within raises, and ValueError and RuntimeError for
        a flow that asks for what it must not.
        """
        if isinstance(effect, SendRequest | Wait):
            if isinstance(effect, SendRequest) and not await self._may_send():
                return too_late(self._world.now()[0])
            return await self._world.perform(effect)
        answer = await aside(lambda: self._storage.answer(effect))
        at, wall = self._world.now()
        return StoreAnswered(at, wall, answer)

    async def _may_send(self) -> bool:
        """The last moment at which a cancellation changes nothing. Without the lock, a login in hand is to be
        ended that was never stored: that goes on.
        """
        if not self._storage.holds_the_lock:
            return self._storage.sending()
        from anyio.lowlevel import checkpoint

        await checkpoint()
        return await aside(self._storage.sending)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await aside(lambda: self._storage.close(exc_type, exc, traceback))
