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
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TextIO

from codex_oauth.cli.text import printable

if TYPE_CHECKING:
    from codex_oauth_core.errors import SignInError

__all__ = [
    "Loudness",
    "NoOutput",
    "complain",
    "detail",
    "emit",
    "failure_fields",
    "hint",
    "hint_from_a_signal",
    "report",
    "result",
    "speak",
]

SCHEMA_VERSION: Final = 1


class Loudness(IntEnum):
    """How much is said on stderr."""

    QUIET = 0
    """Errors only."""
    USUAL = 1
    VERBOSE = 2


_chosen = [Loudness.USUAL]


def speak(loudness: Loudness) -> None:
    """Set how much is said, from now on."""
    _chosen[0] = loudness


def result(text: str) -> None:
    """A line of the command's result, on stdout. Raises `NoOutput` where that cannot be written."""
    _write(sys.stdout, text)


def hint(text: str = "") -> None:
    """A line for the person, on stderr; where nobody can or will read it, nothing."""
    if _chosen[0] >= Loudness.USUAL:
        complain(text)


def detail(text: str) -> None:
    """A line that only `--verbose` asks for, on stderr."""
    if _chosen[0] >= Loudness.VERBOSE:
        complain(text)


def complain(text: str) -> None:
    """A line about what went wrong, on stderr, however quiet it is to be."""
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


def failure_fields(kind: str, message: str, *next_actions: str) -> dict[str, Any]:
    """The fields of a failure that is no `SignInError`, as those of `SignInError.to_dict`."""
    error: dict[str, Any] = {
        "message": message,
        "details": {},
        "retryable": False,
        "next_actions": list(next_actions),
    }
    return {"ok": False, "error": {"kind": kind, **error}}


def report(error: SignInError, *, as_json: bool, event: str | None = None) -> None:
    """Say what happened, whether a stored login is good, and what to do: stderr, or JSON on stdout."""
    if as_json:
        emit({**({"event": event} if event else {}), **error.to_dict()})
        return
    from codex_oauth_core.errors import KINDS  # here, not above: a fresh token is printed without it

    complain(f"codex-oauth: {error.message}")
    if login := KINDS[error.kind].login:
        complain(f"  {login}")
    for action in error.next_actions:
        complain(f"  -> {action}")
    details = ", ".join(f"{name}: {printable(str(value))}" for name, value in error.details.items())
    if details:
        complain(f"  ({details})")
