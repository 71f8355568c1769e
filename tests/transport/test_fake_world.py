"""The fake world keeps the times of a request as real ones do, to the instant."""

from __future__ import annotations

import pytest

from codex_oauth.testing import FakeWorld, Reply, scripted
from codex_oauth_core import (
    Cancelled,
    Cause,
    Event,
    Phase,
    Request,
    RequestFailed,
    ResponseReceived,
    Secret,
    SendRequest,
)

T0 = 1000.0


def perform(
    connecting: float,
    delay: float = 0.0,
    write_by: float | None = None,
    *,
    once: bool = True,
    cancel: float | None = None,
) -> tuple[Event, list[float]]:
    arrived: list[float] = []
    reply = scripted([Reply(200, delay=delay)])

    def server(request: Request, at: float, wall: float) -> object:
        arrived.append(at - T0)
        return reply(request, at, wall)

    world = FakeWorld(
        server,  # type: ignore[arg-type]  # it hands on what `scripted` gives
        round_trip=0.0,
        at=T0,
        connecting=connecting,
        cancel_at=None if cancel is None else T0 + cancel,
    )
    by = None if write_by is None else T0 + write_by
    return world.perform(
        SendRequest(Request("POST", "https://a.test", (), Secret(b"")), 60.0, once, by)
    ), arrived


# C3
@pytest.mark.parametrize(("connecting", "at"), [(15.0, 15.0), (15.001, 15.0), (3600.0, 15.0)])
def test_from_write_by_on_nothing_arrives(connecting: float, at: float) -> None:
    assert perform(connecting, write_by=15.0) == (RequestFailed(T0 + at, Phase.NOT_SENT, Cause.TIMEOUT), [])


def test_write_by_in_the_past_is_told_at_once() -> None:
    assert perform(0.0, write_by=-5.0) == (RequestFailed(T0, Phase.NOT_SENT, Cause.TIMEOUT), [])
    assert perform(0.0, write_by=0.0) == (RequestFailed(T0, Phase.NOT_SENT, Cause.TIMEOUT), [])


def test_with_write_by_the_time_counts_from_the_first_byte() -> None:
    event, arrived = perform(14.5, delay=60.0, write_by=15.0)
    assert isinstance(event, ResponseReceived)
    assert (event.sent_at, event.at, arrived) == (T0, T0 + 74.5, [14.5])
    event, _ = perform(14.5, delay=60.001, write_by=15.0)
    assert event == RequestFailed(T0 + 74.5, Phase.MAYBE_SENT, Cause.TIMEOUT)


def test_without_it_connecting_counts() -> None:
    event, arrived = perform(14.5, delay=46.0)
    assert (event, arrived) == (RequestFailed(T0 + 60.0, Phase.MAYBE_SENT, Cause.TIMEOUT), [14.5])
    assert perform(60.001) == (RequestFailed(T0 + 60.0, Phase.NOT_SENT, Cause.TIMEOUT), [])
    event, arrived = perform(60.0)
    assert isinstance(event, ResponseReceived)


def test_a_cancel_ends_connecting_unless_it_is_once() -> None:
    assert perform(14.5, write_by=15.0, once=False, cancel=3.0) == (Cancelled(T0 + 3.0), [])
    event, _ = perform(14.5, write_by=15.0, cancel=3.0)
    assert isinstance(event, ResponseReceived)
