"""Connections to one database, for any number of threads; and what a database's refusal means.

Rules of this file: a statement at a time, each a transaction of its own and idempotent, so that it may be
repeated once where a connection that was kept has died; no connection is held over a request, none is
shared with a forked child; what the client library says is never repeated, because it may repeat the DSN.
Nothing here depends on a session: PgBouncer may give each statement another one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from codex_oauth.loading import loading
from codex_oauth.stores.failures import advised
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["CONNECT_WITHIN", "MOST_KEPT", "STATEMENT_WITHIN", "Database", "psycopg_or_error"]

MOST_KEPT: Final = 4
"""Connections that a process keeps for later."""

CONNECT_WITHIN: Final = 5
STATEMENT_WITHIN: Final = 5
"""Seconds; the wait for another transaction's row is among them."""

Columns = tuple[Any, ...]

_BY_STATE: Final[Mapping[str, str]] = {
    "25006": "database_read_only",  # read_only_sql_transaction: a standby
    "42P01": "no_schema",  # undefined_table
    "42703": "no_schema",  # undefined_column: of an earlier schema
    "3F000": "no_schema",  # invalid_schema_name
    "3D000": "no_database",  # invalid_catalog_name
    "42501": "database_denied",  # insufficient_privilege
    "28000": "database_denied",  # invalid_authorization_specification
    "28P01": "database_denied",  # invalid_password
    "57014": "database_busy",  # query_canceled: it took too long
    "55P03": "database_busy",  # lock_not_available
    "53300": "database_busy",  # too_many_connections
    "53100": "database_full",  # disk_full
}
_BY_TEXT: Final[dict[str, str]] = {
    "does not exist": "no_database",
    "role ": "database_denied",
    "password authentication failed": "database_denied",
    "pg_hba.conf": "database_denied",
    "too many": "database_busy",
    "remaining connection slots": "database_busy",
}
"""What a server says that refuses a connection: libpq gives no SQLSTATE for that, and the text may be in
another language. The last that fits counts.
"""
_AWAY: Final = ("08", "57P")  # connection_exception, operator_intervention: SQLSTATEs that begin so

