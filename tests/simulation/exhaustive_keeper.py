"""What every store of the exhaustive search has in common: one login, what is beside it, and its records.

Rules of this file: what is worth keeping is decided by `codex_oauth_core.leftovers`, as in every store; an answer
of None means that the effect has another step. How a lock is had, and what it is worth, is the store's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, NamedTuple, assert_never

from codex_oauth_core import ErrorKind, Record, SignInError
from codex_oauth_core.record import Intent
from codex_oauth_core.storage import (
    Delete,
    Find,
    Found,
    Load,
    Lock,
    Register,
    Release,
    Rescue,
    Reserve,
    Save,
    Select,
    Selected,
    StorageAnswer,
    StorageEffect,
    StoreFailed,
)
from tests.simulation.exhaustive_state import NONE, Copy, Hold, Process, Rules, Shared
from tests.simulation.exhaustive_values import Table, Token, Values

__all__ = ["HOST", "READ", "WRITE", "Keeper", "Stepped", "beside", "failed", "held", "is_mine", "without"]

HOST: Final = "simulated"
READ: Final = ErrorKind.AUTH_READ_FAILED
WRITE: Final = ErrorKind.AUTH_WRITE_FAILED


class Stepped(NamedTuple):
    """A step of an effect, and the answer if it was the last one."""

    answer: StorageAnswer | None
    process: Process
    shared: Shared


class Keeper(ABC):
    """The store of one search."""

    def __init__(self, rules: Rules, values: Values, tick: float) -> None:
        self.rules = rules
        self._tick = tick
        self.records = Table(values)

    def step(self, effect: StorageEffect, me: int, process: Process, shared: Shared) -> Stepped:
        """The next step of an effect of the process with the number `me`."""
        match effect:
            case Load():
                return self._load(process, shared)
            case Lock():
                return self._lock(me, process, shared)
            case Reserve():
                return self._reserve(effect, me, process, shared)
            case Save():
                return self._save(effect, me, process, shared)
            case Rescue():
                return self._rescue(effect, process, shared)
            case Delete():
                return self._delete(effect, process, shared)
            case Release():
                return self._release(process, shared)
            case Select():  # nobody else looks at what it writes
                return Stepped(self._selected(shared), process, shared)
            case Find():  # this store keeps one login, under its key
                return Stepped(Found(), process, shared)
            case Register():
                raise AssertionError("what is searched registers nothing")
            case _:
                assert_never(effect)

    def record(self, number: int) -> Record | None:
        """The record with that number."""
        return None if number == NONE else self.records.values[number]

    def token(self, number: int) -> Token:
        """The refresh token of the record with that number."""
        (found,) = self.records.tokens[number]
        return found

    @abstractmethod
    def may_send(self, me: int, process: Process, shared: Shared) -> bool:
        """Whether a request that is sent once may go out now, as `LockedLogin.sending` says."""

    @abstractmethod
    def killed(self, process: Process, shared: Shared) -> Shared:
        """What becomes of the lock of a process that dies."""

    @abstractmethod
    def _load(self, process: Process, shared: Shared) -> Stepped: ...

    @abstractmethod
    def _selected(self, shared: Shared) -> Selected | StoreFailed: ...

    @abstractmethod
    def _lock(self, me: int, process: Process, shared: Shared) -> Stepped: ...

    @abstractmethod
    def _reserve(self, effect: Reserve, me: int, process: Process, shared: Shared) -> Stepped: ...

    @abstractmethod
    def _save(self, effect: Save, me: int, process: Process, shared: Shared) -> Stepped: ...

    @abstractmethod
    def _rescue(self, effect: Rescue, process: Process, shared: Shared) -> Stepped: ...

    @abstractmethod
    def _delete(self, effect: Delete, process: Process, shared: Shared) -> Stepped: ...

    @abstractmethod
    def _release(self, process: Process, shared: Shared) -> Stepped: ...

    # -- what they share ---------------------------------------------------------------------------------

    def _rescued(self, shared: Shared) -> list[Record]:
        return [self.records.values[copy.record] for copy in shared.copies if copy.by == NONE]

    def _put(self, shared: Shared, number: int) -> Shared:
        new = self.token(number)
        if shared.login != NONE and self.token(shared.login) > new:
            shared = shared._replace(bad=shared.bad or "an older login took the place of a newer one")
        if new[0] in shared.gone:
            shared = shared._replace(bad=shared.bad or "a login came back after its logout")
        if (
            new[0] in shared.ended
            and shared.login != NONE
            and self.token(shared.login)[0] not in shared.ended
        ):
            shared = shared._replace(
                bad=shared.bad or "a login that is ended took the place of one that lives"
            )
        return shared._replace(login=number, torn=False)


def held(process: Process) -> Hold:
    """The lock that a process must have."""
    if process.hold is None:
        raise RuntimeError("the lock is not held")
    return process.hold


def beside(shared: Shared, copy: Copy) -> Shared:
    """A record is put beside the login."""
    return shared._replace(copies=tuple(sorted({*shared.copies, copy})))


def without(shared: Shared, copy: Copy) -> Shared:
    """A record beside the login is removed."""
    return shared._replace(copies=tuple(each for each in shared.copies if each != copy))


def is_mine(intent: Intent | None, hold: Hold) -> bool:
    """Whether an intent was marked by this hold."""
    return intent is not None and intent.owner == hold.owner


def failed(kind: ErrorKind, reason: str, *, rescued: bool = False) -> StoreFailed:
    """The answer of a store that fails."""
    return StoreFailed(SignInError.of(kind, reason=reason), rescued)
