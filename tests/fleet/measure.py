"""What a fleet costs: `python -m tests.fleet.measure` prints the figures of docs/fleet.md (some minutes).

Rules of this file: what is measured and what is computed from it stand in two tables; the disk is waited for (`fsync`
and `synchronous_commit` are on); a figure of the database's processor is that of the backend that served us. A table
of a million rows has short bodies in all but a few: what is long stands beside it (TOAST), and is read for one login.
"""

from __future__ import annotations

import os
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final, cast

import attrs
import psycopg

from codex_oauth.fleet.database import Database
from codex_oauth.fleet.ownership import Ownership, Taken
from codex_oauth.fleet.postgres_store import PostgresSlot, PostgresStore
from codex_oauth.fleet.schema import migrate
from codex_oauth.fleet.sweep import CLAIM_DUE
from codex_oauth.sealing import Keys, new_key
from codex_oauth_core import CODEX, Credential, Record, Secret
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.flows.lifetime import renewal_begins
from tests.fleet.cluster import Cluster

__all__ = ["Measured", "measured", "on_paper"]

ACCOUNT: Final = "acct_1"
KEYS: Final = Keys(new_key())
LIFETIME: Final = 10 * 86_400.0
"""Seconds that an access token of the Codex authority lives."""

POLLS_A_CORE: Final = 2_500
"""A second, through the whole pool, over one aiohttp session: see docs/pool.md."""

POLL_EVERY: Final = 5.0
_DEAD: Final = 1.2
"""With dead rows: autovacuum comes when they are a fifth of the living ones."""

A_SIGN_IN: Final = 900.0
"""Seconds that a sign-in waits for its person at the most."""

_FILL_LOGINS: Final = """INSERT INTO codex_oauth_login
    (tenant, owner, key, body, key_id, fingerprint, generation, renew_at, saved_at)
SELECT '', 'filler-' || n, 'acct_1', uuid_send(gen_random_uuid()), '0123456789abcdef',
    encode(sha256(n::text::bytea), 'hex'), 1, now() + (random() * 10 - 2) * interval '1 day', now()
FROM generate_series(1, %s) AS n"""
_FILL_SIGN_INS: Final = """INSERT INTO codex_oauth_sign_in
    (name, tenant, owner, issuer, checkpoint, key_id, deadline)
SELECT 'sign-in-' || n, '', 'owner-' || n, 'https://auth.openai.com', decode(repeat('5a', 900), 'hex'),
    '0123456789abcdef', now() + interval '15 minutes' FROM generate_series(1, %s) AS n"""


def login() -> Credential:
    """A login whose tokens have 6 KB together, as real ones have."""
    wall = time.time()
    return Credential(
        access_token=Secret(secrets.token_urlsafe(1_800)),
        refresh_token=Secret(secrets.token_urlsafe(150)),
        account_id=ACCOUNT,
        issuer=CODEX.issuer,
        client_id=CODEX.client_id,
        obtained_at=datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        id_token=Secret(secrets.token_urlsafe(2_400)),
        expires_at=int((wall + LIFETIME) * 1000),
    )


