"""A login as a row of the database: what is sealed, what stands beside it, and the statements.

Rules of this file: the tokens leave this process sealed, bound to whose login it is; the intent stands in
columns beside them, so that marking it does not rewrite them; every instant is the database's own. A
statement is one transaction, and the same statement twice is as good as once.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from codex_oauth.fleet.database import STATEMENT_WITHIN, Columns
from codex_oauth.sealing import Keys, SealError, Sealing
from codex_oauth.stores.failures import advised
from codex_oauth.stores.login_file import may_be_put_aside
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.lifetime import renewal_begins
from codex_oauth_core.flows.pace import SAVE_PAUSES
from codex_oauth_core.leftovers import best_leftover
from codex_oauth_core.record import Intent, Record, read_record, write_record
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from codex_oauth_core.secret import Secret, without_traceback

__all__ = ["LEASE", "RESTART_GRACE", "Found", "LoginRow", "marks", "must_seal"]

LEASE: Final = 10.0
"""Seconds for which a lock is somebody's who has not reserved; else it is his as long as his intent lives."""

RESTART_GRACE: Final = 2 * (SAVE_PAUSES[1] + STATEMENT_WITHIN)
"""Seconds after the database's start for which every intent is believed that was marked before: its holder
could not save meanwhile. It tries again after a pause, and a try may take its whole time; twice.
"""

_LOGINS: Final = Sealing("login")

_HERE: Final = "tenant = %(tenant)s AND owner = %(owner)s AND key = %(key)s"
_NOW: Final = "extract(epoch FROM clock_timestamp())::double precision"

_PENDING: Final = f"""(login.intent_owner IS NOT NULL AND login.intent_owner <> %(me)s AND (
    abs({_NOW} - login.intent_at) < {INTENT_LIFE}
    OR (to_timestamp(login.intent_at) < pg_postmaster_start_time()
        AND clock_timestamp() < pg_postmaster_start_time() + make_interval(secs => %(grace)s))))"""

_COLUMNS: Final = """login.body, login.holder = %(me)s AS is_ours,
    login.intent_owner, login.intent_at, login.intent_pid, login.intent_host"""
_RESCUED: Final = f"""(SELECT array_agg(body ORDER BY rescued_at, id) FROM codex_oauth_rescued WHERE {_HERE}),
    (SELECT array_agg(id ORDER BY rescued_at, id) FROM codex_oauth_rescued WHERE {_HERE})"""

LOAD: Final = f"""SELECT {_COLUMNS}, {_RESCUED}
FROM (SELECT) AS one LEFT JOIN codex_oauth_login AS login ON {_HERE}"""

LOCK: Final = f"""WITH taken AS (
    UPDATE codex_oauth_login AS login
    SET holder = %(me)s, holder_until = clock_timestamp() + interval '{LEASE} s'
    WHERE {_HERE} AND NOT {_PENDING}
      AND (holder IS NULL OR holder = %(me)s OR holder_until <= clock_timestamp()
           -- longer than any lease: the clock was set back
           OR holder_until > clock_timestamp() + interval '{INTENT_LIFE + LEASE} s')
    RETURNING {_COLUMNS}
), made AS (
    INSERT INTO codex_oauth_login AS login (tenant, owner, key, holder, holder_until)
    VALUES (%(tenant)s, %(owner)s, %(key)s, %(me)s, clock_timestamp() + interval '{LEASE} s')
    ON CONFLICT DO NOTHING
    RETURNING {_COLUMNS}
)
SELECT locked.*, {_RESCUED} FROM (SELECT * FROM taken UNION ALL SELECT * FROM made) AS locked"""

RESERVE: Final = f"""UPDATE codex_oauth_login
SET intent_owner = %(me)s, intent_at = {_NOW}, intent_pid = %(pid)s, intent_host = %(host)s,
    holder_until = clock_timestamp() + interval '{INTENT_LIFE} s'
WHERE {_HERE} AND holder = %(me)s AND fingerprint = %(expected)s
RETURNING intent_at"""

