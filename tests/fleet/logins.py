"""Stores in a database of the tests, and what a test looks at beside them."""

from __future__ import annotations

from typing import Any

from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.sealing import Keys, new_key
from codex_oauth_core import Record
from tests.fleet.cluster import sql

__all__ = ["KEY", "KEYS", "age_marks", "expected_by", "put", "row_of", "store_in"]

KEYS = Keys(new_key())
KEY = "acct_1"


def store_in(dsn: str | Database, owner: str = "ada", **options: Any) -> PostgresStore:
    """The store of one owner."""
    usual: dict[str, Any] = {"keys": KEYS, "owner": owner}
    return PostgresStore(dsn, **{**usual, **options})


def put(store: PostgresStore, record: Record, key: str = KEY) -> None:
    """Store a login in place of what is there."""
    held = store.slot(key).lock()
    assert held is not None
    with held:
        held.save(record, expected_by(held.load()))


def expected_by(record: Record | None) -> str | None:
    """What a compare-and-set that replaces it expects."""
    return None if record is None else record.fingerprint


def row_of(dsn: str, key: str = KEY) -> dict[str, Any]:
    """The columns of a login's row, but for its body."""
    names = (
        "fingerprint",
        "generation",
        "renew_at",
        "intent_owner",
        "intent_at",
        "holder",
        "holder_until",
        "key_id",
    )
    found = sql(dsn, f"SELECT {', '.join(names)} FROM codex_oauth_login WHERE key = %s", key)
    return dict(zip(names, found[0], strict=True)) if found else {}


def age_marks(dsn: str, seconds: float) -> None:
    """As if that much time had passed for every lease and intent, by the database's clock."""
    sql(
        dsn,
        "UPDATE codex_oauth_login SET intent_at = intent_at - %s, holder_until = holder_until - make_interval(secs => %s)",
        seconds,
        seconds,
    )
