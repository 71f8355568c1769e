"""P6: a sign-in of fifteen minutes, 180 requests long, replayed from events in memory.

Rules of this file: every contestant sees the same answers; the floor only parses them.
"""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import Any, Final

from transitions import Machine

from codex_oauth_core import DeviceFlow, Event, Finished, ResponseReceived, SendRequest, Started, TimeReached
from tests.bench.contest import Contestant, contest, figures, repeated
from tests.bench.msal_peer import SCOPES, MsalAnswer, msal_app, msal_tokens
from tests.bench.peers import has
from tests.bench.ratios import Result, Target
from tests.support import W0, approved, issued, tokens

POLLS: Final = 177
HEADERS: Final = {"content-type": "application/json"}


def pending() -> bytes:
    """A pending answer of 168 bytes."""
    error = {"code": "deviceauth_authorization_pending", "message": "", "type": "invalid_request_error"}
    short = len(json.dumps({"error": error}))
    body = json.dumps({"error": {**error, "message": "x" * (168 - short)}}).encode()
    assert len(body) == 168
    return body


def answers() -> list[tuple[int, bytes]]:
    """Status and body of all answers, in order: 180 of them."""
    replies = [issued(), *[None] * POLLS, approved(), tokens()]
    return [(403, pending()) if one is None else (one.status, one.body) for one in replies]


def record() -> list[Event]:
    """The events of one such sign-in."""
    flow, replies, at = DeviceFlow(), iter(answers()), 1_000_003.25
    events: list[Event] = [Started(at, W0)]
    while not isinstance(effect := flow.receive(events[-1]), Finished):
        if isinstance(effect, SendRequest):
            status, body = next(replies)
            events.append(ResponseReceived(at, at + 0.05, W0, status, HEADERS, body))
            at += 0.05
        else:
            at = effect.until
            events.append(TimeReached(at))
    assert next(replies, None) is None
    return events


def replay(events: list[Event]) -> object:
    """A new flow that receives them all."""
    flow = DeviceFlow()
    return [flow.receive(event) for event in events][-1]


def parse(bodies: list[bytes]) -> object:
    """The floor."""
    return [json.loads(body) for body in bodies][-1]


class _State(Enum):
    WAITING = auto()
    POLLING = auto()


class _Model:
    def __init__(self) -> None:
        self.state = _State.WAITING


def stock() -> object:
    """What the stock events of `transitions` take for the moves of such a sign-in, alone."""
    rows = [["due", "WAITING", "POLLING"], ["pending", "POLLING", "WAITING"]]
    machine = Machine(
        model=None, states=_State, initial=_State.WAITING, transitions=rows, auto_transitions=False
    )
    due, back = machine.events["due"], machine.events["pending"]

    def moves() -> None:
        model: Any = _Model()
        for _ in range(POLLS + 3):
            due.trigger(model)
            back.trigger(model)

    return moves


def msal_flow() -> object:
    """A sign-in by MSAL with the same number of requests. Its pauses are none: the interval is 0."""
    error = json.dumps({"error": "authorization_pending", "error_description": "x" * 110})
    replies = iter([MsalAnswer(400, error)] * (POLLS + 1) + [MsalAnswer(200, msal_tokens())])
    app = msal_app(lambda: next(replies))
    result = app.acquire_token_by_device_flow(app.initiate_device_flow(SCOPES))
    assert "access_token" in result
    return result


def measure(rounds: int) -> Result:
    """The row."""
    events, bodies = record(), [body for _, body in answers()]
    moves: Any = stock()
    all_of = [
        Contestant("JSON alone", "json.loads of the same 180 bodies", repeated(lambda: parse(bodies))),
        Contestant(
            "codex-oauth",
            "DeviceFlow().receive(event), all events",
            repeated(lambda: replay(events)),
            ours=True,
        ),
        Contestant("transitions, stock", "Event.trigger alone, two a request", repeated(moves)),
    ]
    if has("msal"):
        called = "acquire_token_by_device_flow, http_client in memory, interval 0"
        all_of.append(Contestant("MSAL", called, repeated(msal_flow)))
    times = contest(all_of, rounds, "JSON alone")
    targets = [Target("of the time of parsing JSON", times.ratio("codex-oauth"), 5)]
    if has("msal"):
        targets.append(Target("of MSAL's time", times.ratio("codex-oauth", "MSAL"), 1))
    return Result("P6", "JSON alone", figures(all_of, times), tuple(targets))
