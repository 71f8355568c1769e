"""Every interleaving of a case, breadth first: the first broken rule that is found has a shortest way to it.

Rules of this file: a state is three or four small numbers; what a process can do depends on itself and on
what is shared, and is asked for once. Time passes only when nobody can act. Rules are checked in every state;
what is excused is counted, and nothing is looked for behind it.
"""

from __future__ import annotations

import gc
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Final, Protocol, TypeVar

import attrs

from codex_oauth_core import SendRequest, Wait
from tests.simulation.exhaustive_faults import Faults
from tests.simulation.exhaustive_process import SLOW, WAITING, Steps
from tests.simulation.exhaustive_server import LONG_AGO, sign_in
from tests.simulation.exhaustive_state import NONE, Case, Copy, Excuse, Hold, Process, Shared
from tests.simulation.exhaustive_values import AT, Token

__all__ = ["MOST_STATES", "Found", "Searchable", "explore", "search_all"]

MOST_STATES: Final = 3_000_000
_OLDEST: Final = 3
"""Ticks after which it does not matter any more since when a reservation was asked for."""

State = tuple[int, ...]
"""The number of what is shared, and of each process."""


@attrs.define
class Found:
    """What a search found. `broken`: a rule, with the shortest way to it, or nothing."""

    broken: str = ""
    trace: list[str] = attrs.field(factory=list[str])
    states: int = 0
    transitions: int = 0
    ends: int = 0
    explained: Counter[Excuse] = attrs.field(factory=Counter[Excuse])
    outcomes: Counter[str] = attrs.field(factory=Counter[str])
    longest_wait: int = 0
    whole: bool = False
    """Whether every state was seen."""


