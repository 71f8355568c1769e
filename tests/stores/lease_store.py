"""A store that hosts share, on SQLite: a lease row by the database's clock, and intents in columns. Here it is
what the checks of shared stores are checked with, so it comes with faults of its database.

Rules of this file: every operation is one transaction on a connection of its own, and none is open between two;
a "connection" that the faults cut is one of this process; what a broken store does otherwise is a method of its
own, so that it can be put in its place.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import uuid
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import attrs

from codex_oauth.stores.paths import login_name
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth.testing import StoreFaults
from codex_oauth_core import Record
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.leftovers import best_leftover
from codex_oauth_core.record import Intent, read_record, write_record
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY

_T = TypeVar("_T")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS logins (
    key TEXT PRIMARY KEY, record BLOB, fingerprint TEXT,
    intent_owner TEXT, intent_at REAL, pid INTEGER, host TEXT, holder TEXT, holder_until REAL
);
CREATE TABLE IF NOT EXISTS rescued (key TEXT, record BLOB);
CREATE TABLE IF NOT EXISTS current (key TEXT);
"""
NOW = "((julianday('now') - 2440587.5) * 86400.0)"
LEASE = 10.0


class Faults:
    """What befalls the database, as seen from this process."""

    lose_next: ClassVar[bool] = False
    read_only: ClassVar[bool] = False
    connections: ClassVar[int] = 0
    """How often all of them were cut."""

    @classmethod
    def cut(cls) -> None:
        cls.connections += 1

    @classmethod
    def lose(cls) -> None:
        cls.lose_next = True

    @classmethod
    @contextmanager
    def standby(cls) -> Generator[None]:
        cls.read_only = True
        yield
        cls.read_only = False


def advance(path: Path, seconds: float) -> None:
    """Everything that is noted of holders and intents becomes older."""
    with closing(sqlite3.connect(path, timeout=5)) as table, table:
        table.execute(
            "UPDATE logins SET intent_at = intent_at - ?, holder_until = holder_until - ?", (seconds, seconds)
        )


def faults_of(path: Path) -> StoreFaults:
    """All faults that there are."""
    return StoreFaults(
        advance=lambda seconds: advance(path, seconds),
        restart=Faults.cut,
        end_backends=Faults.cut,
        cut_connections=Faults.cut,
        lose_next_answer=Faults.lose,
        standby=Faults.standby,
    )


def _opened(data: bytes | None, row: sqlite3.Row | None = None) -> Record | None:
    if data is None:
        return None
    record = read_record(data)
    assert isinstance(record, Record)
    if row is None or row["intent_owner"] is None:
        return record
    intent = Intent(row["pid"], row["host"], row["intent_at"], row["intent_owner"])
    return attrs.evolve(record, intent=intent)


class LeaseStore:
    """See `Store`."""

    def __init__(
        self, path: Path, slot: type[LeaseSlot] | None = None, held: type[LeaseHeld] | None = None
    ) -> None:
        self.path = path
        self.slot_type, self.held_type = slot or LeaseSlot, held or LeaseHeld
        with closing(sqlite3.connect(path, timeout=5)) as table:
            table.executescript(_SCHEMA)

    def transact(self, work: Callable[[sqlite3.Connection], _T], *, writes: bool = True) -> _T:
        """One statement of a client, as it were. Raises sqlite3.Error."""
        if writes and Faults.read_only:
            raise sqlite3.OperationalError("read-only")
        with closing(sqlite3.connect(self.path, timeout=5, isolation_level=None)) as table:
            table.row_factory = sqlite3.Row
            table.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            done = work(table)
            table.execute("COMMIT")
        if Faults.lose_next:
            Faults.lose_next = False
            raise sqlite3.OperationalError("the connection was lost")
        return done

    def told(self, work: Callable[[sqlite3.Connection], _T], *, writes: bool = True) -> _T:
        """The same. Raises SignInError."""
        kind = ErrorKind.AUTH_WRITE_FAILED if writes else ErrorKind.AUTH_READ_FAILED
        try:
            return self.transact(work, writes=writes)
        except sqlite3.Error as error:
            raise SignInError.of(kind, reason="database") from error

    def names(self) -> tuple[str, ...]:
        rows = self.told(
            lambda table: table.execute(
                "SELECT key FROM logins WHERE record NOT NULL UNION SELECT key FROM rescued"
            ).fetchall(),
            writes=False,
        )
        return tuple(sorted(row["key"] for row in rows if self.slot(row["key"]).load() is not None))

    def current(self) -> str | None:
        row = self.told(lambda table: table.execute("SELECT key FROM current").fetchone(), writes=False)
        return row["key"] if row is not None and row["key"] in self.names() else None

    def select(self, key: str | None) -> None:
        if key is not None:
            login_name(key)

        def choose(table: sqlite3.Connection) -> None:
            table.execute("DELETE FROM current")
            if key is not None:
                table.execute("INSERT INTO current VALUES (?)", (key,))

        self.told(choose)

    def prepare(self) -> None:
        self.told(lambda table: None)

    def slot(self, key: str) -> LeaseSlot:
        login_name(key)
        return self.slot_type(self, key)


