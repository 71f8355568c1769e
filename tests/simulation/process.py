"""One process: it signs in and out, and uses a token, as `TokenSource` and the command line do.

Rules of this file: what to do is decided by the real machines and by the real memory of a token source; here
effects are performed, one step at a time, and what happens is told to the watch. `Process.run` is the process:
a generator that yields how many seconds pass until its next step.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Final, assert_never

import attrs

from codex_oauth.stores.find import named_login
from codex_oauth.stores.store import Store
from codex_oauth.tokens.memory import Memory, Step
from codex_oauth.tokens.renewing import _MOST_PLACES, Landing, Renewer, Seen
from codex_oauth_core import (
    CODEX,
    Adopted,
    FinishSignIn,
    NotRenewed,
    Record,
    Renewal,
    Renewed,
    Revocation,
    Secret,
    SignedIn,
    SignInError,
)
from codex_oauth_core.flows.renewal_policy import not_signed_in
from codex_oauth_core.renewal_times import WAIT_EXPIRED
from tests.simulation.driver import POLICY, Driver
from tests.simulation.server import ACCOUNT, ANNA
from tests.simulation.slot import Steps, seen

__all__ = ["Ended", "Op", "Process"]

_HURRIED: Final = 0.2
"""Seconds that a sign-in waits for a lock which does not wait."""


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
class Process(Driver):
    """A process that does what its `program` says, each so many seconds after what was before. `account`: whose
    token it asks for, by user id; None for the login in use. `signs_in_as`: who signs in there. `hurried`: its
    sign-in does not wait for a lock.
    """

    program: Iterable[tuple[float, Op]] = ()
    jitter: float = 0.5
    account: str | None = None
    signs_in_as: str = ANNA
    hurried: bool = False
    outcome: Ended | SignInError | None = None
    """How its last call ended."""
    memory: Memory = attrs.field(init=False)
    bound_to: str | None = None
    """Whose login it had first."""
    asked_for: str | None = None
    """Whose login its last call wanted, if that was in vain."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.memory = Memory(policy=POLICY, jitter=self.jitter)

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
                found = yield from self._stored(known)
                if not isinstance(found, SignInError) and found[0] is not None:
                    flow = Renewal(forced=True, jitter=self.jitter, known=known, keep_saving=True)
                    yield from self.drive(flow, found[0])
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
        if self.bound_to is None:
            self.bound_to = self.world.server.person_of(record.fingerprint)
        if judged == (self.skew, self.paused_for):  # else time has leapt since it was looked at
            self.world.watch.using(self.pid, record, self.wall, self.known_dead, self.whose)
        yield 0.05
        return self.world.server.honours(access, self.world.now)

    def _sign_in(self) -> Steps[None]:
        """As `finish_sign_in`."""
        world = self.world
        record = world.server.sign_in(world.now, self.wall, self.signs_in_as, earlier=self.earlier)
        world.watch.depositing(self.pid, record)
        limit = _HURRIED if self.hurried else WAIT_EXPIRED
        flow = FinishSignIn(record=record, provider=CODEX, revoke_old=self.pid % 2 == 0, lock_limit=limit)
        self.busy = False
        before, faults = self._former_of(record), world.injected.total()
        outcome = yield from self.drive(flow, self.place_of_sign_in(record))
        if isinstance(outcome, SignedIn) and not (
            self.earlier or self.busy or faults or world.injected.total()
        ):
            world.watch.has_looked_back(self.pid, before, self._former_of(record))
        assert isinstance(outcome, SignedIn | SignInError)
        self.world.watch.finished_sign_in(self.pid, record, outcome)

    def _former_of(self, record: Record) -> Record | None:
        """What the same person has under the former name, unless something newer is beside it."""
        place, server = self.world.home.place(ACCOUNT), self.world.server
        found = None if any(copy.rescued for copy in place.copies.values()) else place.main
        same = found and server.person_of(found.fingerprint) == server.person_of(record.fingerprint)
        return found if same else None

    def _sign_out(self) -> Steps[None]:
        """As `codex-oauth logout`."""
        before = self.memory.record
        place = yield from self._chosen()
        if place is None:
            return
        disk, server = self.world.home.place(place), self.world.server
        ended = disk.main or disk.hidden
        outcome = yield from self.drive(Revocation(provider=CODEX), place)
        if isinstance(outcome, SignInError) or ended is None:
            return
        self.world.watch.gone.add(server.person_of(ended.fingerprint))
        if before is None or server.family_of(before.fingerprint) == server.family_of(ended.fingerprint):
            self.memory, self.bound_to = Memory(policy=POLICY, jitter=self.jitter), None
            if before is not None:
                self.known_dead.add(before.credential.access_token.fingerprint())

    def _chosen(self) -> Steps[str | None]:
        """The name of the login that is meant; None if there is none."""
        account = self.account
        if self.earlier:
            return ACCOUNT
        try:
            return (
                yield from seen(
                    self.world.home,
                    self,
                    lambda store: store.current() if account is None else named_login(store, account).place,
                )
            )
        except SignInError:
            return None

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
                self.asked_for = self.whose
                self.bound_to = self.bound_to if memory.record else None  # who was told so begins anew
                return outcome
            if (
                rejected is None
                or landing.rejected is not None
                or outcome.record.credential.access_token != rejected
            ):
                return outcome.record

    def _renew(self, rejected: Secret[str] | None) -> Steps[Landing]:
        """As `Renewer._renewed`: once more, if the login was at another place at the end."""
        landing = Landing(not_signed_in(), Seen(None, None), rejected)
        known = self.memory.record
        for _ in range(_MOST_PLACES):
            found = yield from self._stored(known)
            if isinstance(found, SignInError):
                return Landing(found, Seen(None, None), rejected)
            landing = yield from self._renew_at(*found, known, rejected)
            known = known or found[1]
            if known is None or not (yield from self._has_moved(landing, known)):
                break
        return landing

    def _has_moved(self, landing: Landing, had: Record) -> Steps[bool]:
        if self.earlier:
            return False
        return (
            yield from seen(self.world.home, self, lambda store: self._renewer(store).has_moved(landing, had))
        )

    def _renew_at(
        self, place: str | None, stored: Record | None, known: Record | None, rejected: Secret[str] | None
    ) -> Steps[Landing]:
        began = Seen(place, None if stored is None else stored.fingerprint)
        failure = self.memory.failure
        if failure is not None and failure.seen == began and self.world.now < failure.until:
            return Landing(failure.error, began, rejected, recalled=True)
        if place is None:
            return Landing(not_signed_in(), began, rejected)
        flow = Renewal(rejected=rejected, policy=POLICY, jitter=self.jitter, known=known, keep_saving=True)
        outcome = yield from self.drive(flow, place)
        assert isinstance(outcome, Renewed | Adopted | NotRenewed | SignInError)
        return Landing(outcome, began, rejected)

    def _stored(self, known: Record | None) -> Steps[tuple[str | None, Record | None] | SignInError]:
        """Where the login is kept, and what is there, by the real look of a token source."""
        if self.earlier:
            yield self.pause()
            return ACCOUNT, self.world.home.place(ACCOUNT).main
        try:
            return (yield from seen(self.world.home, self, lambda store: self._renewer(store)._stored(known)))
        except SignInError as error:
            return error

    def _renewer(self, store: Store) -> Renewer:
        return Renewer(
            store=store,
            account=self.account,
            provider=CODEX,
            policy=POLICY,
            now=lambda: (self.world.now, self.wall),
        )

    @property
    def whose(self) -> str | None:
        """Whose token it must be: of whom it asks for, or of whom it had one. An earlier release does not care."""
        return None if self.earlier else self.account or self.bound_to

    def learns(self, record: Record) -> None:
        """It has got a login; from then on it is about that person."""
        self.memory.record = record
        self.bound_to = self.bound_to or self.world.server.person_of(record.fingerprint)
