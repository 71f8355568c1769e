"""One account's login in a store, as storage effects see it: each is performed, and answered by a value.

Rules of this file: a storage that fails is an answer and no exception; the lock is given back by `close()`,
however the run ended. It blocks, and knows no world.
"""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Final, assert_never

from codex_oauth.stores.store import Held, SaveFailed, Store
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cause, Phase, RequestFailed
from codex_oauth_core.record import Intent
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
    Select,
    Selected,
    StorageAnswer,
    StorageEffect,
    StoreFailed,
)

__all__ = ["Storage", "too_late"]

_LOOKS_APART: Final = 40
"""Tries to get the lock (`QUEUE_STEP`) between two looks at who has it."""


class Storage:
    """The login of `account_id` in `store`, for one run. One call at a time, from any thread.

    Raises ValueError for what is no account id.
    """

    def __init__(self, store: Store, account_id: str) -> None:
        self._store = store
        self._slot = store.slot(account_id)
        self._held: Held | None = None
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
            case Select():
                self._store.select(self._slot.account_id)
                return Selected()
            case _:
                assert_never(effect)

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
        """Whose intent keeps the lock busy, if that can be seen; looked for about once a second."""
        if self._busy % _LOOKS_APART == 0:
            with suppress(SignInError):
                record = self._slot.load()
                self._seen = None if record is None else record.intent
        self._busy += 1
        return self._seen

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


def too_late(at: float) -> RequestFailed:
    """The answer to a request that the store does not let go out any more."""
    return RequestFailed(at, Phase.NOT_SENT, Cause.TIMEOUT)


class _CutShort(Exception):
    """A run that ended while the lock was held, without an exception."""
