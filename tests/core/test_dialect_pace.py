"""The pace of polls is kept whatever a dialect says: an interval that is none makes no busy loop."""

from __future__ import annotations

import math
from typing import Any, Final

import attrs
import pytest

from codex_oauth_core import (
    DeviceFlow,
    Finished,
    Provider,
    ResponseReceived,
    Secret,
    Started,
    TimeReached,
    Wait,
)
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.facts import DeviceFact, Issued, PollFact, SlowDown
from codex_oauth_core.flows.pace import Pace
from tests.core.test_second_dialect import PLAIN
from tests.support import PENDING, T0, W0, response, there

ODD_INTERVALS: Final = [
    (0, 1),
    (0.001, 1),
    (-1, 5),
    (-math.inf, 5),
    (math.nan, 5),
    (math.inf, 5),
    (0.0, 1),
    (7, 7),
]


@pytest.mark.parametrize(("interval", "paced"), ODD_INTERVALS)
def test_a_dialect_cannot_make_polls_without_a_pause(interval: float, paced: float) -> None:
    authorization = DeviceAuthorization(
        Secret("d"), "ABCD-1234", interval, there(PLAIN.verification_uri), 900.0
    )

    def issue(provider: Provider, answer: ResponseReceived) -> DeviceFact:
        return Issued(authorization)

    def slow_down(provider: Provider, answer: ResponseReceived) -> PollFact:
        return SlowDown(interval, interval)

    dialect = attrs.evolve(PLAIN.dialect, read_device_authorization=issue, read_poll=slow_down)
    flow, at = DeviceFlow(provider=attrs.evolve(PLAIN, dialect=dialect)), T0
    flow.receive(Started(at, W0))
    effect: Any = flow.receive(response(PENDING, at, took=0.0))
    assert effect.until == at + paced
    while not isinstance(effect, Finished) and at < T0 + 200:
        pause = effect.until - at
        assert paced <= pause < math.inf
        at = effect.until
        assert not isinstance(flow.receive(TimeReached(at)), Wait)
        effect = flow.receive(response(PENDING, at, took=0.0))
        assert effect.until - at >= paced + 5


@pytest.mark.parametrize("wished", [math.nan, math.inf, -math.inf, -1.0, 0.0])
def test_a_wish_that_is_no_number_of_seconds_is_none(wished: float) -> None:
    usual, odd = Pace(5.0, T0 + 900), Pace(5.0, T0 + 900)
    usual.slow_down(None)
    odd.slow_down(wished)
    assert odd.interval == usual.interval == 10.0
    capped = 60.0 if wished == math.inf else 10.0
    assert odd.answered(T0, wished) == T0 + capped
    assert odd.failed(T0, wished) == T0 + max(20.0, capped)
