"""Any number of processes, any misfortune, one login: the rules of `invariants` hold in 10 000 seeded runs.

`CODEX_OAUTH_SIM_SEED` is the first seed and `CODEX_OAUTH_SIM_RUNS` the number of runs; `make sim` has ten times as
many. A seed that fails is shown by `python -m tests.simulation --replay SEED`. Covers F1, F2, F5, F8, F9, F11, F12, F16, F17, F22, F26,
F28, F29, F32 and F37 for processes that meet each other.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.broken import broken
from tests.simulation.faults import Kind
from tests.simulation.network import Mishap
from tests.simulation.run import run_seed, traced
from tests.simulation.tally import Tally, tallied

FIRST = int(os.environ.get("CODEX_OAUTH_SIM_SEED", "0"))
RUNS = int(os.environ.get("CODEX_OAUTH_SIM_RUNS", "10000"))
CHUNKS = 40


def _chunk(number: int) -> range:
    return range(FIRST + RUNS * number // CHUNKS, FIRST + RUNS * (number + 1) // CHUNKS)


# F5
@pytest.mark.parametrize("number", range(CHUNKS))
def test_no_rule_is_broken_in_seeded_runs(number: int) -> None:
    tally = tallied(_chunk(number))
    assert tally.violations == []
    assert tally.runs == len(_chunk(number))


@pytest.fixture(scope="module")
def tally() -> Tally:
    return tallied(range(1500))


def test_every_fault_is_injected(tally: Tally) -> None:
    told = {name for name, number in tally.rows() if number}
    assert {f"· {name}" for name in (*Kind, *Mishap)} - told == {f"· {Kind.UNSAVED}"}  # two of others


def test_every_login_that_is_lost_and_every_replay_has_its_reason(tally: Tally) -> None:
    rows = dict(tally.rows())
    assert rows["logins lost, explained"] == tally.lost.total() > 0
    assert rows["refresh tokens presented twice, explained"] == tally.duplicates.total() > 0
    assert rows["rules broken"] == 0


def test_a_replay_without_a_reason_is_told() -> None:
    with broken("sent before it is reserved"):
        rows = dict(tallied(range(20)).rows())
    assert rows["refresh tokens presented twice, unexplained"] > 0
    assert rows["rules broken"] >= rows["refresh tokens presented twice, unexplained"]


def test_most_logins_survive_what_befalls_them(tally: Tally) -> None:
    assert tally.lost.total() < tally.injected.total() / 5


def test_a_seed_gives_the_same_run_again() -> None:
    seeds = range(50)
    assert [traced(seed) for seed in seeds] == [traced(seed) for seed in seeds]
    assert [run_seed(seed) for seed in seeds] == [run_seed(seed) for seed in seeds]


def test_a_trace_changes_nothing_of_a_run() -> None:
    for seed in range(50):
        lines: list[str] = []
        assert run_seed(seed, trace=lines) == run_seed(seed)
        assert lines


def test_a_trace_holds_no_token() -> None:
    told = "\n".join(line for seed in range(100) for line in traced(seed)[0])
    assert "r0.0" in told
    assert "fake-refresh-" not in told
    assert "eyJ" not in told


def test_both_tables_have_the_same_rows(tally: Tally) -> None:
    rows = [name for name, _ in tally.rows()]
    assert [line.rsplit(maxsplit=1)[0].strip() for line in tally.text().splitlines()] == rows
    assert [line.split("|")[1].strip() for line in tally.markdown().splitlines()[2:]] == rows
