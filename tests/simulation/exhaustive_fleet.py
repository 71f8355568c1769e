"""One sign-in, and a fleet of workers of which one at a time owns it: the real `DeviceFlow`, put down in a database.

Rules of this file: a worker has a row with its lease, the sign-in one with its owner, a mark once its code may be sent,
and a checkpoint; each statement is executed at once, also late. The flow decides what is sent, and
`restore` what becomes of one that is taken over. Only the rules of `FleetRules` can be left out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import attrs

from codex_oauth_core import (
    CODEX,
    Cause,
    Credential,
    DeviceFlow,
    Event,
    Finished,
    Phase,
    RequestFailed,
    Resumed,
    SendRequest,
    Started,
    TimeReached,
    Wait,
    restore,
)
from tests.simulation.exhaustive_search import Found, search_all
from tests.simulation.exhaustive_state import NONE, Excuse, Fault
from tests.simulation.exhaustive_values import AT, HOUR, WALL, Table, Values
from tests.support import approved, issued, response, tokens

__all__ = ["FleetCase", "FleetControl", "FleetRules", "explore_fleet"]

_LEASE: Final = 3
"""Ticks that a worker's lease lasts; it is renewed when one is left."""
_DEADLINE: Final = 2 * _LEASE + 2
"""Ticks after which whoever reads a sign-in that is pending reads that it has failed."""
_FENCED, _WRITTEN, _ANSWERED = 0, 1, 2


@attrs.frozen(kw_only=True)
class FleetRules:
    """What workers keep to; each left out by one control."""

    mark: bool = True
    """The fence before an exchange marks the row, with the checkpoint of a flow that is exchanging."""
    one_statement: bool = True
    """A sign-in is taken over by one statement that looks at its owner's lease and answers the mark."""
    outcome_owned: bool = True
    """An outcome is written by the owner only, while the sign-in is pending; else what was granted is revoked."""
    outcome_in_time: bool = True
    """And before the deadline after which readers call it failed."""
    outcome_known_again: bool = True
    """Who writes an outcome again that is written already knows it for its own."""
    reader_ends: bool = True
    """Whoever reads a sign-in past its deadline reads that it has failed, whoever lives."""
    owner_per_hold: bool = True
    """Each takeover draws an owner; else a worker is one and the same, whenever it took a sign-in over."""
    takes_its_own: bool = True
    """A worker takes up what it owns and does not drive: its answer was lost when it took that over."""
    database_wall: bool = True
    """Checkpoints and flows that are taken over are told the database's time of day; else the worker's."""


@attrs.frozen(kw_only=True)
class FleetCase:
    """What is explored: so many workers, and what may befall them."""

    name: str
    workers: int = 2
    faults: tuple[tuple[Fault, int], ...] = ()
    most: int = 9
    rules: FleetRules = attrs.field(factory=FleetRules)


@attrs.frozen
class FleetControl:
    """A case that breaks the rule `expect`, because of what is left out."""

    case: FleetCase
    expect: str


class Asked(NamedTuple):
    """A statement of a worker that it waits for no answer to."""

    what: str
    by: int
    hold: int
    checkpoint: int


class Row(NamedTuple):
    """The database, the server, and what may still go wrong."""

    owner: int
    hold: int
    """Which takeover it was."""
    mark: int
    """Whose code may have been sent, NONE if nobody's."""
    checkpoint: int
    state: str
    by: int
    """Who wrote the outcome."""
    leases: tuple[int, ...]
    age: int
    called_failed: bool
    sent: int
    revoked: bool
    """What was granted is revoked."""
    to_come: tuple[Asked, ...]
    left: tuple[int, ...]
    bad: str


class Worker(NamedTuple):
    """One worker. `flow`: what it drives; `at`: the step of its exchange; `seen`: by what it will take over."""

    flow: int
    at: int
    outcome: str
    stopped: bool
    dead: bool
    clock: int
    seen: tuple[int, int, int] | None
    hold: int = 0


State = tuple[Row, tuple[Worker, ...]]
_Move = tuple[str, Row, Worker]
_IDLE: Final = Worker(NONE, 0, "", False, False, 0, None)


