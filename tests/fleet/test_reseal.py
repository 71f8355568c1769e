"""A change of the key that seals: nothing is lost, whatever goes on meanwhile, and nothing of the old one is left."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from codex_oauth import TokenSource
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.reseal import Resealed, reseal
from codex_oauth.fleet.schema import migrate
from codex_oauth.fleet.sweep import Sweep, sweep
from codex_oauth.sealing import Keys, new_key, seal, unseal
from codex_oauth.testing.checking import renewed, sample
from codex_oauth_core import Record, SignInError
from tests.fleet.cluster import Cluster, sql
from tests.fleet.logins import KEY, KEYS, put, store_in
from tests.fleet.people import People

NEW: Final = Keys(new_key(), KEYS.current)
OWNERS: Final = tuple(f"user {number}" for number in range(7))
SIGN_IN: Final = """INSERT INTO codex_oauth_sign_in (name, tenant, owner, issuer, checkpoint, key_id, deadline)
VALUES (%s, '', 'ada', 'https://auth.example', %s, %s, clock_timestamp() + interval '1 hour')"""


def filled(dsn: str, keys: Keys = KEYS) -> dict[str, Record]:
    """Logins, one rescued beside, and a pending sign-in."""
    records = {owner: sample(number + 1) for number, owner in enumerate(OWNERS)}
    for owner, record in records.items():
        put(store_in(dsn, owner, keys=keys), record)
    store_in(dsn, "rescued", keys=keys).slot(KEY).rescue(sample(50))
    sql(dsn, SIGN_IN, "abc", seal({"a": 1}, keys, belongs_to="abc"), keys.current_id)
    return records


def key_ids(dsn: str) -> dict[str, int]:
    return dict(
        sql(
            dsn,
            """SELECT key_id, count(*)::int FROM (SELECT key_id FROM codex_oauth_login
            UNION ALL SELECT key_id FROM codex_oauth_rescued
            UNION ALL SELECT key_id FROM codex_oauth_sign_in) AS all_ids
            WHERE key_id IS NOT NULL GROUP BY key_id""",
        )
    )


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_all_that_is_sealed_is_sealed_anew(migrated: str, batch: int) -> None:
    records = filled(migrated)
    result = reseal(Database.shared(migrated), NEW, batch=batch)
    assert result == Resealed(logins=len(OWNERS), rescued=1, sign_ins=1)
    assert key_ids(migrated) == {NEW.current_id: len(OWNERS) + 2}
    alone = Keys(NEW.current)
    for owner, record in records.items():
        assert store_in(migrated, owner, keys=alone).slot(KEY).load() == record
    assert store_in(migrated, "rescued", keys=alone).slot(KEY).load() == sample(50)
    ((body,),) = sql(migrated, "SELECT checkpoint FROM codex_oauth_sign_in")
    assert unseal(body, NEW.current, belongs_to="abc") == {"a": 1}
    assert reseal(Database.shared(migrated), NEW) == Resealed()


def test_nothing_but_the_seal_changes(migrated: str) -> None:
    put(store_in(migrated), sample(1))
    held = store_in(migrated).slot(KEY).lock()
    assert held is not None
    held.reserve(sample(1))
    columns = "SELECT to_jsonb(login) - 'body' - 'key_id' FROM codex_oauth_login AS login"
    before = sql(migrated, columns)
    reseal(Database.shared(migrated), NEW)
    assert sql(migrated, columns) == before
    held.save(renewed(sample(1), 2), sample(1).fingerprint)  # by who knows the old key alone
    held.release()
    assert store_in(migrated, keys=NEW).slot(KEY).load() == renewed(sample(1), 2)
    assert reseal(Database.shared(migrated), NEW) == Resealed(logins=1)


def test_what_nobody_gave_a_key_for_is_left_and_counted(migrated: str) -> None:
    filled(migrated)
    other = Keys(new_key())
    put(store_in(migrated, "other", keys=other), sample(60))
    sql(migrated, "UPDATE codex_oauth_login SET body = 'nothing' WHERE owner = %s", OWNERS[0])
    result = reseal(Database.shared(migrated), NEW, batch=2)
    assert result == Resealed(
        logins=len(OWNERS) - 1, rescued=1, sign_ins=1, left={other.current_id: 1}, damaged=1
    )
    assert store_in(migrated, "other", keys=other).slot(KEY).load() == sample(60)
    assert reseal(Database.shared(migrated), NEW) == Resealed(left={other.current_id: 1}, damaged=1)


def test_a_sealed_row_of_another_place_is_not_sealed_for_that(migrated: str) -> None:
    put(store_in(migrated, "ada"), sample(1))
    sql(migrated, "UPDATE codex_oauth_login SET owner = 'bert'")
    assert reseal(Database.shared(migrated), NEW) == Resealed(damaged=1)


def test_what_changes_between_the_look_and_the_write_stays(
    migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store_in(migrated), sample(1))
    database, later = Database(migrated), renewed(sample(1), 2)
    run, renewals = Database.run, list[Record]()

    def renewing(self: Database, kind: Any, statement: str, *args: Any, **options: Any) -> Any:
        if "SET body = %(sealed)s" in statement and not renewals and self is database:
            renewals.append(later)
            put(store_in(migrated), later)
        return run(self, kind, statement, *args, **options)

    monkeypatch.setattr(Database, "run", renewing)
    result = reseal(database, NEW)
    database.close()
    assert renewals
    assert result == Resealed(logins=1)  # at the second pass
    assert store_in(migrated, keys=Keys(NEW.current)).slot(KEY).load() == later


def test_it_can_be_ended_and_run_again(migrated: str) -> None:
    filled(migrated)
    asked = itertools.count()
    first = reseal(Database.shared(migrated), NEW, until=lambda: next(asked) > 4)
    assert 0 < first.logins < len(OWNERS)
    second = reseal(Database.shared(migrated), NEW)
    assert first.logins + second.logins == len(OWNERS)


def test_a_schema_without_sign_ins_is_enough(cluster: Cluster) -> None:
    dsn = cluster.create_database()
    database = Database(dsn)
    migrate(database, up_to=1)
    put(store_in(database), sample(1))
    assert reseal(database, NEW) == Resealed(logins=1)
    database.close()


def test_without_a_cipher_nothing_is_touched(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(migrated)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(SignInError) as caught:
        reseal(Database.shared(migrated), NEW)
    assert caught.value.details["reason"] == "postgres_missing"


def _repeated(work: Callable[[], object], over: threading.Event) -> int:
    times = 0
    while not over.is_set():
        work()
        times += 1
    return times


def test_a_change_of_the_key_under_load_loses_nothing(migrated: str) -> None:
    """Some still seal with the old key, some with the new one already; all can open both."""
    old_first = Keys(KEYS.current, NEW.current)
    with People.at(migrated) as people:
        people.add(*OWNERS)
        over = threading.Event()
        databases = [Database(migrated) for _ in range(3)]

        def rejecting(database: Database, keys: Keys) -> None:
            for owner in OWNERS:
                store = people.store(owner, database, keys=keys)
                with TokenSource(store, account=people.first[owner].credential.key) as source:
                    source.rejected(source.token())

        def resealing() -> None:
            reseal(databases[2], NEW, batch=2)
            time.sleep(0.01)

        with ThreadPoolExecutor(3) as pool:
            work = [
                lambda: rejecting(databases[0], old_first),
                lambda: rejecting(databases[1], NEW),
                resealing,
            ]
            running = [pool.submit(_repeated, each, over) for each in work]
            time.sleep(3)
            over.set()
            times = [each.result(60) for each in running]
        assert min(times) > 0
        assert people.sent > len(OWNERS)
        assert people.none_was_sent_twice()
        reseal(databases[2], NEW)
        assert set(key_ids(migrated)) == {NEW.current_id}
        records = [people.record(owner, keys=Keys(NEW.current)) for owner in OWNERS]
        assert not [record for record in records if record.dead_code or record.in_doubt]
        assert sweep(databases[2], Keys(NEW.current)) == Sweep()
        # each login's tokens are good still
        for owner in OWNERS:
            store = people.store(owner, databases[1], keys=NEW)
            with TokenSource(store, account=people.first[owner].credential.key) as source:
                assert source.token() == people.record(owner, keys=NEW).credential.access_token.reveal()
        for database in databases:
            database.close()
