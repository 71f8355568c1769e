"""A trace of every scenario is kept, and today's code does what each says, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.testing import SCENARIOS
from codex_oauth_core.traces import replay
from tests.traces.record import CORPUS, main
from tests.traces.runs import BROWSER, OFFICIAL, RUNS

FILES = sorted(CORPUS.glob("*.jsonl"))

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_every_scenario_has_a_trace_and_every_trace_a_scenario() -> None:
    assert {path.stem for path in FILES} == set(RUNS)
    assert len(RUNS) == len(SCENARIOS) + len(BROWSER) + len(OFFICIAL), "two runs would share a file"


@each_file
def test_a_kept_trace_replays_byte_for_byte(path: Path) -> None:
    text = path.read_bytes().decode("ascii")
    again = replay(text.splitlines())
    assert again.differences == ()
    assert again.trace.gap is None
    assert "".join(f"{line}\n" for line in again.lines) == text


def _but_the_version(text: str) -> list[Any]:
    header, *steps = text.splitlines()
    return [{**json.loads(header), "library": "any"}, *steps]


@each_file
def test_a_kept_trace_is_what_its_scenario_leaves_today(path: Path) -> None:
    assert _but_the_version(RUNS[path.stem]().text) == _but_the_version(path.read_text(encoding="ascii"))


def test_the_corpus_comes_to_the_states_that_traces_are_for() -> None:
    states = {json.loads(line)["state"] for path in FILES for line in path.read_text().splitlines()[1:]}
    assert states >= {"postponed", "holding_code", "revoking", "denied", "expired", "timed_out", "failed"}
    assert states >= {"signed_in", "cancelled"}


def test_the_command_writes_what_is_kept_and_removes_what_is_over(tmp_path: Path) -> None:
    (tmp_path / "over.jsonl").write_text("")
    assert main(tmp_path) == len(RUNS)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.jsonl" for name in RUNS}
