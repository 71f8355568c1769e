"""A world with a store: storage effects are performed on one login, all others by a world within.

Rules of this file: a storage that fails is an answer and no exception; the lock is given back when the
`with` block ends, however the run ended.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self, assert_never

from codex_oauth.stores.store import Held, SaveFailed, Store
from codex_oauth.worlds.world import Performer
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Event, StoreAnswered
from codex_oauth_core.storage import (
    Delete,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Release,
    Released,
    Rescue,
    Rescued,
    Reserve,
    Reserved,
    Save,
    StorageAnswer,
    StorageEffect,
    StoreFailed,
)

__all__ = ["StoringWorld"]


class StoringWorld:
    """`world`, and one account's login in `store`: drives a `Renewal`, a `Deposit` or a `Revocation`.

    Use it in a `with` block, for one run, inside the `with` block of `world`. Raises ValueError for what is
    no account id.
    """

    def __init__(self, world: Performer, store: Store, account_id: str) -> None:
        self._world = world
        self._store = store
        self._slot = store.slot(account_id)
        self._held: Held | None = None
        self._sent = False  # since the last reservation

    def now(self) -> tuple[float, float]:
        """The world's clocks."""
        return self._world.now()

    def perform(self, effect: SendRequest | Wait | StorageEffect) -> Event:
        """Do what the effect asks. Raises what the world within raises, and ValueError and RuntimeError for
        a flow that asks for what it must not.
        """
        if isinstance(effect, SendRequest | Wait):
            self._sent = self._sent or isinstance(effect, SendRequest)
            return self._world.perform(effect)
        try:
            answer = self._answer(effect)
        except SaveFailed as failed:
            answer = StoreFailed(failed.error, failed.rescued)
        except SignInError as error:
            answer = StoreFailed(error)
        at, wall = self._world.now()
        return StoreAnswered(at, wall, answer)

    def _answer(self, effect: StorageEffect) -> StorageAnswer:
        match effect:
            case Load():
                return Loaded((self._held or self._slot).load())
            case Lock():
                return self._lock()
            case Reserve():
                self._sent = False
                self._lock_held().reserve(effect.record)
                return Reserved()
            case Save():
                return self._lock_held().save(
                    effect.record, effect.expected, replace_corrupt=effect.replace_corrupt
                )
            case Rescue():
                self._store.slot(effect.record.credential.account_id).rescue(effect.record)
                return Rescued()
            case Delete():
                return self._delete(effect)
            case Release():
                self._release()
                return Released()
            case _:
                assert_never(effect)

    def _lock(self) -> Locked | LockBusy:
        if self._held is not None:
            raise RuntimeError("the lock is held already")
        self._held = self._slot.lock()
        return LockBusy() if self._held is None else Locked()

    def _lock_held(self) -> Held:
        if self._held is None:
            raise RuntimeError("the lock is not held")
        return self._held

    def _delete(self, effect: Delete) -> StorageAnswer:
        return self._lock_held().delete(effect.expected, even_corrupt=effect.even_corrupt)

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        if self._sent:  # and what came of it was not stored: the intent must stay
            held.__exit__(exc_type or _CutShort, exc, traceback)
        else:
            held.release()


class _CutShort(Exception):
    """A run that ended while the lock was held, without an exception."""
