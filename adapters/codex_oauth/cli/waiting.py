"""Whom a command waits for that has nothing else to show: the lock of a login, the disk, or the server.

Rules of this file: a wait of a moment for the lock or the disk is not told; a longer one is told once a
minute, until it ends. That a request failed and is sent again is told at a terminal, once for each reason:
there somebody waits, and elsewhere the error at the end says it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, TextIO

from codex_oauth.cli.output import hint
from codex_oauth.cli.views.view import status_of
from codex_oauth_core.effects import Wait, Why

__all__ = ["WaitNotice"]

_A_MOMENT: Final = 1.0  # seconds


class WaitNotice:
    """Tells each wait of one run that a person should know of. `wait` is the `on_wait` of its world.
    `watched`: whether somebody reads at once what is told; by default, whether stderr is a terminal.
    """

    def __init__(self, tell: Callable[[str], None] = hint, *, watched: bool | None = None) -> None:
        self._tell = tell
        self._watched = _is_terminal(sys.stderr) if watched is None else watched
        self._began: float | None = None
        self._told: str | None = None

    def wait(self, wait: Wait) -> None:
        """Take in that a wait begins."""
        if self._watched and wait.why in (Why.RETRY, Why.RATE_LIMITED):
            self._began = None
            self._tell_once(f"{status_of(wait)}. The request is sent again")
            return
        if wait.why not in (Why.QUEUED, Why.SAVING):
            self._began = self._told = None
            return
        began = self._began = wait.until if self._began is None else self._began
        status = status_of(wait)
        if wait.until - began >= _A_MOMENT:
            self._tell_once(status)

    def _tell_once(self, status: str) -> None:
        if status != self._told:
            self._told = status
            self._tell(f"{status}.")


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
