"""A worker of procrastinate with the jobs of the example, as a process that a test may kill:
`python -m tests.fleet.engine_worker DSN ISSUER`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Self

import procrastinate

from codex_oauth import CODEX, Credential, Secret, SignInError
from codex_oauth.fleet import Keys
from tests.fleet.example_app import example
from tests.fleet.logins import KEYS

__all__ = ["Worker", "main"]

KEY = "KEY_OF_A_TEST"


class Worker:
    """The process. Use it in a `with` block."""

    def __init__(self, dsn: str, issuer: str) -> None:
        self._arguments = (dsn, issuer)

    def __enter__(self) -> Self:
        command = (sys.executable, "-m", "tests.fleet.engine_worker", *self._arguments)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            KEY: KEYS.current.reveal().hex(),
        }
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
        return self

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()
        self._process.wait()

    def __exit__(self, *exc_info: object) -> None:
        self.kill()


async def main(dsn: str, issuer: str) -> None:
    """Do jobs until somebody ends the process."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    keys = Keys(Secret(bytes.fromhex(os.environ[KEY])))
    example("procrastinate_sign_in").SignIns(app, keys, ended, provider=CODEX.at(issuer))
    async with app.open_async():
        await app.run_worker_async(fetch_job_polling_interval=0.1)


async def ended(name: str, outcome: Credential | SignInError) -> None:
    """Nobody looks."""


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
