"""A world with a store: storage effects are performed on one login, all others by a world within.

Rules of this file: a storage that fails is an answer and no exception; the lock is given back when the
`with` block ends, however the run ended.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from codex_oauth.stores.store import Store
from codex_oauth.worlds.storage import Storage, too_late
from codex_oauth.worlds.world import Performer
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.events import Event, StoreAnswered
from codex_oauth_core.storage import StorageEffect

__all__ = ["StoringWorld"]


class StoringWorld:
    """`world`, and one account's login in `store`: drives a flow about a stored login.

    Use it in a `with` block, for one run, inside the `with` block of `world`. Raises ValueError for what is
    no account id.
    """

    def __init__(self, world: Performer, store: Store, account_id: str) -> None:
        self._world = world
        self._storage = Storage(store, account_id)

    def now(self) -> tuple[float, float]:
        """The world's clocks."""
        return self._world.now()

    def perform(self, effect: SendRequest | Wait | StorageEffect) -> Event:
        """Do what the effect asks. Raises what the world within raises, and ValueError and RuntimeError for
        a flow that asks for what it must not.
        """
        if isinstance(effect, SendRequest | Wait):
            if isinstance(effect, SendRequest) and not self._storage.sending():
                return too_late(self._world.now()[0])
            return self._world.perform(effect)
        answer = self._storage.answer(effect)
        at, wall = self._world.now()
        return StoreAnswered(at, wall, answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._storage.close(exc_type, exc, traceback)
