"""What a claim costs, however many logins there are."""

from __future__ import annotations

import statistics
from collections.abc import Generator
from datetime import timedelta
from typing import Final

import pytest

from codex_oauth.fleet.database import Database
from codex_oauth.fleet.sweep import CLAIM, CLAIM_DUE
from codex_oauth_core import ErrorKind
from tests.fleet.cluster import Cluster, sql
from tests.fleet.people import SOME, People, renew_at


@pytest.fixture
def people(migrated: str) -> Generator[People]:
    with People.at(migrated) as made:
        yield made


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
