"""A checkpoint after every event of every scenario: whoever restores it goes on as if nothing had been."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core import (
    Cancelled,
    CheckpointError,
    ErrorKind,
    Finished,
    IllegalEvent,
    Resumed,
    SendRequest,
    Started,
    TimeReached,
    Wait,
    restore,
)
from codex_oauth_core.flows import browser, device
from tests.checkpoints.journeys import JOURNEYS, ORIGIN, Journey, moved, picked_up, same, through_json
from tests.support import T0, W0

STOPS = [
    pytest.param(journey, count, id=f"{journey.name}, after {count}")
    for journey in JOURNEYS
    for count in journey.stops()
]
some_stop = st.sampled_from([(journey, count) for journey in JOURNEYS for count in journey.stops()])


def is_once(effect: Any) -> bool:
    """Whether it is never repeated: a request that only asks may be, also where nothing cuts it."""
    return isinstance(effect, SendRequest) and effect.once and effect.request.method != "GET"


@pytest.mark.parametrize(("journey", "count"), STOPS)
def test_handed_over_it_goes_on_with_the_same_effects_outcome_and_instants(
    journey: Journey, count: int
) -> None:
    flow, effect = picked_up(journey.after(count), journey.provider, journey.time(count))
    assert same(effect, journey.effects[count - 1])
    assert flow.effect is effect
    for event, expected in zip(journey.events[count:], journey.effects[count:], strict=True):
        assert same(flow.receive(moved(event)), expected)


@pytest.mark.parametrize(("journey", "count"), STOPS)
def test_left_behind_it_goes_on_likewise_but_a_once_request_ends_it(journey: Journey, count: int) -> None:
    outstanding = journey.effects[count - 1]
    flow, effect = picked_up(journey.after(count), journey.provider, journey.time(count), handed_over=False)
    if not is_once(outstanding):
        assert same(effect, outstanding)
        for event, expected in zip(journey.events[count:], journey.effects[count:], strict=True):
            assert same(flow.receive(moved(event)), expected)
        return
    error = effect.outcome
    if outstanding.request.url == journey.provider.revocation_endpoint:
        assert error.details["revoked"] is False  # and it is told why the login was not kept
        assert error.kind is journey.effects[-1].outcome.kind
    else:
        assert error.kind is ErrorKind.TOKEN_REQUEST_FAILED
        assert error.details == {"uncertain": True, "reason": "put_down"}
    with pytest.raises(IllegalEvent):
        flow.receive(TimeReached(T0))


@given(stop=some_stop, origin=st.integers(-(10**9), 10**9), part=st.integers(0, 16))
def test_any_origin_of_the_clock_and_any_part_of_a_wait_asleep(
    stop: tuple[Journey, int], origin: int, part: int
) -> None:
    journey, count = stop
    outstanding = journey.effects[count - 1]
    at, wall = journey.time(count)
    left = min(outstanding.until, journey.events[count].at) - at if isinstance(outstanding, Wait) else 0.0
    asleep, by = left * part / 16, origin / 4
    mapping = through_json(journey.after(count).checkpoint(at=at, wall=wall, handed_over=True))
    flow = restore(mapping, journey.provider)
    assert same(flow.receive(Resumed(at + asleep + by, wall + asleep)), outstanding, by)
    for event, expected in zip(journey.events[count:], journey.effects[count:], strict=True):
        assert same(flow.receive(moved(event, by)), expected, by)


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.name)
def test_put_down_after_every_event_by_a_chain_of_machines(journey: Journey) -> None:
    flow, effect = journey.make(), None
    for number, (event, expected) in enumerate(zip(journey.events, journey.effects, strict=True), 1):
        effect = flow.receive(moved(event, (number - 1) * ORIGIN))
        assert same(effect, expected, (number - 1) * ORIGIN)
        if isinstance(effect, Finished):
            break
        at, wall = journey.time(number)
        now = (at + (number - 1) * ORIGIN, wall)
        flow, effect = picked_up(flow, journey.provider, now)
        assert same(effect, expected, number * ORIGIN)
    assert isinstance(effect, Finished)


def test_the_journeys_pass_through_every_live_state() -> None:
    seen = {journey.after(count).state for journey in JOURNEYS for count in journey.stops()}
    live = {*device.LIVE, *browser.LIVE}
    assert seen == live - {device.State.IDLE, browser.State.IDLE}


@pytest.mark.parametrize(("journey", "count"), STOPS[:40] + STOPS[-40:])
def test_a_restored_flow_takes_resumed_and_nothing_else_and_that_once(journey: Journey, count: int) -> None:
    at, wall = journey.time(count)
    flow = restore(journey.after(count).checkpoint(at=at, wall=wall), journey.provider)
    assert flow.effect is None
    for event in (Started(at, wall), TimeReached(at + 9), Cancelled(at), *journey.events[count:]):
        with pytest.raises(IllegalEvent, match=f"is no answer in state {flow.state.name}"):
            flow.receive(event)
    flow.receive(Resumed(at, wall))
    with pytest.raises(IllegalEvent):
        flow.receive(Resumed(at, wall))


def test_a_cancel_is_welcome_again_once_it_is_resumed() -> None:
    journey = JOURNEYS[1]
    flow, _ = picked_up(journey.after(2), journey.provider, journey.time(2))
    effect = flow.receive(Cancelled(T0))
    assert isinstance(effect, Finished)


@pytest.mark.parametrize(("journey", "count"), STOPS)
def test_what_was_handed_over_is_performed_nowhere_else(journey: Journey, count: int) -> None:
    flow = journey.after(count)
    at, wall = journey.time(count)
    flow.checkpoint(at=at, wall=wall, handed_over=True)
    for event in (*journey.events[count:], Resumed(at, wall), Cancelled(at)):
        with pytest.raises(IllegalEvent):
            flow.receive(event)
    with pytest.raises(CheckpointError) as refused:
        flow.checkpoint(at=at, wall=wall)
    assert refused.value.reason == "nothing_outstanding"


@pytest.mark.parametrize(("journey", "count"), STOPS[::7])
def test_a_checkpoint_against_a_crash_leaves_the_flow_as_it_is(journey: Journey, count: int) -> None:
    flow = journey.after(count)
    at, wall = journey.time(count)
    first = flow.checkpoint(at=at, wall=wall)
    assert flow.checkpoint(at=at, wall=wall) == first
    assert flow.effect == journey.after(count).effect
    for event, expected in zip(journey.events[count:], journey.effects[count:], strict=True):
        assert same(flow.receive(event), expected, 0.0)


def test_seq_counts_the_events_received_so_that_two_workers_can_tell_who_was_first() -> None:
    journey = JOURNEYS[1]
    flow = journey.make()
    for number, event in enumerate(journey.events[:-1], 1):
        flow.receive(event)
        at, wall = journey.time(number)
        assert flow.checkpoint(at=at, wall=wall)["seq"] == number
    stored = journey.after(2).checkpoint(at=T0 + 1, wall=W0 + 1)
    one, two = restore(stored, journey.provider), restore(stored, journey.provider)
    for flow in (one, two):
        flow.receive(Resumed(T0 + 10, W0 + 10))
        assert flow.checkpoint(at=T0 + 10, wall=W0 + 10)["seq"] == stored["seq"] + 1
    one.receive(TimeReached(T0 + 10))
    assert one.checkpoint(at=T0 + 10, wall=W0 + 10)["seq"] == stored["seq"] + 2


def test_an_event_that_is_refused_does_not_count() -> None:
    flow = JOURNEYS[0].after(2)
    with pytest.raises(IllegalEvent):
        flow.receive(Started(T0, W0))
    assert flow.checkpoint(at=T0 + 1, wall=W0)["seq"] == 2


@pytest.mark.parametrize("over", [False, True])
def test_a_flow_that_is_not_started_or_over_cannot_be_put_down(over: bool) -> None:
    journey = JOURNEYS[0]
    flow = journey.after(len(journey.events) if over else 0)
    with pytest.raises(CheckpointError) as refused:
        flow.checkpoint(at=T0, wall=W0)
    assert refused.value.reason == "nothing_outstanding"


@pytest.mark.parametrize("time", [(float("nan"), W0), (T0, float("inf"))])
def test_a_checkpoint_takes_finite_times(time: tuple[float, float]) -> None:
    with pytest.raises(CheckpointError) as refused:
        JOURNEYS[0].after(2).checkpoint(at=time[0], wall=time[1])
    assert refused.value.reason == "bad_time"