SENDING: Final = f"""SELECT FROM codex_oauth_login
WHERE {_HERE} AND holder = %(me)s AND intent_owner = %(me)s AND fingerprint = %(expected)s
  AND intent_at + {SEND_BY} > {_NOW} AND NOT pg_is_in_recovery()"""

_VALUES: Final = """body = %(body)s, key_id = %(key_id)s, fingerprint = %(fingerprint)s,
    generation = %(generation)s, renew_at = %(renew_at)s, saved_at = clock_timestamp()"""
_INTENT: Final = """intent_owner = %(intent_owner)s, intent_at = %(intent_at)s, intent_pid = %(intent_pid)s,
    intent_host = %(intent_host)s"""
_MARKS: Final = ("intent_owner", "intent_at", "intent_pid", "intent_host")
_AS_BEFORE: Final = ", ".join(
    f"{name} = CASE WHEN login.intent_owner = %(me)s THEN %({name})s ELSE login.{name} END" for name in _MARKS
)
"""What was marked before our reservation: somebody was interrupted, and that doubt outlives us."""
_STILL_MEANT: Final = f"""login.intent_owner <> %(me)s AND login.fingerprint = %(fingerprint)s
    AND abs({_NOW} - login.intent_at) < {INTENT_LIFE}"""
_WITHOUT_OTHERS: Final = ", ".join(
    f"{name} = CASE WHEN {_STILL_MEANT} THEN login.{name} END" for name in _MARKS
)
"""Another's intent stays while he may act on it, and while it is about what is stored now."""

SAVE: Final = f"""UPDATE codex_oauth_login AS login SET {_VALUES}, {_WITHOUT_OTHERS}
WHERE {_HERE} AND fingerprint = %(expected)s RETURNING true"""

SAVE_MARKED: Final = f"""UPDATE codex_oauth_login AS login SET {_VALUES}, {_INTENT}
WHERE {_HERE} AND fingerprint = %(expected)s RETURNING true"""

SAVE_FIRST: Final = f"""INSERT INTO codex_oauth_login AS login (tenant, owner, key, body, key_id, fingerprint,
    generation, renew_at, saved_at, intent_owner, intent_at, intent_pid, intent_host)
VALUES (%(tenant)s, %(owner)s, %(key)s, %(body)s, %(key_id)s, %(fingerprint)s, %(generation)s, %(renew_at)s,
    clock_timestamp(), %(intent_owner)s, %(intent_at)s, %(intent_pid)s, %(intent_host)s)
ON CONFLICT (tenant, owner, key) DO UPDATE SET {_VALUES}, {_INTENT}
WHERE login.fingerprint IS NULL RETURNING true"""

REPLACE: Final = f"""UPDATE codex_oauth_login AS login SET {_VALUES}, {_INTENT}
WHERE {_HERE} AND body = %(corrupt)s RETURNING true"""

ADOPT: Final = f"""WITH stored AS (
    UPDATE codex_oauth_login AS login SET {_VALUES}, {_INTENT}
    WHERE {_HERE} AND holder = %(me)s
      AND (body = %(corrupt)s OR fingerprint IS NOT DISTINCT FROM %(expected)s AND %(corrupt)s IS NULL)
    RETURNING true
), gone AS (
    DELETE FROM codex_oauth_rescued WHERE {_HERE} AND id = ANY(%(ids)s) AND EXISTS (SELECT FROM stored)
)
SELECT true FROM stored"""

DROP_RESCUED: Final = f"""DELETE FROM codex_oauth_rescued WHERE {_HERE} AND id = ANY(%(ids)s)
AND EXISTS (SELECT FROM codex_oauth_login WHERE {_HERE} AND holder = %(me)s)"""

