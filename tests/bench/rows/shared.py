"""P15: one renewal's work on a login that hosts share, in PostgreSQL, beside the same in a file.

Rules of this file: everybody writes to the same disk, and what is saved stays after a power cut: `fsync` and
`synchronous_commit` are on. The request to the server is left out, because it is the same. Round trips are counted in
the network, not in our code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from codex_oauth import FileStore, TokenSource
from codex_oauth.stores.store import Slot, Store
from codex_oauth_core import Record, Secret
from tests.bench.contest import Contestant, contest, figures, repeated, turn
from tests.bench.logins import ACCOUNT, credential, keep
from tests.bench.ratios import NotMeasurable, Result, Spread, Target
from tests.fleet.servers import missing
from tests.users import place_for_all

UNIT = "FileStore"


def _cycle(slot: Slot) -> Callable[[], None]:
    """From the lock to its release."""
    first = credential()
    other = attrs.evolve(first, refresh_token=Secret("fake-refresh-token-" + "y" * 181))
    records = itertools.cycle((Record(other), Record(first)))

    def cycle() -> None:
        held = slot.lock()
        assert held is not None
        with held:
            before = held.load()
            assert before is not None
            held.reserve(before)
            assert held.sending()
            held.save(next(records), before.fingerprint)

    return cycle


def _contestants(name: str, store: Store) -> list[Contestant]:
    keep(store, credential())
    slot = store.slot(ACCOUNT)
    cycle = _cycle(slot)
    called = "lock(), load(), reserve(), sending(), save(), release()"
    return [
        Contestant(name, called, lambda: turn(cycle, 1), ours=True),
        Contestant(f"{name}, a look", "slot.load()", repeated(slot.load), ours=True),
    ]


def measure(rounds: int) -> Result:
    """The row. Raises NotMeasurable where there is no PostgreSQL."""
    if program := missing():
        raise NotMeasurable(f"{program} is missing: install PostgreSQL and PgBouncer")
    from codex_oauth.fleet.database import Database
    from codex_oauth.fleet.postgres_store import PostgresStore
    from codex_oauth.fleet.schema import migrate
    from codex_oauth.sealing import Keys, new_key
    from tests.fleet.cluster import Cluster
    from tests.fleet.meter import Meter

    with TemporaryDirectory(dir=place_for_all()) as home, Cluster(fsync=True) as cluster:
        assert cluster.sql("SHOW fsync") + cluster.sql("SHOW synchronous_commit") == [("on",), ("on",)]
        database, keys = Database(cluster.dsn()), Keys(new_key())
        migrate(database)
        shared = PostgresStore(database, keys=keys, owner="ada")
        all_of = [*_contestants(UNIT, FileStore(Path(home))), *_contestants("PostgresStore", shared)]
        with TokenSource(shared) as source, Meter(cluster.port) as meter:
            all_of.append(
                Contestant(
                    "PostgresStore, a fresh token", "TokenSource.token()", repeated(source.token), ours=True
                )
            )
            times = contest(all_of, rounds, UNIT)
            metered = PostgresStore(Database(meter.dsn()), keys=keys, owner="ada")
            metered.slot(ACCOUNT).load()  # it is connected
            trips = meter.count(_cycle(metered.slot(ACCOUNT)))
            fresh = TokenSource(metered)
            fresh.token()
            idle = meter.count(fresh.token)
            metered.database.close()
            database.close()
    targets = (
        Target("round trips of a cycle", Spread.of([float(trips)]), 5, unit=""),
        Target("of the file", times.ratio("PostgresStore"), 1.5),
        Target("round trips for a fresh token", Spread.of([float(idle)]), 0, unit=""),
    )
    return Result("P15", UNIT, figures(all_of, times), targets)