@attrs.frozen
class Place:
    """A database with the tables, in a cluster of its own."""

    cluster: Cluster
    database: Database

    @classmethod
    def of(cls, cluster: Cluster, databases: ExitStack) -> Place:
        database = Database(cluster.create_database())
        databases.callback(database.close)
        migrate(database)
        return cls(cluster, database)

    def run(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return self.database.run(ErrorKind.AUTH_WRITE_FAILED, statement, values)

    def at_length(self, statement: str, *values: object) -> None:
        """A statement that takes its time."""
        with psycopg.connect(self.database._dsn.reveal(), autocommit=True) as connection:
            connection.execute(cast("Any", statement), values or None)  # our own text

    def slots(self, count: int) -> list[PostgresSlot]:
        """So many logins, stored."""
        slots = list[PostgresSlot]()
        for number in range(count):
            slot = PostgresStore(self.database, keys=KEYS, owner=f"owner-{number}").slot(ACCOUNT)
            held = slot.lock()
            assert held is not None
            with held:
                held.save(Record(login()), None)
            slots.append(slot)
        return slots

    def cpu(self, work: Callable[[], object]) -> float:
        """Seconds of a processor that our backend needs for `work`, which keeps one connection."""
        ((pid,),) = self.run("SELECT pg_backend_pid()")
        before = _cpu_of(pid)
        work()
        assert self.run("SELECT pg_backend_pid()") == [(pid,)]
        return _cpu_of(pid) - before

    def wal(self, work: Callable[[], object]) -> int:
        """Bytes of WAL that are written while `work` is done."""
        before = self.run("SELECT pg_current_wal_insert_lsn()::text")[0][0]
        work()
        return int(self.run("SELECT pg_current_wal_insert_lsn() - %(at)s::pg_lsn", at=before)[0][0])


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def renew(slot: PostgresSlot) -> None:
    """All that a renewal asks of the database."""
    held = slot.lock()
    assert held is not None
    with held:
        before = held.load()
        assert before is not None
        held.reserve(before)
        assert held.sending()
        held.save(
            Record(login(), generation=before.generation + 1, parent=before.fingerprint), before.fingerprint
        )


def _each(slots: Iterable[PostgresSlot], work: Callable[[PostgresSlot], object]) -> Callable[[], None]:
    def do() -> None:
        for slot in slots:
            work(slot)

    return do


def _times(slots: Iterable[PostgresSlot]) -> tuple[float, float]:
    """Median seconds of taking a lock, and of a save."""
    locks, saves = list[float](), list[float]()
    for slot in slots:
        began = time.perf_counter()
        held = slot.lock()
        locks.append(time.perf_counter() - began)
        assert held is not None
        with held:
            before = held.load()
            assert before is not None
            record = Record(login(), generation=before.generation + 1)
            began = time.perf_counter()
            held.save(record, before.fingerprint)
            saves.append(time.perf_counter() - began)
    return statistics.median(locks), statistics.median(saves)


def _due(place: Place, rounds: int) -> float:
    """Median seconds in which the next hundred are claimed."""
    taken = list[float]()
    for _ in range(rounds):
        began = time.perf_counter()
        found = place.run(CLAIM_DUE, tenant=None, batch=100, claim=600.0)
        taken.append(time.perf_counter() - began)
        assert len(found) == 100
    return statistics.median(taken)


@attrs.frozen
class Measured:
    """What one run gave: bytes, and seconds."""

    row: int
    beside: int
    indexes: int
    wal_renewal: int
    wal_renewal_cold: int
    wal_mark: int
    cpu_renewal: float
    cpu_look: float
    cpu_sign_in: float
    times: dict[int, tuple[float, float, float]]
    """By the number of logins: to lock, to save, to claim the next hundred."""
    takes: dict[int, float]
    """By the number of sign-ins that wait: to take 500."""

    @property
    def login(self) -> int:
        """Bytes of one login."""
        return self.row + self.beside + self.indexes


def measured(
    *,
    logins: int = 10_000,
    more: int = 1_000_000,
    sign_ins: tuple[int, ...] = (10_000, 100_000),
    tries: int = 300,
    claims: int = 11,
) -> Measured:
    """Measure it here and now."""
    settings = ("shared_buffers=256MB", "max_wal_size=4GB", "checkpoint_timeout=1h")
    with Cluster(fsync=True, settings=settings) as cluster, ExitStack() as databases:
        place = Place.of(cluster, databases)
        _told(f"{logins} logins with tokens of 6 KB")
        slots = place.slots(logins)
        place.at_length("VACUUM ANALYZE codex_oauth_login")
        few = slots[:: max(1, logins // tries)]
        sizes = place.run(
            "SELECT pg_relation_size(oid), pg_table_size(oid) - pg_relation_size(oid), pg_indexes_size(oid)"
            " FROM pg_class WHERE oid = 'codex_oauth_login'::regclass"
        )[0]
        place.at_length("CHECKPOINT")
        cold = place.wal(_each(few, renew))
        warm = place.wal(_each(few, renew))
        held = [each for slot in few if (each := slot.lock()) is not None]
        records = [each.load() for each in held]

        def mark() -> None:
            for each, record in zip(held, records, strict=True):
                assert record is not None
                each.reserve(record)

        mark()
        marks = place.wal(mark)
        for each in held:
            each.release()
        _told("processor")
        cpu = place.cpu(_each(few * 2, renew)) / (2 * len(few))
        look = place.cpu(_each(few * 20, PostgresSlot.load)) / (20 * len(few))
        lock, save = _times(few)
        place.at_length("UPDATE codex_oauth_login SET renew_at = now() - interval '1 minute'")
        times = {logins: (lock, save, _due(place, claims))}
        _told(f"{more} logins")
        crowd = Place.of(cluster, databases)
        crowd.at_length(_FILL_LOGINS, more)
        some = crowd.slots(200)
        crowd.at_length("VACUUM ANALYZE codex_oauth_login")
        times[more] = (*_times(some), _due(crowd, claims))
        takes, of_sign_in = dict[int, float](), 0.0
        for number in sign_ins:
            _told(f"{number} sign-ins")
            takes[number], of_sign_in = _sign_ins(Place.of(cluster, databases), number)
        return Measured(
            row=sizes[0] // logins,
            beside=sizes[1] // logins,
            indexes=sizes[2] // logins,
            wal_renewal=warm // len(few),
            wal_renewal_cold=cold // len(few),
            wal_mark=marks // len(few),
            cpu_renewal=cpu,
            cpu_look=look,
            cpu_sign_in=of_sign_in,
            times=times,
            takes=takes,
        )


def _sign_ins(place: Place, number: int) -> tuple[float, float]:
    """Seconds in which 500 are taken, and seconds of the database's processor from there to a stored login."""
    place.at_length(_FILL_SIGN_INS, number)
    place.at_length("VACUUM ANALYZE codex_oauth_sign_in")
    worker = Ownership(place.database, KEYS)
    worker.begin()
    taken, times = list[Taken](), list[float]()

    def take() -> None:
        for _ in range(4):
            began = time.perf_counter()
            taken.extend(worker.take(500))
            times.append(time.perf_counter() - began)

    took = place.cpu(take) / 2_000
    assert len(taken) == 2_000
    few = taken[:300]

    def finish() -> None:
        for each in few:
            assert worker.may_exchange(each.name)
            assert worker.end(each, login())

    worker.beat()
    return statistics.median(times), took + place.cpu(finish) / len(few)


def _told(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


# -- on paper ------------------------------------------------------------------------------------------


def figures(it: Measured) -> Iterator[tuple[str, str]]:
    """What was measured, as texts."""
    parts = f"row {it.row}, tokens beside it {it.beside}, indexes {it.indexes}"
    yield "a login, tokens of 6 KB", f"{_bytes(it.login)} ({parts})"
    yield (
        "WAL of a renewal",
        f"{_bytes(it.wal_renewal)}; right after a checkpoint {_bytes(it.wal_renewal_cold)}",
    )
    yield "WAL of a mark", _bytes(it.wal_mark)
    yield "processor of the database: a renewal", f"{it.cpu_renewal * 1e6:.0f} µs"
    yield "the same: a look (`load()`)", f"{it.cpu_look * 1e6:.0f} µs"
    yield "the same: a sign-in, from a worker's hands to a stored login", f"{it.cpu_sign_in * 1e6:.0f} µs"
    yield "renewals a second that one core of PostgreSQL carries", f"{1 / it.cpu_renewal:.0f}"
    for number, (lock, save, due) in it.times.items():
        told = f"{_ms(lock)} · {_ms(save)} · {_ms(due)}"
        yield f"to lock · to save · to claim the next 100 due, among {_count(number)} logins", told
    for number, took in it.takes.items():
        yield f"to take 500 sign-ins, of {_count(number)} that wait", _ms(took)


def on_paper(it: Measured) -> Iterator[tuple[str, str]]:
    """What follows for large numbers, as texts; the last one says what breaks first."""
    begins = renewal_begins(expires_at=int(LIFETIME * 1000), obtained_at=_EPOCH, earliest_refresh_at=None)
    assert begins is not None
    for number in (10**6, 10**7):
        rate = number / begins
        name = f"{_count(number)} logins"
        yield f"{name}: renewals a second, each every {begins / 86_400:.1f} days", f"{rate:.1f}"
        yield f"{name}: cores of the database", f"{rate * it.cpu_renewal:.3f}"
        yield f"{name}: disk, a sixth of it dead until it is vacuumed", _bytes(number * it.login * _DEAD)
        yield (
            f"{name}: WAL a day, every renewal after a checkpoint",
            _bytes(rate * 86_400 * it.wal_renewal_cold),
        )
    waiting = 100_000
    polls, ends = waiting / POLL_EVERY, waiting / A_SIGN_IN
    name = f"{_count(waiting)} sign-ins that wait"
    yield f"{name}: polls a second, every {POLL_EVERY:g} s", _count(polls)
    yield (
        f"{name}: cores of workers, at {_count(POLLS_A_CORE)} polls a second each",
        f"{polls / POLLS_A_CORE:.0f}",
    )
    yield (
        f"{name}: cores of the database, where all end well after 15 minutes",
        f"{ends * it.cpu_sign_in:.3f}",
    )
    yield "breaks first", _breaks_first(it, 10**7 / begins, polls, ends)


_EPOCH: Final = "1970-01-01T00:00:00Z"


def _breaks_first(it: Measured, renewals: float, polls: float, ends: float) -> str:
    """The largest demand, in cores, of ten million logins and a hundred thousand sign-ins."""
    cores = {
        "the workers that poll": polls / POLLS_A_CORE,
        "the database by renewals": renewals * it.cpu_renewal,
        "the database by sign-ins": ends * it.cpu_sign_in,
    }
    order = sorted(cores, key=lambda name: -cores[name])
    return "; then ".join(f"{name} ({cores[name]:.3g} cores)" for name in order)


def _count(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 10_000:
            return f"{number:.3g} {unit}" if number < 1000 else f"{_count(number)} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def table(head: str, found: Iterable[tuple[str, str]]) -> None:
    """Two columns, as Markdown."""
    for row in chain(((head, "figure"), ("---", "---")), found):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    run = measured()
    table("measured", figures(run))
    print()
    table("on paper", on_paper(run))
