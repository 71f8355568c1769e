"""What a process can do next: the real flows, driven as a world drives them, one step at a time.

Rules of this file: a flow decides, and is never looked into but for what `Renewal.meanwhile` tells; here effects
are performed. A healthy process acts at once; only a wait, a server or a slow connection lets time pass. What
is returned are new values; nothing that was passed in is changed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, assert_never

from codex_oauth_core import (
    CODEX,
    Adopted,
    Cause,
    Effect,
    ErrorKind,
    Event,
    Finished,
    FinishSignIn,
    NotRenewed,
    Phase,
    Record,
    Renewal,
    Renewed,
    RequestFailed,
    Revocation,
    SendRequest,
    SignedIn,
    SignInError,
    Started,
    StoreAnswered,
    TimeReached,
    Wait,
)
from codex_oauth_core.storage import Load, Lock, Save
from tests.simulation.exhaustive_keeper import Keeper
from tests.simulation.exhaustive_lease import LeaseStore
from tests.simulation.exhaustive_server import named, requested, response, sign_in
from tests.simulation.exhaustive_state import (
    NONE,
    SIGN_INS,
    Case,
    Excuse,
    Fault,
    Kept,
    Move,
    Net,
    Process,
    Role,
    Shared,
    Unsaved,
)
from tests.simulation.exhaustive_store import Store
from tests.simulation.exhaustive_values import AT, WALL, Table, Values, copied

__all__ = ["CHECKED", "CONNECTING", "SLOW", "WAITING", "Steps"]

ASKING: Final = 0
CONNECTING: Final = 1
SLOW: Final = 2
CHECKED: Final = 3
WAITING: Final = 4
"""The steps of a request: the store is asked, it connects (for a while), it may be written, it is answered."""

_TODAY: Final = "2027-01-15T08:00:00Z"
_SINCE: Final = (Fault.UNANSWERED, Fault.STOP, Fault.FREEZE)
_Flow = Renewal | FinishSignIn | Revocation


class Steps:
    """The steps of all processes of a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.values = Values(case.tick)
        self.store: Keeper = (
            LeaseStore(case, self.values)
            if case.kept is Kept.LEASE
            else Store(case.rules, self.values, case.tick)
        )
        self.flows = Table(self.values)
        self._answers: dict[tuple[int, Hashable], tuple[int, Any]] = {}

    def effect(self, process: Process) -> Effect | None:
        """The outstanding effect; None before a process has begun, and when it is over."""
        return None if process.flow == NONE else self.flows.values[process.flow].effect

    def is_answered(self, process: Process) -> bool:
        """Whether nobody waits for the process any more, though it may still have to save something."""
        flow = None if process.flow == NONE else self.flows.values[process.flow]
        return flow is None or (isinstance(flow, Renewal) and flow.meanwhile is not None)

    def step(self, me: int, process: Process, shared: Shared) -> list[Move]:
        """What the process can do next, without any fault; nothing while it waits."""
        effect = self.effect(process)
        match effect:
            case None:
                return [] if process.outcome else [self.begun(me, process, shared)]
            case SendRequest():
                return self._request(effect, me, process, shared)
            case Wait():
                due = effect.until <= AT
                return [self.received(TimeReached(AT), "goes on", me, process, shared)] if due else []
            case Finished():
                raise AssertionError("a flow that is over is not kept")
            case _:
                return [self._stored(effect, me, process, shared)]

    # -- begin and end ----------------------------------------------------------------------------------

    def begun(self, me: int, process: Process, shared: Shared) -> Move:
        """The process begins what it is to do."""
        role = self.case.roles[me]
        flow: _Flow
        match role:
            case Role.RENEW:
                flow = self._renewal(process)
            case Role.SIGN_OUT:
                flow = Revocation(provider=CODEX, lock_limit=self.case.lock_limit)
            case Role.SIGN_IN | Role.SIGN_IN_ALONE:
                shared = shared._replace(families=(*shared.families, (0, True)))
                granted = sign_in(len(shared.families) - 1, 3600.0, _TODAY)
                alone = role is Role.SIGN_IN_ALONE
                limit = self.case.lock_limit
                flow = FinishSignIn(record=granted, provider=CODEX, revoke_old=alone, lock_limit=limit)
            case _:
                assert_never(role)
        flow.receive(Started(AT, WALL + process.clock))
        process = process._replace(flow=self.flows.number(flow), at=0, waited=0, outcome="", unsure=False)
        return role.value, process, shared

    def _renewal(self, process: Process) -> Renewal:
        return Renewal(
            policy=self.case.policy,
            known=self.store.record(process.known),
            keep_saving=self.case.unsaved is Unsaved.GOES_ON,
        )

    def received(self, event: Event, label: str, me: int, process: Process, shared: Shared) -> Move:
        """The flow takes an event; and is over, or has another effect."""
        number, outcome = self._taken(process.flow, event)
        process = process._replace(flow=number, at=0, net=None, due=0)
        if number != NONE:
            return label, process, shared
        said, process, shared = self._ended(outcome, me, process, shared)
        return f"{label}; {said}", process, shared

    def _taken(self, number: int, event: Event) -> tuple[int, Any]:
        """The number of a flow that has taken an event; or NONE, and its outcome."""
        key = number, self.values.parts(event)
        if key not in self._answers:
            flow = copied(self.flows.values[number])
            effect = flow.receive(event)
            over = isinstance(effect, Finished)
            self._answers[key] = (NONE, effect.outcome) if over else (self.flows.number(flow), None)
        return self._answers[key]

    def _ended(self, outcome: Any, me: int, process: Process, shared: Shared) -> Move:
        if process.hold is not None:
            shared = shared._replace(bad=shared.bad or "a flow ended with the lock held")
        record = outcome.record if isinstance(outcome, Renewed | Adopted | NotRenewed | SignedIn) else None
        said = _told(outcome, record)
        shared = self._judged(outcome, me, shared)
        known = NONE
        unsaved = isinstance(outcome, Renewed) and outcome.unsaved is not None
        if isinstance(outcome, SignInError) and outcome.kind is not ErrorKind.LOGIN_REQUIRED:
            known = process.known
        elif unsaved or (process.known != NONE and record is not None):
            number = self.store.records.number(record)
            known = number if unsaved or number == process.known else NONE
        if known != NONE and self.case.unsaved is Unsaved.EXITS:
            family, renewed = self.store.token(known)
            shared = shared._replace(why=shared.why | {(Excuse.DISK, (family, renewed - 1))})
            known = NONE
        return said, process._replace(outcome=said, known=known), shared

    def _judged(self, outcome: Any, me: int, shared: Shared) -> Shared:
        """What nobody may be told."""
        role, bad = self.case.roles[me], ""
        family = NONE if shared.login == NONE else self.store.token(shared.login)[0]
        over = family in shared.ended | shared.gone
        if role in SIGN_INS and isinstance(outcome, SignInError):  # which is told to be in vain
            if len(shared.families) - 1 in self.kept(shared):
                why = "a sign-in is told to be ended, and the login is stored"
                return shared._replace(bad=shared.bad or why) if "revoked" in outcome.details else shared
            return shared._replace(ended=shared.ended | {len(shared.families) - 1})
        if role is Role.SIGN_OUT and isinstance(outcome, SignInError):
            bad = "a logout was not done: the login was renewed meanwhile"
            superseded = any(each > family for each in self.kept(shared))  # by a sign-in, which is left alone
            over = over and outcome.details.get("reason") == "contended" and not superseded
        elif role is Role.SIGN_OUT:
            bad = "a logout is told to be done, and the login is stored"
        elif isinstance(outcome, SignInError) and outcome.kind is ErrorKind.LOGIN_REQUIRED:
            bad = "somebody is told to sign in, though a login that lives is stored"
            lives = family != NONE and (shared.families[family] == (self.store.token(shared.login)[1], True))
            leased = self.case.kept is Kept.LEASE  # and it may be stored since the look, by somebody else
            late = leased and any(fault in _SINCE for fault, _ in self.case.faults)
            over = lives and not shared.unreadable and not late
        stays = not any(fault is Fault.MOVED for fault, _ in self.case.faults)
        return shared._replace(bad=shared.bad or bad) if bad and over and stays else shared

    def kept(self, shared: Shared) -> set[int]:
        """The numbers of the sign-ins that are stored, or beside for whoever comes next, or may come to be so."""
        beside = [copy.record for copy in shared.copies if copy.by == NONE]
        beside += [statement.record for statement in shared.to_come]
        numbers = [each for each in (shared.login, shared.away, *beside) if each != NONE]
        return {self.store.token(number)[0] for number in numbers}

    # -- the store --------------------------------------------------------------------------------------

    def _stored(self, effect: Any, me: int, process: Process, shared: Shared) -> Move:
        if isinstance(effect, Lock) and process.hold is None and process.holds >= self.case.holds:
            return "gives up", process._replace(flow=NONE, outcome="told: too many tries"), shared
        shared = self._cut_off(effect, me, process, shared)
        stepped = self.store.step(effect, me, process, shared)
        name = type(effect).__name__
        if stepped.answer is None:
            return f"{name} …", stepped.process, stepped.shared
        label = f"{name}{self._about(effect)} -> {type(stepped.answer).__name__}{self._about(stepped.answer)}"
        move = self.received(
            StoreAnswered(AT, WALL + process.clock, stepped.answer),
            label,
            me,
            stepped.process,
            stepped.shared,
        )
        return self._served(effect, *move)

    def _cut_off(self, effect: Any, me: int, process: Process, shared: Shared) -> Shared:
        """Whoever cannot save because it is cut off may lose what it has."""
        if shared.cut_off != me or not isinstance(effect, Save):
            return shared
        tokens = self.flows.tokens[process.flow]
        return shared._replace(why=shared.why | {(Excuse.CUT_OFF, token) for token in tokens})

    def _served(self, effect: Any, label: str, process: Process, shared: Shared) -> Move:
        """Whoever is answered by a look alone must not be given what a finished sign-in has replaced."""
        if isinstance(effect, Load) and process.flow == NONE and process.outcome.startswith("served r"):
            latest = max(
                (self.store.token(copy.record)[0] for copy in shared.copies if copy.by == NONE), default=0
            )
            if int(process.outcome.removeprefix("served r").split(".")[0]) < latest:
                bad = "the older login is served while a finished sign-in is beside"
                return label, process, shared._replace(bad=shared.bad or bad)
        return label, process, shared

    def _about(self, what: Any) -> str:
        if error := getattr(what, "error", None) or getattr(what, "problem", None):
            return f" ({error.details.get('reason')}{', rescued' if getattr(what, 'rescued', False) else ''})"
        record: Record | None = getattr(what, "record", None)
        if record is None or record.credential.refresh_token is None:
            return ""
        marks = "".join(
            f" {mark}"
            for mark, there in (
                ("intent", record.intent is not None),
                ("uncertain", record.uncertain_at is not None),
                ("dead", record.dead_code is not None),
            )
            if there
        )
        return f" {record.credential.refresh_token.reveal()}{marks}"

    # -- the network ------------------------------------------------------------------------------------

    def _request(self, effect: SendRequest, me: int, process: Process, shared: Shared) -> list[Move]:
        match process.at:
            case 0:
                if (
                    effect.once
                    and self.case.rules.sending_look
                    and not self.store.may_send(me, process, shared)
                ):
                    return [self._not_sent("sending() says no", me, process, shared)]
                due = self._ticks(effect.timeout)
                return [("connects", process._replace(at=CONNECTING, due=due), shared)]
            case 1 | 2:
                return self._connected(effect, me, process, shared)
            case 3:
                return [self._written(effect, me, process, shared)]
            case _:
                return self._answered(me, process, shared)

    def _ticks(self, seconds: float) -> int:
        return -int(-seconds // self.case.tick)

    def _connected(self, effect: SendRequest, me: int, process: Process, shared: Shared) -> list[Move]:
        by = effect.write_by
        if process.due == 0 and by is None:
            return [self._not_sent("connecting takes too long", me, process, shared)]
        if by is not None and self.case.rules.write_look and by <= AT:
            return [self._not_sent("too late to write", me, process, shared)]
        return [("is connected, and may write", process._replace(at=CHECKED), shared)]

    def _not_sent(self, label: str, me: int, process: Process, shared: Shared) -> Move:
        return self.received(RequestFailed(AT, Phase.NOT_SENT, Cause.TIMEOUT), label, me, process, shared)

    def _written(self, effect: SendRequest, me: int, process: Process, shared: Shared) -> Move:
        revokes, token = requested(effect.request)
        due = process.due if effect.write_by is None else self._ticks(effect.timeout)
        net = Net(revokes, token, "", late=False, lost=False)
        label = f"writes {'a revocation of ' if revokes else ''}{named(token)}"
        newest = len(shared.families) - 1
        if self.case.roles[me] in SIGN_INS and token[0] == newest and newest in self.kept(shared):
            shared = shared._replace(bad=shared.bad or "a login that is stored is ended by its own sign-in")
        if not revokes and self._has_successor(token, shared):
            shared = shared._replace(
                bad=shared.bad or f"{named(token)} is sent, and its successor is in the store"
            )
        return label, process._replace(at=WAITING, net=net, due=due), shared

    def _has_successor(self, token: tuple[int, int], shared: Shared) -> bool:
        numbers = [copy.record for copy in shared.copies if copy.by == NONE]
        numbers += [] if shared.login == NONE or shared.unreadable else [shared.login]
        return any(
            family == token[0] and renewed > token[1] for family, renewed in map(self.store.token, numbers)
        )

    def _answered(self, me: int, process: Process, shared: Shared) -> list[Move]:
        net = process.net
        assert net is not None
        if net.lost:
            failed = RequestFailed(AT, Phase.MAYBE_SENT, Cause.RESET)
            return [self.received(failed, "loses the connection", me, process, shared)]
        there = net.answer != "" and not net.late
        if there and (process.due > 0 or self.case.rules.last_read):
            event = response(net.answer, net.token, WALL + process.clock)
            return [self.received(event, f"hears: {net.answer}", me, process, shared)]
        if process.due > 0:
            return []
        if not net.revokes:
            shared = shared._replace(why=shared.why | ({(Excuse.LATE, net.token)} if not there else set()))
            if not net.answer:
                shared = shared._replace(late=tuple(sorted((*shared.late, net.token))))
        failed = RequestFailed(AT, Phase.MAYBE_SENT, Cause.TIMEOUT)
        return [self.received(failed, "waits no longer for an answer", me, process, shared)]


def _told(outcome: Any, record: Record | None) -> str:
    if isinstance(outcome, SignInError):
        why = (
            outcome.details.get("reason") or outcome.details.get("code") or outcome.details.get("cause") or ""
        )
        return f"told {outcome.kind.value} {why}".rstrip()
    if isinstance(outcome, Renewed | Adopted | NotRenewed) and record is not None:
        token = record.credential.refresh_token
        return f"served {token.reveal() if token else ''} ({type(outcome).__name__})"
    return f"done ({type(outcome).__name__})"
