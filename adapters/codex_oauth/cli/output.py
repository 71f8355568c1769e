"""How every command speaks: results on stdout, everything else on stderr, JSON where asked.

Rules of this file: JSON has `schema_version`, stable keys and times in RFC 3339; no secret is ever
printed here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, Final

from codex_oauth.cli.text import printable
from codex_oauth_core.errors import SignInError

__all__ = ["emit", "hint", "report", "result"]

SCHEMA_VERSION: Final = 1


def result(text: str) -> None:
    """A line of the command's result, on stdout."""
    print(text, flush=True)


def hint(text: str = "") -> None:
    """A line for the person, on stderr."""
    print(text, file=sys.stderr, flush=True)


def emit(fields: Mapping[str, Any]) -> None:
    """One JSON document on one line, on stdout."""
    result(json.dumps({"schema_version": SCHEMA_VERSION, **fields}))


def report(error: SignInError, *, as_json: bool, event: str | None = None) -> None:
    """Say what happened and what to do next: for a person on stderr, for a program on stdout."""
    if as_json:
        emit({**({"event": event} if event else {}), **error.to_dict()})
        return
    hint(f"codex-oauth: {error.message}")
    for name, value in error.details.items():
        hint(f"  {name}: {printable(str(value))}")
    for action in error.next_actions:
        hint(f"  -> {action}")
