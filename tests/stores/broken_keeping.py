"""Stores that lose, mix up or show what they are given, each broken in one way: to test the checks with."""

from __future__ import annotations

from typing import Any

import attrs

from codex_oauth import MemoryStore
from codex_oauth.stores import memory_store
from codex_oauth.stores.memory_store import MemoryHeld, MemorySlot
from codex_oauth.stores.store import Conflict, Deleted, Saved
from codex_oauth_core import Record
from tests.stores.breakage import breaks, stored_in

_names = MemoryStore.names
_select = MemoryStore.select
_slot = MemoryStore.slot
_load = MemorySlot.load
_save = MemoryHeld.save
_delete = MemoryHeld.delete
_closed = memory_store._closed
_opened = memory_store._opened
_kept_as_it_is = memory_store._kept


@breaks(MemoryStore, "names", "a_new_store_is_empty")
def begins_with_a_login(self: MemoryStore) -> tuple[str, ...]:
    return ("acct_0", *_names(self))


@breaks(MemorySlot, "load", "what_is_saved_is_loaded", "the_same_refresh_token_may_be_saved_with_other_marks")
def forgets_marks(self: MemorySlot) -> Record | None:
    found = _load(self)
    return found and attrs.evolve(found, spent=False, uncertain_at=None, dead_code=None)


@breaks(MemorySlot, "load", "unknown_fields_survive")
def forgets_unknown_fields(self: MemorySlot) -> Record | None:
    found = _load(self)
    return found and attrs.evolve(found, unknown={})


@breaks(MemoryStore, "prepare", "preparing_changes_nothing_and_can_be_repeated")
def prepares_by_clearing(self: MemoryStore) -> None:
    self._places.clear()


