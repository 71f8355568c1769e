"""A world with a store: storage effects are performed on one login, all others by a world within.

Rules of this file: a storage that fails is an answer and no exception; the lock is given back when the
block ends, however the run ended, also where its task is cancelled. One storage effect at a time; in an
asynchronous world on a worker thread, and none is ever cut.
"""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Final, Self, assert_never

from codex_oauth.event_loops import run_blocking
from codex_oauth.stores.store import LockedLogin, SaveFailed, Slot, Store
from codex_oauth.worlds.world import AsyncPerformer, Performer
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cause, Event, Phase, RequestFailed, StoreAnswered
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.storage import (
    Delete,
    Find,
    Found,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Register,
    Registered,
    Release,
    Released,
    Rescue,
    Rescued,
    Reserve,
    Reserved,
    Save,
    Select,
    Selected,
    StorageAnswer,
    StorageEffect,
    StoreFailed,
)

__all__ = ["AsyncStoringWorld", "Storage", "StoringWorld", "too_late"]


_LOOKS_APART: Final = 40
"""Tries to get the lock (`QUEUE_STEP`) between two looks at who has it."""


class Storage:
    """The login named `key` in `store`, for one run. One call at a time, from any thread.

    Raises ValueError for what is no key.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._slot = store.slot(key)
        self._held: LockedLogin | None = None
        self._sent = False  # since the last reservation
        self._busy = 0
        self._seen: Intent | None = None

    @property
    def holds_the_lock(self) -> bool:
        """Whether the lock was taken, and not given back yet."""
        return self._held is not None

    def sending(self) -> bool:
        """A request is about to go out: whether it may. From here on the refresh token may be spent. Without
        the lock nothing that is stored is at stake.
        """
        if self._held is not None and not self._held.sending():
            return False
        self._sent = True
        return True

    def answer(self, effect: StorageEffect) -> StorageAnswer:
        """Do what the effect asks. Raises ValueError and RuntimeError where a flow must not ask for it."""
        try:
            return self._answer(effect)
        except SaveFailed as failed:
            return StoreFailed(failed.error, failed.rescued)
        except SignInError as error:
            return StoreFailed(error)

    def close(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Give the lock back, if it is held, after the exception that ended the run, if there was one."""
        held, self._held = self._held, None
        if held is None:
            return
        if self._sent:  # and what came of it was not stored: the intent must stay
            held.__exit__(exc_type or _CutShort, exc, traceback)
        else:
            held.release()

    def _answer(self, effect: StorageEffect) -> StorageAnswer:
        match effect:
            case Load():
                return self._load()
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
                self._place_of(effect.record).rescue(effect.record)
                return Rescued()
            case Delete():
                return self._delete(effect)
            case Release():
                self._release()
                return Released()
            case Select():
                self._store.select(self._slot.key)
                return Selected()
            case Find():
                return self._find(effect.names)
            case Register():
                return Registered()
            case _:
                assert_never(effect)

    def _place_of(self, record: Record) -> Slot:
        """Where a record is kept beside: a renewal where it was renewed, a sign-in under its own key."""
        return self._slot if record.parent is not None else self._store.slot(record.credential.key)

    def _find(self, names: tuple[str, ...]) -> Found:
        if self._held is not None:
            raise RuntimeError("the lock of another login is held")
        problem: SignInError | None = None
        for name in names:
            slot = self._store.slot(name)
            try:
                record = slot.load()
            except SignInError as error:  # it hides none of those after it
                problem = problem or error
                continue
            if record is not None:
                self._slot = slot
                return Found(name, record)
        if problem is not None:
            raise problem
        return Found()

    def _load(self) -> Loaded:
        record = (self._held or self._slot).load()
        self._seen, self._busy = None if record is None else record.intent, 1  # it need not be looked for
        return Loaded(record)

    def _lock(self) -> Locked | LockBusy:
        if self._held is not None:
            raise RuntimeError("the lock is held already")
        self._held = self._slot.lock()
        if self._held is None:
            return LockBusy(self._holder())
        self._busy = 0
        try:
            return Locked(self._held.load())
        except SignInError as problem:
            return Locked(None, problem)

    def _holder(self) -> Intent | None:
        """Whose intent keeps the lock busy, if that can be seen: in what was loaded just now, or in a look
        about once a second.
        """
        if self._busy % _LOOKS_APART == 0:
            with suppress(SignInError):
                record = self._slot.load()
                self._seen = None if record is None else record.intent
        self._busy += 1
        return self._seen

    def _lock_held(self) -> LockedLogin:
        if self._held is None:
            raise RuntimeError("the lock is not held")
        return self._held

    def _delete(self, effect: Delete) -> StorageAnswer:
        return self._lock_held().delete(effect.expected, even_corrupt=effect.even_corrupt)

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.release()


def too_late(at: float) -> RequestFailed:
    """The answer to a request that the store does not let go out any more."""
    return RequestFailed(at, Phase.NOT_SENT, Cause.TIMEOUT)


class _CutShort(Exception):
    """A run that ended while the lock was held, without an exception."""


# -- blocking worlds -----------------------------------------------------------------------------------


class StoringWorld:
    """`world`, with the login under `key` in `store`: drives a flow about a stored login.

    Use it in a `with` block, for one run, inside the `with` block of `world`. Raises ValueError for an
    invalid key.
    """

    def __init__(self, world: Performer, store: Store, key: str) -> None:
        self._world = world
        self._storage = Storage(store, key)

    def now(self) -> tuple[float, float]:
        """The clocks of the world: the instant and Unix time, both in seconds."""
        return self._world.now()

    def perform(self, effect: SendRequest | Wait | StorageEffect) -> Event:
        """Perform the effect. Raises what `world` raises. Raises ValueError and RuntimeError for a flow that
        asks for something forbidden.
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


# -- asynchronous worlds -------------------------------------------------------------------------------


class AsyncStoringWorld:
    """`StoringWorld` for asyncio and trio: `world`, with the login under `key` in `store`.

    Use it in an `async with` block, for one run, inside the block of `world`. If the task is cancelled before
    the refresh token is sent, the token stays unspent. If it is cancelled while the token is on its way, the
    world still stores the answer: the request is `once`, no storage effect is interrupted, and the
    cancellation is raised when nothing can be lost any more. Raises ValueError for an invalid key.
    """

    def __init__(self, world: AsyncPerformer, store: Store, key: str) -> None:
        self._world = world
        self._storage = Storage(store, key)

    def now(self) -> tuple[float, float]:
        """The clocks of the world: the instant and Unix time, both in seconds."""
        return self._world.now()

    async def perform(self, effect: SendRequest | Wait | StorageEffect) -> Event:
        """Perform the effect. Raises what `world` raises. Raises ValueError and RuntimeError for a flow that
        asks for something forbidden.
        """
        if isinstance(effect, SendRequest | Wait):
            if isinstance(effect, SendRequest) and not await self._may_send():
                return too_late(self._world.now()[0])
            return await self._world.perform(effect)
        answer = await run_blocking(lambda: self._storage.answer(effect))
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
        return await run_blocking(self._storage.sending)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await run_blocking(lambda: self._storage.close(exc_type, exc, traceback))