_ALIVE: Final[Mapping[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server that vanished without a word is noticed within about ten seconds, where the platform allows."""


def psycopg_or_error(kind: ErrorKind) -> Any:
    """The module `psycopg`. Raises SignInError of `kind`, with the reason `postgres_missing`."""
    try:
        with loading("psycopg"):
            import psycopg
    except ImportError:
        raise advised(SignInError.of(kind, reason="postgres_missing")) from None
    return psycopg


class Database:
    """The database that `dsn` names (libpq: `postgresql://…` or `host=… dbname=…`).

    It connects at the first statement, and not before. ValueError for a DSN that cannot be read.
    """

    def __init__(self, dsn: str | Secret[str]) -> None:
        self._dsn = dsn if isinstance(dsn, Secret) else Secret(dsn)
        del dsn  # not in the frame of an error
        self.begin()
        _DATABASES.add(self)

    @staticmethod
    def shared(dsn: str | Secret[str]) -> Database:
        """The one `Database` of this process for a DSN. All callers share its connections."""
        secret = dsn if isinstance(dsn, Secret) else Secret(dsn)
        return _SHARED.setdefault(secret.fingerprint(), Database(secret))

    def begin(self) -> None:
        """Forget all connections: for a forked child, because its parent goes on using them."""
        for connection in getattr(self, "_kept", ()):
            _disown(connection)
        self._pid = os.getpid()
        self._kept = deque["Connection[Columns]"]()

    def __repr__(self) -> str:
        return f"<Database at {self.address}>"

    @property
    def address(self) -> str:
        """The host, or the directory of its socket, and the name of the database. It has no user and no
        password.
        """
        try:
            conninfo: Mapping[str, Any] = psycopg_or_error(
                ErrorKind.AUTH_READ_FAILED
            ).conninfo.conninfo_to_dict(self._dsn.reveal())
        except Exception:  # noqa: BLE001  # its text may repeat the DSN
            return "an unreadable DSN"
        host = conninfo.get("host") or conninfo.get("hostaddr") or "the local socket"
        return f"{host}/{conninfo.get('dbname') or conninfo.get('user') or ''}".rstrip("/")

    def run(
        self,
        kind: ErrorKind,
        statement: str,
        values: Mapping[str, Any] | None = None,
        *,
        durable: bool = False,
    ) -> list[Columns]:
        """Run one statement within `STATEMENT_WITHIN` seconds, and return its rows. `durable`: the change is
        on disk when this returns, whatever the server's settings are. A statement may be run twice.

        Raises SignInError of `kind`. Its `details.reason` says why; `details.unanswered` means that the
        statement may have been carried out.
        """
        psycopg = psycopg_or_error(kind)
        script = (_DURABLE if durable else "") + _LIMIT + statement
        unanswered = False
        if (kept := self._take()) is not None:
            try:
                return self._ran(kept, script, values)
            except psycopg.Error as error:
                if not kept.broken:
                    raise self._explained(kind, error) from None
            unanswered = True
            self.close()  # all that are kept died with it
        connection = self._connect(psycopg, kind, unanswered=unanswered)
        try:
            return self._ran(connection, script, values)
        except psycopg.Error as error:
            raise self._explained(kind, error, unanswered=unanswered or connection.broken) from None

    def _ran(
        self, connection: Connection[Columns], script: str, values: Mapping[str, Any] | None
    ) -> list[Columns]:
        """The rows of a script's last statement. It is one message to the server, and one transaction."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(cast("Any", script), values)  # a script of our own literals
                while cursor.nextset():
                    pass
                rows = cursor.fetchall() if cursor.description is not None else []
        except Exception:
            self._give_back(connection)
            raise
        except BaseException:
            connection.close()  # what it was about to answer is nobody's
            raise
        self._give_back(connection)
        return rows

    @contextmanager
    def transaction(self, kind: ErrorKind) -> Generator[Connection[Columns], None, None]:
        """A connection in a transaction, for work in the background: a migration, a cleanup.

        Raises SignInError of `kind`.
        """
        psycopg = psycopg_or_error(kind)
        connection = self._connect(psycopg, kind)
        try:
            with connection, connection.transaction():
                yield connection
        except psycopg.Error as error:
            raise self._explained(kind, error) from None

    def close(self) -> None:
        """Close the connections that are kept open. The database can be used again."""
        while self._kept:
            self._kept.pop().close()

    # -- connections -------------------------------------------------------------------------------------

    def _take(self) -> Connection[Columns] | None:
        if self._pid != os.getpid():  # a fork that Python did not see
            self.begin()
        with contextlib.suppress(IndexError):
            while (kept := self._kept.pop()).closed:
                pass
            return kept
        return None

    def _give_back(self, connection: Connection[Columns]) -> None:
        if connection.closed or connection.broken or len(self._kept) >= MOST_KEPT:
            connection.close()
        else:
            self._kept.append(connection)

    def _connect(self, psycopg: Any, kind: ErrorKind, *, unanswered: bool = False) -> Connection[Columns]:
        try:
            connection: Connection[Columns] = psycopg.connect(
                self._dsn.reveal(),
                autocommit=True,
                prepare_threshold=None,  # PgBouncer
                cursor_factory=psycopg.ClientCursor,
                connect_timeout=CONNECT_WITHIN,
                **_ALIVE,
            )
        except psycopg.Error as error:
            raise self._explained(kind, error, unanswered=unanswered) from None
        return connection

    def _explained(
        self, kind: ErrorKind, error: Exception | None, *, unanswered: bool = False
    ) -> SignInError:
        state = getattr(error, "sqlstate", None)
        reason = "database_away" if state is None or state.startswith(_AWAY) else "database"
        if state is None:
            said = str(error)
            reason = next((word for text, word in reversed(_BY_TEXT.items()) if text in said), reason)
        if isinstance(error, psycopg_or_error(kind).ProgrammingError) and state is None:
            reason = "unusable_dsn"
        reason = _BY_STATE.get(state or "", reason)
        error_of = partial(SignInError.of, kind, reason=reason, database=self.address, sqlstate=state)
        # unanswered: it may have been done, or may be done within `STATEMENT_WITHIN`
        return advised(error_of(unanswered=True) if unanswered else error_of())


_LIMIT: Final = f"SET LOCAL statement_timeout = '{STATEMENT_WITHIN}s'; "
_DURABLE: Final = "SET LOCAL synchronous_commit = on; "


def _disown(connection: Connection[Columns]) -> None:
    """Close a connection that a forked child inherited, without a word to the server."""
    with contextlib.suppress(Exception):
        null = os.open(os.devnull, os.O_RDWR)
        try:
            os.dup2(null, connection.fileno(), inheritable=False)
        finally:
            os.close(null)
        connection.close()


_SHARED: Final[dict[str, Database]] = {}


@atexit.register
def _close_all() -> None:
    for database in list(_DATABASES):
        database.close()


_DATABASES: Final = weakref.WeakSet[Database]()


def _begin_again() -> None:
    for database in list(_DATABASES):
        database.begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_again)