@breaks(MemoryHeld, "save", "a_login_without_a_refresh_token_is_kept")
def needs_a_refresh_token(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    assert record.credential.refresh_token is not None
    return _save(self, record, expected, **options)


@breaks(MemoryStore, "slot", "two_slots_of_one_account_are_one_place")
def a_place_for_each_slot(self: MemoryStore, account_id: str) -> MemorySlot:
    return _slot(MemoryStore(), account_id)


@breaks(MemoryHeld, "save", "a_save_replaces_what_the_caller_expects")
def saves_only_once(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    if stored_in(self._store, self.key) is not None and expected is not None:
        return Saved()
    return _save(self, record, expected, **options)


@breaks(MemoryHeld, "save", "the_same_refresh_token_may_be_saved_with_other_marks")
def saves_new_tokens_only(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    return Saved() if record.fingerprint == expected else _save(self, record, expected, **options)


@breaks(MemoryHeld, "save", "a_save_over_something_else_is_a_conflict_and_changes_nothing")
def saves_over_anything(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    stored = stored_in(self._store, self.key)
    return _save(self, record, expected if stored is None else stored.fingerprint, **options)


@breaks(MemoryHeld, "save", "a_save_over_something_else_is_a_conflict_and_changes_nothing")
def saves_over_what_cannot_be_read(
    self: MemoryHeld, record: Record, expected: str | None, *, replace_corrupt: bool = False
) -> Any:
    save = saves_over_anything if replace_corrupt else _save
    return save(self, record, expected)


@breaks(
    MemoryHeld,
    "save",
    "a_save_over_nothing_that_expects_something_is_a_conflict",
    "a_deleted_login_is_not_saved_again_by_who_still_expects_it",
)
def saves_over_nothing(self: MemoryHeld, record: Record, expected: str | None, **options: Any) -> Any:
    return _save(self, record, expected if stored_in(self._store, self.key) else None, **options)


@breaks(MemoryHeld, "save", "a_save_over_something_else_is_a_conflict_and_changes_nothing")
def tells_no_conflicting_record(
    self: MemoryHeld, record: Record, expected: str | None, **options: Any
) -> Any:
    answer = _save(self, record, expected, **options)
    return Conflict(None) if isinstance(answer, Conflict) else answer


@breaks(memory_store, "_kept _closed _opened", "a_stored_record_is_a_value_of_its_own")
def keeps_the_object(record: Record, *account_id: str) -> Any:
    return record


@breaks(memory_store, "login_name", "what_is_no_account_id_is_refused")
def takes_any_name(account_id: str) -> str:
    return account_id


@breaks(memory_store, "_kept", "a_record_of_another_account_is_refused")
def takes_any_account(record: Record, account_id: str) -> Any:
    return _closed(record)


@breaks(MemoryHeld, "delete", "what_is_deleted_is_gone")
def deletes_nothing(self: MemoryHeld, expected: str | None, **options: Any) -> Any:
    stored = stored_in(self._store, self.key)
    same = expected == (None if stored is None else stored.fingerprint)
    return Deleted() if same else Conflict(stored)


@breaks(MemoryHeld, "delete", "deleting_nothing_is_done_if_nothing_is_expected")
def deletes_only_what_is_there(self: MemoryHeld, expected: str | None, **options: Any) -> Any:
    stored = stored_in(self._store, self.key)
    return Conflict(None) if stored is None else _delete(self, expected)


@breaks(MemoryHeld, "delete", "deleting_something_else_is_a_conflict_and_keeps_it")
def deletes_anything(self: MemoryHeld, expected: str | None, **options: Any) -> Any:
    stored = stored_in(self._store, self.key)
    return _delete(self, None if stored is None else stored.fingerprint)


@breaks(MemoryHeld, "delete", "deleting_something_else_is_a_conflict_and_keeps_it")
def deletes_anything_in_the_end(self: MemoryHeld, expected: str | None, *, even_corrupt: bool = False) -> Any:
    return deletes_anything(self, expected) if even_corrupt else _delete(self, expected)


@breaks(MemoryStore, "names", "accounts_are_separate_and_in_order")
def lists_backwards(self: MemoryStore) -> tuple[str, ...]:
    return _names(self)[::-1]


@breaks(memory_store, "_kept", "a_login_has_a_place_under_each_of_its_names")
def only_under_its_account(record: Record, key: str) -> Any:
    if record.credential.account_id not in (None, key):
        raise ValueError("the record is another account's")
    return _closed(record)


@breaks(MemoryStore, "slot", "two_people_of_one_account_are_two_logins")
def a_place_for_each_account(self: MemoryStore, key: str) -> MemorySlot:
    return _slot(self, key.partition("-")[0] if key.startswith("acct_") else key)


@breaks(memory_store, "_kept", "a_login_without_an_account_is_kept")
def needs_an_account(record: Record, key: str) -> Any:
    if record.credential.account_id is None:
        raise ValueError("whose is it?")
    return _kept_as_it_is(record, key)


@breaks(memory_store, "login_name", "an_account_id_has_up_to_128_characters")
def short_names_only(account_id: str) -> str:
    if not 0 < len(account_id) <= 64 or not account_id.replace("-", "").replace("_", "").isalnum():
        raise ValueError("an account id")
    return account_id


@breaks(MemoryStore, "slot", "a_slot_tells_whose_it_is")
def calls_it_something_else(self: MemoryStore, account_id: str) -> MemorySlot:
    return MemorySlot(self, _slot(self, account_id).key.lower() + "_")


@breaks(MemoryStore, "select", "the_pointer_follows_the_last_selection")
def keeps_its_selection(self: MemoryStore, account_id: str | None) -> None:
    if account_id is not None:
        _select(self, account_id)


@breaks(MemoryStore, "current", "a_pointer_to_a_login_that_is_gone_points_to_nothing")
def points_to_what_is_gone(self: MemoryStore) -> str | None:
    return self._selected


@breaks(MemorySlot, "__repr__", "nothing_shows_a_secret")
def shows_what_it_holds(self: MemorySlot) -> str:
    found = _load(self)
    return "MemorySlot()" if found is None else f"MemorySlot({found.credential.access_token.reveal()})"
