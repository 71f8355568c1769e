"""Stores that let two callers in, or announce nothing, each broken in one way: to test the checks with."""

from __future__ import annotations

import threading
import time
from typing import Any

import attrs

from codex_oauth import MemoryStore
from codex_oauth.stores import memory_store
from codex_oauth.stores.locks import our_intent
from codex_oauth.stores.memory_store import MemoryHeld, MemorySlot
from codex_oauth.stores.store import Conflict
from codex_oauth.testing.checking import sample
from codex_oauth_core import Record
from codex_oauth_core.record import Intent
from tests.stores.breakage import breaks, stored_in

_take = MemoryStore.take
_load = MemorySlot.load
_lock = MemorySlot.lock
_save = MemoryHeld.save
_reserve = MemoryHeld.reserve
_release = MemoryHeld.release
_closed = memory_store._closed


@breaks(MemoryStore, "take", "the_lock_is_exclusive_and_never_waited_for", "no_update_is_lost_in_a_race")
def gives_the_lock_to_all(self: MemoryStore, held: MemoryHeld) -> bool:
    self._holders.pop(held.key, None)
    return _take(self, held)


@breaks(MemorySlot, "lock", "the_lock_is_exclusive_and_never_waited_for")
def waits_for_the_lock(self: MemorySlot) -> MemoryHeld | None:
    give_up_at = time.monotonic() + 1.1
    while (held := _lock(self)) is None and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return held


@breaks(MemoryStore, "take", "the_lock_of_another_account_is_free")
def one_lock_for_all(self: MemoryStore, held: MemoryHeld) -> bool:
    return not self._holders and _take(self, held)


@breaks(MemoryStore, "take", "the_lock_holds_for_other_threads_and_moves_between_them")
def a_lock_for_each_thread(self: MemoryStore, held: MemoryHeld) -> bool:
    me = threading.get_ident()
    if _OWNERS.get(id(self)) == me and held.key in self._holders:
        return False
    _OWNERS[id(self)] = me
    return gives_the_lock_to_all(self, held)


_OWNERS: dict[int, int] = {}


@breaks(MemoryStore, "give_back", "a_lock_given_back_twice_is_given_back_once")
def releases_whoever_holds(self: MemoryStore, held: MemoryHeld) -> None:
    self._holders.pop(held.key, None)


@breaks(MemoryHeld, "__exit__", "a_with_block_gives_the_lock_back_however_it_ends")
def leaves_on_success_only(self: MemoryHeld, *exc_info: object) -> None:
    if exc_info[0] is None:
        self.release()


@breaks(MemoryHeld, "__exit__", "a_with_block_gives_the_lock_back_however_it_ends")
def swallows_exceptions(self: MemoryHeld, *exc_info: object) -> bool:
    self.release()
    return True


@breaks(MemoryStore, "change", "what_was_given_back_changes_nothing_any_more")
def works_without_the_lock(self: MemoryStore, account_id: str, work: Any, held: object = None) -> Any:
    self._places[account_id], told = work(self.place(account_id))
    return told


@breaks(MemorySlot, "load", "reading_needs_no_lock")
def reads_nothing_while_locked(self: MemorySlot) -> Record | None:
    return None if self.key in self._store._holders else _load(self)


@breaks(MemoryHeld, "reserve", "a_reservation_announces_the_renewal")
def reserves_nothing(self: MemoryHeld, record: Record) -> None:
    stored = stored_in(self._store, self.key)
    if stored is None or stored.fingerprint != record.fingerprint:
        _reserve(self, record)


@breaks(MemoryHeld, "release", "an_intent_that_nothing_was_saved_over_is_taken_back")
def leaves_its_intent(self: MemoryHeld) -> None:
    self._before = None
    _release(self)


@breaks(MemoryHeld, "release", "an_old_doubt_outlives_a_reservation_that_is_taken_back")
def leaves_no_intent_at_all(self: MemoryHeld) -> None:
    before = stored_in(self._store, self.key)
    if self._before is not None and before is not None:
        self._before = _closed(attrs.evolve(before, intent=None, uncertain_at=None))
    _release(self)


