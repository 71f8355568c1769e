"""Ten people sign in over PostgreSQL, and one of two workers is killed while they wait.

It begins a PostgreSQL of its own, an authorization server on loopback and two workers (`codex-oauth fleet
sign-ins`), and plays the people. Each change of a row of the table is one plain line. The numbers at the end
come from the database and from the authorization server. Nothing leaves this machine, or stays on it.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

import attrs
import psycopg

from codex_oauth import CODEX, DeviceFlow, HttpxWorld, Secret
from codex_oauth.authority import Authority, AuthorityServer, Policy, serve
from codex_oauth.fleet import Keys, migrate, new_key, start_sign_in
from codex_oauth.fleet.database import Database

__all__ = ["Row", "main", "program", "summary"]

PEOPLE: Final = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jana")
EARLY: Final = 3
"""So many approve before the worker is killed."""

ROOM: Final = 6
"""Sign-ins that a worker drives at the most, so that both have some."""

PATIENCE: Final = 60.0
"""Seconds, on the busiest machine."""

PLACES: Final = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin", "opt/homebrew/bin")
"""Where the programs of PostgreSQL are that are on nobody's PATH."""

_SIGNALS: Final = list[int]()
"""Those that asked for the end."""

_ROWS: Final = """SELECT left(name, 8), owner,
    CASE WHEN state = 'pending' AND exchanging THEN 'exchanging' ELSE state END, pid
FROM codex_oauth_sign_in LEFT JOIN codex_oauth_worker ON worker = id ORDER BY created_at"""
_WORKERS: Final = "SELECT pid FROM codex_oauth_worker WHERE alive_until > clock_timestamp()"
_SIGNED_IN: Final = """SELECT count(DISTINCT owner)
FROM codex_oauth_sign_in JOIN codex_oauth_login USING (owner) WHERE state = 'done'"""


# -- a PostgreSQL of our own ---------------------------------------------------------------------------


def program(name: str) -> str:
    """The path of a program of PostgreSQL. Raises FileNotFoundError."""
    places = [path for place in PLACES for path in Path("/").glob(f"{place}/{name}")]
    newest = max(places, key=lambda path: [int(each) for each in re.findall(r"\d+", str(path))], default=None)
    if not (found := shutil.which(name) or newest):
        raise FileNotFoundError(name)
    return str(found)


