"""What a person hears about a login that still works."""

from __future__ import annotations

import attrs
import pytest

from codex_oauth.tokens.notes import Notes
from codex_oauth_core import Renewed
from tests.core.storing import login


def heard(*offsets: float | None) -> list[str]:
    told: list[str] = []
    notes = Notes(told.append)
    for offset in offsets:
        notes.hear(Renewed(attrs.evolve(login(), server_offset=offset)))
    return told


@pytest.mark.parametrize("offset", [None, 0.0, -300.0, 300.0])
def test_f32_a_clock_that_is_right_enough_is_not_mentioned(offset: float | None) -> None:
    assert heard(offset) == []


@pytest.mark.parametrize(("offset", "told"), [(7200.0, "120 minutes slow"), (-301.0, "5 minutes fast")])
def test_f32_r13_a_clock_that_is_more_than_five_minutes_off_is_told_once(offset: float, told: str) -> None:
    assert heard(offset, offset) == [f"This machine's clock is {told}: set it."]


def test_f32_a_clock_that_was_set_and_is_off_again_is_told_again() -> None:
    assert len(heard(7200.0, 0.0, 7200.0)) == 2
