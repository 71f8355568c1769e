"""Stores that keep everything in one file, each broken in one way: to test the checks with."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Generator
from functools import partial
from typing import Any

import attrs

from codex_oauth.stores.store import Conflict, Deleted
from codex_oauth.stores.toolkit import Record, best_leftover, instant, is_pending, write_record
from codex_oauth_core import ErrorKind, SignInError
from tests.stores import one_file_store
from tests.stores.breakage import breaks, in_one_file
from tests.stores.one_file_store import Document, OneFileHeld, OneFileSlot, OneFileStore, opened

_breaks = partial(breaks, make=in_one_file)
_load = OneFileSlot.load
_lock = OneFileSlot.lock
_rescue = OneFileSlot.rescue
_written = OneFileSlot.written
_save = OneFileHeld.save
_delete = OneFileHeld.delete
_reserve = OneFileHeld.reserve
_release = OneFileHeld.release
_select = OneFileStore.select
_names = OneFileStore.names
_slot = OneFileStore.slot
_prepare = OneFileStore.prepare


# -- what is kept --------------------------------------------------------------------------------------


@_breaks(OneFileStore, "names", "names_that_look_alike_are_separate")
def numbers_come_first(self: OneFileStore) -> tuple[str, ...]:
    return tuple(
        sorted(_names(self), key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))
    )


@_breaks(OneFileStore, "names", "a_login_that_is_over_is_still_kept")
def names_what_can_be_renewed(self: OneFileStore) -> tuple[str, ...]:
    found = {name: _slot(self, name).load() for name in _names(self)}
    return tuple(name for name, record in found.items() if record is not None and record.is_renewable)


@_breaks(OneFileStore, "slot", "names_that_look_alike_are_separate", "an_account_id_has_up_to_128_characters")
def short_names_of_files(self: OneFileStore, key: str) -> OneFileSlot:
    return _slot(self, _slot(self, key).key[:100].lower())


@_breaks(OneFileStore, "select", "a_selection_makes_no_login")
def selects_what_is_there(self: OneFileStore, key: str | None) -> None:
    if key is not None and key not in _names(self):
        raise KeyError(key)
    _select(self, key)


@_breaks(OneFileStore, "select", "the_pointer_follows_the_last_selection")
def signs_out_what_is_not_selected(self: OneFileStore, key: str | None) -> None:
    with self.changing() as document:
        if key is None:
            document["places"] = {}
    _select(self, key)


@_breaks(OneFileStore, "prepare", "preparing_changes_nothing_and_can_be_repeated")
def prepares_by_forgetting_intents(self: OneFileStore) -> None:
    with self.changing() as document:
        for place in document["places"].values():
            if place["record"] is not None:
                without = attrs.evolve(opened(place["record"]), intent=None)
                place["record"] = write_record(without).decode()


@_breaks(OneFileStore, "prepare", "preparing_changes_nothing_and_can_be_repeated")
def prepares_by_dropping_rescues(self: OneFileStore) -> None:
    with self.changing() as document:
        for place in document["places"].values():
            place["rescued"] = []


@_breaks(OneFileSlot, "written", "unknown_fields_survive")
def drops_what_a_database_cannot_keep(self: OneFileSlot, record: Record) -> str:
    return _written(self, record).replace("\\u0000", "")


@_breaks(OneFileHeld, "save", "a_login_without_a_refresh_token_is_kept")
def takes_all_borrowed_logins_for_one(
    self: OneFileHeld, record: Record, expected: str | None, **options: Any
) -> Any:
    stored = self.load()
    if (
        stored is not None
        and stored.credential.refresh_token is None
        and record.credential.refresh_token is None
    ):
        expected = stored.fingerprint
    return _save(self, record, expected, **options)


@_breaks(
    OneFileStore, "changing", "logins_saved_at_once_are_all_kept", "sign_ins_rescued_at_once_are_all_seen"
)
@contextlib.contextmanager
def writes_back_what_was_read_before(self: OneFileStore) -> Generator[Document]:
    document = self.read()
    yield document
    time.sleep(0.006)  # long enough for the others to begin
    self.write(document)


@_breaks(OneFileStore, "write", "nobody_ever_sees_half_a_record")
def writes_in_place(self: OneFileStore, document: Document) -> None:
    content = json.dumps(document)
    with self.path.open("w") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        time.sleep(0.01)
        file.write(content[len(content) // 2 :])


@_breaks(OneFileStore, "names", "a_place_that_was_only_looked_at_is_not_there")
def names_every_place(self: OneFileStore) -> tuple[str, ...]:
    return tuple(sorted(self.read()["places"]))


# -- the lock ------------------------------------------------------------------------------------------


@_breaks(OneFileSlot, "lock", "the_pointer_follows_the_last_selection")
def selects_what_it_locks(self: OneFileSlot) -> Any:
    held = _lock(self)
    with self.store.changing() as document:
        document["current"] = document["current"] or self.key
    return held


@_breaks(OneFileSlot, "lock", "the_lock_holds_for_other_threads_and_moves_between_them")
def a_lock_that_its_thread_must_give_back(self: OneFileSlot) -> Any:
    held, thread = _lock(self), threading.get_ident()
    if held is None:
        return None

    def give_back() -> None:
        if thread == threading.get_ident():
            OneFileHeld.give_back(held)

    held.give_back = give_back  # type: ignore[method-assign]
    return held


@_breaks(OneFileHeld, "__exit__", "a_with_block_gives_the_lock_back_however_it_ends")
def stays_locked_after_ctrl_c(
    self: OneFileHeld, exc_type: type[BaseException] | None = None, *rest: object
) -> None:
    if exc_type is None or issubclass(exc_type, Exception):
        self.before = self.before if exc_type is None else []
        self.release()


@_breaks(OneFileHeld, "__exit__", "an_intent_stays_after_an_exception")
def forgets_the_intent_after_ctrl_c(
    self: OneFileHeld, exc_type: type[BaseException] | None = None, *rest: object
) -> None:
    if exc_type is not None and issubclass(exc_type, Exception):
        self.before = []
    self.release()


@_breaks(OneFileHeld, "load", "the_login_under_the_lock_follows_each_change", "what_is_deleted_is_gone")
def shows_what_was_found(self: OneFileHeld) -> Record | None:
    return self.found


@_breaks(OneFileHeld, "release", "a_former_holder_takes_nothing_from_the_next")
def takes_back_whatever_is_marked(self: OneFileHeld) -> None:
    with self.store.changing() as document:
        place = self.slot.place(document)
        stored = self.slot.stored(place)
        if stored is not None and stored.intent is not None and self.before != []:
            place["record"] = self.slot.written(attrs.evolve(stored, intent=None))
    if self.lock >= 0:
        self.give_back()


@_breaks(OneFileHeld, "release", "a_lock_given_back_twice_is_given_back_once")
def is_released_once_only(self: OneFileHeld) -> None:
    if self.lock < 0:
        raise RuntimeError("it is released")
    _release(self)


@_breaks(OneFileSlot, "refused", "a_lock_that_an_intent_refused_is_free_after_it")
def keeps_the_lock_that_it_refused(self: OneFileSlot, lock: int) -> None:
    """It is never closed."""


@_breaks(OneFileSlot, "refused", "an_intent_keeps_others_out_for_its_life")
def waits_a_little_for_an_intent(self: OneFileSlot, lock: int) -> None:
    os.close(lock)
    time.sleep(1.1)


# -- the announcement ----------------------------------------------------------------------------------


@_breaks(one_file_store, "is_pending", "an_intent_keeps_others_out_for_its_life")
def intents_live_for_half_a_minute(intent: Any) -> bool:
    return is_pending(intent) and time.time() - intent.at < 30.0


@_breaks(one_file_store, "is_pending", "an_intent_keeps_others_out_for_its_life")
def intents_are_of_this_host(intent: Any) -> bool:
    return is_pending(intent) and intent.host != "elsewhere"


@_breaks(OneFileHeld, "reserve", "a_reservation_may_be_repeated")
def takes_its_own_mark_for_another_ones(self: OneFileHeld, record: Record) -> None:
    stored = self.load()
    _reserve(self, record)
    self.before = [None if stored is None else stored.intent]


@_breaks(OneFileHeld, "reserve", "what_was_given_back_changes_nothing_any_more")
def tells_no_reason(self: OneFileHeld, record: Record) -> None:
    try:
        _reserve(self, record)
    except SignInError:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="changed") from None


@_breaks(OneFileHeld, "sending", "a_request_does_not_go_out_late")
def sends_as_long_as_it_is_locked(self: OneFileHeld) -> bool:
    return self.lock >= 0 and self.reserving_since is not None


@_breaks(OneFileHeld, "sending", "a_request_does_not_go_out_late")
def sends_for_a_minute(self: OneFileHeld) -> bool:
    since = self.reserving_since
    return self.lock >= 0 and since is not None and instant() - since <= 60.0


@_breaks(OneFileHeld, "sending", "a_login_is_the_same_for_every_thread")
def sends_for_its_thread_only(self: OneFileHeld) -> bool:
    return (
        threading.current_thread() is threading.main_thread()
        and self.lock >= 0
        and self.reserving_since is not None
    )


@_breaks(OneFileHeld, "save", "a_save_that_is_repeated_is_saved")
def has_a_first_save_only_once(
    self: OneFileHeld, record: Record, expected: str | None, **options: Any
) -> Any:
    stored = self.load()
    return (
        Conflict(stored)
        if stored is not None and expected is None
        else _save(self, record, expected, **options)
    )


@_breaks(OneFileHeld, "save", "an_intent_that_nothing_was_saved_over_is_taken_back")
def takes_the_intent_back_at_a_conflict(
    self: OneFileHeld, record: Record, expected: str | None, **options: Any
) -> Any:
    answer = _save(self, record, expected, **options)
    if isinstance(answer, Conflict) and self.before:
        with self.changing() as place:
            self.take_back(place)
    return answer


@_breaks(OneFileHeld, "take_back", "a_rescue_is_kept_while_a_reservation_is_taken_back")
def takes_back_the_whole_place(self: OneFileHeld, place: Document) -> None:
    stored = self.slot.stored(place)
    if stored is not None:
        place.update(record=self.slot.written(attrs.evolve(stored, intent=self.before[0])), rescued=[])


@_breaks(OneFileHeld, "delete", "a_deletion_after_a_reservation_is_final")
def comes_back_when_it_is_released(self: OneFileHeld, expected: str | None, **options: Any) -> Any:
    stored, before = self.load(), self.before
    answer = _delete(self, expected, **options)
    if before and stored is not None and isinstance(answer, Deleted):
        written = self.slot.written(attrs.evolve(stored, intent=before[0]))
        self.before, self.take_back = before, lambda place: place.update(record=written)  # type: ignore[method-assign]
    return answer


@_breaks(OneFileSlot, "lock", "an_old_doubt_outlives_a_reservation_that_is_taken_back")
def forgets_old_intents(self: OneFileSlot) -> Any:
    held = _lock(self)
    if held is not None and held.found is not None and held.found.intent is not None:
        with held.changing() as place:
            place["record"] = self.written(attrs.evolve(held.found, intent=None))
    return held


# -- what was rescued ----------------------------------------------------------------------------------


@_breaks(OneFileSlot, "rescue", "the_newest_rescued_sign_in_wins")
def keeps_the_last_rescue(self: OneFileSlot, record: Record) -> None:
    with self.store.changing() as document:
        self.place(document)["rescued"] = [self.written(record)]


@_breaks(OneFileSlot, "rescue", "a_rescued_renewal_follows_its_rescued_sign_in")
def keeps_the_newest_rescue(self: OneFileSlot, record: Record) -> None:
    with self.store.changing() as document:
        place = self.place(document)
        kept = [*self.rescued(place), record]
        newest = max(kept, key=lambda each: (each.parent is None, each.credential.obtained_at))
        place["rescued"] = [self.written(newest)]


@_breaks(one_file_store, "best_leftover", "an_older_rescued_sign_in_changes_nothing")
def rescued_sign_ins_always_win(stored: Record | None, rescued: Any = ()) -> Record | None:
    sign_ins = [each for each in rescued if each.parent is None]
    newest = max(sign_ins, key=lambda each: each.credential.obtained_at, default=None)
    return newest or best_leftover(stored, rescued)


@_breaks(OneFileSlot, "load", "readers_change_nothing")
def settles_while_reading(self: OneFileSlot) -> Record | None:
    found = _load(self)
    with self.store.changing() as document:
        place = self.place(document)
        if found is not None and place["rescued"]:
            place.update(record=self.written(found), rescued=[])
    return found


@_breaks(OneFileSlot, "load", "readers_keep_the_lock_from_nobody")
def reads_under_the_lock(self: OneFileSlot) -> Record | None:
    held = _lock(self)
    if held is None:
        return _load(self)
    found = held.load()
    time.sleep(0.02)
    held.give_back()
    return found


@_breaks(OneFileSlot, "rescue", "a_rescued_sign_in_is_stored_for_whoever_locks_next")
def rescues_each_record_once(self: OneFileSlot, record: Record) -> None:
    if self.written(record) in self.place(self.store.read())["rescued"]:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="exists")
    _rescue(self, record)


@_breaks(OneFileHeld, "delete", "a_deletion_drops_what_was_rescued")
def deletes_the_login_alone(self: OneFileHeld, expected: str | None, **options: Any) -> Any:
    rescued = self.slot.place(self.store.read())["rescued"]
    answer = _delete(self, expected, **options)
    if isinstance(answer, Deleted):
        with self.changing() as place:
            place["rescued"] = rescued
    return answer


# -- what is told --------------------------------------------------------------------------------------


@_breaks(OneFileSlot, "written", "no_error_shows_a_secret")
def quotes_the_record(self: OneFileSlot, record: Record) -> str:
    if self.key not in record.credential.identity.names:
        raise ValueError(f"another login's: {record.credential.access_token.reveal()}")
    return _written(self, record)


@_breaks(OneFileSlot, "written", "nothing_that_is_logged_or_printed_shows_a_secret")
def logs_what_it_writes(self: OneFileSlot, record: Record) -> str:
    written = _written(self, record)
    logging.getLogger("a store").debug("writing %s", written)
    return written


@_breaks(OneFileSlot, "written", "nothing_that_is_logged_or_printed_shows_a_secret")
def prints_what_it_writes(self: OneFileSlot, record: Record) -> str:
    print(_written(self, record), file=sys.stderr)
    return _written(self, record)


@_breaks(OneFileSlot, "written", "nothing_that_is_logged_or_printed_shows_a_secret")
def warns_of_what_it_writes(self: OneFileSlot, record: Record) -> str:
    warnings.warn(_written(self, record), stacklevel=2)
    return _written(self, record)


@_breaks(OneFileHeld, "__repr__", "nothing_shows_a_secret")
def shows_what_it_found(self: OneFileHeld) -> str:
    return f"OneFileHeld({self.found and self.found.credential.access_token.reveal()})"
