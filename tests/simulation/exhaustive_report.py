"""All rows, windows and controls of the exhaustive search, one line for each.

Rules of this file: what a row, a window or a control expects is the catalogue's; here it is only run and told.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final
from unittest import mock

from tests.simulation import exhaustive_catalogue as files
from tests.simulation import exhaustive_fleet_catalogue as fleets
from tests.simulation import exhaustive_lease_catalogue as leases
from tests.simulation.exhaustive_catalogue import Control
from tests.simulation.exhaustive_fleet import FleetControl, explore_fleet
from tests.simulation.exhaustive_search import Found, explore

__all__ = ["report", "searched"]

_ALL: Final[tuple[Control | FleetControl, ...]] = (
    *(
        control
        for kept in (files, leases)
        for control in (*(Control(case, "") for case in kept.ROWS), *kept.WINDOWS, *kept.CONTROLS)
    ),
    *(FleetControl(case, "") for case in fleets.ROWS),
    *fleets.CONTROLS,
)
_NAMED: Final = {control.case.name: control for control in _ALL}
assert len(_NAMED) == len(_ALL), "two cases have one name"


def searched(control: Control | FleetControl) -> Found:
    """What is found in a case, with its patches made meanwhile."""
    if isinstance(control, FleetControl):
        return explore_fleet(control.case)
    patches = [mock.patch.object(*patch) for patch in control.patches]
    for patch in patches:
        patch.start()
    try:
        return explore(control.case)
    finally:
        for patch in patches:
            patch.stop()


def report(workers: int) -> bool:
    """Search everything, print a line for each case, and the way to what was not expected; whether all was."""
    right, states = True, 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for name, found, seconds in pool.map(_timed, _NAMED):
            states += found.states
            expected = _NAMED[name].expect
            good = found.broken == expected and (found.whole or found.broken != "")
            right = right and good
            said = found.broken or ("holds" if found.whole else "holds so far: not every state was seen")
            print(
                f"{'' if good else 'NOT EXPECTED  '}{name:<56}{found.states:>9,} states {seconds:6.1f} s  {said}"
            )
            if not good:
                print("\n".join(f"    {line}" for line in found.trace), file=sys.stderr)
            sys.stdout.flush()
    print(f"{'every state of the exhaustive search':<56}{states:>9,}")
    return right


def _timed(name: str) -> tuple[str, Found, float]:
    began = time.process_time()
    return name, searched(_NAMED[name]), time.process_time() - began