class LeaseSlot:
    """See `Slot`."""

    def __init__(self, store: LeaseStore, key: str) -> None:
        self.store = store
        self.key = key

    def row(self, table: sqlite3.Connection) -> sqlite3.Row | None:
        found: sqlite3.Row | None = table.execute(
            "SELECT * FROM logins WHERE key = ?", (self.key,)
        ).fetchone()
        return found

    def stored(self, table: sqlite3.Connection) -> Record | None:
        row = self.row(table)
        return None if row is None else _opened(row["record"], row)

    def rescued(self, table: sqlite3.Connection) -> list[Record]:
        rows = table.execute("SELECT record FROM rescued WHERE key = ? ORDER BY rowid", (self.key,))
        return [record for row in rows if (record := _opened(row["record"])) is not None]

    def load(self) -> Record | None:
        def look(table: sqlite3.Connection) -> Record | None:
            stored = self.stored(table)
            return best_leftover(stored, self.rescued(table)) or stored

        return self.store.told(look, writes=False)

    def checked(self, record: Record) -> bytes:
        if self.key not in record.credential.identity.names:
            raise ValueError("the record is another login's")
        return write_record(record)

    def put(self, table: sqlite3.Connection, record: Record) -> None:
        """A record with its intent, or without one."""
        intent = record.intent
        data = self.checked(attrs.evolve(record, intent=None))
        table.execute("INSERT OR IGNORE INTO logins (key) VALUES (?)", (self.key,))
        table.execute(
            "UPDATE logins SET record = ?, fingerprint = ?, intent_owner = ?, intent_at = ?, pid = ?, host = ?"
            " WHERE key = ?",
            (data, record.fingerprint)
            + (
                (None, None, None, None)
                if intent is None
                else (intent.owner, intent.at, intent.pid, intent.host)
            )
            + (self.key,),
        )

    def rescue(self, record: Record) -> None:
        data = self.checked(record)
        self.store.told(lambda table: table.execute("INSERT INTO rescued VALUES (?, ?)", (self.key, data)))

    def owner(self) -> str:
        """Of one hold: nobody else has the same."""
        return str(uuid.uuid4())

    def is_free(self, table: sqlite3.Connection, owner: str) -> bool:
        """Whether nobody holds the lock, or may still act on an intent."""
        row = table.execute(
            f"SELECT (holder IS NULL OR holder_until <= {NOW}) AND"
            f" (intent_owner IS NULL OR abs({NOW} - intent_at) >= ?) FROM logins WHERE key = ?",
            (INTENT_LIFE, self.key),
        ).fetchone()
        return row is None or bool(row[0])

    def take(self, table: sqlite3.Connection, owner: str) -> None:
        table.execute("INSERT OR IGNORE INTO logins (key) VALUES (?)", (self.key,))
        table.execute(
            f"UPDATE logins SET holder = ?, holder_until = {NOW} + ? WHERE key = ?", (owner, LEASE, self.key)
        )

    def settled(self, table: sqlite3.Connection) -> Record | None:
        stored = self.stored(table)
        found = best_leftover(stored, self.rescued(table))
        if found is not None:
            self.put(table, found)
        if found is not None or stored is not None:
            table.execute("DELETE FROM rescued WHERE key = ?", (self.key,))
        return found or stored

    def lock(self) -> LeaseHeld | None:
        owner = self.owner()

        def take(table: sqlite3.Connection) -> tuple[Record | None] | None:
            if not self.is_free(table, owner):
                return None
            self.take(table, owner)
            return (self.settled(table),)

        found = self.store.told(take)
        return None if found is None else self.store.held_type(self, owner, found[0])


