"""The readers' promises hold for genuine input and for a round of anything, and the fuzzer can find something."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from tests.fuzz.answers import ANSWERS, RECORDS, check_answer, check_record
from tests.fuzz.fuzz_readers import TARGETS, falsify, main


@pytest.mark.parametrize("data", ANSWERS, ids=range(len(ANSWERS)))
def test_genuine_answers_keep_every_promise(data: bytes) -> None:
    check_answer(data)


@pytest.mark.parametrize("data", RECORDS, ids=range(len(RECORDS)))
def test_genuine_files_keep_every_promise(data: bytes) -> None:
    check_record(data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_round_finds_nothing(name: str) -> None:
    assert falsify(TARGETS[name], 1) is None


def test_the_fuzzer_prints_the_smallest_input_that_breaks_a_promise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(data: bytes) -> None:
        assert b"x" not in data

    assert (
        main(["--seconds", "0"], {"broken": (st.binary(max_size=4).map(lambda data: b"x" + data), broken)})
        == 1
    )
    said = capsys.readouterr().out
    assert said.startswith("broken: AssertionError (seed ")
    assert said.endswith("\nb'x'\n")
