"""What can befall a process, its files and its server, at any instant, as long as the case's budget lasts.

Rules of this file: a fault that costs a login whatever anybody does is noted with the refresh token that it
costs, and only that is excused later.
"""

from __future__ import annotations

from typing import Final

import attrs

from codex_oauth_core import (
    Cancelled,
    Cause,
    ErrorKind,
    Phase,
    RequestFailed,
    SendRequest,
    SignInError,
    StoreAnswered,
    Wait,
    Why,
)
from codex_oauth_core.storage import Save, Saved, StorageEffect, StoreFailed
from tests.simulation.exhaustive_lease import GRACE, LeaseStore
from tests.simulation.exhaustive_process import ASKING, CHECKED, CONNECTING, SLOW, Steps
from tests.simulation.exhaustive_server import named, receive, revoke
from tests.simulation.exhaustive_state import (
    NONE,
    SIGN_INS,
    Case,
    Excuse,
    Fault,
    Kept,
    Lease,
    Move,
    Process,
    Role,
    Shared,
)
from tests.simulation.exhaustive_values import AT, HOUR, WALL, Token

__all__ = ["Faults"]

_LONG: Final = 200.0


class Faults:
    """The faults of a case, and what the world does by itself."""

    def __init__(self, case: Case, steps: Steps) -> None:
        self._case = case
        self._steps = steps
        self._most = sum(most for _, most in case.faults)
        self._index = {fault: number for number, (fault, _) in enumerate(case.faults)}

    def spent(self, fault: Fault, shared: Shared) -> Shared | None:
        """The state after one more of these faults; None if there is none left."""
        number = self._index.get(fault)
        if number is None or not shared.left[number] or self._most - sum(shared.left) >= self._case.most:
            return None
        left = list(shared.left)
        left[number] -= 1
        return shared._replace(left=tuple(left))

    # -- of a process -----------------------------------------------------------------------------------

    def of_process(self, me: int, process: Process, shared: Shared) -> list[Move]:
        """What can befall a process, and how a stopped one goes on."""
        if shared.dead[me]:
            return []
        if process.stopped:
            return [("goes on", process._replace(stopped=0), shared)]
        victim = me < self._case.victims
        moves = self._killed(me, process, shared) if victim else []
        if not process.clock and (after := self.spent(Fault.OWN_CLOCK, shared)) is not None:
            ahead, behind = (process._replace(clock=round(each)) for each in (HOUR, -HOUR))
            moves += [("'s CLOCK is put forward", ahead, after), ("'s CLOCK is put back", behind, after)]
        if process.flow == NONE:
            return moves + self._called_again(me, process, shared)
        moves += self._halted(process, shared) if victim else []
        moves += self._closed(me, process, shared)
        moves += self._unsure(me, process, shared)
        moves += self._unanswered(me, process, shared)
        if process.net is not None:
            moves += self._lost(process, shared)
        if process.at == CONNECTING and isinstance(self._steps.effect(process), SendRequest):
            moves += self._connecting(me, process, shared)
        return moves

    def _killed(self, me: int, process: Process, shared: Shared) -> list[Move]:
        after = self.spent(Fault.CRASH, shared)
        begun = process.flow != NONE or process.known != NONE
        if after is None or not begun:
            return []
        lost = {(Excuse.CRASH, token) for token in self._lost_with(process, shared)}
        if self._case.roles[me] in SIGN_INS and not process.outcome:  # nobody was told that it is done
            lost.add((Excuse.CRASH, (len(shared.families) - 1, NONE)))
        net = process.net
        late = after.late
        if net is not None and not net.revokes:
            lost.add((Excuse.CRASH, net.token))
            late = late if net.answer or net.lost else tuple(sorted((*late, net.token)))
        dead = tuple(each or number == me for number, each in enumerate(shared.dead))
        after = self._steps.store.killed(process, after)._replace(why=after.why | lost, late=late, dead=dead)
        gone = process._replace(
            flow=NONE, at=0, hold=None, net=None, due=0, known=NONE, waited=0, outcome="killed"
        )
        return [("is KILLED", gone, after)]

    def _lost_with(self, process: Process, shared: Shared) -> set[Token]:
        """The predecessors of the living refresh tokens that only this process has."""
        had = self._tokens(process) - self.in_store(shared._replace(to_come=()))
        return {(f, n - 1) for f, n in had if shared.families[f] == (n, True)}

    def in_store(self, shared: Shared) -> set[Token]:
        """The refresh tokens that are on the disk."""
        numbers = [copy.record for copy in shared.copies]
        numbers += [each for each in (shared.login, shared.away) if each != NONE]
        numbers += [each.record for each in shared.to_come if each.record != NONE]
        return {self._steps.store.token(number) for number in numbers}

    def _tokens(self, process: Process) -> set[Token]:
        found = set[Token]()
        if process.flow != NONE:
            found |= self._steps.flows.tokens[process.flow]
        if process.known != NONE:
            found |= self._steps.store.records.tokens[process.known]
        return found

    def _called_again(self, me: int, process: Process, shared: Shared) -> list[Move]:
        after = self.spent(Fault.AGAIN, shared)
        if after is None or not process.outcome or self._case.roles[me] is not Role.RENEW:
            return []
        label, process, after = self._steps.begun(me, process, after)
        return [(f"{label} again", process, after)]

    def _halted(self, process: Process, shared: Shared) -> list[Move]:
        effect = self._steps.effect(process)
        if isinstance(effect, Wait) and process.hold is None:
            return []  # a wait is as long as a stop
        leased = self._case.kept is Kept.LEASE  # the database has a clock that goes on
        frozen, connects = CONNECTING if leased else ASKING, leased and isinstance(effect, SendRequest)
        moves: list[Move] = []
        for fault, how in ((Fault.STOP, 1), (Fault.FREEZE, 2)):
            if (after := self.spent(fault, shared)) is not None:
                late = process.at >= (CHECKED if fault is Fault.STOP else frozen)
                if (late and isinstance(effect, SendRequest)) or isinstance(effect, Save | Wait):
                    why = Excuse.FROZEN if connects and process.at < CHECKED else Excuse.STOPPED
                    tokens = self._tokens(process)
                    after = after._replace(why=after.why | {(why, token) for token in tokens})
                moves.append((f"is STOPPED ({fault})", process._replace(stopped=how), after))
        return moves

    def _closed(self, me: int, process: Process, shared: Shared) -> list[Move]:
        """A process that only waits to save once more is ended: it tries at once, and for the last time."""
        effect = self._steps.effect(process)
        if not isinstance(effect, Wait):
            return []
        if effect.why is Why.QUEUED and self._case.roles[me] in SIGN_INS:
            after = self.spent(Fault.CANCEL, shared)
            cancelled = Cancelled(AT)
            return (
                [] if after is None else [self._steps.received(cancelled, "is CANCELLED", me, process, after)]
            )
        if effect.why is not Why.SAVING:
            return []
        after = self.spent(Fault.CLOSE, shared)
        if after is None:
            return []
        had = {(Excuse.DISK, token) for token in self._lost_with(process, shared)}
        after = after._replace(why=after.why | had)
        return [self._steps.received(Cancelled(AT), "is CLOSED", me, process, after)]

    def _unsure(self, me: int, process: Process, shared: Shared) -> list[Move]:
        after, effect = self.spent(Fault.UNSURE, shared), self._steps.effect(process)
        if after is None or not isinstance(effect, Save):
            return []
        stepped = self._steps.store.step(effect, me, process, after)
        if not isinstance(stepped.answer, Saved):
            return []
        failed = StoreFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="io_error"))
        told = StoreAnswered(AT, WALL, failed)
        return [self._steps.received(told, "is UNSURE of its save", me, stepped.process, stepped.shared)]

    def _unanswered(self, me: int, process: Process, shared: Shared) -> list[Move]:
        store, effect = self._steps.store, self._steps.effect(process)
        after = self.spent(Fault.UNANSWERED, shared)
        if after is None or not isinstance(store, LeaseStore) or not isinstance(effect, StorageEffect):
            return []
        return [
            self._steps.received(
                StoreAnswered(AT, WALL + process.clock, stepped.answer),
                f"'s {type(effect).__name__} {label}",
                me,
                stepped.process,
                stepped.shared,
            )
            for label, stepped in store.unanswered(effect, me, process, after)
            if stepped.answer is not None
        ]

    def _lost(self, process: Process, shared: Shared) -> list[Move]:
        net = process.net
        assert net is not None
        if net.lost or net.late or net.answer == "unavailable":
            return []
        moves: list[Move] = []
        what = "answer" if net.answer else "request"
        if (after := self.spent(Fault.LOST, shared)) is not None:
            if not net.revokes and net.answer:  # a request that never arrives spends nothing
                after = after._replace(why=after.why | {(Excuse.LOST, net.token)})
            moves.append((f"'s {what} is LOST", process._replace(net=net._replace(lost=True)), after))
        if (after := self.spent(Fault.LATE, shared)) is not None:
            moves.append((f"'s {what} is LATE", process._replace(net=net._replace(late=True)), after))
        return moves

    def _connecting(self, me: int, process: Process, shared: Shared) -> list[Move]:
        moves: list[Move] = []
        if (after := self.spent(Fault.SLOW, shared)) is not None:
            moves.append(("connects SLOWLY", process._replace(at=SLOW), after))
        if (after := self.spent(Fault.REFUSED, shared)) is not None:
            failed = RequestFailed(AT, Phase.NOT_SENT, Cause.CONNECT)
            moves.append(self._steps.received(failed, "is REFUSED", me, process, after))
        return moves

    def arriving(self, process: Process, shared: Shared) -> list[Move]:
        """A request reaches the server."""
        net = process.net
        if net is None or net.answer or net.lost:
            return []
        moves: list[Move] = []
        if (after := self.spent(Fault.UNAVAILABLE, shared)) is not None:
            moves.append(
                ("'s request meets 503", process._replace(net=net._replace(answer="unavailable")), after)
            )
        if net.revokes:
            return [
                *moves,
                (
                    "'s revocation arrives",
                    process._replace(net=net._replace(answer="ok")),
                    revoke(shared, net.token),
                ),
            ]
        answer, shared = receive(shared, net.token)
        label = f"'s {named(net.token)} arrives: {answer}"
        return [*moves, (label, process._replace(net=net._replace(answer=answer)), shared)]

    # -- of all -----------------------------------------------------------------------------------------

    def of_all(self, shared: Shared) -> list[tuple[str, Shared]]:
        """What can befall the store and the server, and how it is over."""
        moves: list[tuple[str, Shared]] = []
        for token in shared.late:
            late = list(shared.late)
            late.remove(token)
            answer, received = receive(shared._replace(late=tuple(late)), token)
            moves.append((f"{named(token)} arrives late: {answer}", received))
        if shared.unreadable:
            moves.append(("the login's file can be read again", shared._replace(unreadable=False)))
        elif (after := self.spent(Fault.UNREADABLE, shared)) is not None:
            moves.append(("the login's file is UNREADABLE", after._replace(unreadable=True)))
        if shared.failing:
            moves.append(("the disk is well again", shared._replace(failing=False)))
        elif (after := self.spent(Fault.DISK, shared)) is not None:
            moves.append(("the DISK FAILS", after._replace(failing=True)))
        moves += self._taken_away(shared) + self._cut_short(shared) + self._of_database(shared)
        if (after := self.spent(Fault.LOCK_REMOVED, shared)) is not None:
            after = after._replace(lock_file=after.lock_file + 1, holder=NONE)
            moves.append(("the LOCK FILE is REMOVED", after))
        if (after := self.spent(Fault.CLOCK_JUMP, shared)) is not None:
            moves += self._jumped(after)
        return moves

    def _of_database(self, shared: Shared) -> list[tuple[str, Shared]]:
        moves: list[tuple[str, Shared]] = []
        store = self._steps.store
        if not isinstance(store, LeaseStore):
            return moves
        if shared.database_away:
            back = shared._replace(database_away=False, grace=store.ticks(GRACE))
            return [("the database is back", back)]
        for statement in shared.to_come:
            left = list(shared.to_come)
            left.remove(statement)
            _, done = store.execute(statement, shared._replace(to_come=tuple(left)))
            family, renewed = (0, 0) if statement.record == NONE else store.token(statement.record)
            if family and not renewed and family not in self._steps.kept(done):
                done = done._replace(ended=done.ended | {family})  # which was told to be in vain
            moves.append((f"the {statement.what} of {statement.by} is executed LATE", done))
        if (after := self.spent(Fault.AWAY, shared)) is not None:
            moves.append(("the database is AWAY", after._replace(database_away=True, grace=0)))
        if shared.cut_off != NONE:
            moves.append((f"{shared.cut_off} reaches the database again", shared._replace(cut_off=NONE)))
        elif (after := self.spent(Fault.CUT_OFF, shared)) is not None:
            victims = range(min(self._case.victims, len(shared.dead)))
            moves += [(f"{me} is CUT OFF from the database", after._replace(cut_off=me)) for me in victims]
        return moves

    def _taken_away(self, shared: Shared) -> list[tuple[str, Shared]]:
        if shared.away != NONE:
            back = shared._replace(away=NONE)
            empty = shared.login == NONE and not shared.torn
            return [("the login's file is back", back._replace(login=shared.away) if empty else back)]
        after = self.spent(Fault.MOVED, shared)
        if after is None or shared.login == NONE:
            return []
        return [("the login's file is TAKEN AWAY", after._replace(away=shared.login, login=NONE))]

    def _cut_short(self, shared: Shared) -> list[tuple[str, Shared]]:
        after = self.spent(Fault.TORN, shared)
        stored = self._steps.store.record(shared.login)
        if after is None or stored is None:
            return []
        why = after.why
        if stored.intent is None:  # else somebody is about to have a successor
            why |= {(Excuse.TORN, self._steps.store.token(shared.login))}
        return [("the login's file is CUT SHORT", after._replace(login=NONE, torn=True, why=why))]

    def _jumped(self, shared: Shared) -> list[tuple[str, Shared]]:
        stored = self._steps.store.record(shared.login)
        if stored is None or stored.intent is None:
            return []
        intent = attrs.evolve(stored.intent, at=WALL - _LONG)
        number = self._steps.store.records.number(attrs.evolve(stored, intent=intent))
        why = shared.why | {(Excuse.JUMPED, token) for token in self._steps.store.records.tokens[number]}
        lease = Lease(shared.lease.owner, 0)
        return [("the CLOCK JUMPS", shared._replace(login=number, why=why, lease=lease))]
