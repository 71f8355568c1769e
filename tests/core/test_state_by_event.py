"""State × Event, enumerated: every event in every state either moves along the table, or raises
`IllegalEvent` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from codex_oauth.testing import Reply
from codex_oauth_core import (
    CallbackReceived,
    Cancelled,
    Cause,
    DeviceFlow,
    Event,
    Finished,
    IllegalEvent,
    Phase,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Secret,
    Started,
    TimeReached,
)
from codex_oauth_core.events import StoreAnswered
from codex_oauth_core.flows.device import FINAL, TABLE, State
from codex_oauth_core.storage import Released
from tests.support import PENDING, T0, W0, approved, as_json, code, issued, response, tokens

NOT_SENT: Final = RequestFailed(T0, Phase.NOT_SENT, Cause.CONNECT)
LATER: Final = T0 + 10


def answer(reply: Reply) -> ResponseReceived:
    return response(reply, T0)


START: Final = (Started(T0, W0),)
WAITING: Final = (*START, answer(issued()))
POLLING: Final = (*WAITING, TimeReached(LATER))
EXCHANGING: Final = (*POLLING, answer(approved()))

WAYS: Final[Mapping[State, tuple[Event, ...]]] = {
    State.IDLE: (),
    State.REQUESTING_CODE: START,
    State.POSTPONED: (*START, NOT_SENT),
    State.WAITING: WAITING,
    State.POLLING: POLLING,
    State.EXCHANGING: EXCHANGING,
    State.HOLDING_CODE: (*EXCHANGING, NOT_SENT),
    State.REVOKING: (*EXCHANGING, answer(tokens(refresh_token=...))),
    State.SIGNED_IN: (*EXCHANGING, answer(tokens())),
    State.DENIED: (*POLLING, answer(code("access_denied"))),
    State.EXPIRED: (*WAITING, TimeReached(T0 + 1000)),
    State.CANCELLED: (*WAITING, Cancelled(T0)),
    State.FAILED: (*POLLING, answer(code("weird", 400))),
}
EVENTS: Final[Mapping[str, Event]] = {
    "Started": Started(LATER, W0),
    "Resumed": Resumed(LATER, W0),  # of use only to a restored flow: tests/checkpoints
    "ResponseReceived": answer(PENDING),
    "RequestFailed": NOT_SENT,
    "TimeReached": TimeReached(LATER + 5),
    "CallbackReceived": CallbackReceived(LATER, Secret("code=x&state=y")),
    "StoreAnswered": StoreAnswered(LATER, W0, Released()),
    "Cancelled": Cancelled(LATER),
}
REQUESTS: Final = {"ResponseReceived", "RequestFailed"}
WELCOME: Final[Mapping[State, set[str]]] = {
    State.IDLE: {"Started", "Cancelled"},
    State.REQUESTING_CODE: REQUESTS | {"Cancelled"},
    State.POSTPONED: {"TimeReached", "Cancelled"},
    State.WAITING: {"TimeReached", "Cancelled"},
    State.POLLING: REQUESTS | {"Cancelled"},
    State.EXCHANGING: REQUESTS,  # a `once` request is not cut
    State.HOLDING_CODE: {"TimeReached", "Cancelled"},
    State.REVOKING: REQUESTS,
    **{state: set[str]() for state in FINAL},
}
MOVES: Final = {(source, dest) for _, source, dest in TABLE}


def flow_in(state: State) -> DeviceFlow:
    flow = DeviceFlow()
    for event in WAYS[state]:
        flow.receive(event)
    assert flow.state is state
    return flow


def snapshot(flow: DeviceFlow) -> dict[str, Any]:
    names = [
        name for cls in type(flow).__mro__ for name in getattr(cls, "__slots__", ()) if name != "__weakref__"
    ]
    return {name: getattr(flow, name) for name in names if hasattr(flow, name)}


def test_the_ways_and_the_welcomes_cover_every_state() -> None:
    assert set(WAYS) == set(WELCOME) == set(State)


def test_the_events_cover_every_event() -> None:
    assert {type(event) for event in EVENTS.values()} == set(Event.__args__)


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_event_in_state(state: State, name: str) -> None:
    flow = flow_in(state)
    if name in WELCOME[state]:
        effect = flow.receive(EVENTS[name])
        assert effect is flow.effect
        assert flow.state is state or (state, flow.state) in MOVES
        assert isinstance(effect, Finished) is (flow.state in FINAL)
        return
    before = snapshot(flow)
    with pytest.raises(IllegalEvent) as raised:
        flow.receive(EVENTS[name])
    assert snapshot(flow) == before
    assert str(raised.value) == f"{name} is no answer in state {state.name}"


@pytest.mark.parametrize(
    "reply",
    [
        PENDING,
        issued(),
        approved(),
        tokens(),
        as_json(200, {}),
        as_json(500, {}),
        as_json(403, {}),
        Reply(429, b""),
    ],
)
@pytest.mark.parametrize(
    "state", [s for s in State if "ResponseReceived" in WELCOME[s]], ids=lambda s: s.value
)
def test_every_answer_in_every_requesting_state_moves_along_the_table(state: State, reply: Reply) -> None:
    flow = flow_in(state)
    effect = flow.receive(answer(reply))
    assert (state, flow.state) in MOVES
    assert isinstance(effect, Finished) is (flow.state in FINAL)


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("state", [s for s in State if "RequestFailed" in WELCOME[s]], ids=lambda s: s.value)
def test_every_failure_in_every_requesting_state_moves_along_the_table(
    state: State, phase: Phase, cause: Cause
) -> None:
    flow = flow_in(state)
    flow.receive(RequestFailed(T0, phase, cause))
    assert (state, flow.state) in MOVES


def test_every_row_that_leads_on_is_taken_by_some_event() -> None:
    """Only the end rows are broader than today's events: a dialect may deny or fail anywhere."""
    taken: set[tuple[State, State]] = set()
    answers: list[Callable[[], Event]] = [
        *(
            lambda reply=reply: answer(reply)
            for reply in (PENDING, code("slow_down"), issued(), approved(), tokens())
        ),
        lambda: answer(tokens(refresh_token=...)),
        lambda: NOT_SENT,
        lambda: TimeReached(LATER + 5),
        lambda: Started(T0, W0),
    ]
    for state in State:
        for make in answers:
            flow = flow_in(state)
            try:
                flow.receive(make())
            except IllegalEvent:
                continue
            taken.add((state, flow.state))
    from_polls = {
        (State.POLLING, State.SIGNED_IN),
        (State.POLLING, State.REVOKING),
    }  # see test_second_dialect
    assert {
        move for move in MOVES if move[1] not in FINAL or move[1] is State.SIGNED_IN
    } - from_polls <= taken
