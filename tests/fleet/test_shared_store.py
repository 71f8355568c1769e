"""The store in PostgreSQL under the published checks of shared stores, reached directly and through PgBouncer.

Rules of this file: every fault is real: the server is restarted and crashes, connections are cut in a network, a
standby takes no writes. Only time is not waited for: what the rows say of it is set back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

import attrs
import psycopg
import pytest

from codex_oauth.fleet.postgres_store import PostgresStore
from codex_oauth.sealing import new_key
from codex_oauth.testing import SHARED_STORE_CHECKS, SharedStoreCheck, StoreFaults
from tests.fleet.bouncer import Bouncer
from tests.fleet.cluster import Cluster, sql
from tests.fleet.cutter import Cutter, Loss
from tests.fleet.logins import age_marks
from tests.fleet.servers import wait_until
from tests.fleet.wrong_stores import open_advisory, open_store, open_unasked


class Network(Cutter):
    """A network that can lead to another server."""

    def lead_to(self, port: int) -> None:
        """From now on."""
        self._server_port = port
        self.cut()


# the rows know nothing of the seconds after a start in which older intents are believed, too
pytestmark = pytest.mark.usefixtures("no_grace")


STANDBYS: dict[Cluster, Cluster] = {}


@attrs.frozen
class Place:
    """A database, and the way to it."""

    cluster: Cluster
    network: Network
    direct_dsn: str
    dsn: str
    """Through the network."""
    losses: list[Loss] = attrs.field(factory=list[Loss])

    def answers(self) -> bool:
        """Whether it can be asked."""
        try:
            return sql(self.dsn, "SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def advance(self, seconds: float) -> None:
        age_marks(self.direct_dsn, seconds)

    def restart(self) -> None:
        """As if it had crashed."""
        self.cluster.restart("immediate")
        wait_until(self.answers, "the database does not come back")

    def end_backends(self) -> None:
        self.cluster.kill_backends()

    def cut(self) -> None:
        self.network.cut()

    def lose_on_a_kept_connection(self) -> None:
        self.losses.append(self.network.lose_answer())

    def lose_on_a_new_connection(self) -> None:
        """What is kept is found to be dead, and the statement repeated."""
        self.network.cut()
        self.losses.append(self.network.lose_answer())

    @contextmanager
    def standby(self) -> Generator[None]:
        """Whoever asks comes to the standby."""
        if self.cluster not in STANDBYS:  # others may have promoted one of theirs
            STANDBYS[self.cluster] = self.cluster.standby()
        standby = STANDBYS[self.cluster]
        standby.start().caught_up(self.cluster)
        self.network.lead_to(standby.port)
        yield
        self.network.lead_to(self.cluster.port)

    @contextmanager
    def read_only(self) -> Generator[None]:
        """As a provider does whose disk is full."""
        self._let_writes("off")
        yield
        self._let_writes("on")

    def _let_writes(self, how: str) -> None:
        self.cluster.sql(f"ALTER SYSTEM SET default_transaction_read_only = {'off' if how == 'on' else 'on'}")
        self.cluster.sql("SELECT pg_reload_conf()")
        wait_until(
            lambda: sql(self.dsn, "SHOW transaction_read_only") == [("off" if how == "on" else "on",)],
            "the setting is not read",
        )

    def faults(self) -> StoreFaults:
        """All that there are."""
        return StoreFaults(
            advance=self.advance,
            restart=self.restart,
            end_backends=self.end_backends,
            cut_connections=self.cut,
            lose_next_answer=self.lose_on_a_kept_connection,
            standby=self.read_only,
        )


@pytest.fixture(scope="module")
def logins(own_cluster: Cluster, tables: str) -> str:
    """The DSN of one database for all rows: each has a login of its own."""
    return own_cluster.start().create_database(tables)


def _place(cluster: Cluster, logins: str, port: int) -> Generator[Place]:
    with Network(port) as network:
        place = Place(cluster, network, logins, network.dsn(logins.rpartition("/")[2].partition("?")[0]))
        yield place
        assert all(loss.done.is_set() for loss in place.losses)


@pytest.fixture
def direct(cluster: Cluster, logins: str) -> Generator[Place]:
    yield from _place(cluster, logins, cluster.port)


@pytest.fixture
def pooled(cluster: Cluster, bouncer: Bouncer, logins: str) -> Generator[Place]:
    yield from _place(cluster, logins, bouncer.port)


def opener(
    place: Place, opens: Callable[[str, str], PostgresStore] = open_store
) -> Callable[[], PostgresStore]:
    return partial(opens, place.dsn, new_key().reveal().hex())


ROWS = pytest.mark.parametrize("check", SHARED_STORE_CHECKS, ids=lambda check: check.__name__)


@ROWS
def test_the_store_passes(check: SharedStoreCheck, direct: Place) -> None:
    check(opener(direct), direct.faults())


@ROWS
def test_the_store_passes_behind_a_pooler(check: SharedStoreCheck, pooled: Place) -> None:
    check(opener(pooled), pooled.faults())


def that_need(fault: str) -> list[SharedStoreCheck]:
    return [check for check in SHARED_STORE_CHECKS if check.needs == fault]


@pytest.mark.parametrize("check", that_need("lose_next_answer"), ids=lambda check: check.__name__)
def test_an_answer_is_lost_of_a_statement_that_was_repeated(check: SharedStoreCheck, direct: Place) -> None:
    faults = attrs.evolve(direct.faults(), lose_next_answer=direct.lose_on_a_new_connection)
    check(opener(direct), faults)


@pytest.mark.parametrize("check", that_need("standby"), ids=lambda check: check.__name__)
def test_a_real_standby(check: SharedStoreCheck, direct: Place) -> None:
    check(opener(direct), attrs.evolve(direct.faults(), standby=direct.standby))


# -- stores that are wrong -----------------------------------------------------------------------------


BY_NAME = {check.__name__: check for check in SHARED_STORE_CHECKS}
SENT_TWICE = r"^a refresh token was sent 2 times, which ends the login\n"


@pytest.mark.parametrize("step", ["request", "save"])
@pytest.mark.parametrize(
    "what", ["the_server_restarts", "the_server_ends_its_connections", "the_connections_are_cut"]
)
def test_a_lock_that_ends_with_its_session_is_caught(what: str, step: str, direct: Place) -> None:
    make = opener(direct, open_advisory)
    BY_NAME[f"another_host_comes_before_the_{step}"](make, direct.faults())
    with pytest.raises(AssertionError, match=SENT_TWICE):
        BY_NAME[f"{what}_before_the_{step}"](make, direct.faults())


@pytest.mark.parametrize("step", ["request", "save"])
def test_a_sessions_lock_behind_a_pooler_is_caught(step: str, pooled: Place) -> None:
    with pytest.raises(AssertionError, match=SENT_TWICE):
        BY_NAME[f"another_host_comes_before_the_{step}"](opener(pooled, open_advisory), pooled.faults())


def test_a_lease_without_a_question_before_the_request_is_caught(direct: Place) -> None:
    with pytest.raises(AssertionError, match=SENT_TWICE):
        BY_NAME["the_holder_is_stopped_past_its_life_before_the_request"](
            opener(direct, open_unasked), direct.faults()
        )