class _Search:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.steps = Steps(case)
        self.faults = Faults(case, self.steps)
        self._shared: list[Shared] = []
        self._shared_numbers: dict[Shared, int] = {}
        self._processes: list[Process] = []
        self._process_numbers: dict[Process, int] = {}
        self._moves: dict[tuple[int, int, int], list[tuple[str, int, int]]] = {}
        self._all: dict[int, list[tuple[str, int]]] = {}
        self._busy: dict[int, bool] = {}
        self._later_shared: dict[int, int] = {}
        self._later_process: dict[int, int] = {}
        self._verdicts: dict[State, str] = {}

    # -- numbers ----------------------------------------------------------------------------------------

    def _shared_number(self, shared: Shared) -> int:
        number = self._shared_numbers.setdefault(shared, len(self._shared))
        if number == len(self._shared):
            self._shared.append(shared)
        return number

    def _process_number(self, process: Process) -> int:
        number = self._process_numbers.setdefault(process, len(self._processes))
        if number == len(self._processes):
            self._processes.append(process)
        return number

    def start(self) -> State:
        """A login is stored, and nobody has begun."""
        login = self.steps.store.records.number(sign_in(0, self.case.expires_in, LONG_AGO))
        count = len(self.case.roles)
        shared = Shared(
            login=login,
            copies=(),
            holder=NONE,
            lock_file=0,
            unreadable=False,
            torn=False,
            away=NONE,
            failing=False,
            dead=(False,) * count,
            families=((0, True),),
            late=(),
            left=tuple(most for _, most in self.case.faults),
            why=frozenset(),
            ended=frozenset(),
            gone=frozenset(),
            bad="",
        )
        idle = Process(NONE, 0, 0, None, 0, None, 0, NONE, 0, "")
        return (self._shared_number(shared), *(self._process_number(idle) for _ in self.case.roles))

    # -- what can happen --------------------------------------------------------------------------------

    def following(self, state: State) -> Iterator[tuple[str, State]]:
        """All that can happen next."""
        shared, *processes = state
        busy = False
        for me, process in enumerate(processes):
            busy = busy or self._is_busy(process)
            for label, new, after in self._moves_of(me, process, shared):
                yield label, (after, *processes[:me], new, *processes[me + 1 :])
        for label, after in self._of_all(shared):
            yield label, (after, *processes)
        if not busy:
            yield "…", (self._shared_later(shared), *map(self._process_later, processes))

    def _moves_of(self, me: int, process: int, shared: int) -> list[tuple[str, int, int]]:
        key = (me, process, shared)
        found = self._moves.get(key)
        if found is None:
            found = self._moves[key] = self._new_moves(me, self._processes[process], self._shared[shared])
        return found

    def _new_moves(self, me: int, process: Process, shared: Shared) -> list[tuple[str, int, int]]:
        moves = [] if process.stopped else self.steps.step(me, process, shared)
        moves += self.faults.arriving(process, shared)
        moves += self.faults.of_process(me, process, shared)
        return [
            (f"{me} {label}", self._process_number(new), self._shared_number(after))
            for label, new, after in moves
        ]

    def _of_all(self, shared: int) -> list[tuple[str, int]]:
        found = self._all.get(shared)
        if found is None:
            moves = self.faults.of_all(self._shared[shared])
            found = self._all[shared] = [(label, self._shared_number(after)) for label, after in moves]
        return found

    # -- time -------------------------------------------------------------------------------------------

    def _is_busy(self, number: int) -> bool:
        found = self._busy.get(number)
        if found is None:
            found = self._busy[number] = self._acts(self._processes[number])
        return found

    def _acts(self, process: Process) -> bool:
        """Whether no time passes before this process, or the server that it asks, acts."""
        net = process.net
        if net is not None and not net.late and not net.lost and (not net.answer or not process.stopped):
            soon = process.due <= 1 or not self.case.slow_server or process.stopped == 2
            if soon:
                return True
        if process.stopped:
            return False
        effect = self.steps.effect(process)
        match effect:
            case None:
                return not process.outcome
            case Wait():
                return effect.until <= AT
            case SendRequest():
                if process.at == WAITING:
                    return process.due == 0
                late = process.due == 0 if effect.write_by is None else effect.write_by <= AT
                return process.at != SLOW or late
            case _:
                return True

    def _shared_later(self, number: int) -> int:
        found = self._later_shared.get(number)
        if found is None:
            shared, records = self._shared[number], self.steps.store.records
            copies = sorted(Copy(copy.by, records.later(copy.record)) for copy in shared.copies)
            login, away = (
                each if each == NONE else records.later(each) for each in (shared.login, shared.away)
            )
            later = shared._replace(login=login, away=away, copies=tuple(copies))
            later = _with_database_later(later, records.later)
            found = self._later_shared[number] = self._shared_number(later)
        return found

    def _process_later(self, number: int) -> int:
        found = self._later_process.get(number)
        if found is None:
            found = self._later_process[number] = self._process_number(self._aged(self._processes[number]))
        return found

    def _aged(self, process: Process) -> Process:
        if process.stopped == 2:
            return process
        flow = process.flow if process.flow == NONE else self.steps.flows.later(process.flow)
        known = process.known if process.known == NONE else self.steps.store.records.later(process.known)
        waited = process.waited
        if self.case.longest_wait and not process.stopped and not self.steps.is_answered(process):
            waited = min(waited + 1, self.case.longest_wait + 1)
        return process._replace(
            flow=flow, hold=_aged_hold(process.hold), due=max(0, process.due - 1), known=known, waited=waited
        )

    # -- rules ------------------------------------------------------------------------------------------

    def verdict(self, state: State) -> tuple[str, Excuse | None]:
        """The rule that is broken here, if any, and what excuses it."""
        shared = self._shared[state[0]]
        if shared.bad:
            return shared.bad, self._excuse(shared, _token_of(shared.bad))
        processes = [self._processes[number] for number in state[1:]]
        if self.case.longest_wait and self.case.longest_wait < max(each.waited for each in processes):
            return "somebody waits for too long", None
        lost = self.loss(shared, processes)
        if lost:
            excuse = self._excuse(shared, (len(shared.families) - 1, None))
            return ("" if excuse else lost), excuse
        if self.case.busy_is_wrong and any("lock_busy" in process.outcome for process in processes):
            return "somebody is told that the lock is busy, though the login is fine", None
        return "", None

    def loss(self, shared: Shared, processes: list[Process]) -> str:
        """How the newest sign-in is lost, if nobody has ended it."""
        family = len(shared.families) - 1
        if family in shared.ended or family in shared.gone:
            return ""
        renewed, alive = shared.families[family]
        if not alive:
            return "the login is lost: the server has ended it"
        token = (family, renewed)
        if shared.login != NONE and self.steps.store.token(shared.login) == token:
            return ""
        if token in self.faults.in_store(shared) or token in shared.late:
            return ""
        for process in processes:
            net = process.net
            if token in self.faults._tokens(process):
                return ""
            if net is not None and net.answer == "granted" and (net.token[0], net.token[1] + 1) == token:
                return ""
        return "the login is lost: nobody has the living refresh token"

    def _excuse(self, shared: Shared, token: tuple[int, int | None] | None) -> Excuse | None:
        if token is None:
            return None
        for excuse, (family, renewed) in sorted(shared.why):
            if excuse in self.case.excuses and family == token[0] and token[1] in (None, renewed):
                return excuse
        return None

    def is_over(self, state: State) -> bool:
        """Whether every process has ended, or never will."""
        return all(
            process.outcome or process.stopped
            for process in (self._processes[number] for number in state[1:])
        )

    def longest_wait(self) -> int:
        """Ticks for which somebody waited, in any state that was met."""
        return max(process.waited for process in self._processes)

    def outcomes(self, state: State) -> list[str]:
        """What the processes were told."""
        return [self._processes[number].outcome for number in state[1:]]


