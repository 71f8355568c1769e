"""A command at a pty, started by `Forker`, with what `pexpect.spawn` has that tests use."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pexpect
from pexpect import fdpexpect

from tests.cli.commands import COMMAND, can_be_warm, start_command
from tests.cli.running import Running

__all__ = ["AtTerminal", "at_terminal"]


class AtTerminal(fdpexpect.fdspawn):  # type: ignore[misc]  # for mypy pexpect is untyped
    """Its stdin, stdout and stderr are a terminal of `dimensions` (rows, columns), which is its own."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        env: Mapping[str, str],
        dimensions: tuple[int, int],
        timeout: float = 120,
    ) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *dimensions, 0, 0))
        self._running: Running = start_command(
            home, *arguments, env=env, stdin=theirs, stdout=theirs, stderr=theirs, terminal=True
        )
        os.close(theirs)
        super().__init__(ours, encoding="utf-8", timeout=timeout)
        self.exitstatus: int | None = None
        self.signalstatus: int | None = None

    def sendintr(self) -> None:
        """Press Ctrl-C."""
        os.write(self.child_fd, b"\x03")

    def kill(self, number: int) -> None:
        self._running.send_signal(number)

    def close(self) -> None:
        """Hang up, and wait for its end."""
        super().close()
        code = self._running.wait()
        self._running.close()
        self.exitstatus, self.signalstatus = (code, None) if code >= 0 else (None, -code)


def at_terminal(home: Path, *arguments: str, env: Mapping[str, str], dimensions: tuple[int, int]) -> Any:
    """The command at a pty: forked, or a new interpreter where `env` has what only that reads."""
    if can_be_warm(env):
        return AtTerminal(home, *arguments, env=env, dimensions=dimensions)
    spawn: Any = pexpect.spawn
    return spawn(
        COMMAND[0],
        [*COMMAND[1:], *arguments],
        env=dict(env),
        cwd=str(home),
        encoding="utf-8",
        timeout=120,
        dimensions=dimensions,
    )
