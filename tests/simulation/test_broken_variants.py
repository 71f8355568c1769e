"""The test of the test: a simulation that does not notice these mistakes would prove nothing."""

from __future__ import annotations

import pytest

from tests.simulation.broken import BROKEN, WALKED, broken
from tests.simulation.tally import tallied

ENOUGH_RUNS = 20_000
"""The mistake that is hardest to find shows once in some 5000 runs. One that a second defence hides is left out
together with that: the lock is looked at right before a save, and what is stored is compared, too."""
_CHUNK = 100


def _violations(name: str) -> list[tuple[int, str]]:
    with broken(name):
        for start in range(0, ENOUGH_RUNS, _CHUNK):
            if found := tallied(range(start, start + _CHUNK)).violations:
                return found
    return []


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in WALKED])
def test_the_simulation_notices(name: str) -> None:
    found = _violations(name)
    assert found
    assert tallied(seed for seed, _ in found).violations == []  # it was the mistake
