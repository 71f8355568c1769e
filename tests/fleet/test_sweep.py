"""What is due is renewed, each login once, by any number of sweepers; and none is lost or spun on."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from codex_oauth.authority import Fault
from codex_oauth.fleet import sweep as sweeping
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.rows import LoginRow
from codex_oauth.fleet.spool import Spool
from codex_oauth.fleet.sweep import CLAIM, CLAIM_DUE, PUT_OFF, End, Sweep, Swept, sweep
from codex_oauth.sealing import Keys, new_key
from codex_oauth_core import ErrorKind, Record, SignInError
from codex_oauth_core.renewal_times import INTENT_LIFE
from tests.fleet.cluster import Cluster, sql
from tests.fleet.logins import KEYS, age_marks, store_in
from tests.fleet.people import DAY, People

FAST: Final[dict[str, Any]] = {"max_per_second": 1000.0}
SOME: Final = tuple(f"user {number}" for number in range(8))


@pytest.fixture
def people(migrated: str) -> Generator[People]:
    with People.at(migrated) as made:
        yield made


def swept(people: People, **options: Any) -> Sweep:
    return sweep(Database.shared(people.dsn), KEYS, **{**FAST, **options})


def renew_at(people: People, owner: str) -> datetime | None:
    ((found,),) = sql(people.dsn, "SELECT renew_at FROM codex_oauth_login WHERE owner = %s", owner)
    assert found is None or isinstance(found, datetime)
    return found


def in_seconds(moment: datetime | None) -> float:
    assert moment is not None
    return (moment - datetime.now(UTC)).total_seconds()


def age_claims(people: People, seconds: float) -> None:
    """As if that much time had passed."""
    sql(people.dsn, "UPDATE codex_oauth_login SET renew_at = renew_at - make_interval(secs => %s)", seconds)


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
            people.dsn, "SELECT count(*) FROM codex_oauth_login WHERE renew_at > clock_timestamp()"
        )
        told.append(claimed)
        return len(told) > 3

    swept(people, max_per_second=5 / CLAIM, until=until)
    assert max(told) == 1


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
        (over,) = (each for each in told if each.end is End.REFUSED)
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


# -- the end of a sweeper -------------------------------------------------------------------------------


def test_the_end_gives_back_what_was_only_claimed(people: People) -> None:
    people.add(*SOME)
    before = {owner: renew_at(people, owner) for owner in SOME}
    told = list[Swept]()
    result = swept(people, max_per_second=2.0, at_once=2, on_swept=told.append, until=lambda: bool(told))
    renewed = people.renewed()
    assert 1 <= len(renewed) == result.renewed == people.sent < len(SOME)
    assert {owner: renew_at(people, owner) for owner in SOME if owner not in renewed} == {
        owner: at for owner, at in before.items() if owner not in renewed
    }
    assert swept(people) == Sweep(renewed=len(SOME) - len(renewed))
    assert people.none_was_sent_twice()


def test_what_was_sent_is_stored_first(migrated: str) -> None:
    with People.at(migrated, [Fault(endpoint="refresh", delay=1.0)]) as people:
        people.add("ada", "bert")
        assert swept(people, until=lambda: people.sent > 0, at_once=1) == Sweep(renewed=1)
        assert len(people.renewed()) == people.sent == 1


def test_a_wait_is_cut_and_the_login_is_due_as_it_was(people: People) -> None:
    """An expired one, whose lock somebody has: a renewal waits for that for minutes."""
    people.add("ada", left=-100.0)
    before = renew_at(people, "ada")
    held = people.store("ada").slot(people.first["ada"].credential.key).lock()
    assert held is not None
    over_at = time.monotonic() + 1.0
    with held:
        assert swept(people, until=lambda: time.monotonic() > over_at) == Sweep()
    assert time.monotonic() < over_at + 5
    assert renew_at(people, "ada") == before


def test_an_interrupt_loses_nothing(migrated: str) -> None:
    with People.at(migrated, [Fault(endpoint="refresh", delay=0.5)]) as people:
        people.add(*SOME)

        def until() -> bool:
            if people.sent and threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            return False

        with pytest.raises(KeyboardInterrupt):
            swept(people, until=until, at_once=2)
        assert len(people.renewed()) == people.sent
        assert people.none_was_sent_twice()


SCRIPT: Final = """
import sys
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.sweep import sweep
from codex_oauth.sealing import Keys
from codex_oauth import Secret
key = Secret(bytes.fromhex(sys.stdin.readline()))
sweep(Database(sys.argv[1]), Keys(key), max_per_second=4, on_swept=lambda each: print(each.end, flush=True))
"""


def test_the_claims_of_a_killed_sweeper_come_back(people: People, no_grace: None) -> None:
    people.add(*SOME)
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, people.dsn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(KEYS.current.reveal().hex() + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "renewed\n"
        process.send_signal(signal.SIGKILL)
    assert swept(people) == Sweep()  # they are claimed
    age_marks(people.dsn, INTENT_LIFE)
    age_claims(people, CLAIM * 1.2 + 1)
    again = swept(people)
    assert 0 < again.renewed < len(SOME)
    assert again.failed + again.refused + again.unreadable == 0
    assert people.none_was_sent_twice()


# -- the database ----------------------------------------------------------------------------------------


def test_a_database_that_is_away_ends_a_sweep(people: People, cluster: Cluster) -> None:
    cluster.stop("immediate")
    with pytest.raises(SignInError) as caught:
        sweep(Database(people.dsn), KEYS)
    assert caught.value.details["reason"] == "database_away"
    cluster.start()


def test_one_that_goes_on_waits_until_it_is_back(people: People, cluster: Cluster) -> None:
    people.add("ada")
    told, ends = list[SignInError](), list[Swept]()

    def trouble(error: SignInError) -> None:
        told.append(error)
        cluster.start()

    def until() -> bool:
        if not told and cluster.running and people.renewed():
            people.add("bert")
            cluster.stop("immediate")
        return len(ends) > 1

    result = swept(people, every=0.1, until=until, on_trouble=trouble, on_swept=ends.append)
    assert result == Sweep(renewed=2)
    assert {error.details["reason"] for error in told} == {"database_away"}


def test_one_that_goes_on_finds_what_is_due_later(people: People) -> None:
    ends = list[Swept]()

    def until() -> bool:
        if "ada" not in people.first:
            people.add("ada")
        return bool(ends)

    assert swept(people, every=0.05, until=until, on_swept=ends.append) == Sweep(renewed=1)


def test_nothing_is_claimed_that_cannot_be_sealed(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    people.add("ada")
    before = renew_at(people, "ada")
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(SignInError) as caught:
        swept(people)
    assert caught.value.details["reason"] == "postgres_missing"
    assert renew_at(people, "ada") == before


# -- the spool -------------------------------------------------------------------------------------------


def spooled(people: People, owner: str, folder: Path) -> Record:
    """What a process renewed that could not store it, and ended."""
    people.add(owner, left=5 * DAY)
    first = people.first[owner]
    token = first.credential.refresh_token
    assert token is not None
    later = attrs.evolve(
        first.credential, refresh_token=type(token)(f"next-{len(owner)}"), expires_at=1_900_000_000_000
    )
    record = Record(later, generation=1, parent=token.fingerprint())
    row = LoginRow("", owner, first.credential.key, KEYS)
    Spool(folder).write(row, row.values(record)["body"])
    return record


def test_what_the_spool_holds_is_adopted(people: People, tmp_path: Path) -> None:
    records = {owner: spooled(people, owner, tmp_path) for owner in ("ada", 'b"]\n')}
    assert sorted(owner for _, owner, _ in Spool(tmp_path).waiting()) == ["ada", 'b"]\n']
    assert swept(people, spool=tmp_path) == Sweep(adopted=2)
    assert {owner: people.record(owner) for owner in records} == records
    assert not list(tmp_path.iterdir())


def test_what_is_no_file_of_the_spool_is_left_alone(people: People, tmp_path: Path) -> None:
    spooled(people, "ada", tmp_path)
    (tmp_path / "note.txt").write_text("mine")
    (tmp_path / "broken.sealed").write_text("[1, 2")
    (tmp_path / "broken.sealed").chmod(0o600)
    assert swept(people, spool=tmp_path) == Sweep(adopted=1)
    assert {path.name for path in tmp_path.iterdir()} == {"note.txt", "broken.sealed"}


def test_what_the_spool_holds_of_a_login_that_is_held_waits(people: People, tmp_path: Path) -> None:
    spooled(people, "ada", tmp_path)
    held = people.store("ada").slot(people.first["ada"].credential.key).lock()
    assert held is not None
    with held:
        assert swept(people, spool=tmp_path) == Sweep()
    assert swept(people, spool=tmp_path) == Sweep(adopted=1)


# -- how many there are -----------------------------------------------------------------------------------

FILL: Final = """INSERT INTO codex_oauth_login (tenant, owner, key, body, key_id, fingerprint, generation, renew_at)
SELECT '', 'user ' || number, 'acct_1', 'x', 'y', 'z', 1,
    clock_timestamp() + make_interval(hours => 1) * (random() - 0.2)
