"""A terminal with a person at it: a pty, of which the tests hold the other end."""

from __future__ import annotations

import os
import select
import termios
import threading
from queue import SimpleQueue
from typing import Any

import attrs

from codex_oauth import PasteSource
from codex_oauth_core.callback import Accepted, Reason, read_redirect
from tests.browser.redirects import RULE

PATIENCE = 120.0


@attrs.frozen
class Terminal:
    """`fd` is what a program sees; the person is at `screen`."""

    screen: int
    fd: int

    def type(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self.screen, data) :]

    def shown(self, seconds: float = 0.1) -> str:
        """What has appeared on the screen, and not been asked for before."""
        seen = b""
        while select.select([self.screen], [], [], seconds)[0]:
            seen += os.read(self.screen, 4096)
        return seen.decode()

    def attributes(self) -> list[Any]:
        return termios.tcgetattr(self.fd)

    def next_line(self) -> str:
        """What the program around us would read next."""
        assert select.select([self.fd], [], [], PATIENCE)[0]
        return os.read(self.fd, 4096).decode()

    def holds_nothing(self) -> bool:
        """Whether everything that was typed has been read."""
        return not select.select([self.fd], [], [], 0)[0]


class Paste:
    """A source on `fd`, and what it hands over."""

    def __init__(self, fd: int | None) -> None:
        self.accepted: SimpleQueue[Accepted] = SimpleQueue()
        self.refused: SimpleQueue[Reason] = SimpleQueue()
        self.source = PasteSource(self.refused.put, fd=fd)

    def start(self) -> Paste:
        self.source.start(RULE, self.accepted.put)
        return self

    def code(self) -> str | None:
        """The code that was pasted, once it is."""
        code = read_redirect(self.accepted.get(timeout=PATIENCE).query).code
        return None if code is None else code.reveal()

    def reason(self) -> Reason:
        return self.refused.get(timeout=PATIENCE)

    def is_silent(self) -> bool:
        return self.accepted.empty() and self.refused.empty()


def readers() -> list[threading.Thread]:
    """The threads of sources."""
    return [thread for thread in threading.enumerate() if thread.name == "codex-oauth-paste"]
