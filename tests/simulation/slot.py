"""One process's way to the login: `FileSlot` and `FileLockedLogin`, step by step in virtual time.

Rules of this file: the order of the steps is that of `codex_oauth.stores.file_store`, `.held` and `.remains`;
what to adopt is decided by `codex_oauth_core.leftovers`, as there. Each `yield` is a point between two steps,
at which the process may be interrupted, paused or killed, and others go on; it yields seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, Protocol, TypeVar, assert_never

import attrs

from codex_oauth.worlds.storing import Storage
from codex_oauth_core import ErrorKind, Record, SignInError
from codex_oauth_core.leftovers import best_leftover, is_worth_keeping
from codex_oauth_core.record import Intent
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Deleted,
    Find,
    Found,
    Load,
    Loaded,
    Lock,
    LockBusy,
    Locked,
    Register,
    Release,
    Released,
    Rescue,
    Rescued,
    Reserve,
    Reserved,
    Save,
    Saved,
    Select,
    Selected,
    StorageAnswer,
    StorageEffect,
    StoreFailed,
)
from tests.simulation.disk import Copy, Disk, Home
from tests.simulation.looks import SeenStore, Unseen

__all__ = ["HOST", "Owner", "Slot", "Steps", "seen"]

T = TypeVar("T")
Steps = Generator[float, None, T]
"""A piece of a process: yields how many seconds pass until its next step."""

HOST: Final = "simulated"
_RESCUE_TRIES: Final = 8


class Owner(Protocol):
    """The process, as its slot needs it. `looks`: what it has seen of its present look at the store."""

    pid: int
    looks: list[object]

    @property
    def wall(self) -> float:
        """Unix time by the process's clock."""
        ...

    @property
    def instant(self) -> float:
        """Seconds on a clock that counts suspended time."""
        ...

    def pause(self) -> float:
        """How long the next step takes."""
        ...

    def strikes(self, what: str) -> bool:
        """Whether a storage fault of this name happens now, once."""
        ...

    def is_alive(self, pid: int) -> bool:
        """Whether a process runs, stopped ones included."""
        ...

    def staged(self, record: Record) -> None:
        """A complete copy of `record` is on the disk, not yet in its place."""
        ...

    def holds(self, *, taken: bool) -> None:
        """The lock was taken or given back."""
        ...

    def deletes(self) -> None:
        """What is stored is about to be removed."""
        ...

    def drops(self, record: Record, kept: Record) -> None:
        """A login that was kept beside is removed, because `kept` is worth more."""
        ...

    def selects(self) -> None:
        """The login is the one in use."""
        ...


@attrs.define(eq=False)
class _Held:
    inode: int
    space: int | None = None
    marked: Record | None = None
    reserving_since: float | None = None
    number: int = 0
    left: frozenset[int] = frozenset()
    doubt: bool = False
    """What earlier holders left could not be dealt with."""


