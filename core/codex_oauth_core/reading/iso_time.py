"""Times as RFC 3339 and ISO 8601 write them.

Rules of this file: hostile text gives None, never an exception; the form in which this library writes a time
is read without `datetime`, which takes longer to load than all that a command needs to print a token.
"""

from __future__ import annotations

__all__ = ["iso_date"]

_MARKS = "--T::Z"
_EPOCH = 719_468  # days from 1 March of the year 0 to 1 January 1970
_LONGEST = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def iso_date(text: object) -> float | None:
    """An ISO 8601 date and time **with offset** as Unix seconds; None for anything else."""
    if not isinstance(text, str):
        return None
    found = _usual(text)
    return _any(text) if found is None else found


def _usual(text: str) -> float | None:
    """The Unix time of `YYYY-MM-DDTHH:MM:SSZ`; None for any other form, and for a day that is in doubt."""
    parts = (text[0:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19])
    digits = "".join(parts)
    if len(text) != 20 or "".join(text[at] for at in (4, 7, 10, 13, 16, 19)) != _MARKS:
        return None
    if not (digits.isascii() and digits.isdigit()):
        return None
    year, month, day, hour, minute, second = map(int, parts)
    if not (year and 1 <= month <= 12 and 1 <= day <= _LONGEST[month - 1]):
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    return float(_days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 in the Gregorian calendar; years begin in March, so that a leap day ends one."""
    years, months = (year, month - 3) if month > 2 else (year - 1, month + 9)
    leaps = years // 4 - years // 100 + years // 400
    return years * 365 + leaps + (153 * months + 2) // 5 + day - 1 - _EPOCH


def _any(text: str) -> float | None:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
