"""Whom a command waits for that has nothing else to show: the lock of a login, or the disk.

Rules of this file: a wait of a moment is not told; a longer one is told once a minute, until it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from codex_oauth.cli.output import hint
from codex_oauth.cli.views.view import status_of
from codex_oauth_core.effects import Wait, Why

__all__ = ["WaitNotice"]

_A_MOMENT: Final = 1.0  # seconds


class WaitNotice:
    """Tells each wait of one run that a person should know of. `wait` is the `on_wait` of its world."""

    def __init__(self, tell: Callable[[str], None] = hint) -> None:
        self._tell = tell
        self._began: float | None = None
        self._told: str | None = None

    def wait(self, wait: Wait) -> None:
        """Take in that a wait begins."""
        if wait.why not in (Why.QUEUED, Why.SAVING):
            self._began = self._told = None
            return
        began = self._began = wait.until if self._began is None else self._began
        status = status_of(wait)
        if wait.until - began >= _A_MOMENT and status != self._told:
            self._told = status
            self._tell(f"{status}.")
