"""Text on its way to a terminal.

Rules of this file: whatever came from a server or a file passes `printable` first; terminals take
escape sequences, carriage returns and direction marks as orders.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Final

__all__ = ["clock", "left", "moment", "printable"]

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
