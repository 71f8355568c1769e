"""How every command speaks: results on stdout, everything else on stderr, JSON where asked.

Rules of this file: JSON has `schema_version`, stable keys and times in RFC 3339; no secret is ever printed
here. Whatever came from a server or a file passes `printable` first; terminals take escape sequences,
carriage returns and direction marks as orders. Colours are few: what a person asked for on the command line
comes before the environment, a wish for no colour before one for colour, and no colour carries a meaning
that the words do not.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from codex_oauth_core.errors import SignInError

__all__ = [
    "CHOICES",
    "Loudness",
    "NoOutput",
    "clock",
    "complain",
    "detail",
    "emit",
    "failure_fields",
    "hint",
    "hint_from_a_signal",
    "left",
    "moment",
    "paint",
    "printable",
    "report",
    "result",
    "speak",
    "wants_colour",
]


_UNSAFE: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def printable(text: str, longest: int = 300) -> str:
    """`text` on one line: control, format and direction characters escaped, cut to `longest`."""
    safe = "".join(map(_escaped, text[:longest]))
    return safe if len(safe) <= longest and len(text) <= longest else safe[: longest - 3] + "..."


def _escaped(char: str) -> str:
    unsafe = unicodedata.category(char) in _UNSAFE
    return char.encode("unicode_escape").decode("ascii") if unsafe else char


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, `14:05`."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def left(seconds: float) -> str:
    """A duration in words, rounded down to its largest unit: `9 days`, `1 hour`, `12 minutes`."""
    seconds = max(0.0, seconds)
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{int(seconds)} seconds"


def moment(milliseconds: int | None) -> str | None:
    """Unix milliseconds as RFC 3339 in UTC; None for an unknown or impossible moment."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


# -- where it goes -------------------------------------------------------------------------------------


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


def report(error: SignInError, *, as_json: bool, event: str | None = None, about_login: bool = True) -> None:
    """Say what happened, whether a stored login is good, and what to do: stderr, or JSON on stdout.
    `about_login`: there is one login that is meant.
    """
    if as_json:
        emit({**({"event": event} if event else {}), **error.to_dict()})
        return
    from codex_oauth_core.errors import KINDS, PARTICULAR  # here, not above: a fresh token does without

    complain(f"codex-oauth: {error.message}")
    facts = PARTICULAR.get((error.kind, error.details.get("reason")), KINDS[error.kind])
    if about_login and facts.login:
        complain(f"  {facts.login}")
    for action in error.next_actions:
        complain(f"  -> {action}")
    details = ", ".join(f"{name}: {printable(str(value))}" for name, value in error.details.items())
    if details:
        complain(f"  ({details})")


# -- colours -------------------------------------------------------------------------------------------


CHOICES: Final = ("auto", "always", "never")

_SGR: Final[Mapping[str, str]] = {
    "title": "1",
    "page": "4;36",
    "code": "1;36",
    "care": "2",
    "waiting": "36",
    "slower": "33",
    "trouble": "33",
    "done": "32",
}
"""Select Graphic Rendition (ECMA-48 §8.3.117): bold 1, faint 2, underlined 4, colours 30 to 37."""


def wants_colour(stream: TextIO | None, environ: Mapping[str, str], choice: str = "auto") -> bool:
    """Whether to colour what goes to `stream`. `choice` is one of `CHOICES`."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return environ.get("CLICOLOR") != "0" and stream is not None and stream.isatty()


def paint(text: str, role: str, *, colour: bool) -> str:
    """`text` in the look of its role, or as it is."""
    sgr = _SGR.get(role)
    return f"\x1b[{sgr}m{text}\x1b[0m" if colour and sgr and text else text