@contextmanager
def postgres() -> Generator[str]:
    """A server in a folder that its user alone may enter; nobody comes in over a network. Yields its DSN."""
    initdb, server = program("initdb"), program("postgres")
    owner = _not_root() if os.geteuid() == 0 else None
    its: dict[str, Any] = {"user": owner, "group": owner, "extra_groups": None if owner is None else []}
    with TemporaryDirectory(prefix="fleet-demo-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        if owner is not None:  # PostgreSQL does not run as root
            os.chown(folder, owner, owner)
        make = [initdb, "--no-sync", "--auth=trust", "--username=demo", "--locale=C", "--encoding=UTF8"]
        subprocess.run([*make, "-D", f"{folder}/data"], check=True, capture_output=True, cwd=folder, **its)
        options = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off")
        run = [server, "-D", f"{folder}/data", *(word for each in options for word in ("-c", each))]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(run, stderr=log, cwd=folder, start_new_session=True, **its)
        try:
            dsn = f"postgresql://demo@/postgres?host={folder}"
            _until(lambda: process.poll() is not None or _answers(dsn), "PostgreSQL does not start")
            if process.poll() is not None:
                raise RuntimeError(f"PostgreSQL does not start: {Path(folder, 'log').read_text()}")
            yield dsn
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            process.wait()


def _not_root() -> int:
    import pwd

    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    return 65534


def _answers(dsn: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(dsn):
        return True
    return False


def _until(fact: Callable[[], object], otherwise: str) -> None:
    """Wait for it. Raises RuntimeError with these words, and SystemExit after a signal: only here, where
    nothing is half begun.
    """
    give_up_at = time.monotonic() + PATIENCE
    while not fact():
        if _SIGNALS:
            sys.exit(128 + _SIGNALS[0])
        if time.monotonic() > give_up_at:
            raise RuntimeError(otherwise)
        time.sleep(0.05)


# -- what is shown -------------------------------------------------------------------------------------


@attrs.frozen
class Row:
    """A sign-in as the table has it. `worker`: the number of the worker that drives it."""

    name: str
    owner: str
    state: str
    worker: int | None

    def line(self, seconds: float) -> str:
        """The row in words that can be read aloud."""
        waits = "waits for a worker" if self.worker is None else f"worker {self.worker}"
        driven = waits if self.state in ("pending", "exchanging") else ""
        return f"{seconds:4.1f} s  {self.name}...  {self.owner:<5} {self.state:<10}  {driven}".rstrip()


def summary(signed_in: int, codes: Iterable[str], killed: int) -> tuple[str, bool]:
    """What came of it, in words, and whether it is what should have come. `codes`: of each exchange, one."""
    sent = list(codes)
    different = len(set(sent))
    twice = len(sent) - different
    again = "none of them twice" if not twice else f"and {twice} of them again"
    people = f"{signed_in} people signed in." if signed_in != 1 else "1 person signed in."
    exchanged = f"{different} codes were exchanged, {again}."
    workers = "One worker was killed." if killed == 1 else f"{killed} workers were killed."
    return f"{people} {exchanged} {workers}", signed_in == len(PEOPLE) == different and not twice


# -- the fleet -----------------------------------------------------------------------------------------


@attrs.define(eq=False)
class Fleet:
    """The database, the authorization server, and the workers. Use it in a `with` block."""

    dsn: str
    connection: psycopg.Connection
    server: AuthorityServer
    keys: Keys
    workers: list[subprocess.Popen[bytes]] = attrs.field(factory=list[subprocess.Popen[bytes]])
    codes: dict[str, str] = attrs.field(factory=dict[str, str], repr=False)
    shown: dict[str, Row] = attrs.field(factory=dict[str, Row])
    began_at: float = attrs.field(factory=time.monotonic)
    killed: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(PATIENCE)

    def start_workers(self, count: int) -> None:
        """Start them, and wait until the database knows of each."""
        key = base64.urlsafe_b64encode(self.keys.current.reveal()).decode()
        secrets = {"CODEX_OAUTH_DSN": self.dsn, "CODEX_OAUTH_KEYS": key}  # never as arguments
        command = [sys.executable, "-m", "codex_oauth.cli.main", "fleet", "sign-ins", "--quiet"]
        command += ["--issuer", self.server.url, "--room", str(ROOM)]
        for _ in range(count):
            self.workers.append(
                subprocess.Popen(
                    command, env={**os.environ, **secrets}, stdout=subprocess.DEVNULL, start_new_session=True
                )
            )
        pids = {worker.pid for worker in self.workers}
        _until(
            lambda: self._alive() >= pids or any(worker.poll() is not None for worker in self.workers),
            "the workers do not start",
        )
        if not self._alive() >= pids:
            raise RuntimeError("a worker has ended; what it said stands above")

    def _alive(self) -> set[int]:
        return {pid for (pid,) in self.query(_WORKERS)}

    def begin(self, owner: str) -> None:
        """What the web tier does when somebody asks to sign in."""
        flow = DeviceFlow(provider=CODEX.at(self.server.url))
        with HttpxWorld() as world:
            started = start_sign_in(self.dsn, flow, world, keys=self.keys, owner=owner)
        self.codes[owner] = started.prompt.user_code

    def approve(self, owner: str) -> None:
        """What the person does: enter the code at the provider, and say yes."""
        self.server.decide(self.codes[owner], approve=True)

    def kill_the_busiest(self) -> list[str]:
        """Kill the worker that drives the most; whose sign-ins those are."""
        driven = [(row.worker, row.owner) for row in self.rows() if row.state == "pending"]
        workers = [worker for worker, _ in driven]
        number = max(range(1, len(self.workers) + 1), key=workers.count)
        self.workers[number - 1].kill()
        self.workers[number - 1].wait()
        self.killed += 1
        left = [owner for worker, owner in driven if worker == number]
        print(f"Worker {number} is killed. It drove the sign-ins of {_named(left)}.", flush=True)
        return left

    def watch(self, fact: Callable[[list[Row]], bool]) -> None:
        """Tell each change of the table until it is so. Raises RuntimeError if it does not come to be."""
        _until(lambda: fact(self._told()), "the sign-ins do not go on")

    def _told(self) -> list[Row]:
        rows = self.rows()
        for row in rows:
            if self.shown.get(row.name) != row:
                self.shown[row.name] = row
                print(row.line(time.monotonic() - self.began_at), flush=True)
        return rows

    def rows(self) -> list[Row]:
        """The table as it is now."""
        numbers = {worker.pid: number for number, worker in enumerate(self.workers, 1)}
        return [Row(name, owner, state, numbers.get(pid)) for name, owner, state, pid in self.query(_ROWS)]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        return self.connection.execute(statement.encode()).fetchall()

    def summary(self) -> tuple[str, bool]:
        """What the database and the authorization server say."""
        ((signed_in,),) = self.query(_SIGNED_IN)
        exchanges = self.server.authority.received("exchange")
        codes = [each.fields["code"] for each in exchanges]
        told = [code.fingerprint() for code in codes if isinstance(code, Secret)]
        return summary(signed_in, told, self.killed)


def play(fleet: Fleet) -> bool:
    """The whole demonstration: whether all came as it should."""
    print("Two workers are started. Ten people ask to sign in.", flush=True)
    fleet.start_workers(2)
    for owner in PEOPLE:
        fleet.begin(owner)
    fleet.watch(lambda rows: all(row.worker for row in rows))
    _approve(fleet, PEOPLE[:EARLY])
    fleet.watch(lambda rows: [row.state for row in rows].count("done") == EARLY)
    left = fleet.kill_the_busiest()
    last = left[-1:]  # so that one can be seen to be taken over before its end
    _approve(fleet, [owner for owner in PEOPLE[EARLY:] if owner not in last])
    print("Ten seconds after its last sign of life the database counts the worker as dead.", flush=True)
    fleet.watch(lambda rows: all(row.state == "done" or row.owner in last for row in rows))
    fleet.watch(lambda rows: all(row.worker or row.owner not in last for row in rows))
    _approve(fleet, last)
    fleet.watch(lambda rows: all(row.state in ("done", "failed") for row in rows))
    text, is_right = fleet.summary()
    print(text, flush=True)
    return is_right


def _approve(fleet: Fleet, owners: Sequence[str]) -> None:
    print(f"{_named(owners)} {'approves' if len(owners) == 1 else 'approve'}.", flush=True)
    for owner in owners:
        fleet.approve(owner)


def _named(owners: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(owners[:-1]), owners[-1])))


def main() -> int:
    """Run it: 0 if all came as it should, 1 if not, 2 without PostgreSQL."""
    try:
        with ExitStack() as closing:
            dsn = closing.enter_context(postgres())
            server = closing.enter_context(serve(Authority(policy=Policy(interval=1, strict_pace=False))))
            database = Database(dsn)
            migrate(database)
            database.close()
            connection = closing.enter_context(psycopg.connect(dsn, autocommit=True))
            fleet = closing.enter_context(Fleet(dsn, connection, server, Keys(new_key())))
            return 0 if play(fleet) else 1
    except FileNotFoundError as error:
        if error.filename:
            raise
        print(f"PostgreSQL is not installed: there is no {error}.", file=sys.stderr)
        print("Install it; no service has to run. On Debian: apt-get install postgresql", file=sys.stderr)
        return 2


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, _: _SIGNALS.append(number))
    sys.exit(main())