class _Fleet:
    def __init__(self, case: FleetCase) -> None:
        self.case, self.rules = case, case.rules
        self.flows = Table(Values(5.0))
        self._index = {fault: number for number, (fault, _) in enumerate(case.faults)}
        self._most = sum(most for _, most in case.faults)
        self._answers: dict[tuple[int, str], tuple[int, str, str]] = {}
        """What comes of a flow, by its number and what it is told."""
        self._resumed: dict[tuple[int, int], tuple[int, str, str]] = {}

    def start(self) -> State:
        """A sign-in waits for somebody to approve it, and nobody owns it."""
        flow = DeviceFlow(provider=CODEX)
        flow.receive(Started(AT, WALL))
        flow.receive(response(issued(), AT, WALL))
        row = Row(
            owner=NONE,
            hold=0,
            mark=NONE,
            checkpoint=self.flows.number(flow),
            state="pending",
            by=NONE,
            leases=(_LEASE,) * self.case.workers,
            age=0,
            called_failed=False,
            sent=0,
            revoked=False,
            to_come=(),
            left=tuple(most for _, most in self.case.faults),
            bad="",
        )
        return row, (_IDLE,) * self.case.workers

    # -- the flow -----------------------------------------------------------------------------------------

    def _received(self, worker: Worker, event: Event, label: str, row: Row) -> _Move:
        key = worker.flow, label
        if key not in self._answers:
            flow = copy.copy(self.flows.values[worker.flow])
            self._answers[key] = self._numbered(flow, flow.receive(event))
        number, outcome, said = self._answers[key]
        return label + said, row, worker._replace(flow=number, at=_FENCED, outcome=outcome)

    def _taken(self, worker: Worker, checkpoint: int, row: Row) -> Worker:
        """The worker drives what was put down, from there on."""
        ahead = 0 if self.rules.database_wall else worker.clock
        key = checkpoint, ahead
        if key not in self._resumed:
            mapping = copy.copy(self.flows.values[checkpoint]).checkpoint(at=AT, wall=WALL)
            flow: Any = restore(mapping, CODEX)
            self._resumed[key] = self._numbered(flow, flow.receive(Resumed(AT, WALL + ahead)))
        number, outcome, _ = self._resumed[key]
        return worker._replace(flow=number, at=_FENCED, outcome=outcome, seen=None, hold=row.hold)

    def _numbered(self, flow: Any, effect: Any) -> tuple[int, str, str]:
        """The number of a flow that has an effect; or NONE, how it ended, and what it says."""
        flow._seq = 0  # on which nothing depends
        if not isinstance(effect, Finished):
            return self.flows.number(flow), "", ""
        if isinstance(effect.outcome, Credential):
            return NONE, "done", ": done"
        error: Any = effect.outcome
        return NONE, "failed", f": {error.kind.value}"

    # -- what can happen ----------------------------------------------------------------------------------

    def following(self, state: State) -> Iterator[tuple[str, State]]:
        """All that can happen next."""
        row, workers = state
        urgent = False
        for me, worker in enumerate(workers):
            soon, moves = self._moves(me, worker, row)
            urgent = urgent or soon
            for label, after, new in moves:
                yield f"{me} {label}", (after, (*workers[:me], new, *workers[me + 1 :]))
        for asked in row.to_come:
            left = list(row.to_come)
            left.remove(asked)
            _, after = self._execute(asked, row._replace(to_come=tuple(left)))
            yield f"the {asked.what} of {asked.by} is executed LATE", (after, workers)
        if self.rules.reader_ends and row.state == "pending" and row.age >= _DEADLINE:
            yield "a reader calls it failed", (row._replace(called_failed=True), workers)
        if not urgent and any(_matters(worker, row) for worker in workers):
            leases = tuple(max(0, left - 1) for left in row.leases)
            yield "…", (row._replace(leases=leases, age=min(row.age + 1, _DEADLINE)), workers)

    def _moves(self, me: int, worker: Worker, row: Row) -> tuple[bool, list[_Move]]:
        """What a worker does, or befalls it; and whether no time passes before it acts."""
        if worker.dead:
            return False, []
        if worker.stopped:
            return False, [("goes on", row, worker._replace(stopped=False))]
        faults = self._faults(worker, row)
        if row.leases[me] <= 1 and _matters(worker, row):
            leases = (*row.leases[:me], _LEASE, *row.leases[me + 1 :])
            return True, [("renews its lease", row._replace(leases=leases), worker), *faults]
        urgent, moves = self._drives(me, worker, row)
        return urgent, moves + faults

    def _drives(self, me: int, worker: Worker, row: Row) -> tuple[bool, list[_Move]]:
        if worker.outcome:
            return True, self._asks("outcome", me, worker, row)
        if worker.flow == NONE:
            return self._looks(me, worker, row)
        flow = self.flows.values[worker.flow]
        match flow.effect:
            case Wait(until):
                return False, [self._received(worker, TimeReached(until), "waits no longer", row)]
            case SendRequest(once=False):
                return False, [
                    self._received(worker, response(approved(), flow._now, WALL), "polls: approved", row)
                ]
            case _ if worker.at == _FENCED:
                return True, self._asks("fence", me, worker, row)
            case _ if worker.at == _WRITTEN:
                again = row.bad or ("the code is sent twice" if row.sent else "")
                return True, [
                    ("sends the code", row._replace(sent=1, bad=again), worker._replace(at=_ANSWERED))
                ]
            case _:
                return False, [self._received(worker, response(tokens(), flow._now, WALL), "is granted", row)]

    def _looks(self, me: int, worker: Worker, row: Row) -> tuple[bool, list[_Move]]:
        """For a sign-in that nobody drives."""
        if worker.seen is None and not self._is_free(me, row):
            return False, []
        if self.rules.one_statement:
            return True, self._asks("takeover", me, worker, row)
        if worker.seen is None:
            seen = row.owner, row.mark, row.checkpoint
            return True, [("sees a sign-in to take over", row, worker._replace(seen=seen))]
        owner, _, checkpoint = worker.seen
        if row.owner != owner or row.state != "pending":
            return True, [("is too late to take over", row, worker._replace(seen=None))]
        return True, [
            ("takes it over", self._owned(me, row), self._taken(worker, checkpoint, self._owned(me, row)))
        ]

    def _is_free(self, me: int, row: Row) -> bool:
        own = row.owner == me and self.rules.takes_its_own
        return row.state == "pending" and (row.owner == NONE or row.leases[row.owner] == 0 or own)

    # -- statements ---------------------------------------------------------------------------------------

    def _asks(self, what: str, me: int, worker: Worker, row: Row) -> list[_Move]:
        asked = Asked(f"{what} {worker.outcome}".rstrip(), me, worker.hold, worker.flow)
        good, after = self._execute(asked, row)
        moves = [self._hears(what, worker, row, after, good=good)]
        if (spent := self._spent(Fault.UNANSWERED, row)) is not None:
            blind = worker._replace(seen=None)
            if what == "fence":  # nothing was sent, and nothing is
                failed = RequestFailed(self.flows.values[worker.flow]._now, Phase.NOT_SENT, Cause.TIMEOUT)
                _, _, blind = self._received(worker, failed, "has not sent", row)
            moves.append((f"'s {what} is executed, WITHOUT ANSWER", self._execute(asked, spent)[1], blind))
            later = spent._replace(to_come=tuple(sorted((*spent.to_come, asked))))
            moves.append((f"'s {what} is STILL TO COME", later, blind))
        return moves

    def _hears(self, what: str, worker: Worker, row: Row, after: Row, *, good: bool) -> _Move:
        match what, good:
            case "fence", True:
                return "passes the fence", after, worker._replace(at=_WRITTEN)
            case "takeover", True:
                return "takes it over", after, self._taken(worker, after.checkpoint, after)
            case "outcome", True:
                return f"writes: {worker.outcome}", after, worker._replace(outcome="")
            case "outcome", False if worker.outcome == "done":
                kept = after.state == "done"  # there is no other grant
                bad = after.bad or ("a login that is kept is revoked" if kept else "")
                return (
                    "revokes what was granted",
                    after._replace(bad=bad, revoked=True),
                    worker._replace(outcome=""),
                )
            case _:
                return f"is told no: {what}", row, worker._replace(flow=NONE, at=0, outcome="", seen=None)

    def _execute(self, asked: Asked, row: Row) -> tuple[bool, Row]:
        """Execute a statement; whether it did something."""
        me, pending = asked.by, row.state == "pending"
        match asked.what:
            case "takeover":
                return (True, self._owned(me, row)) if self._is_free(me, row) else (False, row)
            case "fence":
                mine = (
                    (row.owner, row.hold) == (me, asked.hold)
                    and row.leases[me] > 1
                    and pending
                    and row.mark in (NONE, me)
                )
                if mine and self.rules.mark:
                    row = row._replace(mark=me, checkpoint=asked.checkpoint)
                return mine, row
            case _:
                return self._ended(asked, asked.what.removeprefix("outcome "), row)

    def _owned(self, me: int, row: Row) -> Row:
        return row._replace(owner=me, hold=row.hold + self.rules.owner_per_hold)

    def _ended(self, asked: Asked, outcome: str, row: Row) -> tuple[bool, Row]:
        me = asked.by
        if self.rules.outcome_known_again and (row.state, row.by) == (outcome, me):
            return True, row
        mine = (row.owner, row.hold) == (me, asked.hold) and row.state == "pending"
        late = outcome == "done" and row.age >= _DEADLINE and self.rules.outcome_in_time
        if self.rules.outcome_owned and (not mine or late):
            return False, row
        bad = ""
        if outcome == "done" and (row.called_failed or row.state == "failed"):
            bad = "a login is kept after its sign-in was called failed"
        elif outcome == "done" and row.revoked:
            bad = "a login that is kept is revoked"
        return True, row._replace(state=outcome, by=me, bad=row.bad or bad)

    # -- faults -------------------------------------------------------------------------------------------

    def _spent(self, fault: Fault, row: Row) -> Row | None:
        number = self._index.get(fault)
        if number is None or not row.left[number] or self._most - sum(row.left) >= self.case.most:
            return None
        left = list(row.left)
        left[number] -= 1
        return row._replace(left=tuple(left))

    def _faults(self, worker: Worker, row: Row) -> list[_Move]:
        moves: list[_Move] = []
        if (after := self._spent(Fault.CRASH, row)) is not None:
            moves.append(("is KILLED", after, _IDLE._replace(dead=True)))
        if (after := self._spent(Fault.STOP, row)) is not None:
            moves.append(("is STOPPED", after, worker._replace(stopped=True)))
        if not worker.clock and (after := self._spent(Fault.OWN_CLOCK, row)) is not None:
            ahead, behind = (worker._replace(clock=round(each)) for each in (HOUR, -HOUR))
            moves += [("'s CLOCK is put forward", after, ahead), ("'s CLOCK is put back", after, behind)]
        return moves

    # -- rules --------------------------------------------------------------------------------------------

    def verdict(self, state: State) -> tuple[str, Excuse | None]:
        """The rule that is broken here, if any: nothing excuses one."""
        row, workers = state
        if row.bad:
            return row.bad, None
        spent = {
            fault for fault, number in self._index.items() if row.left[number] < self.case.faults[number][1]
        }
        if row.state == "failed" and row.age < _DEADLINE and spent <= {Fault.OWN_CLOCK}:
            return "a sign-in is called failed, and nobody was stopped or killed", None
        owner = None if row.owner == NONE else workers[row.owner]
        idle = owner is not None and owner._replace(clock=0, seen=None, hold=0) == _IDLE
        if row.state == "pending" and idle and not self._is_free(row.owner, row):
            return "a sign-in is owned by a worker that does not drive it", None
        return "", None

    def is_over(self, state: State) -> bool:
        """Whether somebody has said how it ended."""
        row, _ = state
        return row.state != "pending" or row.called_failed

    def outcomes(self, state: State) -> list[str]:
        """How the sign-in ended."""
        row, _ = state
        return ["called failed" if row.called_failed else row.state]


def _matters(worker: Worker, row: Row) -> bool:
    """Whether anything can depend on how long the worker's lease lasts."""
    return row.state == "pending" or worker.flow != NONE or worker.outcome != ""


def explore_fleet(case: FleetCase) -> Found:
    """Search a case, until a rule is broken or every state was seen."""
    return search_all(_Fleet(case))
