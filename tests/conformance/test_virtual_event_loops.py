"""The scenarios on trio's `MockClock`: no socket, no real time, and exactly the instants of the table."""

from __future__ import annotations

import anyio
import pytest
import trio
import trio.testing

from codex_oauth import AnyioWorld, arun
from codex_oauth.testing import SCENARIOS, Reply, Scenario
from codex_oauth.testing.scenarios import ROUND_TRIP
from codex_oauth_core import DeviceFlow, RequestFailed, ResponseReceived, SendRequest, SignInError, Wait

WALL = 1_800_000_007.5


def now() -> tuple[float, float]:
    return trio.current_time(), WALL + trio.current_time()


class Scripted:
    """An asynchronous transport that answers from a scenario, in virtual time."""

    def __init__(self, scenario: Scenario) -> None:
        self._replies = iter(scenario.replies)

    async def __call__(self, effect: SendRequest) -> ResponseReceived | RequestFailed:
        sent_at, _ = now()
        await anyio.sleep(ROUND_TRIP)
        at, wall = now()
        reply = next(self._replies)
        if isinstance(reply, Reply):
            return ResponseReceived(sent_at, at, wall, reply.status, reply.headers, reply.body)
        return RequestFailed(at, reply.phase, reply.cause)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    waits: list[tuple[float, str]] = []

    async def sign_in() -> object:
        begun = trio.current_time()

        def note(wait: Wait) -> None:
            waits.append((round(wait.until - begun, 6), wait.why.value))

        async with AnyioWorld(Scripted(scenario), on_wait=note, now=now) as world:
            return await arun(DeviceFlow(workspaces=scenario.workspaces), world)

    outcome = trio.run(sign_in, clock=trio.testing.MockClock(autojump_threshold=0))
    assert (outcome.kind if isinstance(outcome, SignInError) else None) == scenario.ends
    assert waits == list(scenario.waits)
