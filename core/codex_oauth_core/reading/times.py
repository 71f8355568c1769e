"""Times and spans that servers write: HTTP dates, Retry-After (RFC 9110 §5.6.7, §10.2.3), ISO 8601, spans.

Rules of this file: hostile text gives None, never an exception, and hostile numbers never give a busy loop,
an overflow or a NaN. (`email.utils`, which reads dates too, loads `socket` and `random`.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from codex_oauth_core.reading.iso_time import iso_date

__all__ = [
    "DEFAULT_INTERVAL",
    "header",
    "http_date",
    "iso_date",
    "plausible_time",
    "read_interval",
    "read_seconds",
    "retry_after",
    "rfc3339",
]


_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS: Final = (  # compiled by the first date, and not by each import (P1)
    rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {_CLOCK} GMT",
    rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[a-z]{{3}})-(?P<year>\d\d) {_CLOCK} GMT",
    rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})",
)
_HOWEVER_WRITTEN: Final = re.ASCII | re.IGNORECASE
_SECONDS: Final = re.compile(r"\d{1,10}", re.ASCII)
_FIRST_SECOND: Final = -62_135_596_800  # of the year 1
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_YEAR_2001: Final = 978_307_200
_YEAR_2101: Final = 4_133_980_800
_CENTURY_PIVOT: Final = 70  # two-digit years: 70-99 are the twentieth century


def header(headers: Mapping[str, str], name: str) -> str | None:
    """A header's value by its lower-case name, in whatever case it came."""
    found = headers.get(name)
    if found is not None:
        return found
    return next((value for key, value in headers.items() if key.lower() == name), None)


def http_date(text: str | None) -> float | None:
    """An HTTP date, in any of its three forms, as Unix seconds; None if it is not one."""
    if not text:
        return None
    matches = (re.fullmatch(form, text.strip(), _HOWEVER_WRITTEN) for form in _FORMS)
    match = next(filter(None, matches), None)
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    day, hour, minute, second = (int(match[part]) for part in ("day", "hour", "minute", "second"))
    month = _MONTHS.index(match["month"].lower()) + 1
    try:
        return datetime(_year(match["year"]), month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) > 2:
        return year
    return year + (1900 if year >= _CENTURY_PIVOT else 2000)


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """The seconds that a server asks us to wait, counted from the end of its answer; None if it does not say.

    A date is compared with the `Date` of the same answer, so that our clock does not matter. Without a `Date`
    it is compared with `wall` (Unix seconds). The caller limits the result.
    """
    text = header(headers, "retry-after")
    if text is None:
        return None
    digits = text.strip(" \t")  # what else strip() removes, float() does not take
    if _SECONDS.fullmatch(digits):
        return float(digits)
    then = http_date(text)
    if then is None:
        return None
    now = http_date(header(headers, "date"))
    return max(0.0, then - (wall if now is None else now))


def plausible_time(value: object) -> float | None:
    """`value` as Unix seconds if it is a number within the years 2001 to 2100, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if _YEAR_2001 <= value < _YEAR_2101 else None  # no NaN passes this


def rfc3339(wall: float) -> str:
    """Unix seconds as RFC 3339 in UTC, to the second; what no calendar has as the nearest that it has."""
    return datetime.fromtimestamp(min(max(int(wall), _FIRST_SECOND), _LAST_SECOND), UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


# -- spans: a number, or a number in a string, or junk -------------------------------------------------


DEFAULT_INTERVAL: Final = 5.0
_SHORTEST: Final = 1.0
_LONGEST_HONOURED: Final = 300.0
_INSTEAD_OF_LONGER: Final = 60.0
_DECIMAL: Final = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)


def read_seconds(value: object) -> float | None:
    """A finite number of seconds, zero or more, from a number or a decimal string; None for anything else."""
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
    """A poll interval in seconds. A value from 1 to 300 is used as it is (RFC 8628 §3.5), a larger one
    becomes 60, and anything else is None.
    """
    seconds = read_seconds(value)
    if seconds is None:
        return None
    return _INSTEAD_OF_LONGER if seconds > _LONGEST_HONOURED else max(seconds, _SHORTEST)
