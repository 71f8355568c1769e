"""Unix time as a date for programs and people.

Rules of this file: nothing here asks what time it is; `datetime` is loaded by who wants a date, because it
takes longer to load than all that a command needs to print a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["utc_date"]


def utc_date(seconds: float) -> datetime:
    """Unix time in seconds as an aware datetime in UTC; the nearest there is, where the year is no date's."""
    from datetime import UTC, datetime, timedelta

    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if seconds > 0 else datetime.min.replace(tzinfo=UTC)
