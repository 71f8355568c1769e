"""The clock counts suspended time where the system can."""

from __future__ import annotations

import time

import pytest

from codex_oauth import clock


def test_now_gives_the_instant_and_unix_time() -> None:
    at, wall = clock.now()
    assert abs(clock.instant() - at) < 5
    assert abs(time.time() - wall) < 5


def test_the_instant_never_runs_backwards() -> None:
    instants = [clock.instant() for _ in range(1000)]
    assert instants == sorted(instants)


# R13
@pytest.mark.parametrize(
    ("platform", "name"),
    [("linux", "CLOCK_BOOTTIME"), ("android", "CLOCK_BOOTTIME"), ("darwin", "CLOCK_MONOTONIC")],
)
def test_each_system_has_its_clock(platform: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, name, 4711, raising=False)
    monkeypatch.setattr(time, "clock_gettime", float)
    assert clock.best_clock(platform)() == 4711.0


def test_a_system_without_such_a_clock_uses_python_s() -> None:
    assert clock.best_clock("win32") is time.monotonic


def test_a_forbidden_clock_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(clock_id: int) -> float:
        raise PermissionError

    monkeypatch.setattr(time, "clock_gettime", forbidden)
    assert clock.best_clock("linux") is time.monotonic


def test_unix_time_alone_is_that_of_the_clock() -> None:
    assert clock.wall_of(clock.now) is time.time
    assert clock.wall_of(lambda: (1.0, 1_800_000_000.0))() == 1_800_000_000.0
