"""Servers for the tests of this folder: one PostgreSQL and one PgBouncer for each process of tests, a database for
each test.

Rules of this file: a test may stop, restart and starve the servers, because its process runs one test at a time;
each is started again for the next one; a failure shows the last lines of their logs.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from psycopg.conninfo import conninfo_to_dict

from codex_oauth.authority import Approve, Authority, Policy, serve
from codex_oauth.fleet import rows
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.fleet.schema import migrate
from tests.fleet.bouncer import Bouncer
from tests.fleet.cluster import Cluster, sql
from tests.fleet.cutter import Cutter
from tests.fleet.ground import Ground
from tests.fleet.leases import OLD
from tests.fleet.logins import put, store_in
from tests.fleet.servers import RUNNING, tail
from tests.fleet.waiting import Sooner


@pytest.fixture(scope="session")
def own_cluster() -> Generator[Cluster]:
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def own_bouncer(own_cluster: Cluster) -> Generator[Bouncer]:
    with Bouncer(own_cluster.port) as bouncer:
        yield bouncer


@pytest.fixture
def cluster(own_cluster: Cluster) -> Cluster:
    """A PostgreSQL that runs."""
    return own_cluster.start()


@pytest.fixture
def bouncer(cluster: Cluster, own_bouncer: Bouncer) -> Bouncer:
    """A PgBouncer before it, in transaction mode."""
    return own_bouncer.start()


@pytest.fixture
def database(cluster: Cluster) -> str:
    """The DSN of an empty database."""
    return cluster.create_database()


@pytest.fixture(scope="session")
def tables(own_cluster: Cluster) -> str:
    """The name of a database with the tables in it, to make others from."""
    dsn = own_cluster.start().create_database()
    made = Database(dsn)
    migrate(made)
    made.close()
    return str(conninfo_to_dict(dsn)["dbname"])


@pytest.fixture
def migrated(cluster: Cluster, tables: str) -> Generator[str]:
    """The DSN of a database that has the tables."""
    dsn = cluster.create_database(tables)
    yield dsn
    Database.shared(dsn).close()


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the seconds after the database's start for which every intent is believed: it has just started."""
    monkeypatch.setattr(rows, "RESTART_GRACE", 0.0)


@pytest.fixture
def cutter(cluster: Cluster) -> Generator[Cutter]:
    """A network before PostgreSQL, which can be cut."""
    with Cutter(cluster.port) as cutter:
        yield cutter


@pytest.fixture
def store(migrated: str) -> PostgresStore:
    """A store that holds the login `OLD`."""
    made = store_in(migrated)
    put(made, OLD)
    return made


@pytest.fixture
def pass_time(migrated: str) -> Sooner:
    """As if that much time had passed, by the database's clock."""

    def moved(seconds: float) -> None:
        sql(
            migrated,
            "UPDATE codex_oauth_worker SET alive_until = alive_until - make_interval(secs => %s)",
            seconds,
        )
        sql(
            migrated,
            "UPDATE codex_oauth_sign_in SET deadline = deadline - make_interval(secs => %s)",
            seconds,
        )

    return moved


@pytest.fixture
def ground(migrated: str, request: pytest.FixtureRequest) -> Generator[Ground]:
    """Sign-ins between a database and an authority, whose policy a test may choose."""
    policy = getattr(request, "param", Policy(approve=Approve.AUTO, interval=1, strict_pace=False))
    authority = Authority(policy=policy)
    with serve(authority) as server:
        yield Ground(migrated, authority, server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"log of {server.name}", tail(server.log)) for server in RUNNING]
    return report
