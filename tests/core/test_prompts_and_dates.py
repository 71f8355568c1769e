"""A prompt in a sentence, and times as dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from codex_oauth_core import BrowserPrompt, Credential, DevicePrompt, Secret, Wait, Why
from codex_oauth_core.dates import utc_date

PAGE, CODE = "https://auth.example.com/device", "ABCD-12345"
DEVICE = DevicePrompt(PAGE, CODE, 1_800_000_000.5, "https://auth.example.com")
URL = "https://auth.example.com/authorize?state=STATE"
BROWSER = BrowserPrompt(
    Secret(URL), 1_800_000_000.5, "https://auth.example.com", open_url=Secret(f"{URL}&id_token_hint=TOKEN")
)
CREDENTIAL = Credential(
    access_token=Secret("at"),
    refresh_token=None,
    account_id=None,
    issuer="https://auth.example.com",
    client_id="app",
    obtained_at="2027-01-15T08:00:00Z",
    expires_at=1_800_000_000_500,
    earliest_refresh_at=1_800_000_000_000,
)
THEN = datetime(2027, 1, 15, 8, 0, 0, 500_000, tzinfo=UTC)


def test_a_device_prompt_says_where_and_which_code() -> None:
    assert str(DEVICE) == f"To sign in, open {PAGE} and enter the code {CODE} there. Never share this code."


def test_a_browser_prompt_shows_its_page_to_the_person_and_to_no_log() -> None:
    assert str(BROWSER) == f"To sign in, open this page in a browser on this machine: {URL}"
    assert "STATE" not in repr(BROWSER)
    assert "STATE" not in str(Wait(0.0, Why.CALLBACK, BROWSER))
    assert "TOKEN" not in f"{BROWSER} {BROWSER!r}"


@pytest.mark.parametrize("char", ["\\x1b", "\\n", "\\u202e", "\\x07", "\\u2028", "\\x9b"])
def test_what_would_steer_a_terminal_is_escaped(char: str) -> None:
    char = char.encode().decode("unicode_escape")
    hostile = (
        attrs.evolve(DEVICE, user_code=f"A{char}B"),
        attrs.evolve(DEVICE, verification_uri=f"{PAGE}{char}"),
        attrs.evolve(BROWSER, authorize_url=Secret(URL + char)),
    )
    for prompt in hostile:
        assert str(prompt).isprintable()
        assert char not in str(prompt)


def test_a_time_is_a_date_too() -> None:
    assert DEVICE.expires == BROWSER.expires == CREDENTIAL.expires == THEN
    assert CREDENTIAL.earliest_refresh == THEN - timedelta(seconds=0.5)
    assert THEN.tzinfo is UTC
    unknown = attrs.evolve(CREDENTIAL, expires_at=None, earliest_refresh_at=None)
    assert (unknown.expires, unknown.earliest_refresh) == (None, None)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-3, 253_402_300_799.0])
def test_a_date_says_the_second(seconds: float) -> None:
    assert utc_date(seconds).timestamp() == pytest.approx(seconds)


@pytest.mark.parametrize(("seconds", "year"), [(1e12, 9999), (1e300, 9999), (-1e12, 1), (-1e300, 1)])
def test_a_time_that_no_date_has_is_the_nearest(seconds: float, year: int) -> None:
    assert (utc_date(seconds).year, utc_date(seconds).tzinfo) == (year, UTC)
