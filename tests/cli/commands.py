"""Runs the command as a person does: a process of its own, with its own home, and nobody's settings.

Rules of this file: a process is forked from one that has loaded the command (`warm`); a new interpreter is started
where a variable says what only it reads, and by the tests of what an interpreter does at its start and its end.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from tests.cli.running import Running
from tests.cli.warm import Forker, is_possible

__all__ = [
    "COMMAND",
    "SKIPPING",
    "Done",
    "can_be_warm",
    "environment",
    "run_command",
    "run_in_real_time",
    "start_command",
]

COMMAND = [sys.executable, "-m", "codex_oauth.cli.main"]
SKIPPING = "from tests.cli.skipping import skip_waits; skip_waits()"
"""Lets the flows of a command wait in virtual time."""

_LIMIT = 120.0


@attrs.frozen
class Done:
    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The JSON documents on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(home: Path, **extra: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "CODEX_OAUTH_HOME": str(home / "logins-of-the-test"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONWARNINGS": "error",
        "LANG": "C.UTF-8",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nobody is there: no command of a test gets out
        **extra,
    }


def run_command(home: Path, *arguments: str, **extra: str) -> Done:
    """Run it to its end, with nothing on stdin, and let its flows wait in virtual time."""
    return _run(home, arguments, environment(home, **extra), SKIPPING)


def run_in_real_time(home: Path, *arguments: str, **extra: str) -> Done:
    """The same, for a flow that waits for what somebody does meanwhile."""
    return _run(home, arguments, environment(home, **extra), "")


def _run(home: Path, arguments: tuple[str, ...], env: Mapping[str, str], prelude: str) -> Done:
    if can_be_warm(env):
        with start_command(home, *arguments, env=env, prelude=prelude) as running:
            out, err = running.communicate(_LIMIT)
        return Done(running.wait(), out, err)
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=env,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
        start_new_session=True,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def start_command(
    home: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    terminal: bool = False,
    prelude: str = "",
) -> Running:
    """Start it in `home`. Each stream is a descriptor; without one, stdin is empty and the others are pipes.

    `env` is that of the tests where none is given. With `terminal`, stdin is the terminal that it belongs to.
    `prelude` is code that runs in it first, like `SKIPPING`.
    """
    given = environment(home) if env is None else env
    assert can_be_warm(given), "a new interpreter is needed: use COMMAND"
    forker = _forker()
    return Running(
        lambda streams: forker.start(arguments, given, home, streams, terminal=terminal, prelude=prelude),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
    )


def can_be_warm(env: Mapping[str, str]) -> bool:
    """Whether `start_command` can give a command these variables."""
    return is_possible(env, _usual())


def _usual() -> dict[str, str]:
    return environment(Path("/"))


@cache
def _forker() -> Forker:
    """One for all tests of this process."""
    forker = Forker(_usual())
    atexit.register(forker.end)
    return forker
