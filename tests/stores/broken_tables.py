"""Stores that keep rows, each broken in one way: to test the checks with."""

from __future__ import annotations

import sqlite3
import time
from functools import partial
from typing import Any

import attrs

from codex_oauth.stores.toolkit import Record, write_record
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.breakage import BROKEN, Broken, breaks, in_tables
from tests.stores.table_store import TABLE

_breaks = partial(breaks, make=in_tables)
_stored_in = TABLE.stored_in
_rescued_in = TABLE.rescued_in
_content_of = TABLE.content_of
_fingerprint = TABLE.fingerprint
_lock = TABLE.TableSlot.lock
_reserve = TABLE.TableHeld.reserve
_release = TABLE.TableHeld.release
_delete = TABLE.TableHeld.delete
_connect = TABLE.Database.connect


def _made_of(what: str, column: str, caught_by: str) -> None:
    """The keys are in a column of another type."""
    tables = tuple(each.replace("key TEXT", column) for each in TABLE.TABLES)
    BROKEN[what] = Broken(TABLE, ("TABLES",), tables, (caught_by,), in_tables)


_made_of("keys_know_no_case", "key TEXT COLLATE NOCASE", "names_that_look_alike_are_separate")
_made_of("keys_are_numbers", "key NUMERIC", "names_that_look_alike_are_separate")


@_breaks(TABLE, "rescued_in", "names_that_look_alike_are_separate")
def finds_rescues_by_a_pattern(table: sqlite3.Connection, key: str) -> list[Record]:
    rows = table.execute("SELECT record FROM rescued WHERE key LIKE ? ORDER BY rowid", (key,))
    return [TABLE.opened(content) for (content,) in rows]


@_breaks(TABLE, "stored_in", "a_stored_record_is_a_value_of_its_own")
def remembers_what_it_read(table: sqlite3.Connection, key: str) -> Record | None:
    found = _stored_in(table, key)
    if found is None:
        return None
    at = (id(TABLE.Database), key, write_record(attrs.evolve(found, unknown={})))
    return _MEMORY.setdefault(at, found)


_MEMORY: dict[Any, Record] = {}


@_breaks(TABLE, "content_of", "what_is_saved_is_loaded")
def cuts_what_is_long(record: Record, key: str) -> bytes:
    content: bytes = _content_of(record, key)
    return content[:8192]


@_breaks(TABLE, "fingerprint", "a_save_over_nothing_that_expects_something_is_a_conflict")
def takes_nothing_for_anything(record: Record | None) -> Any:
    return _Anything() if record is None else _fingerprint(record)


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@_breaks(TABLE.Database, "connect", "the_lock_holds_for_other_threads_and_moves_between_them")
def connections_of_one_thread(self: Any, name: str, timeout: float) -> sqlite3.Connection:
    path = self.folder / name
    path.touch(mode=0o600)
    return sqlite3.connect(path, timeout=timeout, isolation_level=None)


@_breaks(TABLE.TableSlot, "lock", "the_lock_is_exclusive_and_never_waited_for")
def waits_for_the_database(self: Any) -> Any:
    lock = self._database.connect(f"{self.key}.lock", timeout=2)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return None
    finally:
        lock.close()
    return _lock(self)


@_breaks(TABLE.TableHeld, "release", "a_lock_given_back_twice_is_given_back_once")
def raises_when_it_is_released_again(self: Any) -> None:
    if self._lock is None:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="lock_lost")
    _release(self)


@_breaks(TABLE.TableHeld, "reserve", "a_reservation_announces_the_renewal")
def announces_when_it_ends(self: Any, record: Record) -> None:
    _reserve(self, record)
    with self._changing() as table:
        TABLE.mark(table, self._key, attrs.evolve(TABLE.our_intent(self._owner), at=time.time() + 105.0))


@_breaks(TABLE.TableHeld, "reserve", "a_reservation_for_something_else_is_refused")
def reserves_for_whom_it_read(self: Any, record: Record) -> None:
    _reserve(self, self.load() or record)


@_breaks(TABLE.TableHeld, "delete", "a_deletion_drops_what_was_rescued")
def keeps_renewals_of_what_was_deleted(self: Any, expected: str | None, **options: Any) -> Any:
    with self._database.open(TABLE.READ) as table:
        rescued = _rescued_in(table, self._key)
    answer = _delete(self, expected, **options)
    if isinstance(answer, TABLE.Deleted):
        with self._database.open(TABLE.WRITE) as table:
            for record in rescued:
                table.execute(
                    "INSERT INTO rescued VALUES (?, ?)", (self._key, _content_of(record, self._key))
                )
    return answer


@_breaks(TABLE, "draw_owner", "an_intent_of_another_hold_has_another_owner")
def the_process_is_the_owner() -> str:
    return "process-1"
