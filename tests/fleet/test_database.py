"""One database: its tables and their releases, the few connections of a process, and a disk of this host."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

from codex_oauth.fleet import database
from codex_oauth.fleet.database import MOST_KEPT, STATEMENT_WITHIN, Database
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.fleet.schema import MIGRATIONS, migrate
from codex_oauth.stores.store import Saved, SaveFailed
from codex_oauth.testing.checking import TELLTALE, renewed, sample
from codex_oauth_core import ErrorKind, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.fleet.cluster import Cluster, sql
from tests.fleet.logins import KEY, age_marks, put, store_in

OLD, NEW = sample(1), renewed(sample(1), 2)


@pytest.fixture
def store(migrated: str) -> PostgresStore:
    made = store_in(migrated)
    put(made, OLD)
    return made


def test_what_is_wrong_is_named(cluster: Cluster, database: str) -> None:
    def reason(dsn: str) -> object:
        with pytest.raises(SignInError) as failed:
            store_in(dsn).prepare()
        return failed.value.details["reason"]

    assert reason(database) == "no_schema"
    assert reason(cluster.dsn("missing")) == "no_database"
    assert reason(cluster.dsn("postgres", user="nobody")) == "database_denied"
    assert reason("postgresql://127.0.0.1:1/x") == "database_away"
    assert reason("nonsense") == "unusable_dsn"
    sql(database, "CREATE ROLE reader LOGIN")
    migrate(Database(database))
    assert reason(database.replace("postgres@", "reader@")) == "database_denied"


# -- the tables ----------------------------------------------------------------------------------------


def test_the_tables_are_made_once(database: str) -> None:
    made = Database(database)
    assert migrate(made) == MIGRATIONS
    assert migrate(made) == ()
    store_in(made).prepare()
    made.close()


def test_a_release_works_with_the_schema_before_its_own_and_the_one_after(database: str) -> None:
    made = Database(database)
    before = MIGRATIONS[-1].number - 1
    migrate(made, up_to=before)
    store = store_in(made)
    store.prepare()
    put(store, OLD)
    migrate(made)
    assert store.slot(KEY).load() == OLD
    sql(database, "INSERT INTO codex_oauth_migration VALUES (%s, 'later', '')", before + 2)
    store.prepare()
    sql(database, "INSERT INTO codex_oauth_migration VALUES (%s, 'later', '')", before + 3)
    with pytest.raises(SignInError) as newer:
        store.prepare()
    assert newer.value.details["reason"] == "new_schema"
    with pytest.raises(SignInError):
        migrate(made)
    made.close()


def test_a_file_that_was_changed_after_it_was_applied_is_noticed(database: str) -> None:
    made = Database(database)
    migrate(made)
    sql(database, "UPDATE codex_oauth_migration SET checksum = 'x' WHERE number = 1")
    with pytest.raises(SignInError) as changed:
        migrate(made)
    assert changed.value.details["reason"] == "changed_migration"
    made.close()


# -- one process -----------------------------------------------------------------------------------------


def test_stores_of_one_database_share_few_connections(cluster: Cluster, migrated: str) -> None:
    stores = [store_in(migrated, f"owner{number}") for number in range(50)]
    for each in stores:
        assert each.names() == ()
    name = migrated.rpartition("/")[2].partition("?")[0]
    open_now = cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", name)
    assert open_now == [(1,)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_leaves_its_parents_connections_and_locks_alone(store: PostgresStore) -> None:
    held = store.slot(KEY).lock()
    assert held is not None
    held.reserve(OLD)
    child = os.fork()
    if not child:  # pragma: no cover
        try:
            wrong = held.sending() or store.slot(KEY).lock() is not None or store.slot(KEY).load() is None
            held.release()
            with pytest.raises(SaveFailed):
                held.save(NEW, OLD.fingerprint)
            os._exit(int(wrong))
        except BaseException:  # noqa: BLE001
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert held.sending()
    assert held.save(NEW, OLD.fingerprint) == Saved()
    held.release()


def test_few_connections_are_kept(migrated: str) -> None:
    made = Database(migrated)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(made.run, ErrorKind.AUTH_READ_FAILED, "SELECT pg_sleep(0.2)") for _ in range(8)]
        assert [each.result() for each in asked] == [[("",)]] * 8
    assert len(made._kept) == MOST_KEPT
    made.close()
    assert not made._kept


def test_a_statement_has_its_own_limit_and_leaves_the_session_as_it_was(migrated: str) -> None:
    made = Database(migrated)
    sql(migrated, "ALTER ROLE postgres SET synchronous_commit = off")
    try:
        show = "SELECT current_setting('statement_timeout'), current_setting('synchronous_commit')"
        kind = ErrorKind.AUTH_READ_FAILED
        assert made.run(kind, show) == [(f"{STATEMENT_WITHIN}s", "off")]
        assert made.run(kind, show, durable=True) == [(f"{STATEMENT_WITHIN}s", "on")]
        (connection,) = made._kept
        assert connection.execute(cast("Any", show)).fetchone() == ("0", "off")
    finally:
        sql(migrated, "ALTER ROLE postgres RESET synchronous_commit")
        made.close()


def test_whoever_waits_too_long_is_told(
    migrated: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    held = store.slot(KEY).lock()
    assert held is not None
    monkeypatch.setattr(database, "_LIMIT", "SET LOCAL statement_timeout = '100ms'; ")
    with psycopg.connect(migrated) as other:
        other.execute("SELECT FROM codex_oauth_login FOR UPDATE")
        with pytest.raises(SignInError) as late:
            held.reserve(OLD)
    assert late.value.details["reason"] == "database_busy"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_no_connection_open(store: PostgresStore) -> None:
    store.names()
    (connection,) = store.database._kept
    fd = connection.fileno()
    child = os.fork()
    if not child:  # pragma: no cover
        try:
            os.fstat(fd)
        except OSError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.names() == (KEY,)


# -- the spool -------------------------------------------------------------------------------------------


def paid_and_not_saved(store: PostgresStore, cluster: Cluster) -> None:
    """The database goes away between a renewal's request and its save, and is back when this returns."""
    put(store, OLD)
    held = store.slot(KEY).lock()
    assert held is not None
    held.reserve(OLD)
    cluster.stop("immediate")
    with pytest.raises(SaveFailed):
        held.save(NEW, OLD.fingerprint)
    cluster.start()


