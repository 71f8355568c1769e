"""What is asked of a fleet of workers at one sign-in: the rules hold in every row; each that is left out is missed.

Rules of this file: as of `exhaustive_catalogue`. A name in brackets is that of the rule which is left out.
"""

from __future__ import annotations

from typing import Any, Final

from tests.simulation.exhaustive_fleet import FleetCase, FleetControl, FleetRules
from tests.simulation.exhaustive_state import Fault

__all__ = ["CONTROLS", "QUICK", "ROWS"]

F = Fault


def _case(name: str, *faults: Fault, **more: Any) -> FleetCase:
    budget = tuple((fault, faults.count(fault)) for fault in dict.fromkeys(faults))
    return FleetCase(name=f"fleet: {name}", faults=budget, **more)


QUICK: Final = (
    _case("no fault"),
    _case("two workers, killed or stopped", F.CRASH, F.STOP, F.OWN_CLOCK, most=2),
    _case("two workers, a statement without an answer, or late", F.UNANSWERED, F.CRASH, F.OWN_CLOCK, most=2),
)
"""A part that takes seconds."""

ROWS: Final = (
    *QUICK,
    _case("two workers", F.CRASH, F.STOP, F.UNANSWERED),
    _case("two workers, stopped twice", F.CRASH, F.STOP, F.STOP, F.UNANSWERED, F.UNANSWERED, most=3),
    _case("two workers, clocks", F.CRASH, F.STOP, F.OWN_CLOCK, F.OWN_CLOCK, most=3),
    _case("three workers", F.CRASH, F.STOP, F.UNANSWERED, F.OWN_CLOCK, workers=3, most=2),
)
"""All of them, which takes a minute."""

_UNDRIVEN: Final = "a sign-in is owned by a worker that does not drive it"
_REVOKED: Final = "a login that is kept is revoked"
_CALLED_FAILED: Final = "a login is kept after its sign-in was called failed"

CONTROLS: Final = (
    FleetControl(
        _case("a fence without a mark (C15)", F.STOP, rules=FleetRules(mark=False)), "the code is sent twice"
    ),
    FleetControl(
        _case(
            "taken over by an earlier look (C16)",
            F.STOP,
            rules=FleetRules(one_statement=False, takes_its_own=False),
        ),
        _UNDRIVEN,
    ),
    FleetControl(
        _case("an outcome by anybody (C17)", F.STOP, rules=FleetRules(outcome_owned=False)), _CALLED_FAILED
    ),
    FleetControl(
        _case(
            "nobody is left to say that it failed (C18)",
            F.CRASH,
            F.CRASH,
            rules=FleetRules(reader_ends=False),
        ),
        "somebody waits for ever",
    ),
    FleetControl(
        _case("an outcome after the deadline", rules=FleetRules(outcome_in_time=False)), _CALLED_FAILED
    ),
    FleetControl(
        _case(
            "its own outcome is not known again", F.UNANSWERED, rules=FleetRules(outcome_known_again=False)
        ),
        _REVOKED,
    ),
    FleetControl(
        _case(
            "a worker is one owner, whenever it takes over",
            F.UNANSWERED,
            F.STOP,
            F.CRASH,
            rules=FleetRules(owner_per_hold=False),
        ),
        _REVOKED,
    ),
    FleetControl(
        _case("taken over without an answer", F.UNANSWERED, rules=FleetRules(takes_its_own=False)), _UNDRIVEN
    ),
    FleetControl(
        _case("a worker's own time of day", F.OWN_CLOCK, rules=FleetRules(database_wall=False)),
        "a sign-in is called failed, and nobody was stopped or killed",
    ),
)
"""The rules, each left out once; where two keep the same, both."""
