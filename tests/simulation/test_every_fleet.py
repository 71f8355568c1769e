"""Every interleaving of a fleet of workers at one sign-in, with the real flow; each rule that is left out is missed.

The cases are those of `exhaustive_fleet_catalogue`; all of its rows are searched by `make sim`.
"""

from __future__ import annotations

import pytest

from tests.simulation.exhaustive_fleet import FleetCase, FleetControl, explore_fleet
from tests.simulation.exhaustive_fleet_catalogue import CONTROLS, QUICK


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_no_code_is_sent_twice_and_what_is_kept_is_not_called_failed(case: FleetCase) -> None:
    found = explore_fleet(case)
    assert found.broken == "", "\n".join(found.trace)
    assert found.whole
    assert found.outcomes["done"] > 0


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.case.name)
def test_a_rule_of_the_fleet_that_is_left_out_is_missed(control: FleetControl) -> None:
    found = explore_fleet(control.case)
    assert found.broken == control.expect, "\n".join(found.trace)