@breaks(MemoryHeld, "save", "a_save_over_an_old_intent_stores_exactly_the_record")
def keeps_the_intents_of_others(
    self: MemoryHeld, record: Record, expected: str | None, **options: Any
) -> Any:
    stored = stored_in(self._store, self.key)
    others = None if stored is None or stored.intent is None or self._before is not None else stored.intent
    return _save(self, attrs.evolve(record, intent=record.intent or others), expected, **options)


@breaks(MemoryHeld, "__exit__", "an_intent_stays_after_an_exception")
def takes_its_intent_back_whatever_happened(self: MemoryHeld, *exc_info: object) -> None:
    self.release()


@breaks(MemoryHeld, "save", "a_save_after_a_reservation_stores_exactly_the_record")
def saves_the_intent_too(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    stored = stored_in(self._store, self.key)
    intent = None if stored is None or record.intent else stored.intent
    return _save(self, attrs.evolve(record, intent=record.intent or intent), expected, **options)


@breaks(MemoryHeld, "save", "a_save_after_a_reservation_stores_exactly_the_record")
def takes_back_what_was_saved(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    before = self._before
    answer = _save(self, record, expected, **options)
    self._before = before
    return answer


@breaks(MemoryHeld, "reserve", "a_reservation_may_be_repeated")
def reserves_once(self: MemoryHeld, record: Record) -> None:
    assert self._before is None
    _reserve(self, record)


@breaks(MemoryHeld, "reserve", "a_reservation_for_something_else_is_refused")
def reserves_for_anything(self: MemoryHeld, record: Record) -> None:
    marked = _closed(attrs.evolve(record, intent=our_intent()))
    self._before = self._store.change(
        self.key, lambda place: (attrs.evolve(place, stored=marked), place.stored), self
    )


@breaks(memory_store, "_is_announced", "a_living_processs_young_intent_is_busy")
def sees_no_intent(stored: Record | None) -> bool:
    return False


@breaks(memory_store, "_is_announced", "an_intent_is_forgotten_after_its_life")
def waits_for_the_dead(stored: Record | None) -> bool:
    return stored is not None and stored.intent is not None


@breaks(MemoryStore, "take", "one_of_many_gets_the_lock")
def takes_in_two_steps(self: MemoryStore, held: MemoryHeld) -> bool:
    if held.key in self._holders:
        return False
    time.sleep(0.01)
    return gives_the_lock_to_all(self, held)


@breaks(MemoryHeld, "save", "nobody_ever_sees_half_a_record")
def shows_half(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    padding = record.unknown.get("padding")
    if padding is not None:
        _save(self, attrs.evolve(record, unknown={"padding": padding[:1]}), expected)
        time.sleep(0.03)  # long enough for those who begin now, on a busy machine, too
        expected = record.fingerprint
    return _save(self, record, expected, **options)


@breaks(MemoryHeld, "sending", "a_request_may_go_out_after_its_reservation_only")
def always_sends(self: MemoryHeld) -> bool:
    return True


@breaks(MemoryHeld, "sending", "a_request_may_go_out_after_its_reservation_only")
def never_sends(self: MemoryHeld) -> bool:
    return False


@breaks(MemoryHeld, "sending", "a_request_may_go_out_after_its_reservation_only")
def sends_without_a_reservation(self: MemoryHeld) -> bool:
    return self._store.is_held(self)


@breaks(MemoryHeld, "sending", "a_request_may_go_out_after_its_reservation_only")
def sends_without_the_lock(self: MemoryHeld) -> bool:
    return self._reserving_since is not None


@breaks(MemoryHeld, "save", "a_save_that_is_repeated_is_saved")
def saves_once(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    stored = self.load()
    return Conflict(stored) if stored == record != sample(1) else _save(self, record, expected, **options)


@breaks(MemoryHeld, "save", "a_save_that_is_repeated_is_saved")
def saves_over_anything_renewed(
    self: MemoryHeld, record: Record, expected: str | None, **options: Any
) -> Any:
    stored = self.load()
    known = stored.fingerprint if stored is not None and stored.parent == expected else expected
    return _save(self, record, known, **options)


@breaks(memory_store, "our_intent", "an_intent_of_another_hold_has_another_owner")
def one_owner_for_all(owner: str | None = None) -> Intent:
    return our_intent("the process")


@breaks(memory_store, "our_intent", "an_intent_of_another_hold_has_another_owner")
def no_owner(owner: str | None = None) -> Intent:
    return attrs.evolve(our_intent(), owner="")
