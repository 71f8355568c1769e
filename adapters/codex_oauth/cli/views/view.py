"""What a view is: it shows what happens in a sign-in, and decides nothing."""

from __future__ import annotations

from typing import Protocol

from codex_oauth_core.effects import Prompt, SendRequest, Wait

__all__ = ["View"]


class View(Protocol):
    """Shows what happens. No failure of a terminal ends a sign-in: nothing here raises OSError."""

    def prompt(self, prompt: Prompt) -> None:
        """A new prompt came."""

    def note(self, note: str) -> None:
        """Something is to be explained, in a line."""

    def warn(self, text: str) -> None:
        """Something went wrong that the person must know, though the sign-in goes on."""

    def detail(self, text: str) -> None:
        """Something for those who asked for every detail."""

    def sending(self, effect: SendRequest) -> None:
        """A request begins."""

    def wait(self, wait: Wait) -> None:
        """A wait begins."""

    def tick(self, wait: Wait, at: float) -> None:
        """About a second of a wait has passed."""

    def done(self) -> None:
        """The sign-in succeeded."""

    def close(self) -> None:
        """The sign-in is over, however it ended."""
