"""Stores in PostgreSQL that look right and lose logins: what the checks of shared stores must catch here, too.

Rules of this file: each is `PostgresStore` but for its lock.
"""

from __future__ import annotations

import multiprocessing
import zlib
from typing import Any

import psycopg

from codex_oauth.fleet import rows
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_lock import PostgresLockedLogin
from codex_oauth.fleet.postgres_store import PostgresSlot, PostgresStore
from codex_oauth.sealing import Keys
from codex_oauth.stores.locks import draw_owner
from codex_oauth_core import Record
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.secret import Secret

__all__ = [
    "AdvisoryStore",
    "HostStore",
    "UnaskedStore",
    "open_advisory",
    "open_store",
    "open_unasked",
]


class HostStore(PostgresStore):
    """One host's: its connections are its own. This one is right."""

    def close(self) -> None:
        self.database.close()


class UnaskedLogin(PostgresLockedLogin):
    """A lease, and no question before the request."""

    __slots__ = ()

    def sending(self) -> bool:
        return self._reserving_since is not None and not self._free


class UnaskedSlot(PostgresSlot):
    __slots__ = ()

    def lock(self) -> PostgresLockedLogin | None:
        held = super().lock()
        if held is not None:
            held.__class__ = UnaskedLogin
        return held


class UnaskedStore(HostStore):
    """Its lease may be lost before it sends."""

    def slot(self, key: str) -> PostgresSlot:
        slot = super().slot(key)
        slot.__class__ = UnaskedSlot
        return slot


class AdvisoryLogin(PostgresLockedLogin):
    """A session's advisory lock, and what a process remembers of it."""

    __slots__ = ("session",)

    session: psycopg.Connection[Any]

    def reserve(self, record: Record) -> None:
        stored = self._look().stored
        if not isinstance(stored, Record) or stored.fingerprint != record.fingerprint:
            raise self._row.error(ErrorKind.AUTH_WRITE_FAILED, "changed")
        self._expected = record.fingerprint

    def sending(self) -> bool:
        return self._expected is not None and not self._free

    def release(self) -> None:
        super().release()
        self.session.close()


class AdvisorySlot(PostgresSlot):
    __slots__ = ()

    def lock(self) -> PostgresLockedLogin | None:
        try:
            session = psycopg.connect(self._database._dsn.reveal(), autocommit=True, prepare_threshold=None)
            number = zlib.crc32(self.key.encode())
            ((taken,),) = session.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchall()
            if not taken:
                session.close()
                return None
            (row,) = self._database.run(ErrorKind.AUTH_READ_FAILED, rows.LOAD, {**self._row.where, "me": ""})
        except psycopg.Error:
            raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="database") from None
        held = AdvisoryLogin(
            self._database,
            self._row,
            self._spool,
            me=draw_owner(),
            found=self._row.found(row),
            unsure=self._unsure,
        )
        held.session = session
        return held


class AdvisoryStore(HostStore):
    """Its lock is its session's: it ends with the session, and behind a pooler it is everybody's."""

    def slot(self, key: str) -> PostgresSlot:
        slot = super().slot(key)
        slot.__class__ = AdvisorySlot
        return slot


# -- opened by hosts, also by those that are processes -------------------------------------------------


def open_store(dsn: str, key: str) -> HostStore:
    return HostStore(Database(dsn), keys=_keys(key), owner="anna")


def open_unasked(dsn: str, key: str) -> UnaskedStore:
    return UnaskedStore(Database(dsn), keys=_keys(key), owner="anna")


def open_advisory(dsn: str, key: str) -> AdvisoryStore:
    return AdvisoryStore(Database(dsn), keys=_keys(key), owner="anna")


def _keys(key: str) -> Keys:
    if multiprocessing.parent_process() is not None:  # in one of the tests `no_grace` does it
        setattr(rows, "RESTART_GRACE", 0.0)  # noqa: B010  # it is final everywhere else
    return Keys(Secret(bytes.fromhex(key)))
