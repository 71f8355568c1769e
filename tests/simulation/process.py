"""One process: it signs in and out, and uses a token, as `TokenSource` and the command line do.

Rules of this file: what to do is decided by the real machines and by the real memory of a token source; here
effects are performed, one step at a time, and what happens is told to the watch. `Process.run` is the process:
a generator that yields how many seconds pass until its next step.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Final, assert_never

import attrs

from codex_oauth.tokens.memory import Memory, Step
from codex_oauth.tokens.renewing import Landing, Seen
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
    RenewalPolicy,
    Renewed,
    RequestFailed,
    Revocation,
    Secret,
    SendRequest,
    SignedIn,
    SignInError,
    Started,
    StoreAnswered,
    TimeReached,
    Wait,
    Why,
)
from codex_oauth_core.flows.finish_sign_in import State
from codex_oauth_core.renewal_times import INTENT_LIFE, REVOKE_WITHIN, WAIT_EXPIRED
from codex_oauth_core.storage import Conflict, Release, Rescued, Save, Saved, StorageEffect, StoreFailed
from tests.simulation.invariants import Attempt, Excuse, Violation
from tests.simulation.server import ACCOUNT, WALL
from tests.simulation.slot import Slot, Steps
from tests.simulation.trace import told
from tests.simulation.world import World

__all__ = ["Ended", "Op", "Process"]

POLICY: Final = RenewalPolicy()
MOST_EFFECTS: Final = 900
"""Effects of one operation; a wait of 210 s for a lock takes about 400, because polls are stretched."""
_LIMITS: Final = {
    Renewal: POLICY.expired_lock_limit + POLICY.retry_limit + INTENT_LIFE + 3.0,
    FinishSignIn: WAIT_EXPIRED + REVOKE_WITHIN + 3.0,
    Revocation: WAIT_EXPIRED + 2 * REVOKE_WITHIN + 3.0,
}
"""Seconds that an operation may take: its wait for the lock, its requests, and its steps."""

_Machine = Renewal | FinishSignIn | Revocation


@unique
class Op(StrEnum):
    """What a program does."""

    CALL = "call"
    """Get a token and call the API with it; on a 401 get another one, once."""
    RENEW = "renew"
    """Renew the login whether it is due or not."""
    SIGN_IN = "sign in"
    """Store what was granted; a process with an even id also ends the login that it replaces."""
    SIGN_OUT = "sign out"


@unique
class Ended(StrEnum):
    """How a call ended, where it was no error."""

    WORKED = "worked"
    REJECTED = "rejected"


@attrs.define(eq=False)
class Process:
    """A process with the id `pid`. `skew` is its wall clock less the true one, in seconds."""

    world: World
    pid: int
    program: Iterable[tuple[float, Op]]
    jitter: float = 0.5
    skew: float = 0.0
    paused_until: float = 0.0
    paused_for: float = 0.0
    outcome: Ended | SignInError | None = None
    """How its last call ended."""
    errors: Counter[str] = attrs.field(factory=Counter[str])
    """Storage faults that are to come."""
    known_dead: set[str] = attrs.field(factory=set[str])
    unsaved: bool = False
    """It has got what it could not store: the older token that is stored may come back to it."""
    slot: Slot = attrs.field(init=False)
    memory: Memory = attrs.field(init=False)
    flow: _Machine | None = None
    attempt: Attempt | None = None
    waited_for_disk: float = 0.0
    waits_for_answer: bool = False
    effect: Effect | None = None
    _locked_at: float = 0.0
    _paused_before: float = 0.0
    _disk_before: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.slot = Slot(self.world.disk, self)
        self.memory = Memory(policy=POLICY, jitter=self.jitter)
        self.world.alive.add(self.pid)

    def run(self) -> Steps[None]:
        """All that the process does."""
        for gap, op in self.program:
            yield gap
            yield from self.do(op)

    def do(self, op: Op) -> Steps[None]:
        """One operation."""
        match op:
            case Op.CALL:
                self.outcome = yield from self._call()
            case Op.RENEW:
                known = self.memory.record
                yield from self.drive(Renewal(forced=True, jitter=self.jitter, known=known, keep_saving=True))
            case Op.SIGN_IN:
                yield from self._sign_in()
            case Op.SIGN_OUT:
                yield from self._sign_out()
            case _:
                assert_never(op)

    # -- what an application does -----------------------------------------------------------------------

    def _call(self) -> Steps[Ended | SignInError]:
        judged = (self.skew, self.paused_for)
        found = yield from self._token(None)
        if isinstance(found, SignInError):
            return found
        if (yield from self._is_accepted(found, judged)):
            return Ended.WORKED
        refused = found.credential.access_token
        again = yield from self._token(refused)
        if not isinstance(again, SignInError) and again.credential.access_token == refused:
            return Ended.REJECTED  # nothing better for now: a refusal renews once a minute at most
        if not self.unsaved:
            self.known_dead.add(refused.fingerprint())
        if isinstance(again, SignInError):
            return again
        return Ended.WORKED if (yield from self._is_accepted(again, judged)) else Ended.REJECTED

    def _is_accepted(self, record: Record, judged: tuple[float, float]) -> Steps[bool]:
        """Whether the API takes the token, which is used for this. `judged`: the clock's error and the
        pauses so far, when the token was asked for.
        """
        access = record.credential.access_token.fingerprint()
        if judged == (self.skew, self.paused_for):  # else time has leapt since it was looked at
            self.world.watch.using(self.pid, record, self.wall, self.known_dead)
        yield 0.05
        return self.world.server.honours(access, self.world.now)

    def _sign_in(self) -> Steps[None]:
        """As `finish_sign_in`."""
        record = self.world.server.sign_in(self.world.now, self.wall)
        self.world.watch.depositing(record)
        flow = FinishSignIn(record=record, provider=CODEX, revoke_old=self.pid % 2 == 0)
        outcome = yield from self.drive(flow)
        assert isinstance(outcome, SignedIn | SignInError)
        self.world.watch.finished_sign_in(self.pid, record, outcome)

    def _sign_out(self) -> Steps[None]:
        before = self.memory.record
        outcome = yield from self.drive(Revocation(provider=CODEX))
        if not isinstance(outcome, SignInError):
            self.memory = Memory(policy=POLICY, jitter=self.jitter)
            if before is not None:
                self.known_dead.add(before.credential.access_token.fingerprint())

    # -- what a token source does -----------------------------------------------------------------------

    def _token(self, rejected: Secret[str] | None) -> Steps[Record | SignInError]:
        """As `TokenSource._record`: one thread, so that a renewal in the background is waited for."""
        memory = self.memory
        while True:
            step = memory.step(rejected, self.world.now, self.wall)
            if memory.record is not None and step is Step.USE:
                return memory.record
            refused = memory.begin(rejected, self.world.now)
            landing = yield from self._renew(refused)
            memory.learn(landing, self.world.now)
            outcome = landing.outcome
            if isinstance(outcome, SignInError):
                return outcome
            if (
                rejected is None
                or landing.rejected is not None
                or outcome.record.credential.access_token != rejected
            ):
                return outcome.record

    def _renew(self, rejected: Secret[str] | None) -> Steps[Landing]:
        """As `Renewer.renew`."""
        yield self.pause()
        stored = self.world.disk.main
        seen = Seen(ACCOUNT, None if stored is None else stored.fingerprint)
        failure = self.memory.failure
        if failure is not None and failure.seen == seen and self.world.now < failure.until:
            return Landing(failure.error, seen, rejected, recalled=True)
        known = self.memory.record
        flow = Renewal(rejected=rejected, policy=POLICY, jitter=self.jitter, known=known, keep_saving=True)
        outcome = yield from self.drive(flow)
        assert isinstance(outcome, Renewed | Adopted | NotRenewed | SignInError)
        return Landing(outcome, seen, rejected)

    # -- what a driver does -----------------------------------------------------------------------------

    def drive(self, flow: _Machine) -> Steps[object]:
        """Drive a machine to its end, and give the lock back."""
        began, paused, disk, count = self.world.now, self.paused_for, self.waited_for_disk, 0
        self.flow = flow
        effect = flow.receive(Started(self.world.now, self.wall))
        while not isinstance(effect, Finished):
            count += 1
            self.effect = effect
            event = yield from self._perform(effect, count)
            self._tell(event)
            effect = flow.receive(event)
        if self.slot.held is not None:
            raise Violation(f"6: {type(flow).__name__} of process {self.pid} ended with the lock held")
        took = self.world.now - began - (self.paused_for - paused) - (self.waited_for_disk - disk)
        self.world.effects += count
        self.world.watch.finished(
            self.pid, type(flow).__name__, took, count, (_LIMITS[type(flow)], MOST_EFFECTS)
        )
        self._end(flow, effect.outcome)
        return effect.outcome

    def _perform(self, effect: Effect, count: int) -> Steps[Event]:
        match effect:
            case SendRequest():
                return (yield from self._send(effect))
            case Wait():
                stretched = 0.1 * count if effect.why is Why.QUEUED else 0.0  # later is harmless
                seconds = max(0.0, effect.until - self.world.now) + min(2.0, stretched)
                if effect.why is Why.SAVING:  # a thread of its own does that, for nobody
                    self.waited_for_disk += seconds
                yield seconds
                return TimeReached(self.world.now)
            case Finished():
                raise AssertionError("nothing is left to perform")
            case _:
                return (yield from self._store(effect))

    def _store(self, effect: StorageEffect) -> Steps[Event]:
        if isinstance(effect, Release) and self.attempt is not None:
            self.attempt.ended = True
        answer = yield from self.slot.perform(effect)
        if isinstance(answer, Saved | Conflict) and self.attempt is not None:
            self.attempt.unsaved = answer == Conflict(None)
        if isinstance(answer, StoreFailed) and isinstance(effect, Save) and self.attempt is not None:
            self.attempt.unsaved = not answer.rescued
            self.unsaved = True
            self.known_dead.clear()
        kept = isinstance(answer, Rescued) or (isinstance(answer, StoreFailed) and answer.rescued)
        if kept and isinstance(self.flow, FinishSignIn):
            self.world.watch.deposited(self.flow.record)
        return StoreAnswered(self.world.now, self.wall, answer)

    def _send(self, effect: SendRequest) -> Steps[Event]:
        world, attempt = self.world, None
        if self.slot.held is not None and not self.slot.sending():
            return RequestFailed(world.now, Phase.NOT_SENT, Cause.TIMEOUT)
        if isinstance(self.flow, FinishSignIn):
            token = json.loads(effect.request.body.reveal())["token"]
            granted = self.flow.state is State.REVOKING_GRANTED
            world.watch.ending(self.pid, self.flow.record, Secret(token).fingerprint(), granted=granted)
        yield self.pause()  # it connects
        if effect.write_by is not None and world.now > effect.write_by:
            return RequestFailed(world.now, Phase.NOT_SENT, Cause.TIMEOUT)
        if isinstance(self.flow, Renewal):
            token = self.flow._held_record().fingerprint
            intact = self.slot.held is not None and self.slot.is_intact()
            attempt = self.attempt = world.watch.sending(
                self.pid, token, world.now, intact=intact, wished=self.flow.forced
            )
        trip = world.send(effect.request, effect.timeout, attempt)
        self.waits_for_answer = trip.arrives and trip.mishap is None
        yield trip.duration
        self.waits_for_answer = False
        if attempt is not None:
            attempt.lost = trip.is_lost
        return trip.event(world.now, self.wall)

    def _tell(self, event: Event) -> None:
        if self.world.trace is not None and self.effect is not None:
            line = told(self.effect, event, self.world.server.labels)
            self.world.trace.append(f"{self.world.now:12.4f}  p{self.pid}  {line}")

    def _end(self, flow: _Machine, outcome: object) -> None:
        if self.world.trace is not None:
            self.world.trace.append(
                f"{self.world.now:12.4f}  p{self.pid}  {type(flow).__name__} ends: {told(outcome, None, self.world.server.labels)}"
            )
        attempt, self.attempt, self.flow, self.effect = self.attempt, None, None, None
        error = outcome.error if isinstance(outcome, NotRenewed) else outcome
        if attempt is None or attempt.excused is not Excuse.CRASH or not isinstance(error, SignInError):
            return
        if error.kind is ErrorKind.LOGIN_REQUIRED:
            self.world.watch.told_of_a_crash(attempt, error)

    # -- Owner ------------------------------------------------------------------------------------------

    @property
    def wall(self) -> float:
        """Unix time by the process's clock."""
        return WALL + self.world.now + self.skew

    @property
    def instant(self) -> float:
        """Seconds on a clock that counts suspended time."""
        return self.world.now

    def pause(self) -> float:
        """How long the next step takes."""
        return self.world.pace()

    def strikes(self, what: str) -> bool:
        """Whether a storage fault of this name happens now, once."""
        if not self.errors[what]:
            return False
        self.errors[what] -= 1
        self.world.injected[what] += 1
        return True

    def is_alive(self, pid: int) -> bool:
        """Whether a process runs, stopped ones included."""
        return pid in self.world.alive

    def staged(self, record: Record) -> None:
        """A complete copy of `record` is on the disk, not yet in its place."""
        if self.attempt is not None and record.parent == self.attempt.token:
            self.attempt.staged = True

    def holds(self, *, taken: bool) -> None:
        """The lock was taken or given back."""
        if taken:
            self._locked_at, self._paused_before = self.world.now, self.paused_for
            self._disk_before = self.waited_for_disk
            return
        paused = self.paused_for - self._paused_before + self.waited_for_disk - self._disk_before
        self.world.watch.held(self.pid, self.world.now - self._locked_at - paused)

    def deletes(self) -> None:
        """What is stored is about to be removed."""
        self.world.disk.hidden = None  # a file that comes back after a logout is not ours to judge
        if self.world.disk.main is None:
            self.world.watch.signed_out = True
        if isinstance(self.flow, Revocation):
            self.world.watch.deleting(self.pid)

    def die(self) -> None:
        """SIGKILL, or the power: the kernel frees the locks, and the files stay as they are."""
        self.world.alive.discard(self.pid)
        self.world.disk.died(self.pid)
        self.world.watch.died(self.pid)
