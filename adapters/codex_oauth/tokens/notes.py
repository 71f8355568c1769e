"""What a person should hear about a login that still works: once, and then not again until it changes."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from codex_oauth_core.errors import SignInError
from codex_oauth_core.flows.lifetime import CLOCK_OFF
from codex_oauth_core.outcomes import Adopted, NotRenewed, Renewed

__all__ = ["CodexOAuthWarning", "Notes", "print_note"]


class CodexOAuthWarning(UserWarning):
    """A login works, but a person should do something about it."""


def print_note(note: str) -> None:
    """Tell a note as a warning."""
    warnings.warn(note, CodexOAuthWarning, stacklevel=2)


class Notes:
    """Tells each note once, until something else is to be said or all is well again."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: str | None = None

    def hear(self, outcome: Renewed | Adopted | NotRenewed | SignInError) -> None:
        """Tell what is to be told of `outcome`. Raises what the listener raises."""
        if isinstance(outcome, SignInError):  # it is raised
            return
        note = _note(outcome)
        told, self._told = self._told, note
        if note is not None and note != told:
            self._tell(note)


def _note(outcome: Renewed | Adopted | NotRenewed) -> str | None:
    if isinstance(outcome, Renewed) and outcome.unsaved is not None:
        return f"The login was renewed, but could not be stored: {_advice(outcome.unsaved)}"
    if isinstance(outcome, NotRenewed) and outcome.error is not None:
        return f"The login still works, but could not be renewed: {_advice(outcome.error)}"
    return _clock(outcome.record.server_offset)


def _clock(server_offset: float | None) -> str | None:
    """What to say of a clock that is more than five minutes off; tokens are dated by the server's."""
    if server_offset is None or abs(server_offset) <= CLOCK_OFF:
        return None
    way = "slow" if server_offset > 0 else "fast"
    return f"This machine's clock is {round(abs(server_offset) / 60)} minutes {way}: set it."


def _advice(error: SignInError) -> str:
    return " ".join((error.message, *error.next_actions))
