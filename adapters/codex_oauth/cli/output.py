"""How every command speaks: results on stdout, everything else on stderr, JSON where asked.

Rules of this file: JSON has `schema_version`, stable keys and times in RFC 3339; no secret is ever
printed here.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

from codex_oauth.cli.text import printable
from codex_oauth_core.errors import SignInError

__all__ = ["NoOutput", "emit", "hint", "hint_from_a_signal", "report", "result"]

SCHEMA_VERSION: Final = 1


def result(text: str) -> None:
    """A line of the command's result, on stdout. Raises `NoOutput` where that cannot be written."""
    _write(sys.stdout, text)


def hint(text: str = "") -> None:
    """A line for the person, on stderr; where nobody can read it, nothing."""
    with contextlib.suppress(NoOutput):
        _write(sys.stderr, text)


def hint_from_a_signal(text: str) -> None:
    """A line for the person, from a signal handler: `print` may be under way, and cannot be entered twice."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())


class NoOutput(Exception):
    """A stream is closed, full, or has no reader. Its text says why."""


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        raise NoOutput("it is closed")
    encoding = stream.encoding or "ascii"  # what a terminal cannot show is escaped
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError as error:
        raise NoOutput(error.strerror or type(error).__name__) from None


def emit(fields: Mapping[str, Any]) -> None:
    """One JSON document on one line, on stdout."""
    result(json.dumps({"schema_version": SCHEMA_VERSION, **fields}))


def report(error: SignInError, *, as_json: bool, event: str | None = None) -> None:
    """Say what happened and what to do next: for a person on stderr, for a program on stdout."""
    if as_json:
        emit({**({"event": event} if event else {}), **error.to_dict()})
        return
    hint(f"codex-oauth: {error.message}")
    for action in error.next_actions:
        hint(f"  -> {action}")
    details = ", ".join(f"{name}: {printable(str(value))}" for name, value in error.details.items())
    if details:
        hint(f"  ({details})")