def test_a_renewal_that_the_database_does_not_take_is_adopted_on_this_host(
    migrated: str, tmp_path: Path, own_cluster: Cluster, no_grace: None
) -> None:
    """P8: its process ends meanwhile."""
    store = store_in(migrated, spool=tmp_path)
    paid_and_not_saved(store, own_cluster)
    (file,) = tmp_path.iterdir()
    assert TELLTALE.encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    age_marks(migrated, INTENT_LIFE)
    again = store_in(migrated, spool=tmp_path).slot(KEY).lock()
    assert again is not None
    assert again.load() == NEW
    again.release()
    assert store.slot(KEY).load() == NEW
    assert not list(tmp_path.iterdir())


def test_a_spool_of_what_was_replaced_meanwhile_is_dropped(
    migrated: str, tmp_path: Path, own_cluster: Cluster, no_grace: None
) -> None:
    store = store_in(migrated, spool=tmp_path)
    paid_and_not_saved(store, own_cluster)
    age_marks(migrated, INTENT_LIFE)
    put(store_in(migrated), attrs.evolve(sample(9)))
    again = store.slot(KEY).lock()
    assert again is not None
    assert again.load() == sample(9)
    again.release()
    assert not list(tmp_path.iterdir())


def test_a_sign_in_that_the_database_does_not_take_is_not_spooled(
    migrated: str, tmp_path: Path, own_cluster: Cluster
) -> None:
    """It is revoked, for its person is told that it failed."""
    held = store_in(migrated, spool=tmp_path).slot(KEY).lock()
    assert held is not None
    own_cluster.stop("immediate")
    for record, expected in ((OLD, None), (attrs.evolve(OLD, uncertain_at=1.0), OLD.fingerprint)):
        with pytest.raises(SaveFailed):
            held.save(record, expected)
    assert not list(tmp_path.iterdir())


def test_a_login_that_was_signed_out_of_does_not_come_back_from_the_spool(
    migrated: str, tmp_path: Path, own_cluster: Cluster, no_grace: None
) -> None:
    store = store_in(migrated, spool=tmp_path)
    paid_and_not_saved(store, own_cluster)
    sql(migrated, "DELETE FROM codex_oauth_login")
    again = store.slot(KEY).lock()
    assert again is not None
    assert again.load() is None
    again.release()
    assert store.names() == ()
    assert not list(tmp_path.iterdir())


def test_what_is_saved_leaves_nothing_in_the_spool(migrated: str, tmp_path: Path) -> None:
    store = store_in(migrated, spool=tmp_path)
    put(store, OLD)
    held = store.slot(KEY).lock()
    assert held is not None
    held.reserve(OLD)
    assert held.save(NEW, OLD.fingerprint) == Saved()
    held.release()
    assert not list(tmp_path.iterdir())
