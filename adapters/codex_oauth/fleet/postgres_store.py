"""The logins of one owner in PostgreSQL, for any number of processes on any number of hosts.

Rules of this file: the lock is a lease by the database's clock, and no connection is held while somebody has
it; everything but the tokens stands in columns; nothing here waits but for one short statement.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.fleet import rows
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_lock import PostgresLockedLogin, Unsure, note_unanswered
from codex_oauth.fleet.rows import LoginRow
from codex_oauth.fleet.schema import require_schema
from codex_oauth.fleet.spool import Spool
from codex_oauth.sealing import Keys
from codex_oauth.stores.locks import draw_owner
from codex_oauth.stores.names import registration_name
from codex_oauth.stores.paths import login_name
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Record
from codex_oauth_core.registration import Registration, read_registration, write_registration
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresSlot", "PostgresStore"]

_READ: Final = ErrorKind.AUTH_READ_FAILED
_WRITE: Final = ErrorKind.AUTH_WRITE_FAILED

_OWNED: Final = "tenant = %(tenant)s AND owner = %(owner)s"
_NAMES: Final = f"""SELECT key FROM codex_oauth_login WHERE {_OWNED} AND body IS NOT NULL
UNION SELECT key FROM codex_oauth_rescued WHERE {_OWNED} AND is_sign_in ORDER BY key"""
_SELECTED: Final = f"""SELECT key FROM codex_oauth_selected AS selected WHERE {_OWNED} AND (
    EXISTS (SELECT FROM codex_oauth_login AS login WHERE login.tenant = selected.tenant
            AND login.owner = selected.owner AND login.key = selected.key AND body IS NOT NULL)
    OR EXISTS (SELECT FROM codex_oauth_rescued AS rescued WHERE rescued.tenant = selected.tenant
               AND rescued.owner = selected.owner AND rescued.key = selected.key AND is_sign_in))"""
_SELECT: Final = """INSERT INTO codex_oauth_selected (tenant, owner, key)
VALUES (%(tenant)s, %(owner)s, %(key)s) ON CONFLICT (tenant, owner) DO UPDATE SET key = excluded.key"""
_SELECT_NONE: Final = f"DELETE FROM codex_oauth_selected WHERE {_OWNED}"
_MAY_WRITE: Final = f"""UPDATE codex_oauth_selected SET key = key WHERE {_OWNED}"""
_REGISTRATIONS: Final = f"SELECT registration FROM codex_oauth_registration WHERE {_OWNED}"
_REGISTER: Final = """INSERT INTO codex_oauth_registration (tenant, owner, client_id, registration)
VALUES (%(tenant)s, %(owner)s, %(client_id)s, %(registration)s)
ON CONFLICT (tenant, owner, client_id) DO UPDATE SET registration = excluded.registration"""


class PostgresStore:
    """The logins of `owner`, a user of your application, in the database `dsn`. `tenant`: which customer of
    yours, if one installation serves several. `keys` seal what is stored. Run `codex-oauth fleet migrate`
    first.

    A store takes a few hundred bytes: make one wherever you need one. All stores of one `dsn` share at most
    four connections in a process; pass a `Database` to share its connections instead.

    `spool`: a directory of this host for a renewal that the database does not accept. The renewal is kept
    there, sealed, until the login is next locked on this host. Without a `spool` it is kept only in memory.
    ValueError for an empty `owner`, and for a name with a NUL.
    """

    __slots__ = ("_spool", "_unsure", "database", "keys", "owner", "tenant")

    def __init__(
        self,
        dsn: str | Secret[str] | Database,
        *,
        keys: Keys,
        owner: str,
        tenant: str = "",
        spool: str | os.PathLike[str] | None = None,
    ) -> None:
        if not owner or "\0" in owner or "\0" in tenant:
            raise ValueError("owner: the name of a user of yours; no name has a NUL in it")
        self.database = dsn if isinstance(dsn, Database) else Database.shared(dsn)
        self.keys = keys
        self.owner = owner
        self.tenant = tenant
        self._spool = None if spool is None else Spool(spool)
        self._unsure: dict[str, Unsure] = {}

    def __repr__(self) -> str:
        return f"<PostgresStore of {self.owner!r} in {self.database!r}>"

    @property
    def _whose(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "owner": self.owner}

    def names(self) -> tuple[str, ...]:
        """See `Store.names`."""
        return tuple(key for (key,) in self.database.run(_READ, _NAMES, self._whose))

    def current(self) -> str | None:
        """See `Store.current`."""
        found = self.database.run(_READ, _SELECTED, self._whose)
        return found[0][0] if found else None

    def select(self, key: str | None) -> None:
        """See `Store.select`."""
        if key is not None:
            login_name(key)
        statement = _SELECT_NONE if key is None else _SELECT
        self.database.run(_WRITE, statement, {**self._whose, "key": key}, durable=True)

    def prepare(self) -> None:
        """See `Store.prepare`. It checks that the schema fits, that the server accepts writes, and that a
        cipher is installed.
        """
        require_schema(self.database, _WRITE)
        self.database.run(_WRITE, _MAY_WRITE, self._whose)
        rows.must_seal(self.keys)

    def slot(self, key: str) -> PostgresSlot:
        """See `Store.slot`."""
        login_name(key)
        row = LoginRow(self.tenant, self.owner, key, self.keys)
        return PostgresSlot(self.database, row, self._spool, self._unsure)

    # -- registrations -----------------------------------------------------------------------------------

    def registrations(self) -> tuple[Registration, ...]:
        """See `KeepsRegistrations.registrations`."""
        found = list[Registration]()
        for (text,) in self.database.run(_READ, _REGISTRATIONS, self._whose):
            registration = read_registration(text.encode())
            if isinstance(registration, SignInError):
                raise registration
            found.append(registration)
        return tuple(sorted(found, key=lambda each: (each.registered_at, each.client_id)))

    def register(self, registration: Registration) -> None:
        """See `KeepsRegistrations.register`."""
        registration_name(registration.client_id)
        values = {
            "client_id": registration.client_id,
            "registration": write_registration(registration).decode(),
        }
        self.database.run(_WRITE, _REGISTER, {**self._whose, **values}, durable=True)

    def host_id(self) -> str:
        """See `KeepsRegistrations.host_id`. It is this host's own, from its state directory."""
        from codex_oauth.stores.registrations import host_id

        return host_id()

    # -- for the application -------------------------------------------------------------------------------

    def rescue_in(self, connection: Connection[Any], record: Record) -> None:
        """Keep a login beside the stored one, as `Slot.rescue` does, but in the application's own
        transaction: the login and all that the transaction writes are stored together, or not at all.

        Raises what the connection raises, SignInError (`not_storable`), and ValueError as `Slot.rescue` does.
        """
        slot = self.slot(record.credential.key)
        connection.execute(rows.RESCUE, slot.values_to_rescue(record))


