"""The lease while its database is away or its clock is wrong, and what a cycle of it costs.

Rules of this file: time passes in the database, by its rows; no test waits for it.
"""

from __future__ import annotations

import time
from typing import Any

import attrs
import pytest

from codex_oauth.fleet import postgres_lock, rows
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.stores.store import Saved, SaveFailed
from codex_oauth.testing.checking import sample
from codex_oauth_core import ErrorKind, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.fleet.cluster import Cluster, sql
from tests.fleet.cutter import Cutter
from tests.fleet.leases import NEW, OLD, locked, reserved
from tests.fleet.logins import KEY, age_marks, put, row_of, store_in

pytestmark = pytest.mark.usefixtures("no_grace")


# -- the database was away -----------------------------------------------------------------------------


def test_an_intent_that_ran_out_while_the_database_was_away_lives_a_little_longer(
    migrated: str, store: PostgresStore, own_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C7: its holder could not save meanwhile."""
    reserved(store)
    age_marks(migrated, INTENT_LIFE + 1)
    own_cluster.restart("immediate")
    monkeypatch.setattr(rows, "RESTART_GRACE", 3600.0)
    assert store.slot(KEY).lock() is None
    monkeypatch.setattr(rows, "RESTART_GRACE", 0.0)
    assert store.slot(KEY).lock() is not None


def test_the_grace_is_not_for_intents_that_were_marked_since(
    migrated: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserved(store)
    sql(migrated, "UPDATE codex_oauth_login SET holder = NULL")
    sql(
        migrated,
        "UPDATE codex_oauth_login SET intent_at = extract(epoch FROM pg_postmaster_start_time()) + 200",
    )
    sql(migrated, "UPDATE codex_oauth_login SET intent_at = intent_at + 1000")  # a clock that was set back
    monkeypatch.setattr(rows, "RESTART_GRACE", 3600.0)
    assert store.slot(KEY).lock() is not None


def test_a_restart_between_two_statements_is_not_noticed(store: PostgresStore, own_cluster: Cluster) -> None:
    """P3: no connection is held over a request."""
    held = reserved(store)
    own_cluster.restart("fast")
    assert held.sending()
    own_cluster.kill_backends()
    assert held.save(NEW, OLD.fingerprint) == Saved()
    own_cluster.restart("immediate")
    held.release()
    locked(store).release()


def test_a_lease_that_is_longer_than_any_is_none(migrated: str, store: PostgresStore) -> None:
    """The database's clock was set back."""
    locked(store)
    sql(migrated, "UPDATE codex_oauth_login SET holder_until = clock_timestamp() + interval '1 h'")
    locked(store).release()


@pytest.mark.parametrize("how", ["save", "rescue"])
def test_whether_a_sign_in_was_stored_is_not_said_while_it_may_still_be(
    migrated: str, cutter: Cutter, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What is not stored is revoked: a statement that nobody answered may be executed later."""
    at = [1000.0]
    monkeypatch.setattr(postgres_lock, "now", lambda: (at[0], at[0]))
    name = migrated.rpartition("/")[2].partition("?")[0]
    far = store_in(cutter.dsn(name))
    new = sample(5)
    slot = far.slot(KEY)
    held = slot.lock()
    assert held is not None
    with monkeypatch.context() as patch:
        patch.setattr(Database, "_connect", away)
        loss = cutter.lose_request("INSERT INTO codex_oauth")
        if how == "save":
            with pytest.raises(SaveFailed):
                held.save(new, None)
        else:
            with pytest.raises(SignInError):
                slot.rescue(new)
    assert loss.done.is_set()
    for _ in range(2):
        with pytest.raises(SignInError) as unsure:
            far.slot(KEY).load()
        assert unsure.value.details["reason"] == "unanswered"
    sql(migrated, "DELETE FROM codex_oauth_login")
    put(store_in(migrated), new)
    assert far.slot(KEY).load() == new
    far.database.close()


def test_after_a_while_what_is_not_stored_is_not(
    migrated: str, cutter: Cutter, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1000.0]
    monkeypatch.setattr(postgres_lock, "now", lambda: (at[0], at[0]))
    far = store_in(cutter.dsn(migrated.rpartition("/")[2].partition("?")[0]))
    held = far.slot(KEY).lock()
    assert held is not None
    with monkeypatch.context() as patch:
        patch.setattr(Database, "_connect", away)
        cutter.lose_request("INSERT INTO codex_oauth")
        with pytest.raises(SaveFailed):
            held.save(sample(5), None)
    at[0] += postgres_lock.UNSURE_FOR
    assert far.slot(KEY).load() is None
    far.database.close()


def away(self: Database, psycopg: Any, kind: ErrorKind, *, unanswered: bool = False) -> Any:
    """No second connection."""
    raise self._explained(kind, None, unanswered=unanswered)


# -- what it costs -------------------------------------------------------------------------------------


def test_a_mark_does_not_rewrite_the_tokens(migrated: str, store: PostgresStore) -> None:
    """P6."""
    padding = {"padding": "".join(chr(33 + (i * 7919) % 90) for i in range(6000))}
    big = attrs.evolve(OLD, unknown=padding)
    put(store, big)
    held = locked(store)
    sql(migrated, "CHECKPOINT")
    held.reserve(big)
    held.release()
    held = locked(store)
    before = sql(migrated, "SELECT pg_current_wal_insert_lsn()")[0][0]
    held.reserve(big)
    (written,) = sql(migrated, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", before)[0]
    assert written < 2000


def test_a_cycle_is_five_round_trips(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """P5, P15."""
    statements: list[str] = []
    run = Database.run

    def counted(self: Database, kind: ErrorKind, statement: str, *args: Any, **options: Any) -> Any:
        statements.append(statement)
        return run(self, kind, statement, *args, **options)

    monkeypatch.setattr(Database, "run", counted)
    with locked(store) as held:
        assert held.load() == OLD
        held.reserve(OLD)
        assert held.sending()
        held.save(NEW, OLD.fingerprint)
    assert statements == [rows.LOCK, rows.RESERVE, rows.SENDING, rows.SAVE, rows.RELEASE]


def test_an_empty_place_leaves_no_row(migrated: str, store: PostgresStore) -> None:
    held = store.slot("acct_2").lock()
    assert held is not None
    assert row_of(migrated, "acct_2")["holder"]
    held.release()
    assert row_of(migrated, "acct_2") == {}


def test_looking_for_a_busy_lock_writes_nothing(migrated: str, store: PostgresStore) -> None:
    held = locked(store)
    (before,) = sql(migrated, "SELECT xmin::text || ctid::text || xmax::text FROM codex_oauth_login")
    for _ in range(3):
        assert store.slot(KEY).lock() is None
    assert sql(migrated, "SELECT xmin::text || ctid::text || xmax::text FROM codex_oauth_login") == [before]
    held.release()


def test_the_clock_of_this_machine_does_not_count(
    migrated: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in (-3600.0, 3600.0):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: 1_900_000_000.0 + wrong)
        held = reserved(store)
        (since,) = sql(
            migrated,
            "SELECT extract(epoch FROM clock_timestamp())::float8 - intent_at FROM codex_oauth_login",
        )[0]
        assert 0 <= since < 60
        held.release()
