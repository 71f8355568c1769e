"""Logins in the memory of one process: for notebooks, for tests, and for servers that keep them elsewhere.

Rules of this file: what is kept is the serialised record, so that it is a value and would fit any other
store; all that is kept of one login is one frozen value, replaced in one step, so that a forked child
starts with a whole one; the mutex is held for dictionary look-ups only, never for a caller's work.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self, TypeVar

import attrs

from codex_oauth.clock import now
from codex_oauth.stores.failures import advised
from codex_oauth.stores.locks import draw_owner, is_pending, our_intent
from codex_oauth.stores.names import registration_name
from codex_oauth.stores.paths import login_name
from codex_oauth.stores.registrations import new_host_id
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.leftovers import best_leftover
from codex_oauth_core.record import Record, read_record, write_record
from codex_oauth_core.registration import Registration
from codex_oauth_core.renewal_times import SEND_BY
from codex_oauth_core.secret import Secret, without_traceback

__all__ = ["MemoryHeld", "MemorySlot", "MemoryStore"]

_T = TypeVar("_T")
_Kept = Secret[bytes]


@attrs.frozen
class _Place:
    """All that is kept of one login."""

    stored: _Kept | None = None
    rescued: tuple[_Kept, ...] = ()

    def record(self) -> Record | None:
        """What is stored."""
        return None if self.stored is None else _opened(self.stored)

    def settled(self) -> _Place:
        """The same login, after the rescued records have been put in place or dropped: what a reader sees.
        Where nothing is stored, a renewal stays: what it was exchanged for may come.
        """
        if not self.rescued:
            return self
        found = best_leftover(self.record(), [_opened(kept) for kept in self.rescued])
        if found is None and self.stored is None:
            return self
        return _Place(self.stored if found is None else _closed(found))


_Work = Callable[[_Place], tuple[_Place, _T]]


class MemoryStore:
    """Logins that exist until the process ends. Any number of threads may use one store; two stores share
    nothing.

    A forked child has a copy of the stored logins, and no lock is held in it. The two copies do not share
    changes: let only one of the two processes renew a login.
    """

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._selected: str | None = None
        self._registrations: dict[str, Registration] = {}
        self._host_ids: dict[str, str] = {}
        self.begin()
        _STORES.add(self)

    def begin(self) -> None:
        """Forget all locks: for a process that does not have their holders."""
        self._mutex = threading.Lock()
        self._holders: dict[str, MemoryHeld] = {}

    def names(self) -> tuple[str, ...]:
        """See `Store.names`."""
        places = self._places.copy().items()
        return tuple(sorted(key for key, place in places if place.settled().stored))

    def accounts(self) -> tuple[str, ...]:
        """The former name of `names()`, for one release."""
        return self.names()

    def current(self) -> str | None:
        """See `Store.current`."""
        before: str | None = None
        while (key := self._selected) is not None and key != before:
            if key in self.names():
                return key
            before = key  # gone; or moved by another thread, which has selected its new place before
        return None

    def select(self, key: str | None) -> None:
        """See `Store.select`."""
        if key is not None:
            login_name(key)
        self._selected = key

    def prepare(self) -> None:
        """See `Store.prepare`. It always succeeds."""

    def registrations(self) -> tuple[Registration, ...]:
        """See `KeepsRegistrations.registrations`."""
        found = self._registrations.copy().values()
        return tuple(sorted(found, key=lambda each: (each.registered_at, each.client_id)))

    def register(self, registration: Registration) -> None:
        """See `KeepsRegistrations.register`."""
        registration_name(registration.client_id)
        self._registrations[registration.client_id] = registration

    def host_id(self) -> str:
        """See `KeepsRegistrations.host_id`. It lasts until the process ends."""
        return self._host_ids.setdefault("host_id", new_host_id())  # one step, for any number of threads

    def slot(self, key: str) -> MemorySlot:
        """See `Store.slot`."""
        login_name(key)
        return MemorySlot(self, key)

    def place(self, key: str) -> _Place:
        """The stored state of one login."""
        return self._places.get(key, _Place())

    def change(self, key: str, work: _Work[_T], held: MemoryHeld | None = None) -> _T:
        """Replace the stored state of one login by the one that `work` makes of it, in one step, and return
        the result of `work`. Raises SignInError (`lock_lost`) if `held` is given and does not hold the lock.
        """
        with self._mutex:
            if held is not None and self._holders.get(key) is not held:
                raise _refusal("lock_lost")
            self._places[key], told = work(self.place(key))
        return told

    def take(self, held: MemoryHeld) -> bool:
        """Give the lock to `held`, if no other holder has it and no other holder has just announced a
        renewal.
        """
        key = held.key
        with self._mutex:
            place = self.place(key)
            if key in self._holders or _is_announced(place.record()):
                return False
            self._places[key] = place.settled()
            self._holders[key] = held
            return True

    def is_held(self, held: MemoryHeld) -> bool:
        """Whether `held` has the lock."""
        return self._holders.get(held.key) is held

    def give_back(self, held: MemoryHeld) -> None:
        """Free the lock, if `held` has it."""
        with self._mutex:
            if self._holders.get(held.key) is held:
                del self._holders[held.key]


@attrs.frozen
class MemorySlot:
    """One login of a `MemoryStore`. Get it from `MemoryStore.slot`."""

    _store: MemoryStore = attrs.field(repr=False)
    key: str

    @property
    def account_id(self) -> str:
        """The former name of `key`, for one release."""
        return self.key

    def load(self) -> Record | None:
        """See `Slot.load`."""
        return self._store.place(self.key).settled().record()

    def lock(self) -> MemoryHeld | None:
        """See `Slot.lock`."""
        held = MemoryHeld(self._store, self.key)
        return held if self._store.take(held) else None

    def rescue(self, record: Record) -> None:
        """See `Slot.rescue`."""
        kept = _kept(record, self.key)
        self._store.change(
            self.key, lambda place: (attrs.evolve(place, rescued=(*place.rescued, kept)), None)
        )


@attrs.define(eq=False)
class MemoryHeld:
    """The lock of one login of a `MemoryStore`. Get it from `MemorySlot.lock`."""

    _store: MemoryStore = attrs.field(repr=False)
    key: str
    _before: _Kept | None = attrs.field(default=None, init=False, repr=False)
    """What was stored before this holder announced itself in it."""
    _owner: str = attrs.field(factory=draw_owner, init=False)
    _reserving_since: float | None = attrs.field(default=None, init=False)

    def load(self) -> Record | None:
        """See `Held.load`."""
        return self._store.place(self.key).record()

    def reserve(self, record: Record) -> None:
        """See `Held.reserve`."""
        self._reserving_since = None
        asked_at, _ = now()
        marked = _kept(attrs.evolve(record, intent=our_intent(self._owner)), self.key)

        def mark(place: _Place) -> tuple[_Place, _Kept | None]:
            if _fingerprint(place.record()) != record.fingerprint:
                raise _refusal("changed")
            return attrs.evolve(place, stored=marked), place.stored

        before = self._store.change(self.key, mark, self)
        if self._before is None:  # else it was reserved before, and that has our mark in it
            self._before = before
        self._reserving_since = asked_at

    def sending(self) -> bool:
        """See `Held.sending`."""
        since = self._reserving_since
        return since is not None and now()[0] - since <= SEND_BY and self._store.is_held(self)

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        """See `Held.save`. Nothing in memory is ever corrupt."""
        try:
            kept = _kept(record, self.key)
            conflict = self._compare_and_set(
                expected, lambda place: attrs.evolve(place, stored=kept), already=record
            )
        except SignInError as error:
            self._before = None
            raise SaveFailed(error) from None
        return conflict or Saved()

    def delete(self, expected: str | None, *, even_corrupt: bool = False) -> Deleted | Conflict:
        """See `Held.delete`."""
        newer = best_leftover(None, [_opened(kept) for kept in self._store.place(self.key).rescued])
        if newer is not None:  # since the lock was taken: nobody has asked to end that one
            return Conflict(newer)
        return self._compare_and_set(expected, lambda place: _Place()) or Deleted()

    def release(self) -> None:
        """See `Held.release`."""
        if self._before is not None:
            before, self._before = self._before, None
            with suppress(SignInError):  # in a forked child
                self._store.change(self.key, lambda place: (attrs.evolve(place, stored=before), None), self)
        self._store.give_back(self)

    def _compare_and_set(
        self, expected: str | None, change: Callable[[_Place], _Place], already: Record | None = None
    ) -> Conflict | None:
        def compare(place: _Place) -> tuple[_Place, Conflict | None]:
            stored = place.record()
            if already is not None and stored == already:
                return place, None
            if _fingerprint(stored) != expected:
                return place, Conflict(stored)
            return change(place), None

        conflict = self._store.change(self.key, compare, self)
        if conflict is None:
            self._before = None
        return conflict

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None = None, *exc_info: object) -> None:
        if exc_type is not None:
            self._before = None
        self.release()


def _kept(record: Record, key: str) -> _Kept:
    """The record, serialised. Raises SignInError (`not_storable`) for one that could not be read again."""
    if key not in record.credential.identity.names:
        raise ValueError("the record is another login's")
    kept = _closed(record)
    if without_traceback(lambda: read_record(kept.reveal())) != record:
        raise _refusal("not_storable")
    return kept


def _closed(record: Record) -> _Kept:
    return without_traceback(lambda: Secret(write_record(record)))


def _opened(kept: _Kept) -> Record:
    record = without_traceback(lambda: read_record(kept.reveal()))
    assert isinstance(record, Record)  # it was read once before it was kept
    return record


def _is_announced(stored: Record | None) -> bool:
    """Whether the process that this one was forked from may be about to renew the login."""
    intent = None if stored is None else stored.intent
    return intent is not None and is_pending(intent, held_here=False)


def _fingerprint(record: Record | None) -> str | None:
    return None if record is None else record.fingerprint


def _refusal(reason: str) -> SignInError:
    return advised(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason=reason))


_STORES: Final = weakref.WeakSet[MemoryStore]()


def _begin_again() -> None:
    for store in list(_STORES):
        store.begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_again)
