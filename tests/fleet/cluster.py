"""A PostgreSQL of a test's own, over `initdb` and `postgres` as the system brings them.

Rules of this file: nothing is written to the disk's platter (`fsync=off`) unless a test asks for it; whoever comes
over loopback is trusted; a test gets a database of its own, and a server that it stopped is started for the next one.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

import psycopg

from tests.fleet.servers import Folder, Server, program, wait_until

__all__ = ["SUPERUSER", "Cluster", "StopMode", "dsn_of", "sql"]

SUPERUSER: Final = "postgres"

StopMode = Literal["smart", "fast", "immediate"]
"""How a server leaves: it waits for its clients; ends them and writes all down; or as if it had crashed."""

_SIGNALS: Final = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def dsn_of(port: int, database: str, user: str = SUPERUSER) -> str:
    """Where a database is. No round trip is spent on encryption that a loopback server does not have."""
    return f"postgresql://{user}@127.0.0.1:{port}/{database}?sslmode=disable&gssencmode=disable&connect_timeout=5"


def sql(dsn: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of one statement, on a connection of its own; none where the statement has none."""
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None, application_name="test") as connection:
        # statements are the tests' own text
        cursor = connection.execute(cast("Any", statement), values or None)
        return cursor.fetchall() if cursor.description else []


class Cluster(Server):
    """A PostgreSQL server with its data: a primary, or a standby that follows one."""

    def __init__(self, *, fsync: bool = False, settings: Sequence[str] = ()) -> None:
        folder = Folder("pg-")
        try:
            initdb = (program("initdb"), "--no-sync", "--auth=trust", f"--username={SUPERUSER}")
            folder.run(*initdb, "--encoding=UTF8", "--locale=C", "--pgdata", str(folder.path / "data"))
        except BaseException:
            folder.close()
            raise
        self._begin(folder, "data", (f"fsync={'on' if fsync else 'off'}", *settings))

    def _begin(self, folder: Folder, name: str, settings: Sequence[str]) -> None:
        super().__init__(f"PostgreSQL ({name})", folder, folder.path / f"{name}.log")
        self.data = folder.path / name
        self.standbys: list[Cluster] = []
        self._settings = tuple(settings)
        self._numbers = count(1)

    @property
    def socket_folder(self) -> Path:
        """Where its Unix socket is: as `host` in a DSN."""
        return self.folder.path

    def command(self) -> list[str]:
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            f"unix_socket_directories={self.socket_folder}",
            "max_connections=300",
            "shared_buffers=32MB",
            "autovacuum_naptime=5s",
            "log_line_prefix=%m [%p] %a ",
            *self._settings,
        ]
        options = [word for each in settings for word in ("-c", each)]
        return [program("postgres"), "-D", str(self.data), *options]

    def is_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        # the last line is there when the server is; one of a crashed server names another process
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def stop(self, mode: StopMode = "fast") -> None:
        """End it; nothing where it does not run."""
        self.signal(_SIGNALS[mode])

    def restart(self, mode: StopMode = "fast") -> Self:
        """End it and start it at the same port."""
        self.stop(mode)
        return self.start()

    def dsn(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Where a database of this server is."""
        return dsn_of(self.port, database, user)

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement in the database `postgres`."""
        return sql(self.dsn(), statement, *values)

    def create_database(self, template: str = "template0") -> str:
        """The DSN of a new database: an empty one, or a copy of another that nobody is connected to."""
        name = f"t{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.dsn(name)

    def kill_backends(self, application_name: str | None = None) -> int:
        """End the connections of clients, of all or of one application; how many there were. They are over when
        this returns.
        """
        where = (
            "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            " AND application_name = coalesce(%s, application_name)"
        )
        ended = [
            pid for pid, _ in self.sql(f"SELECT pid, pg_terminate_backend(pid) {where}", application_name)
        ]
        wait_until(
            lambda: not self.sql("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", ended),
            f"{self.name} does not end its connections",
        )
        return len(ended)

    def standby(self) -> Cluster:
        """A read-only standby that follows this server. It runs, and ends with its primary's folder."""
        name = f"standby{len(self.standbys) + 1}"
        self.folder.run(
            *(program("pg_basebackup"), "-R", "--wal-method=stream", "--checkpoint=fast", "--no-sync"),
            *("-D", str(self.folder.path / name), "-d", self.dsn()),
        )
        standby = Cluster.__new__(Cluster)
        standby._begin(self.folder, name, self._settings)
        self.standbys.append(standby)
        return standby.start()

    def caught_up(self, primary: Cluster) -> None:
        """Wait until this standby shows what its primary has now."""
        ((lsn,),) = primary.sql("SELECT pg_current_wal_flush_lsn()::text")
        wait_until(
            lambda: bool(self.sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn)[0][0]),
            f"{self.name} does not follow",
        )

    def promote(self) -> None:
        """Make this standby a primary, which takes writes."""
        assert self.sql("SELECT pg_promote(true, 30)") == [(True,)]

    def close(self) -> None:
        """End it and its standbys, and remove everything."""
        for each in (*self.standbys, self):
            each.stop("immediate")
        self.folder.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()
