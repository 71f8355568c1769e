"""What must hold in every run, whatever befalls it; it is checked as things happen.

Rules of this file: it only looks; a rule that is broken raises `Violation`, at once. Where a rule cannot hold
(a crash between send and save, an answer that was lost), the reason must be one that really befell that
very refresh token; it is named and counted. The numbers are those of the rules in `docs/reliability.md`.

1 the authority sees no refresh token twice   2 nor are two requests with one under way at once
3 no process uses a token that it knows to be dead   4 the newest login stays   5 everybody ends with a working
token or one true reason   6 nobody holds the lock, waits or asks for too long   7 a granted login is stored and in
use, or ended, or it is told that it is neither; one that is stored is not ended for its sign-in   8 what is kept under
a former name is removed only for a sign-in of the very same person that is stored and in use; nobody's login is replaced
by, renewed for or ended for another's, but by a release that knows no people
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Final

import attrs

from codex_oauth_core import Record, SignedIn, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.simulation.disk import Disk, Home
from tests.simulation.server import ACCOUNT, Server

__all__ = ["Attempt", "Excuse", "Violation", "Watch"]

LONGEST_HOLD: Final = INTENT_LIFE
MOST_REQUESTS: Final = 9
"""Refreshes that one process may send in a minute."""
_MINUTE: Final = 60.0
_A_MOMENT: Final = 1.0  # seconds for which the end of an operation may last after its last judgement


class Violation(AssertionError):
    """A rule was broken. `seed` is known to whoever ran it."""


@unique
class Excuse(StrEnum):
    """Why a refresh token was presented twice, or a login was lost, and nobody could help it."""

    CRASH = "crash between send and save"
    LOST_REPLY = "lost reply"
    STORAGE = "failed storage"
    LOCK_REMOVED = "lock file removed"
    SERVER = "revoked by the server"
    LOGOUT = "revoked by a logout that was interrupted"


@attrs.define(eq=False)
class Attempt:
    """One refresh request, and what became of its answer."""

    pid: int
    token: str = attrs.field(repr=False)
    """The fingerprint of the refresh token."""
    at: float
    doubt: bool
    """The sender knew that the token may have been spent before."""
    granted: bool = False
    excused: Excuse | None = None
    """Why its token had been presented before."""
    ended: bool = False
    lost: bool = False
    crashed: bool = False
    staged: bool = False
    stored: bool = False
    unsaved: bool = False
    unlocked: bool = False
    """The lock's file was removed while it was held for this."""

    def excuse(self, *, doubt: bool) -> Excuse | None:
        """Why its token may be presented once more, by somebody who is in doubt or not."""
        if self.unlocked:
            return Excuse.LOCK_REMOVED
        if self.unsaved and (self.crashed or not self.staged):  # what was staged is saved later, or rescued
            return Excuse.STORAGE
        if not doubt:
            return None
        if self.crashed and not self.staged:
            return Excuse.CRASH
        return Excuse.LOST_REPLY if self.lost else None


