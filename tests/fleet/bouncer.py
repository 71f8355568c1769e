"""A PgBouncer of a test's own before a PostgreSQL: connections of the server are lent for one transaction each.

Rules of this file: what a program may not count on behind it is not made easy: no parameter of a start is
ignored, and the pool is as small as by default.
"""

from __future__ import annotations

import signal
import socket
from typing import Any, Final, Self

from tests.fleet.cluster import SUPERUSER, dsn_of, sql
from tests.fleet.servers import Folder, Server, program

__all__ = ["POOL_SIZE", "Bouncer"]

POOL_SIZE: Final = 20
"""PgBouncer's own default: that many server connections for a database."""


class Bouncer(Server):
    """PgBouncer in transaction mode, before a server on 127.0.0.1. Whoever comes is the superuser there."""

    def __init__(self, server_port: int, **settings: object) -> None:
        """More settings are written as they are: `default_pool_size=2, query_wait_timeout=1`."""
        folder = Folder("pgb-")
        super().__init__("PgBouncer", folder, folder.path / "pgbouncer.log")
        usual = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "admin_users": SUPERUSER,
            "pool_mode": "transaction",
            "default_pool_size": POOL_SIZE,
            "max_client_conn": 500,
            "server_login_retry": 0.1,  # a server that was away is asked again at once
            "server_tls_sslmode": "disable",
            "pidfile": folder.path / "pgbouncer.pid",
        }
        lines = [f"{name} = {value}" for name, value in {**usual, **settings}.items()]
        target = f"* = host=127.0.0.1 port={server_port} user={SUPERUSER}"
        self._config = folder.write(
            "bouncer.ini", "\n".join(["[databases]", target, "[pgbouncer]", *lines, ""])
        )

    def command(self) -> list[str]:
        return [program("pgbouncer"), str(self._config)]

    def is_ready(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def dsn(self, database: str = "postgres") -> str:
        """Where a database of the server is, through the pool."""
        return dsn_of(self.port, database)

    def pools(self) -> list[tuple[Any, ...]]:
        """What PgBouncer says of its pools (`SHOW POOLS`)."""
        return sql(self.dsn("pgbouncer"), "SHOW POOLS")

    def stop(self) -> None:
        """End it at once, and every connection through it."""
        self.signal(signal.SIGTERM)

    def close(self) -> None:
        """End it and remove what it has."""
        self.stop()
        self.folder.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()
