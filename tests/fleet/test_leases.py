"""The rules of the lease, one at a time: with any of them left out, a refresh token is sent twice or a login lost.

Rules of this file: time passes in the database, by its rows; no test waits for it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs
import pytest

from codex_oauth.fleet import postgres_lock, rows
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth.testing.checking import sample
from codex_oauth_core import ErrorKind, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from tests.fleet.cluster import Cluster, sql
from tests.fleet.cutter import Cutter
from tests.fleet.leases import NEW, OLD, locked, reserved
from tests.fleet.logins import KEY, age_marks, put, row_of, store_in

pytestmark = pytest.mark.usefixtures("no_grace")


# -- who has it ----------------------------------------------------------------------------------------


def test_a_lease_that_ran_out_is_the_next_ones(migrated: str, store: PostgresStore) -> None:
    first = locked(store)
    age_marks(migrated, rows.LEASE - 1)
    assert store.slot(KEY).lock() is None
    age_marks(migrated, 1)
    second = locked(store)
    with pytest.raises(SignInError) as lost:
        first.reserve(OLD)  # C1
    assert lost.value.details["reason"] == "lock_lost"
    first.release()  # C5
    assert store.slot(KEY).lock() is None
    second.release()
    locked(store).release()


def test_who_has_reserved_has_it_as_long_as_an_intent_lives(migrated: str, store: PostgresStore) -> None:
    """C6: also for a release that does not look at intents."""
    reserved(store)
    age_marks(migrated, INTENT_LIFE - 1)
    assert store.slot(KEY).lock() is None
    sql(migrated, "UPDATE codex_oauth_login SET intent_owner = NULL")
    assert store.slot(KEY).lock() is None
    age_marks(migrated, 1)
    assert store.slot(KEY).lock() is not None


def test_an_intent_keeps_the_lock_busy_though_the_lease_is_gone(migrated: str, store: PostgresStore) -> None:
    """P1: a cut connection, a restart or a release is not a dead holder."""
    reserved(store)
    sql(migrated, "UPDATE codex_oauth_login SET holder = NULL, holder_until = NULL")
    assert store.slot(KEY).lock() is None
    age_marks(migrated, INTENT_LIFE)
    found = locked(store).load()
    assert found is not None
    assert found.in_doubt


def test_a_hold_is_not_taken_for_another_of_its_process(migrated: str, store: PostgresStore) -> None:
    """C5: an owner for each hold."""
    first = reserved(store)
    age_marks(migrated, INTENT_LIFE)
    second = locked(store)
    second.reserve(OLD)
    assert not first.sending()
    assert second.sending()
    first.release()
    assert second.sending()


def test_a_reservation_needs_what_was_read(migrated: str, store: PostgresStore) -> None:
    """C1: what somebody else stored is not marked."""
    held = locked(store)
    age_marks(migrated, rows.LEASE)
    put(store, NEW)
    held = locked(store)
    with pytest.raises(SignInError) as changed:
        held.reserve(OLD)
    assert changed.value.details["reason"] == "changed"
    assert row_of(migrated)["intent_owner"] is None


# -- right before it is sent ---------------------------------------------------------------------------


def test_the_time_to_send_counts_from_before_the_statement(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C2."""
    at = [1000.0]
    monkeypatch.setattr(postgres_lock, "now", lambda: (at[0], at[0]))
    held = locked(store)
    run = Database.run

    def slow(self: Database, *args: Any, **options: Any) -> Any:
        found = run(self, *args, **options)
        at[0] += SEND_BY + 0.5
        return found

    monkeypatch.setattr(Database, "run", slow)
    held.reserve(OLD)
    monkeypatch.undo()
    monkeypatch.setattr(postgres_lock, "now", lambda: (at[0], at[0]))
    assert not held.sending()


def test_the_database_says_no_though_our_clock_stands_still(migrated: str, store: PostgresStore) -> None:
    """C4: a machine that was frozen does not notice."""
    held = reserved(store)
    assert held.sending()
    age_marks(migrated, SEND_BY)
    assert not held.sending()


@pytest.mark.parametrize(
    "change",
    [
        "holder = 'another'",
        "intent_owner = 'another'",
        "intent_owner = NULL",
        "fingerprint = 'another'",
        "intent_at = intent_at - 6",
    ],
)
def test_each_thing_is_asked_right_before_the_request(
    migrated: str, store: PostgresStore, change: str
) -> None:
    held = reserved(store)
    sql(migrated, f"UPDATE codex_oauth_login SET {change}")
    assert not held.sending()


def test_who_cannot_ask_does_not_send(store: PostgresStore, own_cluster: Cluster) -> None:
    held = reserved(store)
    own_cluster.stop("immediate")
    assert not held.sending()


