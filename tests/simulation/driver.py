"""How a process drives a machine: each effect is performed step by step, and what happens is told to the watch.

Rules of this file: nothing is decided here; a `yield` is a point at which others go on, or the process is killed.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

import attrs

from codex_oauth_core import (
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
    RequestFailed,
    Revocation,
    Secret,
    SendRequest,
    SignInError,
    Started,
    StoreAnswered,
    TimeReached,
    Wait,
    Why,
)
from codex_oauth_core.flows.finish_sign_in import State
from codex_oauth_core.renewal_times import INTENT_LIFE, REVOKE_WITHIN, WAIT_EXPIRED
from codex_oauth_core.storage import (
    Conflict,
    LockBusy,
    Release,
    Rescued,
    Save,
    Saved,
    StorageEffect,
    StoreFailed,
)
from tests.simulation.invariants import Attempt, Excuse, Violation
from tests.simulation.server import ACCOUNT, WALL
from tests.simulation.slot import Slot, Steps
from tests.simulation.trace import told
from tests.simulation.world import World

__all__ = ["POLICY", "Driver", "Machine"]

POLICY: Final = RenewalPolicy()
MOST_EFFECTS: Final = 900
"""Effects of one operation; a wait of 210 s for a lock takes about 400, because polls are stretched."""
_LIMITS: Final = {
    Renewal: POLICY.expired_lock_limit + POLICY.retry_limit + INTENT_LIFE + 3.0,
    FinishSignIn: WAIT_EXPIRED + REVOKE_WITHIN + 3.0,
    Revocation: WAIT_EXPIRED + 2 * REVOKE_WITHIN + 3.0,
}
"""Seconds that an operation may take: its wait for the lock, its requests, and its steps."""

Machine = Renewal | FinishSignIn | Revocation


@attrs.define(eq=False)
class Driver:
    """A process with the id `pid`. `earlier`: it is of a release that knows account ids only, and no people. `skew`
    is its wall clock less the true one, in seconds.
    """

    world: World
    pid: int
    earlier: bool = False
    skew: float = 0.0
    paused_until: float = 0.0
    paused_for: float = 0.0
    errors: Counter[str] = attrs.field(factory=Counter[str])
    """Storage faults that are to come."""
    known_dead: set[str] = attrs.field(factory=set[str])
    looks: list[object] = attrs.field(factory=list[object])
    busy: bool = False
    """Its sign-in has met a lock that was held."""
    unsaved: bool = False
    """It has got what it could not store: the older token that is stored may come back to it."""
    slot: Slot = attrs.field(init=False)
    flow: Machine | None = None
    attempt: Attempt | None = None
    waited_for_disk: float = 0.0
    waits_for_answer: bool = False
    effect: Effect | None = None
    _locked_at: float = 0.0
    _paused_before: float = 0.0
    _disk_before: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.slot = Slot(self.world.home, self, self.world.home.place(ACCOUNT), earlier=self.earlier)
        if self.earlier:
            self.world.watch.earlier.add(self.pid)
        self.world.alive.add(self.pid)

    def place_of_sign_in(self, record: Record) -> str:
        """Under which name this release stores a sign-in."""
        return ACCOUNT if self.earlier else record.credential.key

    def drive(self, flow: Machine, place: str) -> Steps[object]:
        """Drive a machine at the login with that name to its end, and give the lock back."""
        self.slot.disk = self.world.home.place(place)
        self.world.watch.begins(self.pid)
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
        self.busy = self.busy or isinstance(answer, LockBusy)
        if isinstance(answer, Saved | Conflict) and self.attempt is not None:
            self.attempt.unsaved = answer == Conflict(None)
        if isinstance(answer, StoreFailed) and isinstance(effect, Save) and self.attempt is not None:
            self.attempt.unsaved = not answer.rescued
            self.unsaved = True
            self.known_dead.clear()
        kept = isinstance(answer, Rescued) or (isinstance(answer, StoreFailed) and answer.rescued)
        if isinstance(answer, Rescued) and isinstance(self.flow, FinishSignIn):
            self.world.watch.kept_beside(self.pid, self.flow.record)
        if kept and isinstance(self.flow, FinishSignIn):
            self.world.watch.deposited(self.flow.record, self.place_of_sign_in(self.flow.record))
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
                self.pid, self.slot.disk, token, world.now, intact=intact, wished=self.flow.forced
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
            self.world.trace.append(f"{self.world.now:12.4f}  {self._told}  {line}")

    @property
    def _told(self) -> str:
        """Who it is, and the place that it is at."""
        former = self.slot.disk.name == ACCOUNT
        return f"p{self.pid}{'*' if self.earlier else ''}{' (former name)' if former else ''}"

    def _end(self, flow: Machine, outcome: object) -> None:
        if self.world.trace is not None:
            self.world.trace.append(
                f"{self.world.now:12.4f}  {self._told}  {type(flow).__name__} ends: {told(outcome, None, self.world.server.labels)}"
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
        disk, flow = self.slot.disk, self.flow
        if isinstance(flow, Revocation):
            self.world.watch.deleting(self.pid, disk)
        elif isinstance(flow, FinishSignIn):
            self.world.watch.superseding(self.pid, flow.record)
        disk.hidden = None  # a file that comes back after a logout is not ours to judge

    def drops(self, record: Record, kept: Record) -> None:
        """A login that was kept beside is removed, because `kept` is worth more."""
        self.world.watch.dropped(self.pid, self.slot.disk, record, kept)

    def selects(self) -> None:
        """The login is the one in use."""
        if isinstance(self.flow, FinishSignIn):
            self.world.watch.selects(self.pid, self.flow.record)

    def die(self) -> None:
        """SIGKILL, or the power: the kernel frees the locks, and the files stay as they are."""
        self.world.alive.discard(self.pid)
        self.world.home.died(self.pid)
        self.world.watch.died(self.pid)
