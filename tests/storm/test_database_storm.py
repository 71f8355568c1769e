"""The storm over a database, at a size for every run of the tests; and that it would notice what it looks for.

Rules of this file: how fast the machine is decides how much happens, and never how it ends; a program that leaves a
rule out must lose a login.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from codex_oauth_core.renewal_times import SAVE_WITHIN
from tests.storm.database import BREEZE, CALM, GALE, Weather, ground, storm
from tests.storm.evidence import CUT_OFF, KILLED, STOPPED, Evidence, Line, Stop, Times
from tests.storm.nursery import Nursery
from tests.storm.tally import Row
from tests.storm.test_storms import calm


def weathered(home: Path, weather: Weather, seed: int = 1) -> Row:
    with Nursery(hurry=weather.hurry) as nursery, ground() as servers:
        return storm(nursery, home, servers, weather, seed)


def test_whatever_fails_no_token_is_sent_twice_without_a_cause(tmp_path: Path) -> None:
    row = calm(weathered(tmp_path, BREEZE))
    assert row.sent >= row.rounds


def test_a_storm_of_sixteen_processes(tmp_path: Path) -> None:
    row = calm(weathered(tmp_path, GALE))
    assert row.sent >= row.rounds


AFTER_THE_RESERVATION = attrs.evolve(
    CALM, acts=(("stop", "after reserve"),), acting=2, turns=(1, 1), stop_for=(4.5, 5.0)
)
"""Processes stand still for longer than others believe in them, and have not sent anything."""

SLOW = attrs.evolve(CALM, seconds=4.0, answers_in=1.0)
"""The authority takes longer for a refresh than a lease lasts, and less than an intent."""


@pytest.mark.parametrize("weather", [AFTER_THE_RESERVATION, SLOW], ids=["stopped", "slow"])
def test_without_a_fault_of_the_program_nothing_is_sent_twice(tmp_path: Path, weather: Weather) -> None:
    assert calm(weathered(tmp_path, weather)).duplicates == 0


@pytest.mark.parametrize(
    "weather",
    [attrs.evolve(AFTER_THE_RESERVATION, sends_anyway=True), attrs.evolve(SLOW, ignores_intents=True)],
    ids=["sends without a look at the clock", "believes in the lease alone"],
)
def test_a_program_that_leaves_a_rule_out_is_found(tmp_path: Path, weather: Weather) -> None:
    row = weathered(tmp_path, weather)
    assert row.duplicates > 0
    assert any("times" in problem for problem in row.problems)


# -- the evidence --------------------------------------------------------------------------------------


def lines(*steps: tuple[float, str], pid: int = 1) -> list[Line]:
    facts = {"over": False, "lost": False}
    return [Line(at, pid, what, "ada", "mark", facts) for at, what in steps]


SECOND = lines((900.0, "looked"), (901.0, "saving"), (901.1, "saved"), pid=2)
SENT = ((0.0, "reserved"), (0.1, "looked"))


@pytest.mark.parametrize(
    ("first", "killed", "stop", "cause"),
    [
        (lines(*SENT), {1}, None, KILLED),
        (lines(*SENT, (1.0, "saving")), {1}, None, KILLED),
        (lines(*SENT, (1.0, "saving"), (1.1, "saved")), {1}, None, None),
        (lines(*SENT), set[int](), None, None),
        (lines(*SENT, (50.0, "saving"), (50.1, "saved")), set[int](), Stop(1, 1.0, 49.0), STOPPED),
        (lines(*SENT, (50.0, "saving"), (50.1, "saved")), set[int](), Stop(2, 1.0, 49.0), None),
        (lines(*SENT, (50.0, "saving"), (50.1, "saved")), set[int](), Stop(1, 30.0, 49.0), None),
        (lines(*SENT, (1.0, "saving"), (2.0, "unsaved")), set[int](), None, None),
        (lines(*SENT, (1.0, "saving"), (2.0 + SAVE_WITHIN, "unsaved")), set[int](), None, CUT_OFF),
        (lines(*SENT, (1.0, "saving"), (2.0, "unsaved"), (3.0, "saved")), set[int](), None, None),
    ],
)
def test_a_cause_is_proven_by_the_lines_of_the_sender(
    first: list[Line], killed: set[int], stop: Stop | None, cause: str | None
) -> None:
    evidence = Evidence([*first, *SECOND], killed, [] if stop is None else [stop], Times(1.0))
    assert evidence.causes("mark", 2) == (None if cause is None else [cause])


def test_each_sender_but_one_needs_a_cause() -> None:
    three = [*lines(*SENT), *lines(*SENT, pid=3), *SECOND]
    assert Evidence(three, {1, 3}, [], Times(1.0)).causes("mark", 3) == [KILLED, KILLED]
    assert Evidence(three, {1}, [], Times(1.0)).causes("mark", 3) is None


def asked(*answer: Line) -> tuple[int, list[str]]:
    asks = [Line(0.0, each.pid, "ask", "ada", None) for each in answer]
    counted, wrong, _ = Evidence([*asks, *answer], (), (), Times(1.0)).answers(())
    return counted.total(), wrong


@pytest.mark.parametrize(
    ("what", "more", "wrong"),
    [
        ("served", {"took": 1.0, "left": 0.5}, 0),
        ("served", {"took": 1.0, "left": 0.0}, 1),
        ("served", {"took": 400.0, "left": 0.5}, 1),
        ("told", {"took": 1.0, "kind": "auth_read_failed", "reason": "database_away"}, 0),
        ("told", {"took": 1.0, "kind": "invalid_response", "reason": "expired_token"}, 0),
        ("told", {"took": 1.0, "kind": "invalid_response", "reason": None}, 1),
        ("told", {"took": 1.0, "kind": "login_required", "reason": None}, 1),
        ("told", {"took": 1.0, "kind": "corrupt_auth", "reason": None}, 1),
        ("looked", {}, 1),
    ],
)
def test_everybody_is_served_or_told_what_is_true(what: str, more: dict[str, object], wrong: int) -> None:
    _, problems = asked(Line(1.0, 1, what, "ada", None, more))
    assert len(problems) == wrong
