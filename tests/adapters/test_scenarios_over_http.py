"""The scenarios of the core again, over real HTTP: the same outcomes, and the same waits."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from codex_oauth import run
from codex_oauth.authority import Answer, Authority, Fault, Policy, serve
from codex_oauth.testing import SCENARIOS, FakeWorld, Lost, Reply, Scenario, answered_by, scripted
from codex_oauth_core import CODEX, Credential, DeviceFlow, ErrorKind, Phase, Request, Secret, SignInError
from tests.adapters.virtual_time import SkippingClock, skipping_world

ROUND_TRIP = 0.25
BUSY = 0.5  # seconds by which a busy machine may be late


@attrs.define(eq=False, kw_only=True)
class Scripted(Authority):
    """An authority that says what a scenario says, whatever is asked."""

    replies: Iterator[Reply | Lost] = attrs.field(factory=lambda: iter(()))

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        reply = next(self.replies)
        if isinstance(reply, Lost):
            return Answer(status=200, reset=True)
        return Answer(status=reply.status, headers=tuple(reply.headers.items()), body=Secret(reply.body))


def can_be_served(scenario: Scenario) -> bool:
    """A server cannot make a request fail before it was sent; that is tested with the transport."""
    return not any(isinstance(reply, Lost) and reply.phase is Phase.NOT_SENT for reply in scenario.replies)


SERVED = [scenario for scenario in SCENARIOS if can_be_served(scenario)]


def kind(outcome: object) -> ErrorKind | None:
    return outcome.kind if isinstance(outcome, SignInError) else None


@pytest.mark.parametrize("scenario", SERVED, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    fake = FakeWorld(scripted(scenario.replies))
    fake_kind = kind(run(DeviceFlow(workspaces=scenario.workspaces), fake))
    pauses = [wait.until - at for at, wait in fake.performed if wait in fake.waits]

    clock = SkippingClock()
    authority = Scripted(replies=iter(scenario.replies))
    with serve(authority, clock=clock.instant, wall=clock.wall) as server, skipping_world(clock) as world:
        outcome = run(DeviceFlow(provider=CODEX.at(server.url), workspaces=scenario.workspaces), world)
    assert kind(outcome) == fake_kind == scenario.ends
    assert [why for _, why in clock.waited] == [why for _, why in scenario.waits]
    for (waited, _), pause in zip(clock.waited, pauses, strict=True):
        assert abs(waited - pause) < BUSY


def test_most_scenarios_can_be_served() -> None:
    assert len(SERVED) > 0.7 * len(SCENARIOS)


ASK_FAST = Policy(approve="auto", interval=5)
RULES = [
    ("approved at once", ASK_FAST, (), None),
    ("approved after a minute", attrs.evolve(ASK_FAST, approve_after=60.0), (), None),
    ("denied", attrs.evolve(ASK_FAST, approve="deny", approve_after=20.0), (), ErrorKind.DENIED),
    ("never approved", attrs.evolve(ASK_FAST, approve="never", lifetime=30.0), (), ErrorKind.EXPIRED),
    (
        "bad polls",
        attrs.evolve(ASK_FAST, approve_after=60.0),
        (
            Fault(endpoint="poll", requests="1", status=502, body="<html>bad gateway"),
            Fault(endpoint="poll", requests="2", reset=True, act=False),
            Fault(endpoint="poll", requests="3", truncate=3),
            Fault(endpoint="poll", requests="4", status=429, headers={"Retry-After": "20"}, body="{}"),
        ),
        None,
    ),
    (
        "an exchange reset",
        ASK_FAST,
        (Fault(endpoint="exchange", reset=True),),
        ErrorKind.TOKEN_REQUEST_FAILED,
    ),
    (
        "an exchange truncated",
        ASK_FAST,
        (Fault(endpoint="exchange", truncate=9),),
        ErrorKind.TOKEN_REQUEST_FAILED,
    ),
    (
        "a lost approval",
        ASK_FAST,
        (Fault(endpoint="poll", requests="1", reset=True),),
        ErrorKind.APPROVAL_LOST,
    ),
    ("a slow server", ASK_FAST, (Fault(endpoint="usercode", delay=0.2),), None),
]


@pytest.mark.parametrize(("name", "policy", "faults", "ends"), RULES, ids=[rule[0] for rule in RULES])
def test_the_authoritys_rules_in_both_worlds(
    name: str, policy: Policy, faults: tuple[Fault, ...], ends: ErrorKind | None
) -> None:
    fake_authority = Authority(policy=policy, faults=faults)
    fake = FakeWorld(answered_by(fake_authority), round_trip=ROUND_TRIP)
    in_virtual_time = run(DeviceFlow(provider=CODEX.at("http://127.0.0.1:1")), fake)

    clock = SkippingClock()
    authority = Authority(policy=policy, faults=faults)
    with serve(authority, clock=clock.instant, wall=clock.wall) as server, skipping_world(clock) as world:
        over_http = run(DeviceFlow(provider=CODEX.at(server.url)), world)

    assert kind(over_http) == kind(in_virtual_time) == ends
    if ends is None:
        assert isinstance(over_http, Credential)
        assert over_http.account_id == policy.account.account_id
    assert [why for _, why in clock.waited] == [wait.why.value for wait in fake.waits]
    requests = [request.endpoint for request in authority.requests]
    assert requests == [request.endpoint for request in fake_authority.requests]
    assert all(request.status != 400 or faults for request in authority.requests), (
        "it checks what it receives"
    )