FROM generate_series(1, %s) AS number"""


def filled(dsn: str, logins: int) -> None:
    sql(dsn, FILL, logins)
    sql(dsn, "VACUUM ANALYZE codex_oauth_login")


def seconds_to_claim(dsn: str) -> float:
    """The time of the server for the next hundred; the least of a few."""
    values = {"tenant": None, "batch": 100, "claim": CLAIM}
    took = list[float]()
    for _ in range(9):
        (plan,) = Database.shared(dsn).run(
            ErrorKind.AUTH_WRITE_FAILED, f"EXPLAIN (ANALYZE, FORMAT JSON) {CLAIM_DUE}", values
        )
        took.append(plan[0][0]["Execution Time"] / 1000)
    return statistics.median(took)


def test_the_next_that_are_due_are_found_by_the_partial_index(migrated: str) -> None:
    filled(migrated, 20_000)
    values = {"tenant": None, "batch": 100, "claim": CLAIM}
    ((plan,),) = Database.shared(migrated).run(
        ErrorKind.AUTH_WRITE_FAILED, f"EXPLAIN (FORMAT JSON) {CLAIM_DUE}", values
    )
    text = str(plan)
    assert "'Index Name': 'codex_oauth_login_due'" in text
    assert "'Index Cond': '(renew_at <= statement_timestamp())'" in text
    assert "Seq Scan" not in text


def test_a_million_logins_cost_no_more_than_three_times_ten_thousand(
    cluster: Cluster, migrated: str, tables: str
) -> None:
    filled(migrated, 10_000)
    few = seconds_to_claim(migrated)
    many_dsn = cluster.create_database(tables)
    filled(many_dsn, 1_000_000)
    many = seconds_to_claim(many_dsn)
    assert many <= 3 * few, (many, few)


def test_a_claim_is_spread(people: People) -> None:
    people.add(*SOME)
    Database.shared(people.dsn).run(
        ErrorKind.AUTH_WRITE_FAILED, CLAIM_DUE, {"tenant": None, "batch": 100, "claim": CLAIM}
    )
    moments = {renew_at(people, owner) for owner in SOME}
    assert len(moments) == len(SOME)
    spread = max(filter(None, moments)) - min(filter(None, moments))
    assert timedelta() < spread <= timedelta(seconds=CLAIM / 5)
