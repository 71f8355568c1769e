"""Trace files: a new one for a login, and one to read.

Rules of this file: a trace is its owner's alone (0600) and never takes the place of a file; each line is on
its way to the disk before the sign-in goes on; nothing that happens to the file ends a sign-in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, TextIO

import attrs

from codex_oauth.sign_in import Recording
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.flows.machine import Drivable
from codex_oauth_core.flows.sign_in import SignInFlow

__all__ = ["Text", "read_text", "tracing"]

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_LONGEST: Final = 64 * 1024 * 1024


@attrs.define(eq=False)
class _TraceFile:
    """A file that a recorder writes."""

    file: TextIO
    failure: str | None = None

    def record(self, flow: SignInFlow) -> Drivable[SendRequest | Wait, Credential]:
        """The flow, recorded here."""
        from codex_oauth_core.traces import Recorder

        return Recorder(flow=flow, write=self.write)

    def write(self, line: str) -> None:
        """Write a line. Raises OSError, and remembers why."""
        try:
            self.file.write(line)
            self.file.flush()
        except OSError as error:
            self.failure = _reason(error)
            raise

    def close(self) -> None:
        """Close the file, whatever has become of it."""
        try:
            self.file.close()
        except OSError as error:
            self.failure = self.failure or _reason(error)


@contextmanager
def tracing(path: str | None, on_note: Callable[[str], None]) -> Generator[Recording | None, None, None]:
    """What records a sign-in at `path`; None if there is no path, or no file can be made there: `on_note`
    is told why.
    """
    trace = None if path is None else _created(path, on_note)
    if trace is None:
        yield None
        return
    try:
        yield trace.record
    finally:
        trace.close()
        if trace.failure is not None:
            on_note(f"The trace is not whole: {trace.failure}.")


def _created(path: str, on_note: Callable[[str], None]) -> _TraceFile | None:
    try:
        descriptor = os.open(path, _NEW | getattr(os, "O_CLOEXEC", 0), 0o600)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        on_note(f"No trace is written: {_reason(error)}.")
        return None
    return _TraceFile(os.fdopen(descriptor, "w", encoding="ascii", newline="\n"))


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


@attrs.frozen
class Text:
    """The lines of a trace file; `cut`: its last line is not whole, and is left out."""

    lines: list[str]
    cut: bool


def read_text(path: str) -> Text:
    """The lines of a file. Raises ValueError, with the reason, for one that cannot be read as text."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # a name with a zero byte is the caller's ValueError
            data = file.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            raise ValueError("It is too long.")
        lines = data.decode("utf-8").split("\n")
    except OSError as error:
        raise ValueError(f"{_reason(error)}.") from None
    except UnicodeDecodeError:
        raise ValueError("It is not UTF-8.") from None
    last = lines.pop()
    cut = bool(last) and not _is_json(last)
    return Text(lines + ([last] if last and not cut else []), cut)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