class PostgresSlot:
    """One login of a `PostgresStore`. Get it from `PostgresStore.slot`."""

    __slots__ = ("_database", "_row", "_spool", "_unsure")

    def __init__(
        self, database: Database, row: LoginRow, spool: Spool | None, unsure: dict[str, Unsure]
    ) -> None:
        self._database = database
        self._row = row
        self._spool = spool
        self._unsure = unsure

    @property
    def key(self) -> str:
        """The name under which the login is kept."""
        return self._row.key

    def load(self) -> Record | None:
        """See `Slot.load`."""
        (row,) = self._database.run(_READ, rows.LOAD, {**self._row.where, "me": ""})
        found = self._row.found(row)
        if (unsure := self._unsure.get(self.key)) is not None:
            if unsure.may_still_come(found):
                raise self._row.error(_READ, "unanswered")
            del self._unsure[self.key]
        return found.seen()

    def lock(self) -> PostgresLockedLogin | None:
        """See `Slot.lock`. One statement, and one more where something was left beside the login."""
        me = draw_owner()
        values = {**self._row.where, "me": me, "grace": rows.RESTART_GRACE}
        found = self._database.run(_WRITE, rows.LOCK, values)
        if not found:
            return None
        held = PostgresLockedLogin(
            self._database,
            self._row,
            self._spool,
            me=me,
            found=self._row.found(found[0]),
            unsure=self._unsure,
        )
        try:
            held.settle()
        except BaseException:
            held.release()
            raise
        return held

    def rescue(self, record: Record) -> None:
        """See `Slot.rescue`."""
        try:
            self._database.run(_WRITE, rows.RESCUE, self.values_to_rescue(record), durable=True)
        except SignInError as error:
            note_unanswered(self._unsure, self.key, record, error)
            raise

    def values_to_rescue(self, record: Record) -> dict[str, Any]:
        """The row of a record that is kept beside. Raises SignInError, ValueError."""
        self._row.check(record)
        return {**self._row.values(record), "id": uuid.uuid4().hex}
