"""Intervals and lifetimes as servers write them: a number, or a number in a string, or junk.

Rules of this file: hostile values never raise and never give a busy loop, an overflow or a NaN.
"""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["DEFAULT_INTERVAL", "read_interval", "read_seconds"]

DEFAULT_INTERVAL: Final = 5.0
_SHORTEST: Final = 1.0
_LONGEST_HONOURED: Final = 300.0
_INSTEAD_OF_LONGER: Final = 60.0
_DECIMAL: Final = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)


def read_seconds(value: object) -> float | None:
    """A finite number of seconds, zero or more, from a number or a decimal string; else None."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip(" \t")):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:  # an integer of 400 digits
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def read_interval(value: object) -> float | None:
    """A poll interval in seconds: 1 to 300 is honoured (RFC 8628 §3.5), more is 60; None for junk."""
    seconds = read_seconds(value)
    if seconds is None:
        return None
    return _INSTEAD_OF_LONGER if seconds > _LONGEST_HONOURED else max(seconds, _SHORTEST)
