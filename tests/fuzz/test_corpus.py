"""The corpus is replayed in every test run, and the fuzzer can find something."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.callback_requests import IN_A_BROWSER, STATE, answer, check, status
from tests.fuzz.corpus import kept
from tests.fuzz.fuzz_receiver import main

CORPUS = kept()


@pytest.mark.parametrize("data", CORPUS.values(), ids=CORPUS)
def test_what_was_met_once_keeps_every_promise(data: bytes) -> None:
    check(data, range(0, len(data), 7))


def test_the_corpus_is_small_and_has_every_kind_of_answer() -> None:
    assert len(CORPUS) <= 100
    assert sum(map(len, CORPUS.values())) < 200_000
    answers = {status(answer(data)) for data in CORPUS.values()}
    assert answers == {None, 200, 400, 403, 404, 405, 414, 421, 431, 503}


def test_the_fuzzer_keeps_the_smallest_bytes_that_break_a_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(data: bytes, places: list[int]) -> None:
        assert b"state=" not in data

    (tmp_path / "genuine.http").write_bytes(IN_A_BROWSER)
    assert main(["--seconds", "0", "--corpus", str(tmp_path)], broken) == 1
    (found,) = tmp_path.glob("found-*.http")
    assert b"state=" in found.read_bytes()
    assert len(found.read_bytes()) <= len(IN_A_BROWSER)
    assert capsys.readouterr().out.startswith(f"{found}: AssertionError")
    assert STATE.encode() in IN_A_BROWSER


def test_the_fuzzer_finds_nothing_in_a_receiver_that_keeps_its_promises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "genuine.http").write_bytes(IN_A_BROWSER)
    assert main(["--seconds", "0", "--corpus", str(tmp_path)]) == 0
    assert "nothing found in 500 examples from 1 seeds" in capsys.readouterr().out