class LeaseHeld:
    """See `LockedLogin`."""

    def __init__(self, slot: LeaseSlot, owner: str, found: Record | None) -> None:
        self.slot = slot
        self.me = owner
        self.found = found
        self.untouched = True
        self.released = False
        self.reserved_for: str | None = None
        self.marked = False

    def load(self) -> Record | None:
        if self.untouched:
            return self.found
        return self.slot.store.told(self.slot.stored, writes=False)

    def change(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        self.untouched = False
        if self.released:
            raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="lock_lost")
        return self.slot.store.told(work)

    def holds(self, table: sqlite3.Connection) -> bool:
        row = self.slot.row(table)
        return row is not None and row["holder"] == self.me

    def reserve(self, record: Record) -> None:
        self.reserved_for = None

        def mark(table: sqlite3.Connection) -> None:
            if not self.holds(table):
                raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="lock_lost")
            stored = self.slot.stored(table)
            if stored is None or stored.fingerprint != record.fingerprint:
                raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="changed")
            self.mark(table, record)

        self.marked = True
        self.change(mark)
        self.reserved_for = record.fingerprint

    def mark(self, table: sqlite3.Connection, record: Record) -> None:
        table.execute(
            f"UPDATE logins SET intent_owner = ?, intent_at = {NOW}, pid = ?, host = ?,"
            f" holder_until = {NOW} + ? WHERE key = ?",
            (self.me, os.getpid(), socket.gethostname(), INTENT_LIFE, self.slot.key),
        )

    def sending(self) -> bool:
        if self.released or self.reserved_for is None:
            return False
        try:
            return self.slot.store.transact(self.may_send, writes=False)
        except sqlite3.Error:
            return False

    def may_send(self, table: sqlite3.Connection) -> bool:
        found = table.execute(
            f"SELECT 1 FROM logins WHERE key = ? AND holder = ? AND intent_owner = ? AND fingerprint = ?"
            f" AND intent_at + ? > {NOW}",
            (self.slot.key, self.me, self.me, self.reserved_for, SEND_BY),
        ).fetchone()
        return found is not None

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        self.slot.checked(record)

        def store(table: sqlite3.Connection) -> Saved | Conflict:
            stored = self.slot.stored(table)
            if stored == record:
                return Saved()
            if (None if stored is None else stored.fingerprint) != expected:
                return Conflict(stored)
            others = None if stored is None or stored.fingerprint != record.fingerprint else stored.intent
            if others is not None and others.owner != self.me and record.intent is None:
                self.slot.put(table, attrs.evolve(record, intent=others))
            else:
                self.slot.put(table, record)
            return Saved()

        try:
            answer = self.change(store)
        except SignInError as error:
            self.marked = False  # it is the only mark of what was spent
            raise SaveFailed(error) from error
        self.marked = self.marked and isinstance(answer, Conflict)
        return answer

    def delete(self, expected: str | None, *, even_corrupt: bool = False) -> Deleted | Conflict:
        def remove(table: sqlite3.Connection) -> Deleted | Conflict:
            stored = self.slot.stored(table)
            newer = best_leftover(None, self.slot.rescued(table))
            if newer is not None or (None if stored is None else stored.fingerprint) != expected:
                return Conflict(newer or stored)
            table.execute(
                "UPDATE logins SET record = NULL, intent_owner = NULL WHERE key = ?", (self.slot.key,)
            )
            table.execute("DELETE FROM rescued WHERE key = ?", (self.slot.key,))
            return Deleted()

        return self.change(remove)

    def release(self) -> None:
        if self.released:
            return
        with suppress(SignInError):
            self.change(self.give_back)
        self.released = True

    def give_back(self, table: sqlite3.Connection) -> None:
        mine = (self.slot.key, self.me)
        table.execute("UPDATE logins SET holder = NULL WHERE key = ? AND holder = ?", mine)
        if self.marked:
            before = None if self.found is None else self.found.intent  # of a holder that is gone
            values = (
                (None, None, None, None)
                if before is None
                else (before.owner, before.at, before.pid, before.host)
            )
            table.execute(
                "UPDATE logins SET intent_owner = ?, intent_at = ?, pid = ?, host = ?"
                " WHERE key = ? AND intent_owner = ?",
                (*values, *mine),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None = None, *exc_info: object) -> None:
        self.marked = self.marked and exc_type is None
        self.release()


@attrs.frozen
class Variant:
    """A store that is wrong in one way: what stands in the place of its slots and of its locked logins, and the
    rows that catch it.
    """

    slot: type[LeaseSlot]
    held: type[LeaseHeld]
    caught_by: tuple[str, ...]