def explore(case: Case, most_states: int = MOST_STATES) -> Found:
    """Search a case, until a rule is broken or every state was seen."""
    search = _Search(case)
    found = search_all(search, most_states)
    found.longest_wait = search.longest_wait()
    return found


S = TypeVar("S", bound=Hashable)


class Searchable(Protocol[S]):
    """What can be searched: states, and what can happen in each."""

    def start(self) -> S: ...

    def following(self, state: S, /) -> Iterator[tuple[str, S]]: ...

    def verdict(self, state: S, /) -> tuple[str, Excuse | None]: ...

    def is_over(self, state: S, /) -> bool: ...

    def outcomes(self, state: S, /) -> list[str]: ...


def search_all(search: Searchable[S], most_states: int = MOST_STATES) -> Found:
    """Search all states, until a rule is broken or every one was seen."""
    found = Found()
    gc.disable()  # nothing here is in a circle
    try:
        _explore(search, found, most_states)
    finally:
        gc.enable()
    return found


def _explore(search: Searchable[S], found: Found, most_states: int) -> None:
    start = search.start()
    seen: dict[S, int] = {start: 0}
    ways: list[tuple[int, str]] = [(-1, "")]
    todo = deque([start])
    number = 0
    while todo:
        state = todo.popleft()
        number = seen[state]
        broken, excuse = search.verdict(state)
        if excuse is not None:
            found.explained[excuse] += 1
        if broken and excuse is None:
            found.broken = broken
            break
        if broken:
            continue
        new = False
        for label, after in search.following(state):
            found.transitions += 1
            new = new or after != state
            if after not in seen:
                seen[after] = len(ways)
                ways.append((number, label))
                todo.append(after)
        if not new:
            found.ends += 1
            found.outcomes.update(search.outcomes(state))
            if not search.is_over(state):
                found.broken = "somebody waits for ever"
                break
        if len(seen) > most_states:
            break
    else:
        found.whole = True
    found.states = len(seen)
    found.trace = _way(ways, number) if found.broken else []


def _way(ways: list[tuple[int, str]], number: int) -> list[str]:
    way: list[str] = []
    while number:
        number, label = ways[number]
        way.append(label)
    return way[::-1]


def _with_database_later(shared: Shared, later: Callable[[int], int]) -> Shared:
    """The database's clock goes on, also while nobody reaches it."""
    if shared.lease.left:
        shared = shared._replace(lease=shared.lease._replace(left=shared.lease.left - 1))
    if shared.grace:
        shared = shared._replace(grace=shared.grace - 1)
    if shared.to_come:
        aged = (
            each._replace(record=each.record if each.record == NONE else later(each.record))
            for each in shared.to_come
        )
        shared = shared._replace(to_come=tuple(sorted(aged, key=repr)))
    return shared


def _aged_hold(hold: Hold | None) -> Hold | None:
    if hold is None or hold.asked == NONE:
        return hold
    return hold._replace(asked=min(hold.asked + 1, _OLDEST))


def _token_of(bad: str) -> Token | None:
    """The refresh token that a broken rule is about."""
    first = bad.split(" ", 1)[0]
    if not first.startswith("r") or "." not in first:
        return None
    family, renewed = first.removeprefix("r").split(".")
    return int(family), int(renewed)
