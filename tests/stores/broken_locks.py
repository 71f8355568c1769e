"""Shared stores whose lock is a connection's or a session's: it is lost, or had twice.

Rules of this file: each is `LeaseStore` with a few methods of its own; `LOCKS` says which rows catch it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import ClassVar, Final

from codex_oauth_core import Record
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from tests.stores.lease_store import Faults, LeaseHeld, LeaseSlot, Variant

__all__ = ["LOCKS"]

LOCKS: Final[dict[str, Variant]] = {}
"""By what is wrong."""


# -- a lock that is bound to a connection --------------------------------------------------------------


class ConnectionLocks:
    """The locks of all connections of this process, as a server would keep them."""

    holders: ClassVar[dict[tuple[Path, str], tuple[str, int]]] = {}
    mutex: ClassVar = threading.Lock()

    @classmethod
    def take(cls, slot: LeaseSlot, owner: str) -> bool:
        with cls.mutex:
            place = (slot.store.path, slot.key)
            held = cls.holders.get(place)
            if held is not None and held[1] == Faults.connections:
                return False
            cls.holders[place] = (owner, Faults.connections)
            return True

    @classmethod
    def give_back(cls, slot: LeaseSlot, owner: str) -> None:
        with cls.mutex:
            place = (slot.store.path, slot.key)
            if cls.holders.get(place, ("", 0))[0] == owner:
                del cls.holders[place]


class ConnectionLockSlot(LeaseSlot):
    """Its lock ends when its connection is cut, and it looks at no intent."""

    def is_free(self, table: sqlite3.Connection, owner: str) -> bool:
        return self.no_intent(table) and ConnectionLocks.take(self, owner)

    def no_intent(self, table: sqlite3.Connection) -> bool:
        return True

    def take(self, table: sqlite3.Connection, owner: str) -> None:
        """There is no row for it."""


class ConnectionHeld(LeaseHeld):
    """It believes that it holds the lock."""

    def holds(self, table: sqlite3.Connection) -> bool:
        return not self.released

    def may_send(self, table: sqlite3.Connection) -> bool:
        return True

    def reserve(self, record: Record) -> None:
        self.asked_at = time.monotonic()
        super().reserve(record)

    def sending(self) -> bool:
        return (
            not self.released
            and self.reserved_for is not None
            and time.monotonic() - self.asked_at <= SEND_BY
        )

    def release(self) -> None:
        super().release()
        ConnectionLocks.give_back(self.slot, self.me)


class CarelessHeld(ConnectionHeld):
    """It marks its intent without a look at what is stored."""

    def reserve(self, record: Record) -> None:
        self.marked, self.asked_at = True, time.monotonic()
        self.change(lambda table: self.mark(table, record))
        self.reserved_for = record.fingerprint


class ClientClockSlot(ConnectionLockSlot):
    """It looks at intents, by its own host's clock."""

    def no_intent(self, table: sqlite3.Connection) -> bool:
        row = self.row(table)
        return (
            row is None or row["intent_owner"] is None or abs(time.time() - row["intent_at"]) >= INTENT_LIFE
        )


_CUTS: Final = ("the_server_restarts", "the_server_ends_its_connections", "the_connections_are_cut")
LOCKS["a lock that ends with its connection"] = Variant(
    ConnectionLockSlot,
    ConnectionHeld,
    (*(f"{what}_before_the_{step}" for what in _CUTS for step in ("request", "save")),),
)
LOCKS["a lock that ends with its connection, and no look at what is stored"] = Variant(
    ConnectionLockSlot,
    CarelessHeld,
    (*(f"{what}_before_the_reservation" for what in _CUTS),),
)
LOCKS["a lock that ends with its connection, and intents by a host's clock"] = Variant(
    ClientClockSlot,
    ConnectionHeld,
    ("the_connections_are_cut_and_a_clock_is_ahead_before_the_request",),
)


# -- a lock that is everybody's ------------------------------------------------------------------------


class OpenSlot(LeaseSlot):
    """A session's lock behind a pooler: every client has it, because all are one session."""

    def is_free(self, table: sqlite3.Connection, owner: str) -> bool:
        return True

    def take(self, table: sqlite3.Connection, owner: str) -> None:
        """The session has it."""


class SessionHeld(ConnectionHeld):
    """It believes that it is the only one."""

    def release(self) -> None:
        LeaseHeld.release(self)


class CarelessSessionHeld(SessionHeld):
    reserve = CarelessHeld.reserve


LOCKS["a session's lock behind a pooler"] = Variant(
    OpenSlot,
    SessionHeld,
    (
        "another_host_comes_before_the_request",
        "another_host_comes_before_the_save",
    ),
)
LOCKS["a session's lock behind a pooler, and no look at what is stored"] = Variant(
    OpenSlot,
    CarelessSessionHeld,
    ("another_host_comes_before_the_reservation",),
)
