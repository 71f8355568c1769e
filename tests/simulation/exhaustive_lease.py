"""One login in a row of a database that hosts share, and a lease in it: each effect is one statement.

Rules of this file: a statement is executed at once or not at all, and knows nothing but the row, its clock and what it
was given; so it can be executed late, when its process is gone or has given it up. A hold is known by its owner alone.
The database's clock is true; a process has its own. Only the rules of `Rules` can be left out.
"""

from __future__ import annotations

from typing import Final

import attrs

from codex_oauth_core import Record
from codex_oauth_core.leftovers import best_leftover
from codex_oauth_core.record import Intent
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Deleted,
    Loaded,
    Lock,
    LockBusy,
    Locked,
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
from tests.simulation.exhaustive_keeper import HOST, READ, WRITE, Keeper, Stepped, beside, failed, held
from tests.simulation.exhaustive_state import NONE, Case, Copy, Hold, Lease, Process, Shared, Statement
from tests.simulation.exhaustive_values import WALL, Values

__all__ = ["GRACE", "LEASE", "LeaseStore"]

LEASE: Final = 10.0
"""Seconds for which a lease counts before anything is reserved."""
GRACE: Final = 20.0
"""Seconds after the database's start for which marks that have run out count: twice the longest pause between two
tries to save, and as long again as a statement may take.
"""

_NOBODY: Final = Lease("", 0)
_EXECUTED: Final = (Reserve, Save, Delete, Release, Rescue, Lock)


