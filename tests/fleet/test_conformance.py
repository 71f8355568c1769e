"""What every store does, `PostgresStore` does too: direct, and behind PgBouncer, where a session is nobody's."""

from __future__ import annotations

import uuid
from collections.abc import Generator

import pytest
from psycopg.conninfo import conninfo_to_dict

from codex_oauth.fleet import rows
from codex_oauth.fleet.database import Database
from codex_oauth.testing import REGISTRATION_CHECKS, STORE_CHECKS, RegistrationCheck, StoreCheck
from tests.fleet.bouncer import Bouncer
from tests.fleet.cluster import Cluster
from tests.fleet.logins import store_in

CHECKS = (*STORE_CHECKS, *REGISTRATION_CHECKS)


@pytest.fixture(scope="module")
def ways(own_cluster: Cluster, own_bouncer: Bouncer, tables: str) -> Generator[dict[str, Database]]:
    name = conninfo_to_dict(own_cluster.start().create_database(tables))["dbname"]
    assert isinstance(name, str)
    found = {"direct": Database(own_cluster.dsn(name)), "PgBouncer": Database(own_bouncer.start().dsn(name))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "RESTART_GRACE", 0.0)  # the server has just started; see test_leases
        yield found
    for each in found.values():
        each.close()


@pytest.mark.parametrize("way", ["direct", "PgBouncer"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_postgres_store(way: str, check: StoreCheck | RegistrationCheck, ways: dict[str, Database]) -> None:
    check(store_in(ways[way], uuid.uuid4().hex))
