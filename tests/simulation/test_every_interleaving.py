"""Every interleaving of the real flows with up to two faults; each rule that is left out is missed.

The cases are those of `exhaustive_catalogue` and `exhaustive_lease_catalogue`; all of their rows are searched by
`make sim`.
"""

from __future__ import annotations

import pytest

from tests.simulation import exhaustive_catalogue as files
from tests.simulation import exhaustive_lease_catalogue as leases
from tests.simulation.exhaustive_catalogue import Control
from tests.simulation.exhaustive_report import searched
from tests.simulation.exhaustive_search import explore
from tests.simulation.exhaustive_state import Case


# R1, R9, R10, R11, F1, F5, F8, F9, F16, F17, F22
@pytest.mark.parametrize("case", [*files.QUICK, *leases.QUICK], ids=lambda case: case.name)
def test_no_rule_is_broken_in_any_interleaving(case: Case) -> None:
    found = explore(case)
    assert found.broken == "", "\n".join(found.trace)
    assert found.whole
    assert found.ends > 0
    assert set(found.explained) <= case.excuses


@pytest.mark.parametrize(
    "control",
    [*files.CONTROLS, *files.WINDOWS, *leases.CONTROLS, *leases.WINDOWS],
    ids=lambda control: control.case.name,
)
def test_what_is_left_out_is_missed(control: Control) -> None:
    found = searched(control)
    assert found.broken == control.expect, "\n".join(found.trace)
