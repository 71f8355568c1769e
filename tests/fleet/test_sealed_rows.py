"""What leaves the process is sealed, belongs to one place, and is in no text."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from codex_oauth.fleet import rows
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_lock import PostgresLockedLogin
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.fleet.rows import Found
from codex_oauth.sealing import Keys, new_key
from codex_oauth.stores.store import Saved, SaveFailed
from codex_oauth.testing.checking import TELLTALE, renewed, sample
from codex_oauth_core import ErrorKind, Record, Secret, SignInError
from codex_oauth_core.record import write_record
from tests.fleet.cluster import Cluster, sql
from tests.fleet.logins import KEY, KEYS, put, row_of, store_in

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


LAST = "octet_length(body) - 1"
ONE_BIT = f"set_byte(body, {LAST}, get_byte(body, {LAST}) # 1)"  # a fixed byte might be the one that is there


@pytest.mark.parametrize(
    "damage", [ONE_BIT, "'\\x'::bytea", "'nonsense'::bytea"], ids=["one bit", "nothing", "nonsense"]
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


def of_a_newer_release(record: Record) -> bytes:
    """The body of a row that a release of later wrote."""
    document = json.loads(write_record(record))
    content = Secret(json.dumps({**document, "schema_version": 99}).encode())
    return rows._LOGINS.seal(content, KEYS, json.dumps(["", "ada", KEY]))


def test_what_a_newer_release_wrote_is_replaced_by_nobody(migrated: str, store: PostgresStore) -> None:
    sql(migrated, "UPDATE codex_oauth_login SET body = %s", of_a_newer_release(OLD))
    held = store.slot(KEY).lock()
    assert held is not None
    with held, pytest.raises(SaveFailed) as refused:
        held.save(sample(5), None, replace_corrupt=True)
    assert refused.value.error.details["reason"] == "schema_too_new"


def test_what_a_newer_release_rescued_is_kept_for_it(migrated: str, store: PostgresStore) -> None:
    store.slot(KEY).rescue(NEW)
    sql(migrated, "UPDATE codex_oauth_rescued SET body = %s", of_a_newer_release(NEW))
    held = store.slot(KEY).lock()
    assert held is not None
    with held, pytest.raises(SignInError) as refused:
        held.reserve(OLD)
    assert refused.value.details["reason"] == "schema_too_new"
    assert len(sql(migrated, "SELECT id FROM codex_oauth_rescued")) == 1


def test_what_was_rescued_and_is_damaged_is_in_nobodys_way(migrated: str, store: PostgresStore) -> None:
    store.slot(KEY).rescue(NEW)
    sql(migrated, "UPDATE codex_oauth_rescued SET body = 'nonsense'::bytea")
    held = store.slot(KEY).lock()
    assert held is not None
    held.reserve(OLD)
    assert sql(migrated, "SELECT id FROM codex_oauth_rescued") == []


def test_a_rescued_sign_in_takes_the_place_of_what_is_damaged(migrated: str, store: PostgresStore) -> None:
    sql(migrated, "UPDATE codex_oauth_login SET body = 'nonsense'::bytea")
    store.slot(KEY).rescue(sample(5))
    held = store.slot(KEY).lock()
    assert held is not None
    assert held.load() == sample(5)
    held.release()
    assert store.slot(KEY).load() == sample(5)


def test_what_was_left_is_not_adopted_by_who_lost_the_lease(migrated: str, store: PostgresStore) -> None:
    store.slot(KEY).rescue(sample(5))
    taken = store.slot(KEY)._database.run

    def late(self: Database, kind: ErrorKind, statement: str, *args: Any, **options: Any) -> Any:
        if statement == rows.ADOPT:
            sql(migrated, "UPDATE codex_oauth_login SET holder = 'another'")
        return taken(kind, statement, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "run", late)
        with pytest.raises(SignInError) as lost:
            store.slot(KEY).lock()
    assert lost.value.details["reason"] == "lock_lost"
    assert len(sql(migrated, "SELECT id FROM codex_oauth_rescued")) == 1
    assert row_of(migrated)["holder"] == "another"


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


@pytest.mark.parametrize("wrong", [{"owner": ""}, {"owner": "a\0b"}, {"owner": "a", "tenant": "\0"}])
def test_a_name_that_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="owner"):
        PostgresStore("host=127.0.0.1", keys=KEYS, **wrong)


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