class LeaseStore(Keeper):
    """The database of one search."""

    def __init__(self, case: Case, values: Values) -> None:
        super().__init__(case.rules, values, case.tick)
        self._former = case.former

    def step(self, effect: StorageEffect, me: int, process: Process, shared: Shared) -> Stepped:
        """As every store's; a process that does not reach the database is told so at once."""
        if shared.database_away or shared.cut_off == me:
            return self._unreached(effect, process, shared)
        return super().step(effect, me, process, shared)

    def _unreached(self, effect: StorageEffect, process: Process, shared: Shared) -> Stepped:
        if isinstance(effect, Save | Delete) and process.hold is not None:
            process = process._replace(hold=process.hold._replace(marked=False))
        return _without_answer(effect, process, shared)

    def ticks(self, seconds: float) -> int:
        """The ticks after which so much time has passed."""
        return -int(-seconds // self._tick)

    # -- without an answer --------------------------------------------------------------------------------

    def unanswered(
        self, effect: StorageEffect, me: int, process: Process, shared: Shared
    ) -> list[tuple[str, Stepped]]:
        """What becomes of an effect whose statement gets no answer: it was executed, or will be."""
        if not isinstance(effect, _EXECUTED) or shared.database_away or shared.cut_off == me:
            return []
        if isinstance(effect, Save | Rescue) and is_sign_in(effect):
            process = process._replace(unsure=True)
        asked = process
        if isinstance(effect, Reserve):
            if process.at != 1:
                return []
            asked = process._replace(hold=held(process)._replace(marked=True))
        elif isinstance(effect, Save | Delete) and process.hold is not None:
            asked = process._replace(hold=process.hold._replace(marked=False))
        done = self.step(effect, me, process, shared)
        found: list[tuple[str, Stepped]] = []
        if done.shared != shared:  # else it makes no difference
            known = done.process._replace(hold=process.hold) if isinstance(effect, Lock) else done.process
            found.append(("is executed, WITHOUT ANSWER", _without_answer(effect, known, done.shared)))
        statement = self._statement(effect, me, process, shared)
        if statement is not None:
            later = shared._replace(to_come=tuple(sorted((*shared.to_come, statement), key=repr)))
            found.append(("is STILL TO COME", _without_answer(effect, asked, later)))
        return found

    def _statement(
        self, effect: StorageEffect, me: int, process: Process, shared: Shared
    ) -> Statement | None:
        owner = "" if process.hold is None else process.hold.owner
        match effect:
            case Lock():
                return Statement("lock", me, self._owner(me, shared), NONE, None)
            case Reserve(record):
                return Statement("reserve", me, owner, NONE, record.fingerprint)
            case Save(record, expected):
                return Statement("save", me, owner, self.records.number(record), expected)
            case Delete(expected):
                return Statement("delete", me, owner, NONE, expected)
            case Rescue(record):
                return Statement("rescue", me, owner, self.records.number(record), None)
            case Release() if process.hold is not None:
                what = "release, and the mark" if process.hold.marked else "release"
                return Statement(what, me, owner, NONE, None)
            case _:
                return None

    def execute(self, statement: Statement, shared: Shared) -> tuple[StorageAnswer, Shared]:
        """Execute a statement."""
        match statement.what:
            case "lock":
                return self._take(statement, shared)
            case "reserve":
                return self._mark(statement, shared)
            case "save":
                return self._store(statement, shared)
            case "delete":
                return self._remove(statement, shared)
            case "rescue":
                return Rescued(), beside(shared, Copy(NONE, statement.record))
            case _:
                return Released(), self._give_back(statement, shared)

    # -- without the lease --------------------------------------------------------------------------------

    def _load(self, process: Process, shared: Shared) -> Stepped:
        if process.unsure and self.rules.unsure_said:
            return Stepped(failed(READ, "unanswered"), process, shared)
        stored = self.record(shared.login)
        if self.rules.readers_see_rescued:
            stored = best_leftover(stored, self._rescued(shared)) or stored
        return Stepped(Loaded(stored), process, shared)

    def _selected(self, shared: Shared) -> Selected:
        return Selected()

    def _rescue(self, effect: Rescue, process: Process, shared: Shared) -> Stepped:
        copy = Copy(NONE, self.records.number(effect.record))
        return Stepped(Rescued(), process, beside(shared, copy))

    def killed(self, process: Process, shared: Shared) -> Shared:
        """Nobody tells the database."""
        return shared

    # -- the lease ----------------------------------------------------------------------------------------

    def _owner(self, me: int, shared: Shared) -> str:
        """Who a new hold is: nobody who was ever heard of, or else the process, of which all are threads."""
        if not self.rules.owner_per_hold:
            return "p"
        stored = self.record(shared.login)
        known = {shared.lease.owner, *(each.owner for each in shared.to_come)}
        known |= {stored.intent.owner} if stored is not None and stored.intent is not None else set()
        return next(name for name in (f"p{me}.{number}" for number in range(9)) if name not in known)

    def _lock(self, me: int, process: Process, shared: Shared) -> Stepped:
        owner = self._owner(me, shared)
        answer, after = self._take(Statement("lock", me, owner, NONE, None), shared, process.clock)
        if isinstance(answer, Locked):
            process = process._replace(hold=Hold(0, owner, NONE, False), holds=process.holds + 1)
        return Stepped(answer, process, after)

    def _take(self, asked: Statement, shared: Shared, clock: int = 0) -> tuple[StorageAnswer, Shared]:
        stored = self.record(shared.login)
        intent = None if stored is None else stored.intent
        taken = shared.lease.owner != "" and shared.lease.left > 0
        if taken or self._is_spoken_for(intent, asked, shared, clock):
            return LockBusy(intent), shared
        best = best_leftover(stored, self._rescued(shared)) if self.rules.adopt else None
        if self.rules.adopt:
            shared = shared._replace(copies=())
        if best is not None:
            shared = self._put(shared, self.records.number(best))
        shared = shared._replace(lease=Lease(asked.owner, self.ticks(LEASE)))
        return Locked(self.record(shared.login)), shared

    def _is_spoken_for(self, intent: Intent | None, asked: Statement, shared: Shared, clock: int) -> bool:
        """Whether a foreign hold may still send, or save, by the database's clock."""
        if intent is None or not self.rules.intents or asked.by in self._former:
            return False
        if intent.owner == asked.owner:
            return False
        now = WALL + (0 if self.rules.store_clock else clock)
        return now - intent.at < INTENT_LIFE or (self.rules.grace and shared.grace > 0)

    def _release(self, process: Process, shared: Shared) -> Stepped:
        hold = process.hold
        if hold is None:
            return Stepped(Released(), process, shared)
        what = "release, and the mark" if hold.marked else "release"
        shared = self._give_back(Statement(what, NONE, hold.owner, NONE, None), shared)
        return Stepped(Released(), process._replace(hold=None), shared)

    def _give_back(self, asked: Statement, shared: Shared) -> Shared:
        stored = self.record(shared.login)
        mine = stored is not None and stored.intent is not None and stored.intent.owner == asked.owner
        if stored is not None and mine and asked.what != "release":
            shared = shared._replace(login=self.records.number(attrs.evolve(stored, intent=None)))
        return shared._replace(lease=_NOBODY) if shared.lease.owner == asked.owner else shared

    # -- under the lease ----------------------------------------------------------------------------------

    def _reserve(self, effect: Reserve, me: int, process: Process, shared: Shared) -> Stepped:
        hold = held(process)
        before = self.rules.counted_from_before
        match process.at:
            case 0:
                hold = hold._replace(asked=0 if before else NONE, expected=effect.record.fingerprint)
                return Stepped(None, process._replace(at=1, hold=hold), shared)
            case 1:
                asked = Statement("reserve", me, hold.owner, NONE, effect.record.fingerprint)
                answer, after = self._mark(asked, shared)
                if isinstance(answer, StoreFailed):
                    return Stepped(answer, process, after)
                return Stepped(None, process._replace(at=2, hold=hold._replace(marked=True)), after)
            case _:
                hold = hold if before else hold._replace(asked=0)
                return Stepped(Reserved(), process._replace(hold=hold), shared)

    def _mark(self, asked: Statement, shared: Shared) -> tuple[StorageAnswer, Shared]:
        stored = self.record(shared.login)
        if stored is None:
            return failed(WRITE, "changed"), shared
        if self.rules.reserve_compares:
            if stored.fingerprint != asked.expected:
                return failed(WRITE, "changed"), shared
            if shared.lease.owner != asked.owner:
                return failed(WRITE, "lock_lost"), shared
        intent = Intent(asked.by + 1, HOST, WALL, asked.owner)
        shared = shared._replace(login=self.records.number(attrs.evolve(stored, intent=intent)))
        if shared.lease.owner == asked.owner and self.rules.lease_as_long_as_mark:
            shared = shared._replace(lease=Lease(asked.owner, self.ticks(INTENT_LIFE)))
        return Reserved(), shared

    def may_send(self, me: int, process: Process, shared: Shared) -> bool:
        """As every store's; it is asked of the database, whose clock goes on while the machine's stands still."""
        hold = process.hold
        if hold is None:
            return True
        if hold.asked == NONE or hold.asked * self._tick > SEND_BY:
            return False
        if not self.rules.store_asked:
            return True
        stored = self.record(shared.login)
        if (
            shared.database_away
            or shared.cut_off == me
            or shared.lease.owner != hold.owner
            or stored is None
            or stored.intent is None
        ):
            return False
        mine = stored.intent.owner == hold.owner and stored.fingerprint == hold.expected
        return mine and WALL - stored.intent.at < SEND_BY

    def _save(self, effect: Save, me: int, process: Process, shared: Shared) -> Stepped:
        hold = held(process)
        asked = Statement("save", me, hold.owner, self.records.number(effect.record), effect.expected)
        answer, shared = self._store(asked, shared)
        return Stepped(answer, process._replace(hold=hold._replace(marked=False)), shared)

    def _store(self, asked: Statement, shared: Shared) -> tuple[StorageAnswer, Shared]:
        stored, record = self.record(shared.login), self.records.values[asked.record]
        if (None if stored is None else stored.fingerprint) != asked.expected:
            same = stored is not None and _is_the_same(stored, record)
            return (Saved() if same else Conflict(stored)), shared
        has_it = shared.lease.owner == asked.owner
        if not self.rules.save_by_fingerprint and not (has_it and shared.lease.left):
            return failed(WRITE, "lock_lost"), shared
        mark, lease = None if stored is None else stored.intent, shared.lease
        if not self.rules.only_its_own or (mark is not None and mark.owner == asked.owner):
            mark = None
        if not self.rules.only_its_own or has_it:
            lease = _NOBODY
        shared = self._put(shared, self.records.number(attrs.evolve(record, intent=mark)))
        return Saved(), shared._replace(lease=lease)

    def _delete(self, effect: Delete, process: Process, shared: Shared) -> Stepped:
        hold = held(process)
        answer, shared = self._remove(Statement("delete", NONE, hold.owner, NONE, effect.expected), shared)
        return Stepped(answer, process._replace(hold=hold._replace(marked=False)), shared)

    def _remove(self, asked: Statement, shared: Shared) -> tuple[StorageAnswer, Shared]:
        stored = self.record(shared.login)
        if (None if stored is None else stored.fingerprint) != asked.expected:
            return Conflict(stored), shared
        if (newer := best_leftover(None, self._rescued(shared))) is not None:
            return Conflict(newer), shared
        renewals = (copy for copy in shared.copies if self.records.values[copy.record].parent is not None)
        families = {
            self.token(copy.record)[0] for copy in renewals
        }  # a sign-in that is beside is not ended by it
        families |= set() if shared.login == NONE else {self.token(shared.login)[0]}
        lease = _NOBODY if shared.login != NONE else shared.lease
        return Deleted(), shared._replace(login=NONE, copies=(), lease=lease, gone=shared.gone | families)


def is_sign_in(effect: Save | Rescue) -> bool:
    """Whether it stores a login of its own, and no renewal of what is stored, and no mark in that."""
    same = isinstance(effect, Save) and effect.record.fingerprint == effect.expected
    return effect.record.parent is None and not same


def _is_the_same(stored: Record, record: Record) -> bool:
    return attrs.evolve(stored, intent=None) == attrs.evolve(record, intent=None)


def _without_answer(effect: StorageEffect, process: Process, shared: Shared) -> Stepped:
    """What a process is told whose statement is not answered."""
    if isinstance(effect, Release):
        return Stepped(Released(), process._replace(hold=None), shared)
    reading = isinstance(effect, Lock) or not isinstance(effect, (*_EXECUTED, Select))
    return Stepped(failed(READ if reading else WRITE, "database"), process, shared)
