"""A person at a terminal, who runs the command: what they see, type and get."""

from __future__ import annotations

import re
import signal
import termios
import time
from pathlib import Path
from typing import Any, Final

import pexpect

from codex_oauth.authority import AuthorityServer
from tests.cli.at_terminal import at_terminal
from tests.cli.commands import environment
from tests.cli.emulator import Emulator

__all__ = ["ORDER", "Person"]

ORDER: Final = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;]*[A-Za-z]")
"""What a terminal takes as an order."""


class Person:
    """At a pty of `columns`, with the authority for a provider. `environ` None takes a variable away."""

    def __init__(
        self,
        home: Path,
        server: AuthorityServer,
        *arguments: str,
        columns: int = 80,
        **environ: str | None,
    ) -> None:
        env = {**environment(home, TERM="xterm-256color"), **environ}
        self._child: Any = at_terminal(
            home,
            *("login", "--issuer", server.url, *arguments),
            env={name: value for name, value in env.items() if value is not None},
            dimensions=(40, columns),
        )
        self._columns = columns
        self._seen = ""
        self.modes = self._modes()

    def sees(self, pattern: str) -> str:
        """Wait for it; its first group, or all of it."""
        self._child.expect(pattern)
        self._seen += self._child.before + self._child.after
        return str(self._child.match[self._child.match.re.groups and 1])

    def types(self, line: str) -> None:
        self._child.sendline(line)

    def sends(self, number: signal.Signals) -> None:
        """A signal, to the command."""
        self._child.kill(number)

    def presses_ctrl_c(self) -> None:
        self._child.sendintr()

    def leaves(self) -> int:
        """Wait for the end; the exit code."""
        self._child.expect(pexpect.EOF)
        self._seen += self._child.before
        self.modes_after = self._modes()
        self._child.close()
        assert self._child.exitstatus is not None, self._child.signalstatus
        return int(self._child.exitstatus)

    def stops(self) -> tuple[int, float]:
        """Press Ctrl-C: the exit code, and how many seconds it took."""
        begun = time.monotonic()
        self.presses_ctrl_c()
        return self.leaves(), time.monotonic() - begun

    @property
    def bytes(self) -> str:
        """All that came, orders too."""
        return self._seen

    @property
    def text(self) -> str:
        """All that came, without orders."""
        return ORDER.sub("", self._seen)

    @property
    def screen(self) -> list[str]:
        """What the window shows. Raises for an order that the command should not send."""
        emulator = Emulator(self._columns)
        emulator.feed(self._seen)
        return emulator.screen()

    def _modes(self) -> list[Any]:
        return termios.tcgetattr(self._child.child_fd)[:4]
