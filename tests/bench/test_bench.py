"""The bench itself: its arithmetic, its table, its pictures. No test here is about how fast anything is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs
import pytest

from tests.bench.chart import drawn
from tests.bench.contest import Contestant, contest
from tests.bench.page import CHARTS, Run, overview, page, slower, write
from tests.bench.peers import ROOT
from tests.bench.ratios import TIMES, Figure, Result, Spread, Target, Times, per_round
from tests.bench.released import Released
from tests.bench.table import ROWS, chosen
from tests.bench.words import amount, figure_lines, spread, target_line

FIGURES = (
    Figure("floor <&>", "`floor()`", Spread.of([0.001]), Spread.of([1.0])),
    Figure("ours", "`ours()`", Spread(0.002, 0.003, 0.004), Spread(2, 3, 4), ours=True),
    Figure("peer", "`peer()`", Spread.of([10.0]), Spread.of([10_000.0])),
)
RESULT = Result(
    "P3", "floor <&>", FIGURES, (Target("of the floor", Spread(2, 3, 4), 2.5),), absent=("nobody",)
)
RUN = Run(
    "make bench", "2027-01-15", "a machine", "msal 1", 12.0, [(chosen("P3")[0], RESULT)], {"P9": "broken"}
)


def test_quartiles_and_median() -> None:
    assert Spread.of([5, 1, 4, 2, 3]) == Spread(2, 3, 4)
    assert Spread.of([7]) == Spread(7, 7, 7)


def test_a_ratio_is_taken_within_a_round() -> None:
    slow_second_round = [1.0, 10.0, 1.0], [0.5, 5.0, 0.5]
    assert per_round(*slow_second_round) == Spread(2, 2, 2)
    times = Times("floor", {"ours": slow_second_round[0], "floor": slow_second_round[1]})
    assert times.ratio("ours").median == 2
    assert times.ratio("floor", "ours").median == 0.5
    assert times.figure("floor", "f").ratio == Spread(1, 1, 1)


def test_rounds_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        per_round([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("measured", "at_least", "verdict"),
    [
        (Spread(1, 2, 2.4), False, "met"),
        (Spread(1, 2, 2.6), False, "met, barely"),
        (Spread(2.4, 2.6, 3), False, "missed, barely"),
        (Spread(2.6, 3, 4), False, "missed"),
        (Spread(2.6, 3, 4), True, "met"),
        (Spread(2.4, 2.6, 3), True, "met, barely"),
        (Spread(1, 2, 2.6), True, "missed, barely"),
        (Spread(1, 2, 2.4), True, "missed"),
    ],
)
def test_a_verdict_is_that_of_the_median_and_says_when_it_is_close(
    measured: Spread, at_least: bool, verdict: str
) -> None:
    assert Target("", measured, 2.5, at_least).verdict == verdict


def test_what_meets_the_limit_exactly_meets_it() -> None:
    assert Target("", Spread.of([1.0]), 1).verdict == "met"
    assert Target("", Spread.of([1.0]), 1, at_least=True).verdict == "met"


def test_everybody_has_a_turn_in_every_round_and_each_time_another_is_first() -> None:
    order: list[str] = []

    def turns(name: str) -> Contestant:
        def run() -> float:
            order.append(name)
            return float(len(order))

        return Contestant(name, "", run)

    times = contest([turns("a"), turns("b"), turns("c")], 3, "a")
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"
    assert times.taken == {"a": [4, 9, 11], "b": [5, 7, 12], "c": [6, 8, 10]}


def test_the_table_has_every_row_once_and_each_can_be_loaded() -> None:
    numbers = [f"P{number}" for number in range(1, 19)]
    assert [row.number for row in ROWS] == [*numbers[:12], "P12b", "P12c", *numbers[12:]]
    for row in ROWS:
        module, _, name = row.where.partition(":")
        assert callable(getattr(import_module(f"tests.bench.rows.{module}"), name))


def test_rows_are_chosen_by_number() -> None:
    assert [row.number for row in chosen(" p6,P3,p12b")] == ["P3", "P6", "P12b"]
    assert chosen(None) == ROWS
    with pytest.raises(ValueError, match="P99"):
        chosen("P3,P99")


def test_numbers_have_three_digits_and_a_unit() -> None:
    assert [amount(value, "s") for value in (1.5, 0.0123, 4.56e-6, 7e-8)] == [
        "1.5 s",
        "12.3 ms",
        "4.56 µs",
        "70 ns",
    ]
    assert amount(1234, "B") == "1 234 B"
    assert spread(Spread(1, 2, 3), "ms") == "2 ms (1 to 3)"
    assert (
        target_line(RESULT.targets[0])
        == f"of the floor: 3 {TIMES} (2 to 4); target ≤ 2.5 {TIMES}: **missed, barely**"
    )


def test_a_chart_is_well_formed_and_longer_where_the_ratio_is() -> None:
    text = drawn(chosen("P3")[0], RESULT)
    tree = ET.fromstring(text)
    bars = [each for each in tree if each.tag.endswith("rect")]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert widths == sorted(widths)
    assert len(set(widths)) == 3
    assert [bar.attrib["class"] for bar in bars] == ["b", "o", "b"]
    assert "prefers-color-scheme:dark" in text
    assert "`" not in text
    right = max(float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars)
    assert right < float(tree.attrib["width"]) - 100, "there is no room for the numbers"


def test_a_chart_of_equals_and_of_less_than_the_unit_can_be_drawn() -> None:
    small = attrs.evolve(FIGURES[1], ratio=Spread.of([0.001]))
    for figures in (FIGURES[:1], (FIGURES[0], small)):
        ET.fromstring(drawn(chosen("P3")[0], attrs.evolve(RESULT, figures=figures)))


def test_the_page_says_command_date_verdicts_and_what_was_not_measured() -> None:
    text = page(RUN)
    for part in (
        "`make bench`",
        "2027-01-15",
        "a machine",
        "missed, barely",
        "| P9 | not measured",
        "nobody",
    ):
        assert part in text
    assert "performance/P3.svg" in text


def test_a_row_without_its_server_is_left_out_and_says_why() -> None:
    code = (
        "import sys; from tests.bench import __main__ as bench; from tests.bench.ratios import NotMeasurable\n"
        "def apart(row, rounds): raise NotMeasurable('postgres is missing')\n"
        "bench._apart = apart; sys.argv[1:] = ['--rows', 'P15']; sys.exit(bench.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "P15: left out: postgres is missing" in done.stderr
    assert "| P15 | not measured" in done.stdout


def _measured(number: str, *targets: Target) -> Result:
    return attrs.evolve(RESULT, number=number, targets=targets)


@pytest.mark.parametrize(
    ("now", "at_least", "slower"),
    [
        (Spread(2.0, 2.05, 2.1), False, False),
        (Spread(2.3, 2.4, 2.5), False, True),
        (Spread(2.19, 2.4, 2.5), False, False),  # the spreads meet
        (Spread(2.21, 2.21, 2.3), False, True),
        (Spread(2.21, 2.19, 2.3), False, False),  # less than a tenth
        (Spread(1.0, 1.0, 1.0), False, False),
        (Spread(1.0, 1.0, 1.0), True, True),
        (Spread(1.7, 1.75, 1.79), True, True),
        (Spread(1.7, 1.75, 1.8), True, False),  # they meet
        (Spread(1.7, 1.82, 1.79), True, False),
        (Spread(9.0, 9.0, 9.0), True, False),
    ],
)
def test_slower_is_what_is_worse_in_spite_of_the_spread(now: Spread, at_least: bool, slower: bool) -> None:
    before = Released("0.1.0", {("P3", "of it"): Spread(1.8, 2.0, 2.2)})
    target = Target("of it", now, 9, at_least)
    assert bool(list(before.slower([_measured("P3", target)]))) is slower
    assert list(before.slower([_measured("P4", target)])) == []


def test_a_page_has_a_column_of_the_last_release_and_names_what_got_slower() -> None:
    before = Released("0.1.0", {("P3", "of the floor"): Spread(1, 1.2, 1.4)})
    run = attrs.evolve(RUN, before=before)
    lines = page(run).splitlines()
    assert "| row | what a user feels | target | measured (quartiles) | at 0.1.0 | verdict |" in lines
    assert f"| 3 {TIMES} (2 to 4) | 1.2 {TIMES} | missed, barely |" in "\n".join(lines)
    told = f"Slower than at 0.1.0: P3, of the floor: 3 {TIMES} (2 to 4), then 1.2 {TIMES} (1 to 1.4)."
    assert list(overview_and_after(run))[-1] == told
    better = attrs.evolve(run, before=Released("0.1.0", {("P3", "of the floor"): Spread(4, 5, 6)}))
    assert list(overview_and_after(better))[-1] == "Nothing is slower than at 0.1.0."
    assert list(overview_and_after(RUN)) == list(overview(RUN))


def overview_and_after(run: Run) -> Iterator[str]:
    yield from overview(run)
    yield from slower(run)


def test_the_figures_of_a_page_are_kept_and_read_again(tmp_path: Path) -> None:
    targets = (
        Target("times of `it`", Spread(0.00703, 0.0123, 1.5), 9),
        Target("bytes", Spread.of([1_048_576.0]), 9, unit="B"),
        Target("ms", Spread(999.6, 1_234, 12_345), 9, unit="ms"),
        Target("plain", Spread.of([0.0]), 9, unit=""),
        Target("more is better", Spread(2, 3, 4), 9, at_least=True),
    )
    run = attrs.evolve(RUN, results=[(chosen("P12b")[0], _measured("P12b", *targets))])
    text = page(attrs.evolve(run, before=Released("0.0.9", {("P12b", "bytes"): Spread.of([5.0])})))
    Released.of_page("0.1.0", text).write(tmp_path)
    found = Released.read(tmp_path)
    assert found is not None
    assert found.called == "0.1.0"
    assert {row for row, _ in found.figures} == {"P12b"}
    for target in targets:
        kept = found.then("P12b", target)
        assert kept is not None, target.text
        told = target.measured
        assert (kept.low, kept.median, kept.high) == pytest.approx(
            (told.low, told.median, told.high), rel=0.005
        )


def test_without_figures_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    assert Released.read(tmp_path) is None


def test_the_figures_that_are_kept_are_of_rows_that_there_are() -> None:
    kept = Released.read(CHARTS)
    assert kept is not None
    assert kept.called
    assert {row for row, _ in kept.figures} <= {row.number for row in ROWS}
    assert len(kept.figures) > 30


@pytest.mark.parametrize("limit", [2.5, 3.5])
def test_what_limits_a_row_is_said_where_it_misses_a_target(limit: float) -> None:
    row = attrs.evolve(chosen("P3")[0], limited="the moon")
    result = attrs.evolve(RESULT, targets=(Target("of the floor", Spread(2, 3, 4), limit),))
    assert ("- What limits it: the moon" in figure_lines(row, result)) is (limit < 3)


def test_the_page_and_its_charts_are_written(tmp_path: Path) -> None:
    write(RUN, tmp_path)
    assert (tmp_path / "performance.md").read_text() == page(RUN)
    assert [each.name for each in (tmp_path / "performance").iterdir()] == ["P3.svg"]


def test_a_row_is_measured_and_printed_and_no_page_is_written() -> None:
    kept = ROOT / "docs" / "performance.md"
    before = kept.stat().st_mtime_ns if kept.exists() else None
    command = [sys.executable, "-m", "tests.bench", "--rows", "P2", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert "### P2: `import codex_oauth`" in done.stdout
    assert f"| P2 | `import codex_oauth` | of `import httpx`: ≤ 0.05 {TIMES} |" in done.stdout
    assert before == (kept.stat().st_mtime_ns if kept.exists() else None)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--rows", "P0"), "there is no row P0"),
        (("--rows", "P10", "--rounds", "0"), "--rounds: a whole number, at least 1"),
        (("--rows", "P10", "--rounds", "-3"), "--rounds: a whole number, at least 1"),
    ],
)
def test_an_unknown_row_and_no_round_are_usage_errors(options: tuple[str, ...], why: str) -> None:
    command = [sys.executable, "-m", "tests.bench", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert why in done.stderr


def test_peers_are_pinned_and_hashed_and_name_no_index() -> None:
    lines = (ROOT / "tests" / "bench" / "peers.lock").read_text().splitlines()
    assert not [line for line in lines if "://" in line or "index" in line]
    pinned = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert {"msal", "authlib", "google-auth", "click"} <= {line.partition("==")[0] for line in pinned}
    assert all("==" in line for line in pinned)
