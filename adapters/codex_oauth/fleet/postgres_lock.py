"""The lock of a login in PostgreSQL, held: what may be done with its row, and in which order.

Rules of this file: whoever reserves has the login until nobody can believe his intent any more; what is
stored is compared by its fingerprint alone, so that an answer that was paid for is stored even by who lost
the lock meanwhile; a hold's own name is drawn, so that a late statement of an earlier hold changes nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import attrs

from codex_oauth.clock import now
from codex_oauth.fleet import rows
from codex_oauth.fleet.database import STATEMENT_WITHIN, Database
from codex_oauth.fleet.rows import Found, LoginRow
from codex_oauth.fleet.spool import Spool
from codex_oauth.stores.locks import our_intent
from codex_oauth.stores.login_file import NEVER_PUT_ASIDE
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Record
from codex_oauth_core.renewal_times import SEND_BY

__all__ = ["PostgresLockedLogin", "Unsure", "note_unanswered"]

_READ: Final = ErrorKind.AUTH_READ_FAILED
_WRITE: Final = ErrorKind.AUTH_WRITE_FAILED


UNSURE_FOR: Final = 2.0 * STATEMENT_WITHIN
"""Seconds after which a statement that nobody answered is done, or never will be."""


@attrs.frozen
class Unsure:
    """A sign-in that may be stored although its storing failed, at the instant `since`: nobody answered."""

    record: Record
    since: float

    def may_still_come(self, found: Found) -> bool:
        """Whether a look that found this says nothing yet."""
        here = [found.stored, *found.rescued.values()]
        is_there = any(isinstance(each, Record) and _but_for_intents(each, self.record) for each in here)
        return not is_there and now()[0] - self.since < UNSURE_FOR


def note_unanswered(unsure: dict[str, Unsure], key: str, record: Record, error: SignInError) -> None:
    """Remember a sign-in that may be stored all the same: nobody who looks may find that it is not, for what
    is not stored is revoked.
    """
    if record.parent is None and error.details.get("unanswered"):
        unsure[key] = Unsure(record, now()[0])


class PostgresLockedLogin:
    """The lock of one login of a `PostgresStore`. Get it from `PostgresSlot.lock`."""

    __slots__ = (
        "_before",
        "_database",
        "_expected",
        "_found",
        "_free",
        "_may_take_back",
        "_me",
        "_pid",
        "_problem",
        "_reserving_since",
        "_row",
        "_spool",
        "_unsure",
        "_untouched",
    )

    def __init__(
        self,
        database: Database,
        row: LoginRow,
        spool: Spool | None,
        *,
        me: str,
        found: Found,
        unsure: dict[str, Unsure],
    ) -> None:
        self._database = database
        self._row = row
        self._spool = spool
        self._me = me
        self._found = found
        self._unsure = unsure
        self._pid = os.getpid()
        self._free = False
        self._untouched = True
        self._before = found.stored.intent if isinstance(found.stored, Record) else None
        self._may_take_back = True
        self._problem: SignInError | None = None
        self._expected: str | None = None
        self._reserving_since: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is not None and self._expected is not None:
            self._may_take_back = False  # nobody says whether the refresh token was sent: the doubt stays
        self.release()

    def _run(self, statement: str, *, durable: bool = True, **values: Any) -> list[tuple[Any, ...]]:
        return self._database.run(
            _WRITE, statement, {**self._row.where, "me": self._me, **values}, durable=durable
        )

    def _must_hold(self) -> None:
        if self._free or self._pid != os.getpid():
            raise self._row.error(_WRITE, "lock_lost")

    def settle(self) -> None:
        """Put what was left beside in its place, or drop it, by the look by which the lock was taken.

        Raises SignInError: `lock_lost` if the lease is another's already.
        """
        found, spooled = self._found, None if self._spool is None else self._spool.read(self._row)
        if spooled is not None:
            found = found.with_copy(_SPOOLED, spooled)
        if not found.rescued:
            return
        self._problem = found.doubt  # it may be the login: it must be read before anything is reserved
        if self._problem is not None:
            return
        ids, best = [name for name in found.rescued if name != _SPOOLED], found.best
        if best is not None:
            self._adopt(best, found, ids)
        elif isinstance(found.stored, Record):
            self._run(rows.DROP_RESCUED, ids=ids)
        # where nothing is stored, a renewal stays that was rescued: what it was exchanged for may come
        self._found = Found(None, True, found.stored if best is None else best, {})
        self._unspooled()

    def _adopt(self, best: Record, found: Found, ids: list[str]) -> None:
        expected = found.stored.fingerprint if isinstance(found.stored, Record) else None
        values: dict[str, Any] = {**self._row.values(best), "expected": expected, "corrupt": None, "ids": ids}
        if isinstance(found.stored, SignInError):
            values["corrupt"] = found.body
        if not self._run(rows.ADOPT, **values):
            raise self._row.error(_WRITE, "lock_lost")

    def load(self) -> Record | None:
        """See `LockedLogin.load`."""
        if self._free or self._pid != os.getpid():
            raise self._row.error(_READ, "lock_lost")
        if self._problem is not None:
            raise self._problem
        if not self._untouched:
            self._found = self._look()
            self._untouched = True
        if isinstance(self._found.stored, SignInError):
            raise self._found.stored
        return self._found.stored

    def _look(self) -> Found:
        (row,) = self._run(rows.LOAD, durable=False)
        return self._row.found(row)

    # -- before the refresh token is spent -----------------------------------------------------------------

    def reserve(self, record: Record) -> None:
        """See `LockedLogin.reserve`."""
        self._reserving_since, self._expected = None, None
        asked_at, _ = now()
        self._must_hold()
        self._row.check(record)
        if self._problem is not None:
            raise self._problem
        self._row.values(record)  # what is renewed can be sealed, too
        intent = our_intent(self._me)
        self._untouched = False
        expected = record.fingerprint
        if not self._run(rows.RESERVE, expected=expected, pid=intent.pid, host=intent.host):
            found = self._look()
            raise self._row.error(_WRITE, "changed" if found.is_ours else "lock_lost")
        self._expected, self._reserving_since = expected, asked_at
        self._may_take_back = True

    def sending(self) -> bool:
        """See `LockedLogin.sending`: this process's clock, and then the database."""
        since = self._reserving_since
        if since is None or self._free or self._pid != os.getpid() or now()[0] - since > SEND_BY:
            return False
        try:
            return bool(self._run(rows.SENDING, durable=False, expected=self._expected))
        except SignInError:
            return False

    # -- after it --------------------------------------------------------------------------------------------

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        """See `LockedLogin.save`. The lock need not be ours any more: what is stored is compared."""
        self._row.check(record)
        self._untouched = False
        try:
            self._must_hold()
            values = {**self._row.values(record), "expected": expected}
            self._spooled(record, expected)
            answer = self._saved(record, values, expected, replace_corrupt=replace_corrupt)
        except SignInError as error:
            self._may_take_back = False  # the refresh token may be spent
            note_unanswered(self._unsure, self._row.key, record, error)
            raise SaveFailed(error) from None
        if isinstance(answer, Saved):
            self._before = None
            self._expected = self._reserving_since = None
        self._unspooled()
        return answer

    def _saved(
        self, record: Record, values: dict[str, Any], expected: str | None, *, replace_corrupt: bool
    ) -> Saved | Conflict:
        if expected is None:
            statement = rows.SAVE_FIRST
        else:
            statement = rows.SAVE if record.intent is None else rows.SAVE_MARKED
        if self._run(statement, **values):
            return Saved()
        found = self._look()
        stored = found.stored
        if isinstance(stored, Record) and _but_for_intents(stored, record):
            return Saved()  # the answer to an earlier save was lost
        if isinstance(stored, SignInError):
            if not (replace_corrupt and stored.kind is ErrorKind.CORRUPT_AUTH and found.body is not None):
                raise stored
            if stored.details.get("reason") in NEVER_PUT_ASIDE:
                raise stored
            if not self._run(rows.REPLACE, **values, corrupt=found.body):
                raise self._row.error(_WRITE, "changed")
            return Saved()
        return Conflict(stored)

    def _spooled(self, record: Record, expected: str | None) -> None:
        if self._spool is not None and record.parent is not None and record.parent == expected:
            self._spool.write(self._row, self._row.values(record)["body"])

    def _unspooled(self) -> None:
        if self._spool is not None:
            self._spool.remove(self._row)

    # -- the end ---------------------------------------------------------------------------------------------

    def delete(self, expected: str | None, *, even_corrupt: bool = False) -> Deleted | Conflict:
        """See `LockedLogin.delete`."""
        self._must_hold()
        self._untouched = False
        seen = list(self._found.rescued)
        if self._run(rows.DELETE, expected=expected, corrupt=None, ids=seen):
            return self._deleted()
        found = self._look()
        if not found.is_ours:
            raise self._row.error(_WRITE, "lock_lost")
        if (best := _sign_in_since(found, seen)) is not None:
            return Conflict(best)
        stored = found.stored
        if not isinstance(stored, SignInError):
            return Conflict(stored)
        if not even_corrupt or not self._run(rows.DELETE, expected=expected, corrupt=found.body, ids=seen):
            raise stored
        return self._deleted()

    def _deleted(self) -> Deleted:
        self._expected = self._reserving_since = None
        self._unspooled()
        return Deleted()

    def release(self) -> None:
        """See `LockedLogin.release`."""
        if self._free:
            return
        self._free = True
        if self._pid != os.getpid():
            return
        statement = rows.RELEASE if self._may_take_back else rows.RELEASE_MARKED
        with suppress(SignInError):  # the lease ends by itself
            self._run(statement, durable=False, **rows.marks(self._before))


_SPOOLED: Final = ""
"""The name of the copy that this host has; those in the database have others."""


def _but_for_intents(stored: Record, record: Record) -> bool:
    return attrs.evolve(stored, intent=None) == attrs.evolve(record, intent=None)


def _sign_in_since(found: Found, seen: list[str]) -> Record | None:
    """A sign-in that was kept beside since the lock was taken: nobody has asked to end that one."""
    since = {name: copy for name, copy in found.rescued.items() if name not in seen}
    return Found(None, False, None, since).best
