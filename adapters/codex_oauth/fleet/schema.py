"""The tables, and how they change: numbered SQL files, applied once and in order.

Rules of this file: each file is one transaction, and one program at a time applies them; a file that was
applied never changes, which its checksum proves. A migration only adds, so that the release before it goes
on working while the new one is rolled out: a release works with its own schema, the one before and the one
after. Only `migrate` needs the right to make tables.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import Any, Final, cast

import attrs

from codex_oauth.fleet.database import Database
from codex_oauth.stores.failures import advised
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["MIGRATIONS", "Migration", "applied_schema", "migrate", "require_schema"]

_ONE_AT_A_TIME: Final = 7_165_310_944_172_069_993
"""The number of the advisory lock: drawn once."""

_TABLE: Final = """CREATE TABLE IF NOT EXISTS codex_oauth_migration (
    number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"""
_NUMBER: Final = "SELECT max(number) FROM codex_oauth_migration"


@attrs.frozen
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str = attrs.field(repr=False)

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def _migrations() -> tuple[Migration, ...]:
    found = list[Migration]()
    for each in files("codex_oauth.fleet").joinpath("migrations").iterdir():
        if named := re.fullmatch(r"(\d{4})_(\w+)\.sql", each.name):
            found.append(Migration(int(named[1]), named[2], each.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda each: each.number))


MIGRATIONS: Final = _migrations()


def migrate(database: Database, *, up_to: int | None = None) -> tuple[Migration, ...]:
    """Apply the migrations that are not applied yet, in order, each in its own transaction, and return them.
    Any number of programs may do this at the same time. `up_to`: the number of the last migration to apply.

    Raises SignInError: `auth_write_failed` (`changed_migration`: the database was made from another file;
    `new_schema`: a newer release made it).
    """
    kind, done = ErrorKind.AUTH_WRITE_FAILED, list[Migration]()
    for each in MIGRATIONS:
        if up_to is not None and each.number > up_to:
            break
        with database.transaction(kind) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ONE_AT_A_TIME,))
            connection.execute(_TABLE)
            rows = connection.execute("SELECT number, checksum FROM codex_oauth_migration").fetchall()
            applied: dict[int, str] = dict(rows)
            if max(applied, default=0) > MIGRATIONS[-1].number + 1:
                raise _error(kind, "new_schema", applied)
            if applied.get(each.number, each.checksum) != each.checksum:
                raise _error(kind, "changed_migration", applied)
            if each.number in applied:
                continue
            connection.execute(cast("Any", each.sql))  # our own file
            connection.execute(
                "INSERT INTO codex_oauth_migration (number, name, checksum) VALUES (%s, %s, %s)",
                (each.number, each.name, each.checksum),
            )
        done.append(each)
    return tuple(done)


def applied_schema(database: Database, kind: ErrorKind) -> int:
    """The number of the last migration that was applied. Raises SignInError: `no_schema` if none was."""
    ((number,),) = database.run(kind, _NUMBER)
    if number is None:
        raise advised(SignInError.of(kind, reason="no_schema", database=database.address))
    return int(number)


def require_schema(database: Database, kind: ErrorKind, *, needs: int = 1) -> None:
    """Raise SignInError unless this release works with the schema that is there (`old_schema`, `new_schema`,
    `no_schema`); `needs`: the migration that made what is asked for.
    """
    number, ours = applied_schema(database, kind), MIGRATIONS[-1].number
    if number < max(needs, ours - 1):
        raise _error(kind, "old_schema", {number: ""})
    if number > ours + 1:
        raise _error(kind, "new_schema", {number: ""})


def _error(kind: ErrorKind, reason: str, applied: dict[int, Any]) -> SignInError:
    return advised(SignInError.of(kind, reason=reason, schema=max(applied, default=0)))
