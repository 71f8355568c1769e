"""Shared stores whose leases, intents or failures are wrong in one way each.

Rules of this file: each is `LeaseStore` with a few methods of its own; `LEASES` says which rows catch it.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from typing import Final

import attrs

from codex_oauth.stores.store import Conflict, Saved, SaveFailed
from codex_oauth_core import Record
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.stores.lease_store import LEASE, NOW, LeaseHeld, LeaseSlot, Variant

__all__ = ["LEASES"]

LEASES: Final[dict[str, Variant]] = {}
"""By what is wrong."""


# -- leases --------------------------------------------------------------------------------------------


class UnaskedHeld(LeaseHeld):
    """It does not ask the store before it sends."""

    def sending(self) -> bool:
        return not self.released and self.reserved_for is not None


class HolderOnceHeld(LeaseHeld):
    """It does not ask whether it still holds the lease that it reserves under, nor what is stored."""

    def reserve(self, record: Record) -> None:
        self.marked = True

        def mark(table: sqlite3.Connection) -> None:
            table.execute("UPDATE logins SET holder = ? WHERE key = ?", (self.me, self.slot.key))
            self.mark(table, record)

        self.change(mark)
        self.reserved_for = record.fingerprint

    def may_send(self, table: sqlite3.Connection) -> bool:
        return self.holds(table)


class ShortSlot(LeaseSlot):
    """Only the lease keeps others out."""

    def is_free(self, table: sqlite3.Connection, owner: str) -> bool:
        row = table.execute(
            f"SELECT holder IS NULL OR holder_until <= {NOW} FROM logins WHERE key = ?", (self.key,)
        ).fetchone()
        return row is None or bool(row[0])


class ShortHeld(LeaseHeld):
    """A reservation does not make the lease longer."""

    def mark(self, table: sqlite3.Connection, record: Record) -> None:
        super().mark(table, record)
        table.execute(f"UPDATE logins SET holder_until = {NOW} + ? WHERE key = ?", (LEASE, self.slot.key))


class PatientHeld(LeaseHeld):
    """It sends as long as it has the lease, though the lease may end before the answer."""

    def may_send(self, table: sqlite3.Connection) -> bool:
        row = self.slot.row(table)
        return row is not None and row["holder"] == self.me and row["fingerprint"] == self.reserved_for


class AnybodysHeld(LeaseHeld):
    """It does not ask whose the intent is."""

    def may_send(self, table: sqlite3.Connection) -> bool:
        row = self.slot.row(table)
        return row is not None and row["fingerprint"] == self.reserved_for


class UncomparedHeld(LeaseHeld):
    """It does not ask whether what it reserved for is stored still."""

    def may_send(self, table: sqlite3.Connection) -> bool:
        return self.holds(table)


class TidyHeld(LeaseHeld):
    """It takes its intent back, whatever became of the answer."""

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        try:
            return super().save(record, expected, replace_corrupt=replace_corrupt)
        except SaveFailed:
            self.marked = True
            raise


class StrictHeld(LeaseHeld):
    """It saves nothing when its lease is over."""

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        def look(table: sqlite3.Connection) -> bool:
            row = self.slot.row(table)
            until: float = table.execute(f"SELECT {NOW}").fetchone()[0]
            return row is not None and row["record"] is not None and row["holder_until"] <= until

        if self.change(look):
            return Conflict(self.load())
        return super().save(record, expected, replace_corrupt=replace_corrupt)


class EternalSlot(LeaseSlot):
    """A lease has no end."""

    def is_free(self, table: sqlite3.Connection, owner: str) -> bool:
        row = self.row(table)
        return row is None or row["holder"] is None


class ForgettingSlot(LeaseSlot):
    """An intent that is over is taken out by whoever comes next: nobody knows of the doubt any more."""

    def take(self, table: sqlite3.Connection, owner: str) -> None:
        super().take(table, owner)
        table.execute("UPDATE logins SET intent_owner = NULL WHERE key = ?", (self.key,))


class NamedSlot(LeaseSlot):
    """A host and a pid are an owner."""

    def owner(self) -> str:
        return f"{socket.gethostname()}:{os.getpid()}"

    def is_free(self, table: sqlite3.Connection, owner: str) -> bool:
        row = self.row(table)
        return (row is not None and row["holder"] == owner) or super().is_free(table, owner)


class CarelessLeaseHeld(LeaseHeld):
    """It does not look at what is stored when it reserves, nor right before it sends."""

    def reserve(self, record: Record) -> None:
        self.marked = True
        self.change(lambda table: self.mark(table, record))
        self.reserved_for = record.fingerprint

    def sending(self) -> bool:
        return True


class HostClockSlot(LeaseSlot):
    """Leases by the clock of each host."""

    def is_free(self, table: sqlite3.Connection, owner: str) -> bool:
        row = self.row(table)
        return row is None or row["holder"] is None or abs(row["holder_until"] - time.time()) > INTENT_LIFE

    def take(self, table: sqlite3.Connection, owner: str) -> None:
        super().take(table, owner)
        table.execute(
            "UPDATE logins SET holder_until = ? WHERE key = ?", (time.time() + INTENT_LIFE, self.key)
        )


class HostClockHeld(UnaskedHeld):
    def mark(self, table: sqlite3.Connection, record: Record) -> None:
        super().mark(table, record)
        until = (time.time() + INTENT_LIFE, self.slot.key)
        table.execute("UPDATE logins SET holder_until = ? WHERE key = ?", until)


LEASES["a lease, and no question before the request"] = Variant(
    LeaseSlot,
    UnaskedHeld,
    ("the_holder_is_stopped_past_its_life_before_the_request",),
)
LEASES["a lease that a reservation takes back"] = Variant(
    LeaseSlot,
    HolderOnceHeld,
    ("the_holder_is_stopped_past_its_lease_before_the_reservation",),
)
LEASES["a lease that ends while a request is out"] = Variant(
    ShortSlot,
    ShortHeld,
    ("the_holder_is_stopped_past_its_lease_before_the_save",),
)
LEASES["a request as long as the lease lasts"] = Variant(
    LeaseSlot, PatientHeld, ("the_holder_is_stopped_past_its_last_moment_before_the_request",)
)
LEASES["a request by anybody's intent"] = Variant(
    LeaseSlot, AnybodysHeld, ("the_holder_is_stopped_while_another_sends_before_the_request",)
)
LEASES["a request for what is not stored any more"] = Variant(
    LeaseSlot, UncomparedHeld, ("the_holder_is_stopped_while_another_reserves_before_the_save",)
)
LEASES["an intent that is taken back after a save in vain"] = Variant(
    LeaseSlot, TidyHeld, ("the_server_takes_no_writes_for_too_long_before_the_save",)
)
LEASES["a lease that a save needs"] = Variant(
    LeaseSlot,
    StrictHeld,
    ("the_holder_is_stopped_alone_before_the_save",),
)
LEASES["a lease without an end"] = Variant(
    EternalSlot,
    LeaseHeld,
    (
        "the_holder_is_killed_before_the_reservation",
        "the_holder_is_killed_before_the_request",
        "an_answer_is_lost_before_the_lock",
    ),
)


class HidingSlot(LeaseSlot):
    """An intent that is over is shown to nobody."""

    def stored(self, table: sqlite3.Connection) -> Record | None:
        stored = super().stored(table)
        return stored if stored is None or not self.is_free(table, "") else attrs.evolve(stored, intent=None)


LEASES["an intent that is hidden when it is over"] = Variant(
    HidingSlot,
    LeaseHeld,
    ("the_holder_is_killed_before_the_answer",),
)
LEASES["an intent that is forgotten"] = Variant(
    ForgettingSlot,
    LeaseHeld,
    ("the_holder_is_killed_before_the_answer",),
)
LEASES["a host and a pid are an owner"] = Variant(
    NamedSlot,
    UnaskedHeld,
    (
        "a_host_with_the_same_name_and_pid_comes_before_the_request",
        "a_host_with_the_same_name_and_pid_comes_before_the_save",
    ),
)
LEASES["a host and a pid are an owner, and no look at what is stored"] = Variant(
    NamedSlot,
    CarelessLeaseHeld,
    ("a_host_with_the_same_name_and_pid_comes_before_the_reservation",),
)
LEASES["leases by a host's clock"] = Variant(
    HostClockSlot,
    HostClockHeld,
    (
        *(
            f"the_holders_clock_is_{how}_before_the_{step}"
            for how in ("ahead", "behind")
            for step in ("request", "save")
        ),
    ),
)


# -- answers that are lost, and a server that takes no writes ------------------------------------------


class RaisingHeld(LeaseHeld):
    """What the database raises leaves it."""

    def sending(self) -> bool:
        return self.slot.store.transact(self.may_send)

    def release(self) -> None:
        if not self.released:
            self.change(self.give_back)
            self.released = True


class RaisingSlot(LeaseSlot):
    def lock(self) -> LeaseHeld | None:
        self.store.transact(lambda table: None)
        return super().lock()


class RestoringHeld(LeaseHeld):
    """It puts back what it found, where it does not know of a save."""

    def give_back(self, table: sqlite3.Connection) -> None:
        if not self.saved and self.found is not None:
            self.slot.put(table, self.found)
        super().give_back(table)

    saved = False

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        if self.failed:
            raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="lock_lost")
        self.failed = True
        answer = super().save(record, expected, replace_corrupt=replace_corrupt)
        self.failed, self.saved = False, True
        return answer

    failed = False


class UnmarkedHeld(LeaseHeld):
    """It reserves in its own memory, and asks nobody whether a write will be taken."""

    def reserve(self, record: Record) -> None:
        self.reserved_for = record.fingerprint

    def sending(self) -> bool:
        return True


class LostHeld(LeaseHeld):
    """After a reservation that failed it gives nothing back."""

    def reserve(self, record: Record) -> None:
        try:
            super().reserve(record)
        except SignInError:
            self.released = True
            raise


LEASES["what the database raises leaves the store"] = Variant(
    RaisingSlot,
    RaisingHeld,
    (
        "an_answer_is_lost_before_the_request",
        "an_answer_is_lost_before_the_release",
        "the_server_takes_no_writes_before_the_lock",
        "the_server_takes_no_writes_before_the_request",
    ),
)
LEASES["what was found is put back after a save whose answer was lost"] = Variant(
    LeaseSlot,
    RestoringHeld,
    (
        "an_answer_is_lost_before_the_save",
        "the_server_takes_no_writes_before_the_save",
    ),
)
LEASES["a reservation that the server never sees"] = Variant(
    LeaseSlot,
    UnmarkedHeld,
    ("the_server_takes_no_writes_before_the_reservation",),
)
LEASES["a lease without an end, which is not given back after a failure"] = Variant(
    EternalSlot,
    LostHeld,
    ("an_answer_is_lost_before_the_reservation",),
)
