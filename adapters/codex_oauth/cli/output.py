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
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final, TextIO

__all__ = [
    "CHOICES",
    "Loudness",
    "NoOutput",
    "action_lines",
    "clock",
    "complain",
    "complain_in_lines",
    "counted",
    "detail",
    "emit",
    "failure_fields",
    "hint",
    "hint_from_a_signal",
    "hint_in_lines",
    "left",
    "lines_of",
    "moment",
    "paint",
    "printable",
    "result",
    "say_action",
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
    """A duration in words, rounded down to its largest unit: `10 days`, `1 hour`, `12 minutes`. Less than a
    twentieth of a unit does not count: a token of ten days has them when it has just been issued.
    """
    seconds = max(0.0, seconds)
    if seconds >= 60:
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
            if count := int(seconds / size + _NEARLY):
                return counted(count, unit)
    return counted(int(seconds), "second")


_NEARLY: Final = 0.05


def counted(count: int, word: str) -> str:
    """`1 day`, `2 days`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


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


LONGEST_LINE: Final = 80
"""Columns of what is told on stderr: it is folded between words."""


def complain_in_lines(text: str, indent: str = "  ") -> None:
    """`complain`, in lines of at most `LONGEST_LINE`; all but the first are indented."""
    for line in lines_of(text, LONGEST_LINE, indent):
        complain(line)


def hint_in_lines(text: str) -> None:
    """`hint`, in lines of at most `LONGEST_LINE`."""
    for line in lines_of(text, LONGEST_LINE, ""):
        hint(line)


def say_action(text: str, say: Callable[[str], None] = complain) -> None:
    """What to do next."""
    for line in action_lines(text, LONGEST_LINE, "  "):
        say(line)


def action_lines(text: str, width: int, indent: str) -> list[str]:
    """What to do next, in lines of at most `width` that begin with `indent`. A command at its end stays
    whole: on a line of its own, where it needs one.
    """
    arrow, below = f"{indent}-> ", f"{indent}   "
    typed = _TO_TYPE.fullmatch(text)
    if typed is not None and len(arrow) + len(text) > width:
        return [*lines_of(f"{arrow}{typed['said']}", width, below), f"{below}{typed['command']}"]
    return lines_of(f"{arrow}{text}", width, below)


_TO_TYPE: Final = re.compile(r"(?P<said>.*:) (?P<command>(?:codex-oauth|codex|ssh|pip|chmod) .*)")


def lines_of(text: str, width: int, indent: str) -> list[str]:
    """`text` in lines that end between words; all but the first begin with `indent`."""
    if len(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def hint_from_a_signal(text: str) -> None:
    """A line for the person, from a signal handler: `print` may be under way, and cannot be entered twice."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())


class NoOutput(Exception):
    """A stream is closed, full, or has no reader. Its text says why; `nobody_reads`: the reader has left."""

    def __init__(self, why: str, *, nobody_reads: bool = False) -> None:
        super().__init__(why)
        self.nobody_reads = nobody_reads


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        raise NoOutput("it is closed")
    encoding = stream.encoding or "ascii"  # what a terminal cannot show is escaped
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError as error:
        gone = isinstance(error, BrokenPipeError)
        raise NoOutput(error.strerror or type(error).__name__, nobody_reads=gone) from None


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