@attrs.define(eq=False)
class Watch:
    """The rules of one run."""

    home: Home
    server: Server
    earlier: set[int] = attrs.field(factory=set[int])
    """Processes of a release that knows account ids only."""
    duplicates: Counter[Excuse] = attrs.field(factory=Counter[Excuse])
    refreshes: int = 0
    interrupted: dict[str, int] = attrs.field(factory=dict[str, int])
    """Who was killed after it had sent a refresh token, and before an answer was stored, and whose mark is
    there still; by fingerprint.
    """
    _attempts: dict[str, list[Attempt]] = attrs.field(factory=dict[str, list[Attempt]])
    _sent: dict[int, list[float]] = attrs.field(factory=dict[int, list[float]])
    _begun: dict[int, int] = attrs.field(factory=dict[int, int])
    _deposited: dict[int, int] = attrs.field(factory=dict[int, int])
    """When each sign-in began to be stored, and when it was, by the number of its family."""
    _where: dict[int, str] = attrs.field(factory=dict[int, str])
    """The name under which each sign-in was stored first."""
    _selected: set[int] = attrs.field(factory=set[int])
    """The sign-ins that were put in use."""
    _of_earlier: set[int] = attrs.field(factory=set[int])
    """The sign-ins of processes that know account ids only."""
    had: set[str] = attrs.field(factory=set[str])
    """The people who had a login here."""
    gone: set[str] = attrs.field(factory=set[str])
    """The people who have signed out, or whose login had to make room for another's of an earlier release, in its
    place or beside it.
    """
    _selected_by: int = 0
    _ended: set[int] = attrs.field(factory=set[int])
    _leaving: set[int] = attrs.field(factory=set[int])
    _superseding: dict[int, Record] = attrs.field(factory=dict[int, Record])
    """Who removes what is kept under a former name, and for which sign-in."""
    _robbed: set[int] = attrs.field(factory=set[int])
    """Who held the lock when its file was removed."""
    _tampered: bool = False
    """Something newer was overwritten because of that."""

    # -- rules 1 and 2 ----------------------------------------------------------------------------------

    def sending(
        self, pid: int, disk: Disk, token: str, at: float, *, intact: bool, wished: bool = False
    ) -> Attempt:
        """A process begins a refresh request, under a lock that is `intact` or lost. `wished`: a person asked
        for it, and may do so as often as he likes.
        """
        if not wished:
            self._check_rate(pid, at)
        marked = disk.main or disk.hidden
        ours = marked is not None and marked.intent is not None and marked.intent.pid == pid
        ours = ours and marked is not None and marked.fingerprint == token
        if intact and not ours and not self._robbed:
            raise Violation(f"1: process {pid} sends {self._name(token)} before its intent is on the disk")
        doubt = marked is not None and marked.uncertain_at is not None
        attempt = Attempt(pid, token, at, doubt, unlocked=not intact)
        earlier = self._attempts.setdefault(token, [])
        for other in earlier:
            if not other.ended and not other.crashed and not (other.unlocked or attempt.unlocked):
                raise Violation(f"2: processes {other.pid} and {pid} both refresh {self._name(token)}")
        earlier.append(attempt)
        return attempt

    def arriving(self, attempt: Attempt) -> None:
        """A refresh request reaches the authority, and is acted upon."""
        self.refreshes += 1
        before = next((other for other in self._attempts[attempt.token] if other.granted), None)
        attempt.granted = True
        if before is None:
            return
        excuse = before.excuse(doubt=attempt.doubt) or attempt.excuse(doubt=attempt.doubt)
        if excuse is None and self._tampered:
            excuse = Excuse.LOCK_REMOVED
        if excuse is None:
            raise Violation(f"1: process {attempt.pid} sends {self._name(attempt.token)} again: {before}")
        attempt.excused = excuse
        self.duplicates[excuse] += 1
        self.server.dies(self.server.family_of(attempt.token), excuse)

    def _check_rate(self, pid: int, at: float) -> None:
        sent = self._sent.setdefault(pid, [])
        sent.append(at)
        if len(sent) > MOST_REQUESTS and at - sent[-MOST_REQUESTS - 1] < _MINUTE:
            raise Violation(f"6: process {pid} sends more than {MOST_REQUESTS} refreshes in a minute")

    # -- rule 3 -----------------------------------------------------------------------------------------

    def using(self, pid: int, record: Record, wall: float, dead: set[str], person: str | None) -> None:
        """A process uses an access token; `dead` are those that it knows to be. `person`: whose it asks for."""
        if person not in (None, self.server.person_of(record.fingerprint)):
            raise Violation(f"8: process {pid} uses a token of somebody else than {person}")
        credential = record.credential
        if credential.expires_at is not None and credential.expires_at / 1000 + _A_MOMENT < wall:
            raise Violation(f"3: process {pid} uses an expired token")
        if credential.access_token.fingerprint() in dead:
            raise Violation(f"3: process {pid} uses a token that it knows to be dead")

    # -- rule 4 -----------------------------------------------------------------------------------------

    def begins(self, pid: int) -> None:
        """A process begins something else."""
        self._leaving.discard(pid)
        self._superseding.pop(pid, None)

    def depositing(self, pid: int, record: Record) -> None:
        """A process begins to store a new sign-in."""
        number = self.server.family_of(record.fingerprint)
        self._begun[number] = len(self._begun) + len(self._deposited)
        if pid in self.earlier:
            self._of_earlier.add(number)

    def deposited(self, record: Record, name: str) -> None:
        """A new sign-in is on the disk, in its place or beside it."""
        number = self.server.family_of(record.fingerprint)
        if number in self._deposited:  # an intent was taken back
            return
        self._deposited[number] = len(self._begun) + len(self._deposited)
        self._where[number] = name
        self.had.add(self.server.person_of(record.fingerprint))
        self.gone.discard(self.server.person_of(record.fingerprint))

    def deleting(self, pid: int, disk: Disk) -> None:
        """A logout begins to remove what is stored."""
        self._ended |= {number for number in self._deposited if self._where[number] == disk.name}
        self._leaving.add(pid)
        for record in (disk.main, disk.hidden):
            if record is not None:
                self.gone.add(self.server.person_of(record.fingerprint))

    def changed(self, pid: int, disk: Disk, old: Record | None, new: Record | None) -> None:
        """A login was replaced or removed."""
        if new is None:
            if pid not in self._leaving:
                self._check_superseded(pid, disk, old)
            return
        number = self.server.family_of(new.fingerprint)
        if new.parent is None and new.intent is None and new.generation == 0:
            self.deposited(new, disk.name)
        if (before := old or disk.hidden) is not None:
            self._check_person(pid, disk, before, new)
        tampers = self._is_tampering(pid, old, new)
        if old is None and number in self._ended and not tampers:
            raise Violation(f"4: process {pid} brings back {self._name(new.fingerprint)} after a logout")
        if old is not None and self._is_older(new, old) and not tampers:
            told = f"{self._name(old.fingerprint)} by {self._name(new.fingerprint)}"
            raise Violation(f"4: process {pid} replaces {told}")
        overwrites = old is not None and old.intent is not None and old.intent != new.intent
        if overwrites and new.uncertain_at is not None:
            self.interrupted.pop(new.fingerprint, None)  # the next holder's mark, or none; the doubt is left
        for attempts in self._attempts.values():
            if attempts[-1].pid == pid and new.parent == attempts[-1].token:
                attempts[-1].stored = True

    # -- rule 8 -----------------------------------------------------------------------------------------

    def selects(self, pid: int, record: Record) -> None:
        """A process has put its sign-in in use."""
        self._selected.add(self.server.family_of(record.fingerprint))
        self._selected_by = pid

    @property
    def is_selected_by_earlier(self) -> bool:
        """Whether a process that knows account ids only has said which login is in use."""
        return self._selected_by in self.earlier

    def superseding(self, pid: int, record: Record) -> None:
        """A process begins to remove what is kept under a former name, for a sign-in of its own."""
        self._superseding[pid] = record

    def kept_beside(self, pid: int, record: Record) -> None:
        """A sign-in that could not wait is kept beside the login that its key names, and no other."""
        beside = _kept_in([self.home.place(record.credential.key)])
        if pid not in self.earlier and record.fingerprint not in {each.fingerprint for each in beside}:
            raise Violation(f"8: process {pid} keeps {self._name(record.fingerprint)} beside another login")

    def has_looked_back(self, pid: int, before: Record | None, now: Record | None) -> None:
        """A sign-in that met nobody and no fault is over: what the same person had under the former name
        before and now.
        """
        if before is not None and now is not None and before.fingerprint == now.fingerprint:
            raise Violation(f"8: process {pid} leaves {self._name(now.fingerprint)} under its former name")

    def _check_superseded(self, pid: int, disk: Disk, old: Record | None) -> None:
        record = self._superseding.get(pid)
        if record is None or old is None:
            raise Violation(f"4: process {pid} removed the login, and nobody signed out")
        number, person = (
            self.server.family_of(record.fingerprint),
            self.server.person_of(record.fingerprint),
        )
        if self.server.person_of(old.fingerprint) != person:
            raise Violation(f"8: process {pid} removes somebody else's {self._name(old.fingerprint)}")
        if number not in self._deposited or number not in self._selected:
            raise Violation(
                f"8: process {pid} removes {self._name(old.fingerprint)} before the new login is in use"
            )
        if self.home.selected == disk.name and not self.is_selected_by_earlier:
            raise Violation(f"8: process {pid} removes the login in use")
        if person not in self.gone and not self._is_elsewhere(person, disk):
            raise Violation(f"8: process {pid} removes the last login of {person}")

    def _is_elsewhere(self, person: str, disk: Disk) -> bool:
        """Whether a login of that person is kept at another place, or beside it for whoever comes next."""
        others = [each for each in self.home.places.values() if each is not disk]
        return person in {self.server.person_of(each.fingerprint) for each in _kept_in(others)}

    def _check_person(self, pid: int, disk: Disk, old: Record, new: Record) -> None:
        """Nobody's login is replaced by another's, but by a release that has one place for all people."""
        before, after = (self.server.person_of(record.fingerprint) for record in (old, new))
        if before == after:
            return
        of_earlier = disk.name == ACCOUNT and self.server.family_of(new.fingerprint) in self._of_earlier
        if not of_earlier:
            raise Violation(
                f"8: process {pid} replaces {self._name(old.fingerprint)}, which is somebody else's"
            )
        self.gone.add(before)

    def dropped(self, pid: int, disk: Disk, record: Record, kept: Record) -> None:
        """A login that was kept beside was removed, because `kept` is worth more. Nobody's is for another's, but
        where a release that has one place for all people has put one of the two.
        """
        person = self.server.person_of(record.fingerprint)
        if person == self.server.person_of(kept.fingerprint):
            return
        numbers = {self.server.family_of(each.fingerprint) for each in (record, kept)}
        if disk.name != ACCOUNT or not numbers & self._of_earlier:
            raise Violation(f"8: process {pid} drops {self._name(record.fingerprint)} for somebody else's")
        if person not in {
            self.server.person_of(each.fingerprint) for each in _kept_in(self.home.places.values())
        }:
            self.gone.add(person)

    def _is_older(self, new: Record, old: Record) -> bool:
        ours, theirs = (self.server.family_of(record.fingerprint) for record in (new, old))
        if ours != theirs:  # of two that were stored at the same time, either may stay
            return self._deposited[ours] < self._begun.get(theirs, -1)
        return new.generation < old.generation

    def _is_tampering(self, pid: int, old: Record | None, new: Record) -> bool:
        """Whether a process marks its intent over what another has stored while both had the lock, because
        its file was removed: a save of the other falls between the last comparison and the mark.
        """
        if not self._robbed:
            return False
        marks = new.intent is not None and new.intent.pid == pid
        tampers = marks and (old is None or _marks(old) != _marks(new))
        # a mark that one of them could only put beside, of a login that was never renewed, is taken for a sign-in
        tampers |= old is not None and new.parent is None and old.parent == new.fingerprint
        self._tampered |= tampers
        return tampers

    # -- rule 5 -----------------------------------------------------------------------------------------

    def told_of_a_crash(self, attempt: Attempt, error: SignInError) -> None:
        """A login was found to be lost by a crash: the error names it (F2)."""
        pid = self.interrupted.get(attempt.token)
        if self._tampered or "code" not in error.details:  # without a code, somebody has signed out meanwhile
            return
        if "uncertain_at" not in error.details or pid not in (None, error.details.get("pid")):
            raise Violation(f"5: the loss by a crash of process {pid} is not named (F2): {error!r}")

    # -- rule 6 -----------------------------------------------------------------------------------------

    def held(self, pid: int, seconds: float) -> None:
        """The lock was given back after a hold of that many seconds, pauses not counted."""
        if seconds > LONGEST_HOLD:
            raise Violation(f"6: process {pid} held the lock for {seconds:.1f} s")

    def finished(self, pid: int, what: str, seconds: float, effects: int, limits: tuple[float, int]) -> None:
        """An operation ended, pauses not counted; `limits` are the most seconds and effects it may take."""
        if seconds > limits[0] or effects > limits[1]:
            raise Violation(f"6: {what} of process {pid} took {seconds:.1f} s and {effects} effects")

    # -- rule 7 -----------------------------------------------------------------------------------------

    def ending(self, pid: int, record: Record, token: str, *, granted: bool) -> None:
        """A sign-in is about to end the login that was `granted`, or else the one that it replaced."""
        number = self.server.family_of(record.fingerprint)
        if granted is not (self.server.family_of(token) == number):
            raise Violation(f"7: process {pid} ends {self._name(token)} in place of another login")
        if pid not in self.earlier and self.server.person_of(token) != self.server.person_of(
            record.fingerprint
        ):
            raise Violation(f"8: process {pid} ends {self._name(token)}, which is somebody else's")
        if granted and self._is_kept(record):
            raise Violation(f"7: process {pid} ends {self._name(token)}, which is stored")
        if not granted and number not in self._deposited:
            raise Violation(f"7: process {pid} ends the old login before the new one is stored")

    def finished_sign_in(self, pid: int, record: Record, outcome: SignedIn | SignInError) -> None:
        """A sign-in is over."""
        number = self.server.family_of(record.fingerprint)
        if isinstance(outcome, SignedIn):
            if number not in self._deposited or number not in self._selected:
                raise Violation(f"7: process {pid} is told that its login is stored and in use")
            return
        revoked = outcome.details.get("revoked")
        if revoked is not None and self._is_kept(record):
            raise Violation(f"7: process {pid} is told that its login is not stored, and it is")
        if revoked and not self.server.is_dead(number):
            raise Violation(f"7: process {pid} is told that its login has ended, and it lives")

    def _is_kept(self, record: Record) -> bool:
        """Whether a login, or its renewal, is stored, or beside for whoever comes next."""
        number = self.server.family_of(record.fingerprint)
        found = _kept_in(self.home.places.values())
        return number in {self.server.family_of(each.fingerprint) for each in found}

    # -- what befalls -----------------------------------------------------------------------------------

    def died(self, pid: int) -> None:
        """A process was killed."""
        for token, attempts in self._attempts.items():
            for attempt in attempts:
                if attempt.pid == pid and not (attempt.ended or attempt.stored):
                    attempt.crashed = True
                    self.interrupted[token] = pid

    def lock_removed(self, disk: Disk) -> None:
        """Somebody removed the lock's file."""
        holders = set(disk.holders.values())
        self._robbed |= holders
        for attempts in self._attempts.values():
            for attempt in attempts:
                if attempt.pid in holders and not attempt.ended:
                    attempt.unlocked = True

    def _name(self, token: str) -> str:
        return self.server.labels[token]


def _kept_in(places: Iterable[Disk]) -> list[Record]:
    """The logins at these places, taken away ones too, and those beside for whoever comes next."""
    found: list[Record | None] = []
    for disk in places:
        found += [disk.main, disk.hidden, *(copy.record for copy in disk.copies.values() if copy.rescued)]
    return [record for record in found if record is not None]


def _marks(record: Record) -> tuple[object, ...]:
    """All that a mark of an intent leaves as it was."""
    return record.fingerprint, record.dead_code, record.spent
