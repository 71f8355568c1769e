"""What older keys sealed is sealed anew with the current one, while everybody goes on working.

Rules of this file: a row is replaced only as long as it has the very body that was read, so that what was
renewed meanwhile stays; nothing of it but the seal changes; what no given key opens is counted and left. It
may be ended at any moment, and run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from codex_oauth.fleet.database import Columns, Database
from codex_oauth.fleet.rows import LoginRow, must_seal
from codex_oauth.fleet.schema import applied_schema, require_schema
from codex_oauth.sealing import Keys, SealError, reseal_checkpoint
from codex_oauth_core.checkpoints.codec import CheckpointError
from codex_oauth_core.errors import ErrorKind

__all__ = ["Resealed", "reseal"]

_WRITE: Final = ErrorKind.AUTH_WRITE_FAILED
_MOST_PASSES: Final = 5
"""How often all is looked through: who still seals with an older key does so meanwhile."""


@attrs.frozen
class Resealed:
    """How many logins, rescued logins and pending sign-ins were sealed anew; and what was left: `left` of
    each key that nobody gave, by its `key_id`, and `damaged` that no key opens.
    """

    logins: int = 0
    rescued: int = 0
    sign_ins: int = 0
    left: Mapping[str, int] = attrs.field(factory=dict[str, int])
    damaged: int = 0


@attrs.frozen
class _Table:
    """Where something sealed is: the count that it belongs to, the names that tell a row, and its columns."""

    count: str
    table: str
    names: tuple[str, ...]
    body: str
    schema: int
    reseal: Callable[[Keys, tuple[str, ...], bytes], bytes]

    def after(self, start: tuple[str, ...] | None) -> str:
        """The statement that gives a batch of the rows behind `start`."""
        names = ", ".join(self.names)
        behind = ", ".join(f"%({name})s" for name in self.names)
        where = "" if start is None else f" AND ({names}) > ({behind})"
        return (
            f"SELECT {names}, key_id, {self.body} FROM {self.table} WHERE key_id <> %(current)s{where} "
            f"ORDER BY {names} LIMIT %(batch)s"
        )

    def replace(self) -> str:
        """The statement that replaces one body by another."""
        where = " AND ".join(f"{name} = %({name})s" for name in self.names)
        return (
            f"UPDATE {self.table} SET {self.body} = %(sealed)s, key_id = %(current)s "
            f"WHERE {where} AND {self.body} = %(body)s RETURNING true"
        )


def _login(keys: Keys, names: tuple[str, ...], body: bytes) -> bytes:
    return LoginRow(names[0], names[1], names[2], keys).resealed(body)


def _sign_in(keys: Keys, names: tuple[str, ...], body: bytes) -> bytes:
    return reseal_checkpoint(body, keys, belongs_to=names[0])


_PLACE: Final = ("tenant", "owner", "key")
_TABLES: Final = (
    _Table("logins", "codex_oauth_login", _PLACE, "body", 1, _login),
    _Table("rescued", "codex_oauth_rescued", (*_PLACE, "id"), "body", 1, _login),
    _Table("sign_ins", "codex_oauth_sign_in", ("name",), "checkpoint", 2, _sign_in),
)


def _never() -> bool:
    return False


def reseal(
    database: Database, keys: Keys, *, batch: int = 100, until: Callable[[], bool] = _never
) -> Resealed:
    """Seal anew, with the key that seals now, every login, rescued login and pending sign-in that another of
    the `keys` sealed. First give the new key, before the older ones, to every program that uses the
    database; when this leaves nothing of an older key, that one may go. `until` is asked before each row:
    True ends it.

    Raises SignInError (`auth_write_failed`).
    """
    require_schema(database, _WRITE)
    must_seal(keys)
    schema = applied_schema(database, _WRITE)
    run = _Run(database, keys, batch, until)
    for _ in range(_MOST_PASSES):
        run.begin()
        for table in _TABLES:
            if table.schema <= schema:
                run.look_through(table)
        if not run.missed:
            break
    done = {table.count: run.done[table.count] for table in _TABLES}
    return Resealed(**done, left=dict(run.left), damaged=run.damaged)


@attrs.define(eq=False)
class _Run:
    """One call of `reseal`."""

    database: Database
    keys: Keys
    batch: int
    until: Callable[[], bool]
    done: Counter[str] = attrs.field(factory=Counter[str])
    left: Counter[str] = attrs.field(factory=Counter[str])
    damaged: int = 0
    missed: int = 0
    """Rows that changed between the look and the write."""

    def begin(self) -> None:
        """Begin another pass: what is left is counted anew."""
        self.left.clear()
        self.damaged = self.missed = 0

    def look_through(self, table: _Table) -> None:
        """All rows of a table, a batch at a time, in the order of their names."""
        start: tuple[str, ...] | None = None
        while not self.until():
            values: dict[str, Any] = {"current": self.keys.current_id, "batch": self.batch}
            found = self.database.run(_WRITE, table.after(start), {**values, **_named(table, start or ())})
            for row in found:
                if self.until():
                    return
                self._reseal(table, row)
            if len(found) < self.batch:
                return
            start = found[-1][:-2]

    def _reseal(self, table: _Table, row: Columns) -> None:
        *names, key_id, body = row
        try:
            sealed = table.reseal(self.keys, tuple(names), body)
        except (SealError, CheckpointError) as error:
            if error.reason == "other_key":
                self.left[key_id] += 1
            else:
                self.damaged += 1
            return
        values = {"sealed": sealed, "body": body, "current": self.keys.current_id}
        if self.database.run(_WRITE, table.replace(), {**_named(table, names), **values}, durable=True):
            self.done[table.count] += 1
        else:
            self.missed += 1


def _named(table: _Table, names: Any) -> dict[str, str]:
    return dict(zip(table.names, names, strict=False))
