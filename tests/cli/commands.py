"""Runs the command as a person does: a process of its own, with its own home, and nobody's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs

__all__ = ["COMMAND", "Done", "environment", "run_command"]

COMMAND = [sys.executable, "-m", "codex_oauth.cli.main"]
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
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(home, **extra),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
        start_new_session=True,
    )
    return Done(done.returncode, done.stdout, done.stderr)
