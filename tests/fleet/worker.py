"""A worker of a fleet as a process of its own: `python -m tests.fleet.worker DSN ISSUER KEY`.

Rules of this file: it says one line when it works, and ends on SIGTERM; a test may kill it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import Self

import anyio

from codex_oauth import CODEX, Credential, Secret
from codex_oauth.fleet import FleetPool, Keys
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth_core import SignInError

__all__ = ["Worker", "main"]


class Worker:
    """The process. Use it in a `with` block."""

    def __init__(self, dsn: str, issuer: str, key: Secret[bytes]) -> None:
        self._arguments = (dsn, issuer, key.reveal().hex())
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        command = (sys.executable, "-m", "tests.fleet.worker", *self._arguments)
        self.process = self._closing.enter_context(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)}
            )
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "works\n"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self._closing.close()

    def end(self, how: signal.Signals = signal.SIGTERM, patience: float = 60.0) -> int:
        """Send a signal, and wait: the exit code."""
        self.process.send_signal(how)
        return self.process.wait(patience)


async def main(*arguments: str) -> None:
    """Work until SIGTERM."""
    dsn, issuer, key = arguments
    send = AsyncHttpxTransport()
    pool = FleetPool(
        dsn, send, keys=Keys(Secret(bytes.fromhex(key))), providers=(CODEX.at(issuer),), on_end=told
    )
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.run)
            print("works", flush=True)
            async for _ in signals:
                pool.stop()
                break
    await send.aclose()


def told(name: str, outcome: Credential | SignInError) -> None:
    """Say nothing: what is told is in the database."""


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
