"""Every interleaving of two releases at one store, with one rule left out: the walk must notice it."""

from __future__ import annotations

import pytest

from tests.simulation.broken import broken
from tests.simulation.exhaustive import RELEASES, explore
from tests.simulation.invariants import Violation

NOTICED_BY = {
    "a former login is removed before the new one is stored": 0,
    "a former login is removed before the new one is in use": 0,
    "nobody looks back": 0,
    "whatever has the former name is removed": 6,
    "what has the former name by now is removed": 6,
    "a login is removed though its tokens say that it is another's": 17,
    "a sign-in is stored under the former name": 11,
    "a sign-in is kept beside the former name": 19,
    "a source does not know whose login it had": 0,
    "a source does not look again": 15,
    "one person is taken for another": 15,
}
"""Each mistake, and the row of `RELEASES` in which it shows soon."""


@pytest.mark.parametrize("mistake", NOTICED_BY)
def test_the_walk_notices(mistake: str) -> None:
    with broken(mistake), pytest.raises(Violation):
        explore(RELEASES[NOTICED_BY[mistake]])
