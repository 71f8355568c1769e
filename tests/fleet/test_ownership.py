"""Who drives a sign-in: the rules of a worker's lease, with any of which left out a code is exchanged twice.

Rules of this file: time passes in the database, by its rows; no test waits for it.
"""

from __future__ import annotations

import secrets
from typing import Any, cast

import psycopg
import pytest

from codex_oauth import Credential, DeviceFlow
from codex_oauth.authority import Approve, Authority, Policy
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.ownership import CHANNEL, LEASE_SECONDS, Ownership, Taken
from codex_oauth.fleet.sign_ins import cancel_sign_in, sign_in_state, start_sign_in, unsealed_sign_in
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth.testing.checking import TELLTALE
from codex_oauth_core import SignInError
from codex_oauth_core.errors import ErrorKind
from tests.fleet.cluster import Cluster, sql
from tests.fleet.cutter import Cutter
from tests.fleet.logins import KEYS, store_in
from tests.fleet.waiting import GRANTED, Sooner, started, state, worker


@pytest.fixture
def database(migrated: str) -> Database:
    return Database.shared(migrated)


# -- who drives it -------------------------------------------------------------------------------------


def test_each_is_taken_once_and_the_oldest_first(migrated: str, database: Database) -> None:
    names = [started(database) for _ in range(5)]
    sql(
        migrated,
        "UPDATE codex_oauth_sign_in SET created_at = created_at - interval '1 h' WHERE name = %s",
        names[3],
    )
    first, second = worker(database), worker(database)
    mine = first.take(2)
    assert {each.name for each in mine} == {names[3], names[0]}
    assert {each.name for each in second.take(10)} == {names[1], names[2], names[4]}
    assert first.take(10) == second.take(10) == []
    first.let_go([names[0]])
    assert second.take(10, but=[names[0]]) == []
    assert [each.name for each in second.take(10)] == [names[0]]


def test_a_living_worker_keeps_what_it_drives(database: Database, pass_time: Sooner) -> None:
    started(database)
    first, second = worker(database), worker(database)
    assert len(first.take(1)) == 1
    pass_time(LEASE_SECONDS - 2)
    assert first.beat()
    pass_time(LEASE_SECONDS - 2)
    assert second.take(1) == []


def test_a_dead_worker_is_dead_for_ever(database: Database, pass_time: Sooner) -> None:
    """C16: and whoever takes its sign-ins over locks its lease."""
    name = started(database)
    first = worker(database)
    assert len(first.take(1)) == 1
    pass_time(LEASE_SECONDS)
    assert not first.beat()
    assert not first.may_exchange(name)
    assert first.take(1) == []
    second = worker(database)
    assert [each.name for each in second.take(1)] == [name]
    assert not first.may_exchange(name)
    assert second.may_exchange(name)


def test_a_worker_whose_lease_row_is_locked_is_left_alone(
    migrated: str, database: Database, pass_time: Sooner
) -> None:
    """C16: it may be renewing its lease at this very moment."""
    started(database)
    first = worker(database)
    assert len(first.take(1)) == 1
    pass_time(LEASE_SECONDS)
    with psycopg.connect(migrated) as connection:
        connection.execute("SELECT FROM codex_oauth_worker WHERE id = %s FOR UPDATE", (first.me,))
        assert worker(database).take(1) == []
    assert len(worker(database).take(1)) == 1


def test_a_dead_worker_takes_nothing(database: Database, pass_time: Sooner) -> None:
    started(database)
    own = worker(database)
    pass_time(LEASE_SECONDS - 0.5)
    assert own.take(1) == []


# -- before a code is exchanged ------------------------------------------------------------------------


def test_the_fence_needs_a_second_of_lease(database: Database, pass_time: Sooner) -> None:
    name = started(database)
    own = worker(database)
    own.take(1)
    pass_time(LEASE_SECONDS - 0.5)
    assert not own.may_exchange(name)
    assert own.beat()
    assert own.may_exchange(name)


def test_what_was_marked_is_never_exchanged_by_another(database: Database, pass_time: Sooner) -> None:
    """C15: the mark comes with the row."""
    name = started(database)
    first = worker(database)
    first.take(1)
    assert first.may_exchange(name)
    pass_time(LEASE_SECONDS)
    (taken,) = worker(database).take(1)
    assert taken.exchanging


def test_ones_own_mark_does_not_stop_one(database: Database, cutter: Cutter, migrated: str) -> None:
    """The answer to the fence was lost: nothing was sent."""
    name = started(database)
    dbname = migrated.rpartition("/")[2].partition("?")[0]
    far = Database(cutter.dsn(dbname))
    own = worker(far)
    assert len(own.take(1)) == 1
    loss = cutter.lose_answer("SET exchanging")
    assert own.may_exchange(name)  # asked once more on a new connection
    assert loss.done.is_set()
    assert own.may_exchange(name)
    far.close()


