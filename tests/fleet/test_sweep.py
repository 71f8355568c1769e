"""What is due is renewed, each login once, by any number of sweepers; and none is spun on."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Final

import attrs
import pytest
from psycopg.conninfo import conninfo_to_dict

from codex_oauth.authority import Fault
from codex_oauth.fleet import sweep as sweeping
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.rows import LoginRow
from codex_oauth.fleet.sweep import CLAIM, CLAIM_DUE, PUT_OFF, Sweep, SweepEnd, Swept, sweep
from codex_oauth.sealing import Keys, new_key
from codex_oauth_core import ErrorKind
from tests.fleet.bouncer import Bouncer
from tests.fleet.cluster import sql
from tests.fleet.logins import KEYS, store_in
from tests.fleet.people import DAY, FAST, SOME, People, age_claims, in_seconds, renew_at, swept


@pytest.fixture
def people(migrated: str) -> Generator[People]:
    with People.at(migrated) as made:
        yield made


# -- each once ------------------------------------------------------------------------------------------


def test_what_is_due_is_renewed_and_nothing_else(people: People) -> None:
    people.add(*SOME)
    people.add("later", left=5 * DAY)
    assert swept(people, batch=3) == Sweep(renewed=len(SOME))
    assert people.renewed() == set(SOME)
    assert people.none_was_sent_twice()
    assert all(8 * DAY < in_seconds(renew_at(people, owner)) < 10 * DAY for owner in SOME)
    assert swept(people) == Sweep()
    assert people.sent == len(SOME)


def test_the_login_of_an_expired_token_is_renewed(people: People) -> None:
    people.add("late", left=-3600.0)
    assert swept(people) == Sweep(renewed=1)


def test_what_is_due_by_its_row_is_renewed_whatever_jitter_that_was_drawn_with(people: People) -> None:
    people.add("ada", left=1.19 * DAY)
    sql(people.dsn, "UPDATE codex_oauth_login SET renew_at = clock_timestamp()")
    assert swept(people) == Sweep(renewed=1)


def test_through_a_pool_of_connections(people: People, bouncer: Bouncer) -> None:
    people.add(*SOME)
    name = conninfo_to_dict(people.dsn)["dbname"]
    with closing(Database(bouncer.dsn(str(name)))) as database:
        assert sweep(database, KEYS, **FAST) == Sweep(renewed=len(SOME))


def test_two_sweepers_at_once_renew_each_login_once(people: People) -> None:
    owners = tuple(f"user {number}" for number in range(30))
    people.add(*owners)
    start = threading.Barrier(2)

    def one(_: int) -> Sweep:
        start.wait(30)
        with closing(Database(people.dsn)) as database:
            return sweep(database, KEYS, **FAST, batch=4)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(one, range(2))
    assert first.renewed + second.renewed == len(owners) == people.sent
    assert min(first.renewed, second.renewed) > 0
    assert people.renewed() == set(owners)
    assert people.none_was_sent_twice()


def test_what_is_claimed_is_claimed_by_nobody_else(people: People) -> None:
    people.add(*SOME)
    values = {"tenant": None, "batch": 5, "claim": CLAIM}
    with closing(Database(people.dsn)) as first, closing(Database(people.dsn)) as second:
        claimed = first.run(ErrorKind.AUTH_WRITE_FAILED, CLAIM_DUE, values)
        rest = second.run(ErrorKind.AUTH_WRITE_FAILED, CLAIM_DUE, values)
    assert {owner for _, owner, *_ in (*claimed, *rest)} == set(SOME)
    assert (len(claimed), len(rest)) == (5, 3)
    assert all(CLAIM - 5 < in_seconds(renew_at(people, owner)) <= CLAIM * 1.2 for owner in SOME)


def test_what_somebody_locks_holds_up_nobody(people: People) -> None:
    people.add(*SOME)
    with Database.shared(people.dsn).transaction(ErrorKind.AUTH_WRITE_FAILED) as connection:
        connection.execute(
            "SELECT FROM codex_oauth_login ORDER BY renew_at LIMIT 3 FOR UPDATE",
        )
        assert swept(people) == Sweep(renewed=len(SOME) - 3)


def test_only_one_tenant_where_one_is_named(people: People) -> None:
    people.add("ada", tenant="a")
    people.add("bert", tenant="b")
    assert swept(people, tenant="b") == Sweep(renewed=1)
    assert people.record("ada", tenant="a") == people.first["ada"]
    assert people.record("bert", tenant="b") != people.first["bert"]


def test_at_most_so_many_a_second(people: People) -> None:
    people.add(*SOME[:4])
    began = time.monotonic()
    assert swept(people, max_per_second=10.0, at_once=4) == Sweep(renewed=4)
    assert time.monotonic() - began >= 0.3


def test_those_who_wait_for_their_turn_come_one_by_one_with_jitter() -> None:
    pace, turns = sweeping._Pace(0.02), list[float]()

    def turn(_: int) -> None:
        assert pace.turn(lambda: False)
        turns.append(time.monotonic())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(turn, range(16)))
    assert max(turns) - min(turns) >= 15 * 0.02 * 0.99
    assert pace._next - min(turns) > 15 * 0.02 * 1.02  # and not all at the same distance


def test_no_more_is_claimed_than_is_renewed_before_the_claim_is_over(people: People) -> None:
    people.add(*SOME)
    told = list[int]()

    def until() -> bool:
        ((claimed,),) = sql(
            people.dsn,
            "SELECT count(*) FROM codex_oauth_login WHERE renew_at - clock_timestamp() BETWEEN '0' AND '1 h'",
        )
        told.append(claimed)
        return len(told) > 30

    swept(people, max_per_second=5 / CLAIM, until=until)
    assert 1 <= max(told) <= 2  # one waits for its turn, and one for that


@pytest.mark.parametrize("name", ["max_per_second", "batch", "at_once", "every"])
def test_numbers_are_positive(people: People, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        swept(people, **{name: 0})


# -- what is not renewed --------------------------------------------------------------------------------


OVER: Final = Fault(
    endpoint="refresh", requests="2", status=401, body={"error": {"code": "refresh_token_expired"}}
)


def test_a_login_that_is_over_is_not_claimed_again(migrated: str) -> None:
    with People.at(migrated, [OVER]) as people:
        people.add("ada", "bert")
        told = list[Swept]()
        assert swept(people, on_swept=told.append, at_once=1) == Sweep(renewed=1, refused=1)
        (over,) = (each for each in told if each.end is SweepEnd.REFUSED)
        assert over.error is not None
        assert over.key == people.first[over.owner].credential.key
        assert renew_at(people, over.owner) is None
        assert people.record(over.owner).dead_code == "refresh_token_expired"
        age_claims(people, 2 * PUT_OFF)
        assert swept(people) == Sweep()


def test_so_is_one_whose_token_has_expired_too(migrated: str) -> None:
    with People.at(migrated, [attrs.evolve(OVER, requests="1")]) as people:
        people.add("ada", left=-100.0)
        assert swept(people) == Sweep(refused=1)
        assert renew_at(people, "ada") is None
        assert swept(people) == Sweep()


def test_one_that_is_known_to_be_over_is_retired(people: People) -> None:
    """Nothing of ours writes such a row: it was due, and is over."""
    people.add("ada")
    dead = attrs.evolve(people.first["ada"], dead_code="gone")
    row = LoginRow("", "ada", dead.credential.key, KEYS)
    sql(people.dsn, "UPDATE codex_oauth_login SET body = %s", row.values(dead)["body"])
    assert swept(people) == Sweep(refused=1)
    assert renew_at(people, "ada") is None
    assert people.sent == 0


def test_what_another_key_sealed_is_counted_and_put_off(people: People) -> None:
    people.add("ada")
    for owner in ("bert", "carl"):
        people.add(owner, keys=Keys(new_key()))
    told = list[Swept]()
    assert swept(people, batch=1, on_swept=told.append) == Sweep(renewed=1, unreadable=2)
    assert {each.error.details["reason"] for each in told if each.error} == {"other_seal_key"}
    for owner in ("bert", "carl"):
        assert PUT_OFF - 10 < in_seconds(renew_at(people, owner)) <= PUT_OFF * 1.2
    assert swept(people) == Sweep()


def test_what_is_damaged_is_counted_and_put_off(people: People) -> None:
    people.add("ada")
    sql(people.dsn, "UPDATE codex_oauth_login SET body = 'nothing'")
    assert swept(people) == Sweep(unreadable=1)
    assert swept(people) == Sweep()


def test_the_unreadable_take_no_turn_of_the_others(people: People) -> None:
    for number in range(5):
        people.add(f"other {number}", keys=Keys(new_key()), left=-100.0)
    people.add("ada")
    began = time.monotonic()
    assert swept(people, max_per_second=0.5) == Sweep(renewed=1, unreadable=5)
    assert time.monotonic() - began < 2.0


def test_a_login_of_nobody_that_is_known_here_is_put_off(people: People) -> None:
    people.add("ada")
    first = people.first["ada"]
    other = attrs.evolve(first, credential=attrs.evolve(first.credential, issuer="http://plain.example"))
    people.first["ada"] = other
    held = people.store("ada").slot(other.credential.key).lock()
    assert held is not None
    with held:
        held.save(other, None)
    sql(people.dsn, "DELETE FROM codex_oauth_login WHERE key = %s", first.credential.key)
    told = list[Swept]()
    assert swept(people, on_swept=told.append) == Sweep(failed=1)
    assert told[0].error is not None
    assert told[0].error.details["reason"] == "other_issuer"
    assert in_seconds(renew_at(people, "ada")) > PUT_OFF - 10


def test_one_that_somebody_else_holds_is_busy(people: People) -> None:
    people.add("ada")
    held = people.store("ada").slot(people.first["ada"].credential.key).lock()
    assert held is not None
    with held:
        assert swept(people) == Sweep(busy=1)
    assert people.sent == 0
    assert in_seconds(renew_at(people, "ada")) > CLAIM - 10


def test_one_that_was_renewed_meanwhile_is_not_due(people: People) -> None:
    people.add("ada", left=5 * DAY)
    sql(people.dsn, "UPDATE codex_oauth_login SET renew_at = clock_timestamp()")
    assert swept(people) == Sweep(not_due=1)
    assert people.sent == 0


def test_one_that_is_gone_is_not_due(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    people.add("ada")

    def gone(sweeper: sweeping._Sweeper, tenant: str, owner: str) -> Any:
        sql(people.dsn, "DELETE FROM codex_oauth_login")
        return store_in(people.dsn, owner)

    monkeypatch.setattr(sweeping._Sweeper, "_store", gone)
    assert swept(people) == Sweep(not_due=1)


def test_one_that_fails_does_not_hold_up_the_others(migrated: str) -> None:
    with People.at(
        migrated, [Fault(endpoint="refresh", requests="2", status=429, body="{}", act=False)]
    ) as people:
        people.add(*SOME)
        assert swept(people, at_once=1) == Sweep(renewed=len(SOME) - 1, failed=1)
        (failed,) = set(SOME) - people.renewed()
        assert CLAIM - 10 < in_seconds(renew_at(people, failed)) <= CLAIM * 1.2
        age_claims(people, CLAIM * 1.2)
        assert swept(people) == Sweep(renewed=1)
        assert people.renewed() == set(SOME)


def test_a_world_that_breaks_does_not_end_the_sweep(people: People) -> None:
    people.add(*SOME[:3])
    told = list[Swept]()

    def broken() -> Any:
        raise OSError("no more descriptors")

    assert swept(people, make_world=broken, on_swept=told.append) == Sweep(failed=3)
    assert {each.error.details["reason"] for each in told if each.error} == {"OSError"}
    assert "descriptors" not in repr(told)


def test_an_answer_that_was_lost_is_not_asked_for_again_and_again(migrated: str) -> None:
    with People.at(migrated, [Fault(endpoint="refresh", requests="1", reset=True)]) as people:
        people.add("ada")
        # it is due at once by its own dates, is claimed once more, and then waits
        assert swept(people) == Sweep(failed=1, not_due=1)
        assert people.record("ada").uncertain_at is not None
        assert people.sent == 1
        assert in_seconds(renew_at(people, "ada")) > CLAIM - 10
