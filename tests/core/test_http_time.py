"""Times that servers write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.reading.times import header, http_date, iso_date, retry_after, rfc3339

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " sun, 06 NOV 1994 08:49:37 gmt ",
    ],
)
def test_the_three_forms_of_rfc_9110(text: str) -> None:
    assert http_date(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:00:00 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
    ],
)
def test_what_is_no_http_date(text: str | None) -> None:
    assert http_date(text) is None


def test_two_digit_years() -> None:
    assert http_date("Friday, 15-Jan-27 08:00:00 GMT") == 1_800_000_000


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001  # made aware below
def test_every_date_round_trips(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC, microsecond=0)
    assert http_date(moment.strftime("%a, %d %b %Y %H:%M:%S GMT")) == moment.timestamp()
    assert iso_date(rfc3339(moment.timestamp())) == moment.timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2027-01-15T08:00:00Z", 1_800_000_000.0),
        ("2027-01-15T10:00:00+02:00", 1_800_000_000.0),
        (" 2027-01-15T08:00:00.250Z ", 1_800_000_000.25),
        ("2027-01-15T08:00:00", None),
        ("2027-01-15", None),
        ("junk", None),
        ("0001-01-01T00:00:00+14:00", None),
        (7, None),
        (None, None),
    ],
)
def test_iso_dates_need_an_offset(text: object, seconds: float | None) -> None:
    moment = iso_date(text)
    assert moment == seconds or (seconds is None and isinstance(moment, float) and moment < 0)


def test_a_header_in_any_case() -> None:
    assert header({"DATE": "x"}, "date") == header({"date": "x"}, "date") == "x"
    assert header({}, "date") is None


def test_a_retry_after_date_is_measured_by_the_servers_clock() -> None:
    headers = {"Retry-After": "Sun, 06 Nov 1994 08:50:07 GMT", "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert retry_after(headers, wall=9e9) == 30.0
    assert retry_after({"Retry-After": headers["Retry-After"]}, wall=MOMENT + 10) == 20.0
    assert retry_after({**headers, "Date": "junk"}, wall=MOMENT) == 30.0


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), (" 7 ", 7.0), ("9999999999", 9999999999.0)])
def test_retry_after_in_seconds(text: str, seconds: float) -> None:
    assert retry_after({"retry-after": text}, 0.0) == seconds


@given(st.text(max_size=50))
def test_hostile_text_never_raises(text: str) -> None:
    assert http_date(text) is None or isinstance(http_date(text), float)
    assert iso_date(text) is None or isinstance(iso_date(text), float)
    seconds = retry_after({"Retry-After": text, "Date": text}, 0.0)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1_800_000_000.9, "2027-01-15T08:00:00Z"),
        (1e15, "9999-12-31T23:59:59Z"),
        (-1e15, "0001-01-01T00:00:00Z"),
    ],
)
def test_any_time_of_a_clock_can_be_written(wall: float, text: str) -> None:
    assert rfc3339(wall).rjust(20, "0") == text
