"""A login in a database, and holds of its lock."""

from __future__ import annotations

from codex_oauth.fleet.postgres_lock import PostgresLockedLogin
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.testing.checking import renewed, sample
from tests.fleet.logins import KEY

OLD, NEW = sample(1), renewed(sample(1), 2)


def locked(store: PostgresStore) -> PostgresLockedLogin:
    held = store.slot(KEY).lock()
    assert held is not None
    return held


def reserved(store: PostgresStore) -> PostgresLockedLogin:
    held = locked(store)
    held.reserve(OLD)
    return held