DELETE: Final = f"""WITH gone AS (
    UPDATE codex_oauth_login AS login
    SET body = NULL, key_id = NULL, fingerprint = NULL, generation = NULL, renew_at = NULL, saved_at = NULL,
        intent_owner = NULL, intent_at = NULL, intent_pid = NULL, intent_host = NULL
    WHERE {_HERE} AND holder = %(me)s
      AND (fingerprint IS NOT DISTINCT FROM %(expected)s OR body = %(corrupt)s)
      AND NOT EXISTS (SELECT FROM codex_oauth_rescued
                      WHERE {_HERE} AND is_sign_in AND NOT id = ANY(%(ids)s))
    RETURNING true
), rescued AS (
    DELETE FROM codex_oauth_rescued WHERE {_HERE} AND EXISTS (SELECT FROM gone)
)
SELECT true FROM gone"""

RELEASE: Final = f"""WITH empty AS (
    DELETE FROM codex_oauth_login WHERE {_HERE} AND holder = %(me)s AND body IS NULL RETURNING true
)
UPDATE codex_oauth_login AS login SET holder = NULL, holder_until = NULL, {_AS_BEFORE}
WHERE {_HERE} AND holder = %(me)s AND body IS NOT NULL"""

RELEASE_MARKED: Final = f"""UPDATE codex_oauth_login SET holder = NULL, holder_until = NULL
WHERE {_HERE} AND holder = %(me)s"""

RESCUE: Final = """INSERT INTO codex_oauth_rescued (tenant, owner, key, id, body, key_id, is_sign_in)
VALUES (%(tenant)s, %(owner)s, %(key)s, %(id)s, %(body)s, %(key_id)s, %(is_sign_in)s)
ON CONFLICT DO NOTHING"""


@attrs.frozen
class Found:
    """What one look saw: what is stored, sealed and as it was read; and what was rescued beside it."""

    body: bytes | None
    is_ours: bool  # the lock
    stored: Record | SignInError | None
    rescued: Mapping[str, Record | SignInError]

    @property
    def best(self) -> Record | None:
        """What is to take the place of what is stored; None if that stays."""
        copies = [copy for copy in self.rescued.values() if isinstance(copy, Record)]
        return best_leftover(self.stored if isinstance(self.stored, Record) else None, copies)

    @property
    def doubt(self) -> SignInError | None:
        """Why nobody can say which of them is the login: a newer release wrote one, or its key is not here.
        What is damaged is worth nothing, and in nobody's way.
        """
        beside = [copy for copy in self.rescued.values() if isinstance(copy, SignInError)]
        stored = [self.stored] if isinstance(self.stored, SignInError) and self.best is not None else []
        return next((each for each in (*stored, *beside) if not may_be_put_aside(each)), None)

    def seen(self) -> Record | None:
        """What a reader is to see. Raises SignInError."""
        if (best := self.best) is not None:
            return best
        if isinstance(self.stored, SignInError):
            raise self.stored
        if self.stored is None or not self.stored.is_renewable:
            for copy in self.rescued.values():
                if isinstance(copy, SignInError) and not may_be_put_aside(copy):  # it may be the login
                    raise copy
        return self.stored

    def with_copy(self, name: str, copy: Record | SignInError) -> Found:
        """The same look, with one more copy beside the login."""
        return attrs.evolve(self, rescued={**self.rescued, name: copy})


