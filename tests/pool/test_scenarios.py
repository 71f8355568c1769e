"""Every scenario of the device flow at once, in one pool: the same ends and the same waits as alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import anyio

from codex_oauth import FlowPool
from codex_oauth import run as run_alone
from codex_oauth.testing import SCENARIOS, FakeWorld, Lost, Reply, Scenario, scripted
from codex_oauth.testing.fake_world import START
from codex_oauth_core import (
    CODEX,
    Cause,
    Credential,
    DeviceFlow,
    Phase,
    Provider,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInError,
    Wait,
)
from tests.pool.virtual import each_backend, now, run

ROUND_TRIP = 0.25


class Scripts:
    """A transport to one server for each scenario, told apart by their issuers."""

    def __init__(self) -> None:
        self._replies: dict[str, Iterator[Reply | Lost]] = {}

    def provider(self, scenario: Scenario) -> Provider:
        issuer = f"https://scenario-{len(self._replies)}.example"
        self._replies[issuer] = iter(scenario.replies)
        return CODEX.at(issuer)

    async def __call__(self, effect: SendRequest) -> ResponseReceived | RequestFailed:
        sent_at, _ = now()
        issuer = next(issuer for issuer in self._replies if effect.request.url.startswith(f"{issuer}/"))
        reply = next(self._replies[issuer])
        took = ROUND_TRIP + reply.delay
        await anyio.sleep(min(took, effect.timeout))
        at, wall = now()
        if took > effect.timeout:
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.TIMEOUT)
        if isinstance(reply, Lost):
            return RequestFailed(at, reply.phase, reply.cause)
        return ResponseReceived(sent_at, at, wall, reply.status, reply.headers, reply.body)


def told(outcome: object) -> object:
    return (outcome.kind, dict(outcome.details)) if isinstance(outcome, SignInError) else outcome


def alone(scenario: Scenario, provider: Provider) -> tuple[object, list[tuple[float, str]]]:
    world = FakeWorld(scripted(scenario.replies), round_trip=ROUND_TRIP)
    outcome = run_alone(DeviceFlow(workspaces=scenario.workspaces, provider=provider), world)
    return told(outcome), [(wait.until, wait.why.value) for wait in world.waits]


@each_backend
def test_every_scenario_in_one_pool_goes_as_it_goes_alone(backend: str) -> None:
    scripts = Scripts()
    providers = {scenario.name: scripts.provider(scenario) for scenario in SCENARIOS}
    waits: dict[str, list[tuple[float, str]]] = defaultdict(list)
    outcomes: dict[str, Credential | SignInError] = {}

    def on_wait(name: str, wait: Wait) -> None:
        waits[name].append((wait.until, wait.why.value))

    async def main() -> None:
        async with FlowPool(scripts, jitter=0, on_wait=on_wait, now=now, max_requests=100) as pool:
            for scenario in SCENARIOS:
                flow = DeviceFlow(workspaces=scenario.workspaces, provider=providers[scenario.name])
                pool.add(flow, scenario.name)
            outcomes.update([ended async for ended in pool])

    run(main, backend)
    assert len(outcomes) == len(SCENARIOS) > 40
    for scenario in SCENARIOS:
        outcome = outcomes[scenario.name]
        assert (outcome.kind if isinstance(outcome, SignInError) else None) == scenario.ends
        assert (told(outcome), waits[scenario.name]) == alone(scenario, providers[scenario.name])
        assert [(until - START, why) for until, why in waits[scenario.name]] == list(scenario.waits)
