"""One login's file and its lock, as steps that nothing can fall into: what `FileStore` does, effect by effect.

Rules of this file: what is worth keeping is decided by `codex_oauth_core.leftovers`, as in every store; between two
steps of one effect a process may be killed or stopped, and a file become unreadable; an answer of None means
that the effect has another step. Only the rules of `Rules` can be left out.
"""

from __future__ import annotations

import attrs

from codex_oauth_core import ErrorKind
from codex_oauth_core.leftovers import best_leftover, is_worth_keeping
from codex_oauth_core.record import Intent
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from codex_oauth_core.storage import (
    Conflict,
    Delete,
    Deleted,
    Loaded,
    LockBusy,
    Locked,
    Released,
    Rescue,
    Rescued,
    Reserve,
    Reserved,
    Save,
    Saved,
    Selected,
    StoreFailed,
)
from tests.simulation.exhaustive_keeper import (
    HOST,
    WRITE,
    Keeper,
    Stepped,
    beside,
    failed,
    held,
    is_mine,
    without,
)
from tests.simulation.exhaustive_state import NONE, Copy, Hold, Process, Shared
from tests.simulation.exhaustive_values import WALL

__all__ = ["Store"]


class Store(Keeper):
    """A file, and a lock that ends with its process."""

    # -- without the lock -------------------------------------------------------------------------------

    def _load(self, process: Process, shared: Shared) -> Stepped:
        if problem := _problem(shared):
            return Stepped(problem, process, shared)
        stored = self.record(shared.login)
        if self.rules.readers_see_rescued:
            stored = best_leftover(stored, self._rescued(shared)) or stored
        return Stepped(Loaded(stored), process, shared)

    def _rescue(self, effect: Rescue, process: Process, shared: Shared) -> Stepped:
        if shared.failing:
            return Stepped(failed(WRITE, "io_error"), process, shared)
        copy = Copy(NONE, self.records.number(effect.record))
        return Stepped(Rescued(), process, beside(shared, copy))

    def _selected(self, shared: Shared) -> Selected | StoreFailed:
        return failed(WRITE, "io_error") if shared.failing else Selected()

    # -- the lock ---------------------------------------------------------------------------------------

    def _lock(self, me: int, process: Process, shared: Shared) -> Stepped:
        if process.hold is not None:
            return self._look(process, shared)
        stored = None if shared.unreadable else self.record(shared.login)
        intent = None if stored is None else stored.intent
        if shared.holder != NONE or self._is_spoken_for(intent, me, shared):
            return Stepped(LockBusy(intent), process, shared)
        settled = self._settled(shared)
        taken = "" if intent is None else intent.owner
        owner = next(name for name in (f"p{me}.0", f"p{me}.1") if name != taken)
        hold = Hold(shared.lock_file, owner, NONE, False)
        process = process._replace(hold=hold, holds=process.holds + 1)
        if settled is None:
            look = Locked(None, failed(WRITE, "io_error").error)
            return Stepped(look, process, shared._replace(holder=me))
        shared = settled._replace(holder=me)
        return self._look(process, shared) if self.rules.one_look else Stepped(None, process, shared)

    def _look(self, process: Process, shared: Shared) -> Stepped:
        """The answer of a lock that was taken, with what is stored."""
        problem = _problem(shared)
        look = Locked(self.record(shared.login)) if problem is None else Locked(None, problem.error)
        return Stepped(look, process, shared)

    def _is_spoken_for(self, intent: Intent | None, me: int, shared: Shared) -> bool:
        """Whether the process that marked an intent may still act on it: one that lives, and has no other."""
        if intent is None or not self.rules.intents or intent.pid - 1 == me or shared.dead[intent.pid - 1]:
            return False
        return abs(WALL - intent.at) < INTENT_LIFE

    def _settled(self, shared: Shared) -> Shared | None:
        """What earlier holders left is adopted, or removed; nothing is while the login cannot be read. None
        where the disk does not let it be adopted.
        """
        if shared.unreadable or not shared.copies or not self.rules.adopt:
            return shared
        strays = [self.records.values[copy.record] for copy in shared.copies if copy.by != NONE]
        best = best_leftover(self.record(shared.login), self._rescued(shared), strays)
        if shared.failing:
            return shared if best is None else None
        if best is None and shared.torn:
            return shared
        if best is None and shared.login == NONE:  # what a renewal was exchanged for may come back
            return shared._replace(copies=tuple(filter(self._is_renewal, shared.copies)))
        shared = shared._replace(copies=())
        return shared if best is None else self._put(shared, self.records.number(best))

    def _is_renewal(self, copy: Copy) -> bool:
        return self.records.values[copy.record].parent is not None

    def _release(self, process: Process, shared: Shared) -> Stepped:
        hold = process.hold
        if hold is None:
            return Stepped(Released(), process, shared)
        intact = hold.lock_file == shared.lock_file
        stored = self.record(shared.login)
        can = intact and not shared.failing and not shared.unreadable
        if hold.marked and can and stored is not None and is_mine(stored.intent, hold):
            shared = shared._replace(login=self.records.number(attrs.evolve(stored, intent=None)))
        if intact:
            shared = shared._replace(holder=NONE)
        return Stepped(Released(), process._replace(hold=None), shared)

    def killed(self, process: Process, shared: Shared) -> Shared:
        """The kernel gives its lock back."""
        had = process.hold is not None and process.hold.lock_file == shared.lock_file
        return shared._replace(holder=NONE) if had else shared

    # -- under the lock ---------------------------------------------------------------------------------

    def _reserve(self, effect: Reserve, me: int, process: Process, shared: Shared) -> Stepped:
        hold = held(process)
        if process.at == 0:
            return Stepped(None, process._replace(at=1, hold=hold._replace(asked=0)), shared)
        stored = self.record(shared.login)
        if problem := _problem(shared):
            return Stepped(problem, process, shared)
        if shared.failing:
            return Stepped(failed(WRITE, "io_error"), process, shared)
        changed = stored is None or stored.fingerprint != effect.record.fingerprint
        if changed and self.rules.reserve_compares:
            return Stepped(failed(WRITE, "changed"), process, shared)
        if hold.lock_file != shared.lock_file:
            return Stepped(failed(WRITE, "lock_lost"), process, shared)
        marked = attrs.evolve(effect.record, intent=Intent(me + 1, HOST, WALL, hold.owner))
        process = process._replace(hold=hold._replace(marked=True))
        return Stepped(Reserved(), process, self._put(shared, self.records.number(marked)))

    def may_send(self, me: int, process: Process, shared: Shared) -> bool:
        """`Held.sending`: reserved a short time ago, and still the lock. Without the lock nothing is at stake."""
        hold = process.hold
        if hold is None:
            return True
        soon = hold.asked != NONE and hold.asked * self._tick <= SEND_BY
        return soon and hold.lock_file == shared.lock_file

    def _save(self, effect: Save, me: int, process: Process, shared: Shared) -> Stepped:
        mine = Copy(me, self.records.number(effect.record))
        match process.at:
            case 0:
                process = process._replace(hold=held(process)._replace(marked=False))
                if shared.failing:
                    return Stepped(failed(WRITE, "io_error"), process, shared)
                return Stepped(None, process._replace(at=1), beside(shared, mine))
            case 1:
                return self._compare(effect, mine, process, shared)
            case _:
                return self._replace(effect, mine, process, shared)

    def _compare(self, effect: Save, mine: Copy, process: Process, shared: Shared) -> Stepped:
        stored = self.record(shared.login)
        renewal = effect.record.parent is not None and effect.record.parent == effect.expected
        if shared.torn and (renewal or effect.replace_corrupt):
            return Stepped(None, process._replace(at=2), shared._replace(torn=False))
        intact = held(process).lock_file == shared.lock_file
        if (problem := _problem(shared)) is not None or (stored is None and renewal and intact):
            keep = renewal and self.rules.rescue_unreadable
            keep = keep or (problem is None and is_worth_keeping(effect.record, effect.expected))
            shared = without(shared, mine)
            shared = beside(shared, mine._replace(by=NONE)) if keep else shared
            why = problem or failed(WRITE, "missing")
            return Stepped(attrs.evolve(why, rescued=keep), process, shared)
        if (None if stored is None else stored.fingerprint) != effect.expected:
            answer = Saved() if stored == effect.record else Conflict(stored)
            return Stepped(answer, process, without(shared, mine))
        return Stepped(None, process._replace(at=2), shared)

    def _replace(self, effect: Save, mine: Copy, process: Process, shared: Shared) -> Stepped:
        if mine not in shared.copies:
            return Stepped(failed(WRITE, "missing"), process, shared)
        if self.rules.lock_at_save and held(process).lock_file != shared.lock_file:
            keep = is_worth_keeping(effect.record, effect.expected)
            shared = without(shared, mine)
            shared = beside(shared, mine._replace(by=NONE)) if keep else shared
            return Stepped(failed(WRITE, "lock_lost", rescued=keep), process, shared)
        if shared.failing:  # a renewal stays under the name that it has, and is found there
            keep = effect.record.parent is not None
            shared = shared if keep else without(shared, mine)
            return Stepped(failed(WRITE, "io_error", rescued=keep), process, shared)
        return Stepped(Saved(), process, self._put(without(shared, mine), mine.record))

    def _delete(self, effect: Delete, process: Process, shared: Shared) -> Stepped:
        if process.at == 1:
            families = {self.token(copy.record)[0] for copy in shared.copies}
            families |= set() if shared.login == NONE else {self.token(shared.login)[0]}
            gone = shared.gone | families
            process = process._replace(hold=held(process)._replace(marked=False))
            return Stepped(Deleted(), process, shared._replace(login=NONE, torn=False, copies=(), gone=gone))
        stored = self.record(shared.login)
        if shared.failing:
            return Stepped(failed(WRITE, "io_error"), process, shared)
        if _problem(shared) is None and (None if stored is None else stored.fingerprint) != effect.expected:
            return Stepped(Conflict(stored), process, shared)
        if (newer := best_leftover(None, self._rescued(shared))) is not None:
            return Stepped(Conflict(newer), process, shared)
        return Stepped(None, process._replace(at=1), shared)


def _problem(shared: Shared) -> StoreFailed | None:
    """Why what is stored cannot be read, if it cannot."""
    if shared.torn:
        return failed(ErrorKind.CORRUPT_AUTH, "not_json")
    return failed(ErrorKind.AUTH_READ_FAILED, "symlink") if shared.unreadable else None
