"""Time goes on while a flow is put down, and no clock that is set meanwhile gives it more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core import (
    DeviceFlow,
    ErrorKind,
    Finished,
    Resumed,
    SendRequest,
    SignInError,
    TimeReached,
    Wait,
    restore,
)
from codex_oauth_core.flows.device import State
from tests.checkpoints.journeys import JOURNEYS, Journey, through_json
from tests.support import T0, W0

NAMED = {journey.name: journey for journey in JOURNEYS}
SIGN_IN = NAMED["device: approved after a pending"]
BROWSER = NAMED["browser: signed in"]
WAITS = [
    (journey, count)
    for journey in JOURNEYS
    for count in journey.stops()
    if isinstance(journey.effects[count - 1], Wait)
]


def resumed(journey: Journey, count: int, asleep: float, set_by: float = 0.0, **options: Any) -> Any:
    """The flow put down after `count` events, and picked up `asleep` seconds later on a machine that began to
    count at zero, whose wall clock was set forward by `set_by` seconds meanwhile; with its effect.
    """
    at, wall = journey.time(count)
    mapping = journey.after(count).checkpoint(at=at, wall=wall, **options)
    flow = restore(through_json(mapping), journey.provider)
    return flow, flow.receive(Resumed(1000.0, wall + asleep + set_by))


def ended(effect: Any) -> SignInError:
    assert isinstance(effect, Finished)
    assert isinstance(effect.outcome, SignInError)
    return effect.outcome


def test_a_code_that_expired_while_put_down_is_not_polled_for() -> None:
    flow, wait = resumed(SIGN_IN, 2, asleep=900.0)
    assert isinstance(wait, Wait)
    assert wait.until < 1000
    assert ended(flow.receive(TimeReached(1000.0))).kind is ErrorKind.EXPIRED


def test_a_poll_that_was_outstanding_is_not_repeated_after_the_deadline() -> None:
    assert isinstance(resumed(SIGN_IN, 3, asleep=894.5)[1], SendRequest)
    flow, effect = resumed(SIGN_IN, 3, asleep=895.0)
    assert ended(effect).kind is ErrorKind.EXPIRED
    assert flow.state is State.EXPIRED


def test_the_last_failure_is_named_when_the_deadline_came_while_put_down() -> None:
    journey = NAMED["device: failures back off beside the interval and are forgotten"]
    assert isinstance(journey.effects[4], SendRequest)
    assert ended(resumed(journey, 5, asleep=2000.0)[1]).kind is ErrorKind.NETWORK


def test_a_code_is_not_asked_for_after_the_time_for_that() -> None:
    assert isinstance(resumed(SIGN_IN, 1, asleep=29.75)[1], SendRequest)
    assert ended(resumed(SIGN_IN, 1, asleep=30.0)[1]).kind is ErrorKind.EXPIRED


def test_a_code_in_hand_is_not_exchanged_after_the_time_for_that() -> None:
    assert isinstance(resumed(BROWSER, 2, asleep=29.75, handed_over=True)[1], SendRequest)
    error = ended(resumed(BROWSER, 2, asleep=30.0, handed_over=True)[1])
    assert error.kind is ErrorKind.TOKEN_REQUEST_FAILED
    assert error.details == {"reason": "put_down"}  # nothing was sent, so nothing is uncertain


def test_a_browser_sign_in_times_out_while_put_down() -> None:
    flow, wait = resumed(BROWSER, 1, asleep=599.0)
    assert (wait.until, wait.prompt.expires_at) == (1001.0, W0 + 600)
    flow, wait = resumed(BROWSER, 1, asleep=601.0)
    assert ended(flow.receive(TimeReached(1000.0))).kind is ErrorKind.TIMEOUT


@pytest.mark.parametrize("set_by", [-(10.0**6), -3600.0, -1.0])
def test_a_wall_clock_that_was_set_back_leaves_what_was_left(set_by: float) -> None:
    _, wait = resumed(SIGN_IN, 2, asleep=0.5, set_by=set_by)
    assert wait.until == 1000 + 5  # the wait as it was put down
    assert wait.prompt.expires_at == W0 + 0.25 + 0.5 + set_by + (900 - 0.25)  # by the clock as it is now


def test_a_wall_clock_that_was_set_forward_ends_it_early_and_never_late() -> None:
    flow, wait = resumed(SIGN_IN, 2, asleep=1.0, set_by=86400.0)
    assert wait.until < 1000
    assert ended(flow.receive(TimeReached(1000.0))).kind is ErrorKind.EXPIRED


def deadline(flow: Any) -> float:
    limits = [flow._code.give_up_at] if flow._code else []
    if isinstance(flow, DeviceFlow):
        limits += [flow._deadline, flow._code_limit, flow._pace.deadline]
    return float(max(limits, default=0.0))


seconds = st.floats(-(10.0**8), 10.0**8)


@given(
    stop=st.sampled_from([(journey, count) for journey in JOURNEYS for count in journey.stops()]),
    set_by=seconds,
    asleep=st.floats(0, 10.0**6),
    at=seconds,
)
def test_no_clock_extends_any_time_limit(
    stop: tuple[Journey, int], set_by: float, asleep: float, at: float
) -> None:
    journey, count = stop
    before, effect = journey.after(count), journey.effects[count - 1]
    now, wall = journey.time(count)
    mapping = through_json(before.checkpoint(at=now, wall=wall))
    flow = restore(mapping, journey.provider)
    after = flow.receive(Resumed(at, max(0.0, wall + asleep + set_by)))
    slack = 1e-6 * max(1.0, abs(at))
    assert deadline(flow) - at <= max(deadline(before) - now, 0.0) + slack
    if isinstance(after, Wait):
        assert isinstance(effect, Wait)
        assert after.until - at <= effect.until - now + slack


@pytest.mark.parametrize(("journey", "count"), WAITS[::5])
def test_time_counts_from_the_last_event_where_the_caller_gives_an_earlier_one(
    journey: Journey, count: int
) -> None:
    at, wall = journey.time(count)
    early = journey.after(count).checkpoint(at=at - 500, wall=wall)
    assert early == journey.after(count).checkpoint(at=at, wall=wall)


def test_time_counts_from_the_moment_at_which_it_was_put_down() -> None:
    mapping = SIGN_IN.after(2).checkpoint(at=T0 + 3.25, wall=W0 + 3.25)
    flow = restore(mapping, SIGN_IN.provider)
    wait = flow.receive(Resumed(0.0, W0 + 4.25))
    assert isinstance(wait, Wait)
    assert wait.until == 1.0


def test_after_it_is_resumed_time_never_runs_backwards() -> None:
    flow, wait = resumed(SIGN_IN, 2, asleep=0.0)
    assert flow.receive(TimeReached(-(10.0**9))) is wait
    assert isinstance(flow.receive(TimeReached(wait.until)), SendRequest)