@pytest.mark.parametrize("over", ["cancelled", "overdue", "not ours", "done"])
def test_what_is_over_is_not_exchanged(
    migrated: str, database: Database, pass_time: Sooner, over: str
) -> None:
    name = started(database)
    own = worker(database)
    (taken,) = own.take(1)
    match over:
        case "cancelled":
            assert cancel_sign_in(database, name)
        case "overdue":
            sql(migrated, "UPDATE codex_oauth_sign_in SET deadline = clock_timestamp()")
        case "not ours":
            sql(migrated, "UPDATE codex_oauth_sign_in SET worker = 'another'")
        case _:
            assert own.end(taken, GRANTED)
    assert not own.may_exchange(name)


# -- the outcome ---------------------------------------------------------------------------------------


def test_a_login_its_selection_and_the_end_are_one(
    migrated: str, database: Database, cluster: Cluster
) -> None:
    name = started(database)
    own = worker(database)
    (taken,) = own.take(1)
    assert own.may_exchange(name)
    with psycopg.connect(migrated, autocommit=True) as listening:
        listening.execute(f"LISTEN {CHANNEL}")
        assert own.end(taken, GRANTED)
        assert [each.payload for each in listening.notifies(timeout=10, stop_after=1)] == [name]
    found = sign_in_state(database, name)
    assert found is not None
    assert (found.state, found.key) == ("done", GRANTED.key)
    store = store_in(migrated)
    assert store.current() == GRANTED.key
    record = store.slot(GRANTED.key).load()
    assert record is not None
    assert record.credential == GRANTED
    ((dump,),) = sql(migrated, "SELECT to_json(row)::text FROM codex_oauth_sign_in AS row")
    assert TELLTALE not in dump


def test_an_end_whose_answer_is_lost_counts(database: Database, cutter: Cutter, migrated: str) -> None:
    started(database)
    far = Database(cutter.dsn(migrated.rpartition("/")[2].partition("?")[0]))
    own = worker(far)
    (taken,) = own.take(1)
    cutter.lose_answer("state = 'done'")
    assert own.end(taken, GRANTED)
    assert len(sql(migrated, "SELECT id FROM codex_oauth_rescued")) == 1
    far.close()


@pytest.mark.parametrize("why", ["taken over", "cancelled", "overdue"])
@pytest.mark.parametrize("outcome", [GRANTED, SignInError.of(ErrorKind.DENIED)])
def test_an_outcome_counts_only_for_its_owner(
    migrated: str, database: Database, pass_time: Sooner, why: str, outcome: Credential | SignInError
) -> None:
    """C17."""
    name = started(database)
    own = worker(database)
    (taken,) = own.take(1)
    if why == "taken over":
        pass_time(LEASE_SECONDS)
        assert len(worker(database).take(1)) == 1
    elif why == "cancelled":
        assert cancel_sign_in(database, name)
    else:
        sql(migrated, "UPDATE codex_oauth_sign_in SET deadline = clock_timestamp()")
    assert not own.end(taken, outcome)
    assert sql(migrated, "SELECT id FROM codex_oauth_rescued") == []
    assert store_in(migrated).names() == ()
    assert state(database, name) == ("pending" if why == "taken over" else "failed")


def test_a_failure_is_told(database: Database) -> None:
    name = started(database)
    own = worker(database)
    (taken,) = own.take(1)
    assert own.end(taken, SignInError.of(ErrorKind.DENIED))
    found = sign_in_state(database, name)
    assert found is not None
    assert (found.state, found.error and found.error["kind"]) == ("failed", "denied")


def test_nobody_left_is_a_failure_after_the_deadline(migrated: str, database: Database) -> None:
    """C18: whoever lives."""
    name = started(database)
    sql(migrated, "UPDATE codex_oauth_sign_in SET deadline = clock_timestamp() + interval '1 h'")
    assert state(database, name) == "pending"
    sql(migrated, "UPDATE codex_oauth_sign_in SET deadline = clock_timestamp()")
    found = sign_in_state(database, name)
    assert found is not None
    assert (found.state, found.error and found.error["kind"]) == ("failed", "expired")
    assert worker(database).take(1) == []


def test_a_deadline_is_after_all_that_a_sign_in_may_take(database: Database, migrated: str) -> None:
    world = FakeWorld(answered_by(Authority(policy=Policy(lifetime=900))))
    started(database, world=world)
    ((left,),) = sql(
        migrated, "SELECT extract(epoch FROM deadline - clock_timestamp())::float8 FROM codex_oauth_sign_in"
    )
    assert 900 + 15 + 30 + 15 < left <= 900 + 120


def test_what_a_person_gave_up_is_dropped_by_its_worker(database: Database) -> None:
    name = started(database)
    own = worker(database)
    own.take(1)
    assert own.given_up() == []
    assert cancel_sign_in(database, name)
    assert not cancel_sign_in(database, name)
    assert own.given_up() == [name]
    assert own.given_up() == []


def test_what_is_being_exchanged_is_not_given_up(database: Database) -> None:
    name = started(database)
    own = worker(database)
    own.take(1)
    assert own.may_exchange(name)
    assert not cancel_sign_in(database, name)


