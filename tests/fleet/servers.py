"""A server of a test's own: a process of another user, in a folder of its own, which does not outlive the tests.

Rules of this file: what a server needs and is not there is a failure that names the package, never a skip; a
server hears nothing of the environment; it listens on 127.0.0.1 alone, at a port that no connection going out takes;
whoever kills the tests ends the servers too, because a watchman hears the tests' end of a pipe close.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

import pytest

from tests.users import NOBODY, place_for_all

__all__ = ["PATIENCE", "RUNNING", "Folder", "Server", "free_port", "missing", "program", "tail", "wait_until"]

PATIENCE: Final = 30.0
"""Seconds in which a server starts or stops, on the busiest machine."""

ENVIRONMENT: Final = {"PATH": os.defpath, "LANG": "C"}

_PACKAGES: Final = {"pgbouncer": "pgbouncer"}
_PLACES: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
"""Where PostgreSQL's programs are that are on nobody's PATH."""

# The folder comes as $1. Pids stand in the first lines of its *.pid files.
_WATCHMAN: Final = """
read -r _
for file in "$1"/*.pid "$1"/*/*.pid; do
    [ -f "$file" ] && read -r pid < "$file" && [ "$pid" -gt 1 ] && kill -QUIT "$pid"
done 2> /dev/null
rm -rf "$1"; sleep 1; rm -rf "$1"
"""


def program(name: str) -> str:
    """The path of a server's program; a failure that says what to install, where it is missing."""
    found = shutil.which(name) or _newest(name)
    if not found:
        package = _PACKAGES.get(name, "postgresql")
        pytest.fail(
            f"{name} is missing: install the package {package} of Debian, as .ci/run does "
            f"(apt-get install --no-install-recommends {package}); no service needs to run",
            pytrace=False,
        )
    return found


def missing() -> str:
    """The program of a server that this machine has not got; empty where it has all."""
    names = ("postgres", "initdb", "pgbouncer")
    return next((name for name in names if not (shutil.which(name) or _newest(name))), "")


def _newest(name: str) -> str | None:
    found = [path for place in _PLACES for path in Path("/").glob(f"{place[1:]}/{name}")]
    return str(max(found, key=_version)) if found else None


def _version(path: Path) -> tuple[int, ...]:
    digits = "".join(each if each.isdigit() else " " for each in str(path))
    return tuple(int(each) for each in digits.split())


def free_port() -> int:
    """A port of 127.0.0.1 that is free, below those that the system gives to connections going out: a server
    finds it free again after a restart.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def tail(path: Path, lines: int = 40) -> str:
    """The last lines of a log."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return ""


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    """Look until it is so; after `PATIENCE` that is a failure, with these words."""
    assert _is_in_time(condition), otherwise


def _is_in_time(condition: Callable[[], bool]) -> bool:
    give_up_at = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.005)
    return True


class Folder:
    """A folder for servers that are no root's, with a short name, as a Unix socket's path needs (107 bytes).

    `close` removes it, as the end of the tests' process does: however it comes.
    """

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=place_for_all()))
        if len(os.fsencode(self.path)) > 80:
            self.path.rmdir()
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
        self.user: int | None = NOBODY if os.geteuid() == 0 else None
        self._groups: list[str | int] | None = None if self.user is None else []
        if self.user is not None:
            os.chown(self.path, self.user, self.user)
        self._watchman = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHMAN, "watchman", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for the tests
        )

    def run(self, *command: str) -> str:
        """The output of a program of that user, which must succeed."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
            check=False,
            user=self.user,
            group=self.user,
            extra_groups=self._groups,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    def spawn(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program of that user, which writes to a log."""
        with log.open("ab") as out:
            return subprocess.Popen(
                command,
                cwd=self.path,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=self._groups,
            )

    def write(self, name: str, text: str) -> Path:
        """A file that belongs to that user."""
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        if self.user is not None:
            os.chown(path, self.user, self.user)
        return path

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._watchman.kill()  # nothing is left for it
        self._watchman.communicate()


RUNNING: Final[list[Server]] = []
"""The servers that run now, for the report of a test that failed."""


class Server:
    """A process that is started and stopped, and a port that stays its own."""

    def __init__(self, name: str, folder: Folder, log: Path) -> None:
        self.name = name
        self.folder = folder
        self.log = log
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that runs: to stop it for a while, for example."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start, and wait until it answers; nothing where it runs already."""
        if self.running:
            return self
        self._process = self.folder.spawn(self.command(), self.log)
        RUNNING.append(self)
        if not _is_in_time(lambda: self.is_ready() or not self.running) or not self.running:
            self.signal(signal.SIGKILL)
            pytest.fail(f"{self.name} does not start:\n{tail(self.log)}", pytrace=False)
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, and wait until the process is over; nothing where it is over already."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            pytest.fail(f"{self.name} does not stop at {number.name}:\n{tail(self.log)}", pytrace=False)
        finally:
            self._process = None
            with contextlib.suppress(ValueError):
                RUNNING.remove(self)
