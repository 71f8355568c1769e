"""The rhythm of polls as arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.flows.pace import Pace

T = 1_000_003.25


@pytest.mark.parametrize(("interval", "lifetime", "first"), [(5, 900, 5), (5, 8, 4), (5, 10, 5), (5, -3, 0)])
def test_the_first_poll(interval: float, lifetime: float, first: float) -> None:
    assert Pace(interval, T + lifetime).first(T) == T + first


@pytest.mark.parametrize(("failures", "delay"), [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60), (2000, 60)])
def test_back_off_doubles_to_a_minute(failures: int, delay: float) -> None:
    pace = Pace(5.0, T + 10_000, failures - 1)
    assert pace.failed(T) == T + delay


def test_a_real_answer_forgets_failures() -> None:
    pace = Pace(5.0, T + 10_000)
    pace.failed(T)
    assert pace.answered(T) == T + 5
    assert pace.failed(T) == T + 10


@pytest.mark.parametrize(("wished", "interval"), [(None, 10), (3.0, 10), (42.0, 42)])
def test_slow_down(wished: float | None, interval: float) -> None:
    pace = Pace(5.0, T + 900)
    pace.slow_down(wished)
    assert pace.interval == interval


def test_slow_down_has_no_cap() -> None:
    pace = Pace(5.0, T + 900)
    for _ in range(100):
        pace.slow_down(None)
    assert pace.interval == 505


@given(
    interval=st.floats(1, 300),
    lifetime=st.floats(0, 900),
    asked=st.none() | st.floats(0, 1e9),
    failures=st.integers(0, 30),
)
def test_no_wait_is_shorter_than_agreed_or_longer_than_the_login(
    interval: float, lifetime: float, asked: float | None, failures: int
) -> None:
    for until in (
        Pace(interval, T + lifetime, failures).answered(T, asked),
        Pace(interval, T + lifetime, failures).failed(T, asked),
    ):
        assert until <= T + lifetime
        soonest = max(interval, min(asked or 0.0, 60.0))
        assert until >= min(T + lifetime, T + soonest) - 1e-6
