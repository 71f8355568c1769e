"""Checkpoints of a browser sign-in that a release wrote before there were registrations and keys: today's reads them, goes
on, and writes the very same.

Rules of this file: `before_registrations.json` is what that release wrote, and is never written anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth_core import CODEX, Finished, Resumed, SendRequest, TimeReached, Wait, restore
from tests.checkpoints.journeys import JOURNEYS, through_json
from tests.support import T0

WRITTEN: Final[dict[str, dict[str, Any]]] = json.loads(
    Path(__file__).with_name("before_registrations.json").read_text(encoding="utf-8")
)
EFFECTS: Final = {
    "awaiting_callback": Wait,
    "exchanging": SendRequest,
    "holding_code": Wait,
    "revoking": SendRequest,
}


@pytest.mark.parametrize("state", WRITTEN)
def test_it_is_read_and_goes_on(state: str) -> None:
    mapping = {**WRITTEN[state], "handed_over": True}
    flow = restore(mapping, CODEX)
    effect = flow.receive(Resumed(T0, mapping["wall"]))
    assert type(effect) is EFFECTS[state]
    if isinstance(effect, Wait):
        later = flow.receive(TimeReached(effect.until))
        assert isinstance(later, SendRequest if state == "holding_code" else Finished)


@pytest.mark.parametrize("state", WRITTEN)
def test_it_is_written_as_it_was(state: str) -> None:
    journeys = (journey for journey in JOURNEYS if journey.name.startswith("browser"))
    journey, count = next(
        (journey, count)
        for journey in journeys
        for count in journey.stops()
        if journey.after(count).state.value == state
    )
    at, wall = journey.time(count)
    assert through_json(journey.after(count).checkpoint(at=at, wall=wall)) == WRITTEN[state]
