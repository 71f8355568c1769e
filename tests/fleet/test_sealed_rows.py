"""What leaves the process is sealed, belongs to one place, and is in no text."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import attrs
import pytest

from codex_oauth.fleet.database import Database
from codex_oauth.fleet.migrate import MIGRATIONS, migrate
from codex_oauth.fleet.postgres_lock import PostgresLockedLogin
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.fleet.rows import Found
from codex_oauth.sealing import Keys, new_key
from codex_oauth.stores.store import Saved, SaveFailed
from codex_oauth.testing.checking import TELLTALE, renewed, sample
from codex_oauth_core import ErrorKind, Secret, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.fleet.cluster import Cluster, sql
from tests.fleet.logins import KEY, KEYS, age_marks, put, store_in

OLD, NEW = sample(1), renewed(sample(1), 2)
DUMP = """SELECT string_agg(row_to_json(t)::text || encode(body, 'escape'), ' ')
FROM (SELECT body, to_json(login) FROM codex_oauth_login AS login
      UNION ALL SELECT body, to_json(rescued) FROM codex_oauth_rescued AS rescued) AS t"""


@pytest.fixture
def store(migrated: str) -> PostgresStore:
    made = store_in(migrated)
    put(made, OLD)
    return made


# -- sealed --------------------------------------------------------------------------------------------


def test_no_token_is_in_the_database(migrated: str, store: PostgresStore) -> None:
    store.slot(KEY).rescue(sample(3))
    ((dump,),) = sql(migrated, DUMP)
    assert "acct_1" in dump
    assert TELLTALE not in dump


def test_a_row_is_worth_nothing_in_another_place(migrated: str, store: PostgresStore) -> None:
    for change, where in (
        ("owner = 'bert'", {"owner": "bert"}),
        ("tenant = 'other'", {"owner": "bert", "tenant": "other"}),
    ):
        sql(migrated, f"UPDATE codex_oauth_login SET {change}")
        with pytest.raises(SignInError) as found:
            store_in(migrated, **where).slot(KEY).load()
        assert found.value.kind is ErrorKind.CORRUPT_AUTH
        assert found.value.details["reason"] == "sealed_wrong"


def test_owners_and_tenants_do_not_run_together(migrated: str) -> None:
    first, second = store_in(migrated, "b", tenant="a"), store_in(migrated, 'b"]', tenant='a","')
    put(first, OLD)
    put(second, sample(5))
    assert first.slot(KEY).load() == OLD
    assert second.slot(KEY).load() == sample(5)
    assert store_in(migrated, "a", tenant="b").names() == ()


def test_where_a_row_belongs_is_not_put_together_in_two_ways(migrated: str) -> None:
    put(store_in(migrated, "bc", tenant="a"), OLD)
    sql(migrated, "UPDATE codex_oauth_login SET tenant = 'ab', owner = 'c'")
    with pytest.raises(SignInError) as found:
        store_in(migrated, "c", tenant="ab").slot(KEY).load()
    assert found.value.details["reason"] == "sealed_wrong"


def test_what_was_repaired_meanwhile_is_not_replaced(
    migrated: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((good,),) = sql(migrated, "SELECT body FROM codex_oauth_login")
    sql(migrated, "UPDATE codex_oauth_login SET body = 'nonsense'::bytea")
    held = store.slot(KEY).lock()
    assert held is not None
    look = type(held)._look

    def repaired(self: PostgresLockedLogin) -> Found:
        found = look(self)
        sql(migrated, "UPDATE codex_oauth_login SET body = %s", good)
        return found

    monkeypatch.setattr(PostgresLockedLogin, "_look", repaired)
    with pytest.raises(SaveFailed):
        held.save(sample(5), None, replace_corrupt=True)
    assert store.slot(KEY).load() == OLD


def test_another_key_is_not_taken_for_damage(migrated: str, store: PostgresStore) -> None:
    other = store_in(migrated, keys=Keys(new_key()))
    with pytest.raises(SignInError) as found:
        other.slot(KEY).load()
    assert found.value.kind is ErrorKind.AUTH_READ_FAILED
    assert found.value.details["reason"] == "other_seal_key"
    held = other.slot(KEY).lock()
    assert held is not None
    with held:
        with pytest.raises(SignInError):
            held.load()
        with pytest.raises(SaveFailed):  # it may be good: not even a sign-in replaces it
            held.save(sample(5), None, replace_corrupt=True)
        with pytest.raises(SignInError):
            held.delete(None)
    assert store.slot(KEY).load() == OLD


def test_what_was_rescued_under_another_key_stops_a_renewal(migrated: str, store: PostgresStore) -> None:
    """It may be the login, and what is stored its spent predecessor."""
    store_in(migrated, keys=Keys(new_key())).slot(KEY).rescue(NEW)
    held = store.slot(KEY).lock()
    assert held is not None
    with held:
        for call in (held.load, lambda: held.reserve(OLD)):
            with pytest.raises(SignInError) as refused:
                call()
            assert refused.value.details["reason"] == "other_seal_key"
    assert store.slot(KEY).load() == OLD
    assert len(sql(migrated, "SELECT id FROM codex_oauth_rescued")) == 1


def test_an_older_key_opens_and_the_new_one_seals(migrated: str, store: PostgresStore) -> None:
    newer = store_in(migrated, keys=Keys(new_key(), KEYS.current))
    assert newer.slot(KEY).load() == OLD
    put(newer, NEW)
    assert newer.slot(KEY).load() == NEW
    with pytest.raises(SignInError):
        store.slot(KEY).load()


@pytest.mark.parametrize(
    "damage",
    ["overlay(body PLACING '\\x00'::bytea FROM octet_length(body))", "'\\x'::bytea", "'nonsense'::bytea"],
)
def test_a_damaged_row_is_replaced_by_a_sign_in_alone(
    migrated: str, store: PostgresStore, damage: str
) -> None:
    sql(migrated, f"UPDATE codex_oauth_login SET body = {damage}")
    assert store.names() == (KEY,)
    held = store.slot(KEY).lock()
    assert held is not None
    with held:
        with pytest.raises(SignInError) as found:
            held.load()
        assert found.value.kind is ErrorKind.CORRUPT_AUTH
        assert held.save(sample(5), None, replace_corrupt=True) == Saved()
    assert store.slot(KEY).load() == sample(5)


def test_a_renewal_does_not_need_to_read_what_it_replaces(migrated: str, store: PostgresStore) -> None:
    """R11: a row that was damaged while the request was out keeps its fingerprint."""
    held = store.slot(KEY).lock()
    assert held is not None
    held.reserve(OLD)
    sql(migrated, "UPDATE codex_oauth_login SET body = 'nonsense'::bytea")
    assert held.save(NEW, OLD.fingerprint) == Saved()
    assert store.slot(KEY).load() == NEW


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keys(new_key(), Secret(b"short"))


# -- in no text ----------------------------------------------------------------------------------------


def test_no_password_and_no_token_is_in_an_error_or_a_log(
    cluster: Cluster, migrated: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    dsns = (
        f"postgresql://postgres:{TELLTALE}@127.0.0.1:{cluster.port}/missing",
        f"postgresql://postgres:{TELLTALE}@127.0.0.1:1/missing",
        f"postgresql://nobody:{TELLTALE}@127.0.0.1:{cluster.port}/postgres",
        f"host=127.0.0.1 {TELLTALE}",
        f"postgresql://%zz{TELLTALE}",
        f"host=127.0.0.1 password={TELLTALE} nonsense=1",
    )
    for dsn in dsns:
        store = store_in(dsn)
        assert TELLTALE not in repr(store)
        for call in (store.names, store.prepare, store.slot(KEY).load, store.slot(KEY).lock):
            with pytest.raises(SignInError) as failed:
                call()
            shown: BaseException | None = failed.value
            while shown is not None:
                assert TELLTALE not in f"{shown} {shown!r}"
                shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
            assert failed.value.next_actions
    assert TELLTALE not in caplog.text


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


@pytest.mark.parametrize("wrong", [{"owner": ""}, {"owner": "a\0b"}, {"owner": "a", "tenant": "\0"}])
def test_a_name_that_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="owner"):
        PostgresStore("host=127.0.0.1", keys=KEYS, **wrong)


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


# -- the application's own transaction ---------------------------------------------------------------------


def test_a_login_is_kept_together_with_what_the_application_writes(migrated: str) -> None:
    import psycopg

    store = store_in(migrated)
    with psycopg.connect(migrated) as connection:
        connection.execute("CREATE TABLE users (name text)")
        connection.commit()
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO users VALUES ('ada')")
            store.rescue_in(connection, OLD)
        assert store.names() == ()
        with connection.transaction():
            connection.execute("INSERT INTO users VALUES ('ada')")
            store.rescue_in(connection, OLD)
    key = OLD.credential.key
    assert store.names() == (key,)
    assert store.slot(key).load() == OLD


# -- the spool -------------------------------------------------------------------------------------------


def test_a_renewal_that_the_database_does_not_take_is_adopted_on_this_host(
    migrated: str, tmp_path: Path, own_cluster: Cluster, no_grace: None
) -> None:
    """P8: its process ends meanwhile."""
    store = store_in(migrated, spool=tmp_path)
    put(store, OLD)
    held = store.slot(KEY).lock()
    assert held is not None
    held.reserve(OLD)
    own_cluster.stop("immediate")
    with pytest.raises(SaveFailed):
        held.save(NEW, OLD.fingerprint)
    own_cluster.start()
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
    put(store, OLD)
    held = store.slot(KEY).lock()
    assert held is not None
    held.reserve(OLD)
    own_cluster.stop("immediate")
    with pytest.raises(SaveFailed):
        held.save(NEW, OLD.fingerprint)
    own_cluster.start()
    age_marks(migrated, INTENT_LIFE)
    put(store_in(migrated), attrs.evolve(sample(9)))
    again = store.slot(KEY).lock()
    assert again is not None
    assert again.load() == sample(9)
    again.release()
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
