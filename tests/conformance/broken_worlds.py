"""All the broken worlds, by what is wrong with them."""

from __future__ import annotations

from tests.conformance import (
    broken_answers,
    broken_details,
    broken_failures,
    broken_in_time,
    broken_listening,
    broken_on_the_way,
    broken_on_the_wire,
    broken_once_more,
    broken_requests,
    broken_times,
    broken_traces,
    broken_waits,
)
from tests.conformance.breakage import BROKEN, Broken

__all__ = [
    "BROKEN",
    "Broken",
    "broken_answers",
    "broken_details",
    "broken_failures",
    "broken_in_time",
    "broken_listening",
    "broken_on_the_way",
    "broken_on_the_wire",
    "broken_once_more",
    "broken_requests",
    "broken_times",
    "broken_traces",
    "broken_waits",
    "close_what_was_left",
]


def close_what_was_left() -> None:
    """Close what the broken worlds left open."""
    broken_failures.close_what_was_left()
    broken_traces.close_what_was_left()
    broken_details.KeepsForAll.told.clear()
    while broken_once_more.ClosesWhenItIsCollected.kept:
        broken_once_more.ClosesWhenItIsCollected.kept.pop().close()
    while broken_times.LEFT:
        broken_times.LEFT.pop().close()
    broken_times.CancelsAllOfItsKind.cancelled.clear()