def test_a_failure_whose_answer_is_lost_is_told(database: Database, cutter: Cutter, migrated: str) -> None:
    started(database)
    far = Database(cutter.dsn(migrated.rpartition("/")[2].partition("?")[0]))
    own = worker(far)
    (taken,) = own.take(1)
    loss = cutter.lose_answer("state = 'failed'")
    assert own.end(taken, SignInError.of(ErrorKind.DENIED))
    assert loss.done.is_set()
    far.close()


def test_what_was_taken_and_is_not_known_is_found(database: Database, cutter: Cutter, migrated: str) -> None:
    """The answer to a take was lost: nobody would drive it."""
    names = [started(database) for _ in range(3)]
    far = Database(cutter.dsn(migrated.rpartition("/")[2].partition("?")[0]))
    own = worker(far)
    (known,) = own.take(1)
    loss = cutter.lose_answer("orphaned")
    assert own.take(2) == []
    assert loss.done.is_set()
    assert {each.name for each in own.undriven({known.name})} == set(names) - {known.name}
    assert own.undriven(set(names)) == []
    far.close()


def test_where_it_stands_is_put_down_by_the_clock_that_all_have(
    database: Database, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = FakeWorld(answered_by(Authority(policy=Policy(approve=Approve.ASK))), wall=1.0e9)
    begun = start_sign_in(database, DeviceFlow(), world, keys=KEYS, owner="ada")
    own = Ownership(database, KEYS)
    now = own.begin()
    (taken,) = own.take(1)
    checkpoint, _ = unsealed_sign_in(taken.checkpoint, KEYS, begun.name)
    assert 0 <= now - checkpoint["wall"] < 60
    beat = own.beat()
    assert beat is not None
    assert 0 <= beat - now < 60


def test_a_lease_that_is_longer_than_any_is_none(migrated: str, database: Database) -> None:
    """The database's clock was set back."""
    started(database)
    own = worker(database)
    own.take(1)
    sql(migrated, "UPDATE codex_oauth_worker SET alive_until = clock_timestamp() + interval '1 h'")
    assert len(worker(database).take(1)) == 1


# -- handing over --------------------------------------------------------------------------------------


def test_what_is_given_back_goes_on_where_it_stands(database: Database) -> None:
    names = [started(database) for _ in range(3)]
    own = worker(database)
    own.take(3)
    own.give_back({names[0]: b"later"})
    own.retire()
    found = {each.name: each for each in worker(database).take(9)}
    assert set(found) == set(names)
    assert found[names[0]].checkpoint == b"later"
    assert not own.beat()


def test_what_is_being_exchanged_is_not_handed_over_as_if_it_were_not(
    database: Database,
) -> None:
    name = started(database)
    own = worker(database)
    own.take(1)
    own.may_exchange(name)
    own.retire()
    own.let_go([name])
    (taken,) = worker(database).take(1)
    assert taken.exchanging


def test_the_table_is_cleaned(migrated: str, database: Database) -> None:
    over, overdue, waiting = (started(database) for _ in range(3))
    own = worker(database)
    taken = {each.name: each for each in own.take(3)}
    own.end(taken[over], SignInError.of(ErrorKind.DENIED))
    sql(
        migrated,
        "UPDATE codex_oauth_sign_in SET ended_at = ended_at - interval '2 days' WHERE name = %s",
        over,
    )
    sql(
        migrated,
        "UPDATE codex_oauth_sign_in SET deadline = clock_timestamp() - interval '2 minutes' WHERE name = %s",
        overdue,
    )
    sql(
        migrated,
        "INSERT INTO codex_oauth_worker VALUES ('buried', 'host', 1, clock_timestamp() - interval '2 h')",
    )
    own.clean()
    assert sign_in_state(database, over) is None
    assert state(database, overdue) == "failed"
    assert state(database, waiting) == "pending"
    assert sql(migrated, "SELECT id FROM codex_oauth_worker") == [(own.me,)]


def test_looking_for_work_costs_no_scan_of_what_is_driven(migrated: str, database: Database) -> None:
    own = worker(database)
    sql(
        migrated,
        "INSERT INTO codex_oauth_sign_in (name, tenant, owner, issuer, checkpoint, key_id, deadline, worker) "
        "SELECT 'n' || n, '', 'o', 'i', 'x', 'k', clock_timestamp() + interval '1 h', %s "
        "FROM generate_series(1, 20000) AS n",
        own.me,
    )
    sql(migrated, "ANALYZE")
    from codex_oauth.fleet import ownership

    statement = "EXPLAIN " + ownership._TAKE
    with psycopg.connect(migrated, cursor_factory=psycopg.ClientCursor) as connection:
        plan = connection.execute(
            cast("Any", statement), {"me": secrets.token_hex(8), "room": 500, "but": []}
        ).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "Seq Scan on codex_oauth_sign_in" not in text, text


def test_room_bounds_what_is_taken(database: Database) -> None:
    for _ in range(4):
        started(database)
    taken: list[Taken] = worker(database).take(3)
    assert len(taken) == 3
