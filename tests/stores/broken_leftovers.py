"""Stores that forget, or bring back, what was kept beside a login, each broken in one way: to test the checks with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import attrs

from codex_oauth.stores import memory_store
from codex_oauth.stores.memory_store import MemoryHeld, MemorySlot
from codex_oauth_core import Record
from codex_oauth_core.leftovers import best_leftover
from tests.stores.breakage import breaks

_rescue = MemorySlot.rescue
_save = MemoryHeld.save
_delete = MemoryHeld.delete
_Place = memory_store._Place
_settled = memory_store._Place.settled
_closed = memory_store._closed
_opened = memory_store._opened


@breaks(
    memory_store,
    "best_leftover",
    "a_rescued_sign_in_is_seen_where_nothing_is_stored",
    "a_rescued_sign_in_wins_over_a_renewal_of_the_old_login",
)
def no_sign_ins(stored: Record | None, rescued: Iterable[Record] = ()) -> Record | None:
    return best_leftover(stored, [each for each in rescued if each.parent is not None])


@breaks(memory_store, "best_leftover", "a_rescued_renewal_of_what_is_stored_wins")
def no_renewals(stored: Record | None, rescued: Iterable[Record] = ()) -> Record | None:
    return best_leftover(stored, [each for each in rescued if each.parent is None])


@breaks(
    memory_store,
    "best_leftover",
    "the_newest_rescued_sign_in_wins",
    "a_rescued_renewal_of_something_else_is_dropped",
    "a_rescued_renewal_of_nothing_is_no_login",
)
def the_last_of_all(stored: Record | None, rescued: Iterable[Record] = ()) -> Record | None:
    return next(reversed(list(rescued)), None)


@breaks(memory_store, "best_leftover", "the_newest_rescued_sign_in_wins")
def the_first_of_all(stored: Record | None, rescued: Iterable[Record] = ()) -> Record | None:
    return next(iter(rescued), None)


@breaks(memory_store, "best_leftover", "a_rescued_renewal_at_another_server_is_dropped")
def by_parent_alone(stored: Record | None, rescued: Iterable[Record] = ()) -> Record | None:
    for each in rescued:
        if stored is not None and each.parent == stored.fingerprint:
            return each
    return best_leftover(stored, rescued)


@breaks(memory_store, "best_leftover", "a_rescued_renewal_follows_its_rescued_sign_in")
def not_followed(stored: Record | None, rescued: Iterable[Record] = ()) -> Record | None:
    sign_ins = [each for each in rescued if each.parent is None]
    return best_leftover(stored, sign_ins or rescued)


@breaks(memory_store, "best_leftover", "the_newest_rescued_sign_in_wins")
def oldest_first(stored: Record | None, rescued: Iterable[Record] = ()) -> Record | None:
    sign_ins = sorted(
        (each for each in rescued if each.parent is None), key=lambda each: each.credential.obtained_at
    )
    return sign_ins[0] if sign_ins else best_leftover(stored, rescued)


@breaks(
    MemorySlot,
    "rescue",
    "a_rescue_needs_no_lock_and_waits_for_the_next_one",
    "a_rescued_sign_in_wins_over_a_renewal_of_the_old_login",
)
def rescues_at_once(self: MemorySlot, record: Record) -> None:
    kept = memory_store._kept(record, self.key)
    self._store.change(self.key, lambda place: (attrs.evolve(place, stored=kept), None))


@breaks(MemorySlot, "rescue", "a_rescue_needs_no_lock_and_waits_for_the_next_one")
def rescues_under_the_lock(self: MemorySlot, record: Record) -> None:
    with cast("MemoryHeld", self.lock()):
        _rescue(self, record)


@breaks(MemorySlot, "rescue", "a_rescue_touches_no_other_account")
def rescues_anywhere(self: MemorySlot, record: Record) -> None:
    _rescue(self, record)
    for account_id in self._store.names():
        other = attrs.evolve(record, credential=attrs.evolve(record.credential, account_id=account_id))
        if account_id != self.key:
            _rescue(self._store.slot(account_id), other)


@breaks(
    _Place,
    "settled",
    "what_was_rescued_counts_once",
    "a_rescued_sign_in_can_be_saved_over",
    "a_rescued_renewal_of_something_else_is_dropped",
)
def keeps_what_was_rescued(self: Any) -> Any:
    found = best_leftover(self.record(), [_opened(kept) for kept in self.rescued])
    return self if found is None else attrs.evolve(self, stored=_closed(found))


@breaks(MemoryHeld, "save", "a_rescued_sign_in_wins_over_a_renewal_of_the_old_login")
def drops_rescues_when_saving(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    self._store.change(self.key, lambda place: (attrs.evolve(place, rescued=()), None))
    return _save(self, record, expected, **options)


@breaks(MemoryHeld, "delete", "a_sign_in_rescued_since_the_lock_was_taken_is_not_deleted")
def deletes_what_nobody_asked_to_end(self: MemoryHeld, expected: str | None, **options: Any) -> Any:
    self._store.change(self.key, lambda place: (attrs.evolve(place, rescued=()), None))
    return _delete(self, expected)


@breaks(
    _Place,
    "settled",
    "a_sign_in_rescued_after_a_deletion_is_kept",
    "a_rescued_sign_in_is_seen_where_nothing_is_stored",
)
def drops_rescues_of_nothing(self: Any) -> Any:
    return _settled(self) if self.stored else _Place()


@breaks(MemorySlot, "load", "a_rescued_sign_in_is_seen_where_the_login_is_over")
def shows_a_login_that_is_over(self: MemorySlot) -> Record | None:
    place = self._store.place(self.key)
    return place.settled().record() if place.stored is None else place.record()


@breaks(
    MemorySlot,
    "load",
    "a_rescued_sign_in_is_seen_by_readers_at_once",
    "a_rescued_renewal_is_seen_by_readers_at_once",
)
def shows_what_is_stored_as_long_as_it_can_be_renewed(self: MemorySlot) -> Record | None:
    place = self._store.place(self.key)
    stored = place.record()
    return stored if stored is not None and stored.is_renewable else place.settled().record()


@breaks(MemoryHeld, "load", "a_rescue_needs_no_lock_and_waits_for_the_next_one")
def looks_again_under_the_lock(self: MemoryHeld) -> Record | None:
    return self._store.place(self.key).settled().record()


@breaks(_Place, "settled", "a_rescued_renewal_waits_for_what_it_was_exchanged_for")
def drops_renewals_of_nothing(self: Any) -> Any:
    found = _settled(self)
    return found if found.stored is not None else _Place()
