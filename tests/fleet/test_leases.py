"""The rules of the lease, one at a time: with any of them left out, a refresh token is sent twice or a login lost.

Rules of this file: time passes in the database, by its rows; no test waits for it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import attrs
import pytest

from codex_oauth.fleet import postgres_lock, rows
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_lock import PostgresLockedLogin
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth.testing.checking import renewed, sample
from codex_oauth_core import ErrorKind, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE, SEND_BY
from tests.fleet.cluster import Cluster, sql
from tests.fleet.cutter import Cutter
from tests.fleet.logins import KEY, age_marks, put, row_of, store_in

OLD, NEW = sample(1), renewed(sample(1), 2)

pytestmark = pytest.mark.usefixtures("no_grace")


def locked(store: PostgresStore) -> PostgresLockedLogin:
    held = store.slot(KEY).lock()
    assert held is not None
    return held


def reserved(store: PostgresStore) -> PostgresLockedLogin:
    held = locked(store)
    held.reserve(OLD)
    return held


@pytest.fixture
def store(migrated: str) -> PostgresStore:
    made = store_in(migrated)
    put(made, OLD)
    return made


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
