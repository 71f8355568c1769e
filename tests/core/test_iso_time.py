"""ISO 8601 as `datetime` reads it, without loading it for the usual form; and what is no time is None."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from codex_oauth_core.reading import iso_time
from codex_oauth_core.reading.iso_time import iso_date


@pytest.mark.parametrize("year", [1, 4, 100, 1600, 1900, 1969, 1970, 2000, 2023, 2024, 2100, 9999])
@pytest.mark.parametrize("month", range(1, 13))
def test_the_first_and_the_last_days_of_every_month(year: int, month: int) -> None:
    for day in (1, 2, 27, 28, 29, 30, 31, 32):
        try:
            expected = datetime(year, month, day, 23, 59, 58, tzinfo=UTC).timestamp()
        except ValueError:
            expected = None
        assert iso_date(f"{year:04}-{month:02}-{day:02}T23:59:58Z") == expected


@pytest.mark.parametrize("month", range(1, 13))
def test_the_usual_form_loads_no_calendar(month: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(text: str) -> float | None:
        pytest.fail("it was asked for")

    monkeypatch.setattr(iso_time, "_any", asked)
    last = 28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31
    for text in (f"2023-{month:02}-01T00:00:00Z", f"2023-{month:02}-{last}T23:59:59Z"):
        assert iso_date(text) == datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "2023-00-14T22:13:20Z",
        "2023-13-14T22:13:20Z",
        "2023-11-00T22:13:20Z",
        "2023-11-31T22:13:20Z",
        "2023-02-29T22:13:20Z",
        "2023-11-14T24:13:20Z",
        "2023-11-14T22:60:20Z",
        "2023-11-14T22:13:60Z",
        "2023-11-14T22:13:20",
        "2023-11-14",
        "2023-11-14T22:13:2xZ",
        "²023-11-14T22:13:20Z",
        "",
        None,
        1_700_000_000,
    ],
)
def test_what_is_no_time_is_none(text: object) -> None:
    assert iso_date(text) is None


@pytest.mark.parametrize(
    "text",
    ["2023-11-14T22:13:20+00:00", " 2023-11-14T22:13:20Z\n", "2023-11-14T23:13:20+01:00", "20231114T221320Z"],
)
def test_other_forms_are_read_too(text: str) -> None:
    assert iso_date(text) == 1_700_000_000.0
