"""The scenarios in the asynchronous world: the same outcomes and the same instants, on asyncio and trio."""

from __future__ import annotations

import anyio
import pytest

from codex_oauth import AnyioWorld, AsyncHttpxWorld, AsyncWorld, arun
from codex_oauth import run as run_sync
from codex_oauth.authority import serve
from codex_oauth.testing import SCENARIOS, FakeWorld, Reply, Scenario, scripted
from codex_oauth.testing.fake_world import START, Server
from codex_oauth.transport.protocol import AsyncSendOutcome
from codex_oauth_core import (
    CODEX,
    Cause,
    Credential,
    DeviceFlow,
    Phase,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInError,
    Wait,
)
from tests.adapters.test_scenarios_over_http import BUSY, SERVED, Scripted, kind
from tests.adapters.virtual_time import SkippingClock
from tests.asynchronous.running import each_backend, run, run_virtual, virtual_now

ROUND_TRIP = 0.25


class FakeNetwork:
    """A transport in virtual time, over a server that is a function."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, effect: SendRequest) -> AsyncSendOutcome:
        sent_at, wall = virtual_now()
        reply = self._server(effect.request, sent_at, wall)
        took = ROUND_TRIP + reply.delay
        await anyio.sleep(min(took, effect.timeout))
        at, wall = virtual_now()
        if took > effect.timeout:
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.TIMEOUT)
        if isinstance(reply, Reply):
            return ResponseReceived(sent_at, at, wall, reply.status, reply.headers, reply.body)
        return RequestFailed(at, reply.phase, reply.cause)


def told(outcome: Credential | SignInError) -> object:
    """What can be compared: two errors are the same if they say the same."""
    return (outcome.kind, outcome.message, outcome.details) if isinstance(outcome, SignInError) else outcome


@each_backend
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_ends_as_in_the_fake_world_at_the_same_instants(scenario: Scenario, backend: str) -> None:
    fake = FakeWorld(scripted(scenario.replies), round_trip=ROUND_TRIP)
    expected = run_sync(DeviceFlow(workspaces=scenario.workspaces), fake)
    waits: list[tuple[float, str]] = []

    async def main() -> tuple[Credential | SignInError, float]:
        send = FakeNetwork(scripted(scenario.replies))
        async with AnyioWorld(send, now=virtual_now, on_wait=seen) as world:
            return await arun(DeviceFlow(workspaces=scenario.workspaces), world), world.now()[0]

    def seen(wait: Wait) -> None:
        waits.append((wait.until - START, wait.why.value))

    outcome, ended = run_virtual(main, backend)
    assert kind(outcome) == scenario.ends
    assert told(outcome) == told(expected)
    assert [why for _, why in waits] == [why for _, why in scenario.waits]
    assert [until for until, _ in waits] == pytest.approx([until for until, _ in scenario.waits], abs=1e-6)
    assert ended == pytest.approx(fake.at, abs=1e-6)


@each_backend
@pytest.mark.parametrize("scenario", SERVED, ids=lambda scenario: scenario.name)
def test_a_scenario_over_http(scenario: Scenario, backend: str) -> None:
    fake = FakeWorld(scripted(scenario.replies))
    fake_kind = kind(run_sync(DeviceFlow(workspaces=scenario.workspaces), fake))
    pauses = [wait.until - at for at, wait in fake.performed if isinstance(wait, Wait)]
    clock = SkippingClock()
    authority = Scripted(replies=iter(scenario.replies))

    async def main(url: str) -> Credential | SignInError:
        world: AsyncWorld = AsyncHttpxWorld(now=clock.now, on_wait=clock.skip)
        async with world:
            return await arun(DeviceFlow(provider=CODEX.at(url), workspaces=scenario.workspaces), world)

    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        outcome = run(lambda: main(server.url), backend)
    assert kind(outcome) == fake_kind == scenario.ends
    assert [why for _, why in clock.waited] == [why for _, why in scenario.waits]
    for (waited, _), pause in zip(clock.waited, pauses, strict=True):
        assert abs(waited - pause) < BUSY
