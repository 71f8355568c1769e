"""Servers for the tests of this folder: one PostgreSQL and one PgBouncer for each process of tests, a database for
each test.

Rules of this file: a test may stop, restart and starve the servers, because its process runs one test at a time;
each is started again for the next one; a failure shows the last lines of their logs.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.fleet.bouncer import Bouncer
from tests.fleet.cluster import Cluster
from tests.fleet.cutter import Cutter
from tests.fleet.servers import RUNNING, tail


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


@pytest.fixture
def cutter(cluster: Cluster) -> Generator[Cutter]:
    """A network before PostgreSQL, which can be cut."""
    with Cutter(cluster.port) as cutter:
        yield cutter


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"log of {server.name}", tail(server.log)) for server in RUNNING]
    return report
