"""The test of the test: a simulation that does not notice these mistakes would prove nothing."""

from __future__ import annotations

import pytest

from tests.simulation.broken import BROKEN, broken
from tests.simulation.tally import tallied

ENOUGH_RUNS = 50_000
"""A mistake that a second defence nearly hides (a reservation that compares) shows once in some 8000 runs."""
_CHUNK = 100


def _violations(name: str) -> list[tuple[int, str]]:
    with broken(name):
        for start in range(0, ENOUGH_RUNS, _CHUNK):
            if found := tallied(range(start, start + _CHUNK)).violations:
                return found
    return []


@pytest.mark.parametrize("name", BROKEN)
def test_the_simulation_notices(name: str) -> None:
    found = _violations(name)
    assert found
    assert tallied(seed for seed, _ in found).violations == []  # it was the mistake