def test_a_standby_does_not_let_send(cluster: Cluster, migrated: str, store: PostgresStore) -> None:
    held = reserved(store)
    standby = cluster.standby()
    try:
        standby.caught_up(cluster)
        away = Database(migrated.replace(str(cluster.port), str(standby.port)))
        held._database = away
        assert not held.sending()
        with pytest.raises(SignInError) as refused:
            store_in(away).prepare()
        assert refused.value.details["reason"] == "database_read_only"
        assert store_in(away).slot(KEY).load() is not None
        away.close()
    finally:
        standby.stop("immediate")


# -- the answer ----------------------------------------------------------------------------------------


def test_an_answer_is_stored_though_the_lease_is_somebody_elses(migrated: str, store: PostgresStore) -> None:
    """C6b: it was paid for, and nothing else was stored since."""
    held = reserved(store)
    age_marks(migrated, INTENT_LIFE)
    other = locked(store)
    assert held.save(NEW, OLD.fingerprint) == Saved()
    assert store.slot(KEY).lock() is None  # the other one's lease is its own
    with pytest.raises(SignInError):
        other.reserve(OLD)
    assert store.slot(KEY).load() == NEW


def test_an_answer_to_what_is_not_stored_any_more_is_dropped(migrated: str, store: PostgresStore) -> None:
    held = reserved(store)
    age_marks(migrated, INTENT_LIFE)
    put(store, sample(5))
    assert held.save(NEW, OLD.fingerprint) == Conflict(sample(5))
    assert store.slot(KEY).load() == sample(5)


def test_a_login_that_was_signed_out_of_does_not_come_back(migrated: str, store: PostgresStore) -> None:
    held = reserved(store)
    age_marks(migrated, INTENT_LIFE)
    with locked(store) as other:
        assert other.delete(OLD.fingerprint) == Deleted()
    assert held.save(NEW, OLD.fingerprint) == Conflict(None)
    assert store.names() == ()


def test_somebody_elses_mark_survives_our_save(migrated: str, store: PostgresStore) -> None:
    held = reserved(store)
    age_marks(migrated, INTENT_LIFE)
    other = reserved(store)
    held.save(attrs.evolve(OLD, uncertain_at=1.0), OLD.fingerprint)
    assert row_of(migrated)["intent_owner"] is not None
    assert other.sending()


@pytest.mark.parametrize("aged", [0.0, INTENT_LIFE])
def test_a_mark_about_an_older_token_does_not_cast_doubt_on_a_new_one(
    migrated: str, store: PostgresStore, aged: float
) -> None:
    held = reserved(store)
    age_marks(migrated, INTENT_LIFE)
    reserved(store)
    age_marks(migrated, aged)
    held.save(NEW, OLD.fingerprint)
    assert store.slot(KEY).load() == NEW


def test_a_save_whose_answer_is_lost_is_saved(migrated: str, cutter: Cutter, store: PostgresStore) -> None:
    """P7: it comes back as a conflict with exactly our record."""
    name = migrated.rpartition("/")[2].partition("?")[0]
    far = store_in(cutter.dsn(name))
    held = reserved(far)
    loss = cutter.lose_answer("UPDATE codex_oauth_login AS login SET body")
    with suppress(SaveFailed):
        assert held.save(NEW, OLD.fingerprint) == Saved()
    assert loss.done.is_set()
    assert store.slot(KEY).load() == NEW
    assert held.save(NEW, OLD.fingerprint) == Saved()
    far.database.close()


def test_a_save_that_failed_is_repeated_and_its_mark_stays(
    store: PostgresStore, own_cluster: Cluster
) -> None:
    held = reserved(store)
    own_cluster.stop("immediate")
    with pytest.raises(SaveFailed) as failed:
        held.save(NEW, OLD.fingerprint)
    assert failed.value.error.kind is ErrorKind.AUTH_WRITE_FAILED
    assert failed.value.error.details["reason"] == "database_away"
    assert not failed.value.rescued
    own_cluster.start()
    assert store.slot(KEY).lock() is None
    assert held.save(NEW, OLD.fingerprint) == Saved()
    held.release()
    locked(store).release()


def test_what_could_not_be_saved_keeps_its_mark(
    migrated: str, store: PostgresStore, own_cluster: Cluster
) -> None:
    held = reserved(store)
    own_cluster.stop("immediate")
    with pytest.raises(SaveFailed):
        held.save(NEW, OLD.fingerprint)
    own_cluster.start()
    held.release()
    assert row_of(migrated)["intent_owner"] is not None
    assert store.slot(KEY).lock() is None