@attrs.frozen
class LoginRow:
    """The row of the login `key` of `owner`, of `tenant`; `keys` seal what is in it."""

    tenant: str
    owner: str
    key: str
    keys: Keys

    @property
    def where(self) -> dict[str, Any]:
        """The values that name the row."""
        return {"tenant": self.tenant, "owner": self.owner, "key": self.key}

    @property
    def _belongs_to(self) -> str:
        return json.dumps([self.tenant, self.owner, self.key])

    def check(self, record: Record) -> None:
        """Raises ValueError for a record of another login."""
        if self.key not in record.credential.identity.names:
            raise ValueError("the record is another login's")

    def found(self, row: Columns) -> Found:
        """What a look saw, of the row that `LOAD` or `LOCK` gave."""
        body, is_ours, owner, at, pid, host, bodies, ids = row
        intent = None if owner is None else Intent(pid, host, at, owner)
        stored = None if body is None else self.opened(body, intent)
        copies: list[tuple[str, bytes]] = list(zip(ids or (), bodies or (), strict=True))
        rescued = {name: self.opened(copy) for name, copy in copies}
        return Found(body, bool(is_ours), stored, rescued)

    def opened(self, body: bytes, intent: Intent | None = None) -> Record | SignInError:
        """The record in a sealed body, with what stands beside it."""
        return without_traceback(lambda: self._opened(body, intent))

    def _opened(self, body: bytes, intent: Intent | None) -> Record | SignInError:
        try:
            found = read_record(_LOGINS.open(body, self.keys, self._belongs_to).reveal())
        except SealError as error:
            damaged = error.reason in ("sealed_wrong", "not_sealed")
            kind = ErrorKind.CORRUPT_AUTH if damaged else ErrorKind.AUTH_READ_FAILED
            return self.error(kind, _REASONS.get(error.reason, error.reason))
        if isinstance(found, SignInError):
            return advised(attrs.evolve(found, details={**found.details, "login": self.key}))
        if self.key not in found.credential.identity.names:
            return self.error(ErrorKind.CORRUPT_AUTH, "other_account")
        return attrs.evolve(found, intent=intent)

    def values(self, record: Record) -> dict[str, Any]:
        """The columns of a record. Raises SignInError: `auth_write_failed` (`not_storable`)."""
        body = without_traceback(lambda: self._sealed(record))
        due = None if not record.is_renewable else _begins(record)
        return {
            **self.where,
            "body": body,
            "key_id": self.keys.current_id,
            "fingerprint": record.fingerprint,
            "generation": record.generation,
            "renew_at": due,
            **marks(record.intent),
            "is_sign_in": record.parent is None,
        }

    def _sealed(self, record: Record) -> bytes:
        content = Secret(write_record(attrs.evolve(record, intent=None)))
        if read_record(content.reveal()) != attrs.evolve(record, intent=None):
            raise self.error(ErrorKind.AUTH_WRITE_FAILED, "not_storable")
        try:
            return _LOGINS.seal(content, self.keys, self._belongs_to)
        except SealError as error:
            raise self.error(ErrorKind.AUTH_WRITE_FAILED, _REASONS.get(error.reason, error.reason)) from None

    def resealed(self, body: bytes) -> bytes:
        """The same sealed with the current key. Raises SealError."""
        return without_traceback(
            lambda: _LOGINS.seal(_LOGINS.open(body, self.keys, self._belongs_to), self.keys, self._belongs_to)
        )

    def error(self, kind: ErrorKind, reason: str) -> SignInError:
        """The error of one reason about this login."""
        return advised(SignInError.of(kind, reason=reason, login=self.key))


def marks(intent: Intent | None) -> dict[str, Any]:
    """The columns of an intent, or of none."""
    values = (None,) * 4 if intent is None else (intent.owner, intent.at, intent.pid, intent.host)
    return dict(zip(_MARKS, values, strict=True))


def must_seal(keys: Keys) -> None:
    """Raise SignInError, `auth_write_failed` (`postgres_missing`), where nothing can be sealed."""
    try:
        _LOGINS.seal(Secret(b""), keys, "")
    except SealError as error:
        raise advised(
            SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason=_REASONS.get(error.reason, error.reason))
        ) from None


_REASONS: Final = {
    "other_key": "other_seal_key",
    "extra_missing": "postgres_missing",
    "too_new": "seal_too_new",
}
"""What a store says where a seal cannot be opened."""


def _begins(record: Record) -> datetime | None:
    credential = record.credential
    begins = renewal_begins(
        expires_at=credential.expires_at,
        obtained_at=credential.obtained_at,
        earliest_refresh_at=credential.earliest_refresh_at,
        jitter=random.random(),  # noqa: S311  # it spreads renewals, and keeps no secret
    )
    try:
        return None if begins is None else datetime.fromtimestamp(begins, UTC)
    except (OverflowError, ValueError, OSError):
        return None