@attrs.define(eq=False)
class Slot:
    """The login as one process sees it: what is at `disk`, until a flow finds it elsewhere. An `earlier` release
    knows account ids only: it looks for no other name, and writes no person that it has not read.
    """

    home: Home
    owner: Owner
    disk: Disk
    earlier: bool = False
    held: _Held | None = None
    holds: int = 0

    def perform(self, effect: StorageEffect) -> Steps[StorageAnswer]:
        """Do what the effect asks, and return the answer."""
        match effect:
            case Load():
                return self._load()
            case Lock():
                return self._lock()
            case Reserve():
                return self._reserve(effect.record, self._must_hold())
            case Save():
                return self._save(effect, self._must_hold())
            case Rescue():
                return self._rescue(effect.record)
            case Delete():
                return self._delete(effect.expected, self._must_hold())
            case Release():
                return self.release()
            case Select():
                return self._select()
            case Find():
                return self._find(effect)
            case Register():
                raise AssertionError("what is simulated registers nothing")
            case _:
                assert_never(effect)

    def is_intact(self) -> bool:
        """Whether the lock that is held, if any, still is the lock."""
        return self.held is None or self.held.inode == self.disk.lock_file

    def _must_hold(self) -> _Held:
        if self.held is None:
            raise RuntimeError("the lock is not held")
        return self.held

    def _load(self) -> Steps[StorageAnswer]:
        yield self.owner.pause()
        if not self._is_readable():
            return _unreadable()
        rescued = [copy.record for copy in self.disk.copies.values() if copy.rescued and copy.record]
        return Loaded(best_leftover(self.disk.main, rescued) or self.disk.main)

    def _is_readable(self) -> bool:
        return not self.disk.unreadable and not self.owner.strikes("read_error")

    # -- the lock ---------------------------------------------------------------------------------------

    def _lock(self) -> Steps[StorageAnswer]:
        yield self.owner.pause()
        inode = self.disk.lock(self.owner.pid)
        if inode is None:
            return LockBusy(None if self.disk.main is None else self.disk.main.intent)
        self.holds += 1
        self.held = held = _Held(inode, number=self.holds)
        self.owner.holds(taken=True)
        yield self.owner.pause()
        if not self._is_readable():
            return Locked(None, _unreadable().error)
        stored = self.disk.main
        if self._is_spoken_for(stored):
            self._unlock(held)
            return LockBusy(None if stored is None else stored.intent)
        held.left = frozenset(name for name, copy in self.disk.copies.items() if copy.rescued)
        return Locked((yield from self._settle(stored, held)))

    def _is_spoken_for(self, stored: Record | None) -> bool:
        """Whether somebody without the lock may still be about to spend the refresh token."""
        intent = None if stored is None else stored.intent
        if intent is None or abs(self.owner.wall - intent.at) >= INTENT_LIFE:
            return False
        return intent.pid != self.owner.pid and self.owner.is_alive(intent.pid)

    def sending(self) -> bool:
        """Whether a request may go out now."""
        since = None if self.held is None else self.held.reserving_since
        return since is not None and self.owner.instant - since <= SEND_BY and self.is_intact()

    def _settle(self, stored: Record | None, held: _Held) -> Steps[Record | None]:
        """Adopt the best of what earlier holders left, and remove the rest: what is stored then."""
        names = list(self.disk.copies)
        whole = {name: copy for name in names if (copy := self.disk.copies[name]).record is not None}
        rescued = [copy.record for copy in whole.values() if copy.rescued and copy.record]
        strays = [copy.record for copy in whole.values() if not copy.rescued and copy.record]
        best = best_leftover(stored, rescued, strays)
        for name, copy in whole.items():
            if best is not None and copy.record is best:
                yield self.owner.pause()
                if not self.disk.put_in_place(name, self.owner.pid):
                    held.doubt = True
                    return stored
        for name in names:
            if stored is not None or best is not None or not _is_renewal(whole.get(name)):
                yield self.owner.pause()
                self._remove_leftover(name, best or stored)
        return best or stored

    def _remove_leftover(self, name: int, kept: Record | None) -> None:
        copy = self.disk.copies.get(name)
        self.disk.remove(name)
        if copy is None or copy.record is None or kept is None or name in self.disk.copies:
            return
        if copy.rescued:
            self.owner.drops(copy.record, kept)

    def release(self) -> Steps[StorageAnswer]:
        """Take an intent back that nothing was saved over, and let others have the lock."""
        held, disk = self.held, self.disk
        if held is None:
            return Released()
        yield self.owner.pause()
        if held.marked is not None and self.is_intact():
            name = held.space if held.space in disk.copies else disk.write(None)
            if name is not None and disk.main is held.marked:
                disk.fill(name, attrs.evolve(held.marked, intent=None))
                yield self.owner.pause()
                if disk.main is held.marked:
                    disk.put_in_place(name, self.owner.pid)
            disk.remove(name)
        disk.remove(held.space)
        yield self.owner.pause()
        self._unlock(held)
        return Released()

    def _unlock(self, held: _Held) -> None:
        self.held = None
        self.disk.unlock(held.inode)
        self.owner.holds(taken=False)

    # -- under the lock ---------------------------------------------------------------------------------

    def _reserve(self, record: Record, held: _Held) -> Steps[StorageAnswer]:
        held.reserving_since, asked_at = None, self.owner.instant
        if held.doubt:
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "missing")
        yield self.owner.pause()
        if not self._is_readable():
            return _unreadable()
        if self.disk.main is None or self.disk.main.fingerprint != record.fingerprint:
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "changed")
        self.disk.remove(held.space)
        held.space = self.disk.write(None)
        if held.space is None:
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "disk_full")
        yield self.owner.pause()
        marked = attrs.evolve(record, intent=self._intent(held))
        name = self.disk.write(marked)
        if name is None:
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "disk_full")
        yield self.owner.pause()
        if not self.is_intact():
            self.disk.remove(name)
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "lock_lost")
        held.marked = marked
        if not self.disk.put_in_place(name, self.owner.pid):  # another holder took it for a leftover
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "missing")
        yield self.owner.pause()
        if not self.is_intact():
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "lock_lost")
        held.reserving_since = asked_at
        return Reserved()

    def _intent(self, held: _Held) -> Intent:
        return Intent(self.owner.pid, HOST, self.owner.wall, f"{self.owner.pid}-{held.number}")

    def _save(self, effect: Save, held: _Held) -> Steps[StorageAnswer]:
        yield self.owner.pause()
        effect = attrs.evolve(effect, record=self._as_written(effect.record))
        disk, record, name = self.disk, effect.record, held.space
        marked, held.marked = held.marked, None  # whatever fails now, the refresh token may be spent
        if name is None or not disk.fill(name, record):
            name = disk.write(record)
        if name is None:
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "disk_full")
        held.space = None
        self.owner.staged(record)
        yield self.owner.pause()
        if not self._is_readable():
            return self._save_failed(name, effect)
        if disk.main == record:
            disk.remove(name)
            return Saved()
        renewal = record.parent is not None and record.parent == effect.expected
        if disk.main is None and renewal and self.is_intact():  # who signs out has the lock
            return self._save_failed(name, effect)
        if not self.matches(effect.expected):
            disk.remove(name)
            held.marked = marked
            return Conflict(disk.main)
        yield self.owner.pause()
        if not self.is_intact():
            return self._save_failed(name, effect)
        if self.owner.strikes("save_error") or not disk.put_in_place(name, self.owner.pid):
            return self._save_failed(name, effect)
        yield self.owner.pause()
        return Saved()

    def matches(self, expected: str | None) -> bool:
        """Whether what is stored is what is believed to be stored."""
        return expected == (None if self.disk.main is None else self.disk.main.fingerprint)

    def _save_failed(self, name: int, effect: Save) -> StoreFailed:
        """The copy is kept beside, where the next holder would take it."""
        useful = is_worth_keeping(effect.record, effect.expected)
        rescued = useful and not self.owner.strikes("rescue_error") and self.disk.set_aside(name)
        if not rescued:
            self.disk.remove(name)
        return attrs.evolve(_failed(ErrorKind.AUTH_WRITE_FAILED, "io_error"), rescued=rescued)

    def _delete(self, expected: str | None, held: _Held) -> Steps[StorageAnswer]:
        yield self.owner.pause()
        if not self.is_intact():
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "lock_lost")
        if self._is_readable() and not self.matches(expected):
            return Conflict(self.disk.main)
        since = [
            copy.record
            for name, copy in self.disk.copies.items()
            if copy.rescued and copy.record and name not in held.left
        ]
        if (newer := best_leftover(None, since)) is not None:
            return Conflict(newer)
        if self.owner.strikes("save_error") or self.home.medium.sticky or self.home.medium.broken:
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "io_error")
        self.owner.deletes()
        for name in list(self.disk.copies):
            self.disk.remove(name)
            yield self.owner.pause()
        if self.disk.main is not None:
            self.disk.remove_login(self.owner.pid)
        held.marked = held.space = None
        yield self.owner.pause()
        return Deleted()

    # -- without it -------------------------------------------------------------------------------------

    def _rescue(self, record: Record) -> Steps[StorageAnswer]:
        record = self._as_written(record)
        disk = self.disk if self.earlier else self.home.place(_rescued_at(self.disk.name, record))
        for _ in range(_RESCUE_TRIES):
            yield self.owner.pause()
            name = None if self.owner.strikes("rescue_error") else disk.write(record)
            if name is None:
                return _failed(ErrorKind.AUTH_WRITE_FAILED, "disk_full")
            yield self.owner.pause()
            if disk.set_aside(name):  # else the holder of the lock took it for a leftover
                return Rescued()
        return _failed(ErrorKind.AUTH_WRITE_FAILED, "missing")

    def _select(self) -> Steps[StorageAnswer]:
        yield self.owner.pause()
        medium = self.home.medium
        if medium.full or medium.broken or self.owner.strikes("save_error"):
            return _failed(ErrorKind.AUTH_WRITE_FAILED, "io_error")
        self.home.selected = self.disk.name
        self.owner.selects()
        return Selected()

    def _find(self, effect: Find) -> Steps[StorageAnswer]:
        """As the real storage looks, one place after the other."""
        if self.earlier:
            return Found()
        here = self.disk.name
        answer = yield from seen(self.home, self.owner, lambda store: Storage(store, here).answer(effect))
        if isinstance(answer, Found) and answer.name is not None:
            self.disk = self.home.place(answer.name)
        return answer

    def _as_written(self, record: Record) -> Record:
        """A record as this release writes it: an earlier one keeps of the person what was there."""
        if not self.earlier:
            return record
        renewal = record.parent is not None and self.disk.main is not None
        user_id = self.disk.main.credential.user_id if renewal and self.disk.main is not None else None
        return attrs.evolve(record, credential=attrs.evolve(record.credential, user_id=user_id))


def seen(home: Home, owner: Owner, look: Callable[[SeenStore], T]) -> Steps[T]:
    """What code that reads a store finds, with other processes at work between any two of its looks."""
    answers = owner.looks
    answers.clear()
    while True:
        try:
            return look(SeenStore(home, answers))
        except Unseen as unseen:
            yield owner.pause()
            answers.append(unseen.look())


def _nobody_is_told(_pid: int, _disk: Disk, _old: Record | None, _new: Record | None) -> None:
    return


def _rescued_at(here: str, record: Record) -> str:
    """Where the real storage keeps a record beside."""
    store = SeenStore(Home(_nobody_is_told), [])
    Storage(store, here).answer(Rescue(record))
    (name,) = store.rescued
    return name


def _is_renewal(copy: Copy | None) -> bool:
    """Whether it is whole, and of a login that may come back."""
    return copy is not None and copy.record is not None and copy.record.parent is not None


def _unreadable() -> StoreFailed:
    return _failed(ErrorKind.AUTH_READ_FAILED, "io_error")


def _failed(kind: ErrorKind, reason: str) -> StoreFailed:
    return StoreFailed(SignInError.of(kind, reason=reason))
