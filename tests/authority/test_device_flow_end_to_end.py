"""The device flow of the core against the authority's rules, in virtual time: nothing between them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codex_oauth.authority import Approve, Authority, Fault, Policy
from codex_oauth_core import (
    CODEX,
    Credential,
    DeviceFlow,
    DevicePrompt,
    ErrorKind,
    Finished,
    SendRequest,
    SignInError,
    Started,
    TimeReached,
    Wait,
)

ISSUER = "http://127.0.0.1:8123"
START, WALL = 1_000_003.25, 1_800_000_007.5
ROUND_TRIP = 0.125


class Run:
    """One login: performs each effect against the authority, and moves the clock itself."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.now = START
        self.polls: list[tuple[float, float]] = []
        self.prompts: list[DevicePrompt] = []

    @property
    def wall(self) -> float:
        return WALL + self.now - START

    def finish(self, on_prompt: Callable[[DevicePrompt], None] = lambda _: None) -> Credential | SignInError:
        flow = DeviceFlow(provider=CODEX.at(ISSUER))
        effect: SendRequest | Wait | Finished = flow.receive(Started(self.now, self.wall))
        while not isinstance(effect, Finished):
            if isinstance(effect, Wait):
                self._show(effect, on_prompt)
                self.now = max(self.now, effect.until)
                effect = flow.receive(TimeReached(self.now))
            else:
                effect = self._send(flow, effect)
        assert isinstance(effect.outcome, Credential | SignInError)
        return effect.outcome

    def _show(self, wait: Wait, on_prompt: Callable[[DevicePrompt], None]) -> None:
        if isinstance(wait.prompt, DevicePrompt) and wait.prompt not in self.prompts:
            self.prompts.append(wait.prompt)
            on_prompt(wait.prompt)

    def _send(self, flow: DeviceFlow, effect: SendRequest) -> SendRequest | Wait | Finished:
        sent_at = self.now
        self.now += ROUND_TRIP / 2
        answer = self.authority.handle(effect.request, self.now, self.wall)
        self.now += ROUND_TRIP / 2 + answer.delay
        if effect.request.url == flow.provider.device_token_endpoint:
            self.polls.append((sent_at, self.now))
        return flow.receive(answer.received(sent_at, self.now, self.wall))


def signed_in(run: Run) -> Credential:
    outcome = run.finish()
    assert isinstance(outcome, Credential), outcome
    return outcome


def test_an_approval_after_some_polls_signs_in() -> None:
    run = Run(Authority(policy=Policy(approve=Approve.AUTO, approve_after=12)))
    credential = signed_in(run)
    account = run.authority.policy.account
    assert credential.account_id == account.account_id
    assert credential.issuer == ISSUER
    assert credential.expires_at == int((run.wall - ROUND_TRIP + 864_000) * 1000)
    assert [one.endpoint for one in run.authority.requests] == [
        "usercode",
        "poll",
        "poll",
        "poll",
        "exchange",
    ]
    assert all(one.status in (200, 403) for one in run.authority.requests)
    assert run.now == START + 5 * ROUND_TRIP + 3 * 5


def test_a_person_approves_the_code_that_the_prompt_shows() -> None:
    run = Run(Authority())

    def approve(prompt: DevicePrompt) -> None:
        assert prompt.verification_uri == f"{ISSUER}/codex/device"
        assert prompt.expires_at == pytest.approx(run.wall + 900 - ROUND_TRIP)
        assert run.authority.decide(prompt.user_code.lower(), run.now, approve=True)

    assert isinstance(run.finish(approve), Credential)
    assert len(run.prompts) == 1


def test_a_denial_ends_as_denied() -> None:
    outcome = Run(Authority(policy=Policy(approve=Approve.DENY, approve_after=7))).finish()
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.DENIED


def test_nobody_approves_and_it_expires_at_its_deadline() -> None:
    run = Run(Authority(policy=Policy(approve=Approve.NEVER, lifetime=60)))
    outcome = run.finish()
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.EXPIRED
    assert run.now <= START + 60 + ROUND_TRIP
    assert max(sent for sent, _ in run.polls) < START + 60


def test_the_flow_keeps_a_pace_that_the_strict_authority_accepts() -> None:
    run = Run(Authority(policy=Policy(approve=Approve.NEVER, lifetime=300, interval=3)))
    run.finish()
    assert {one.status for one in run.authority.received("poll")} == {403}
    gaps = [later - done for (_, done), (later, _) in zip(run.polls, run.polls[1:], strict=False)]
    assert min(gaps) >= 3


FAULTS = {
    "status": Fault(endpoint="poll", requests="1-3", status=503, headers={"Retry-After": "9"}),
    "page": Fault(endpoint="poll", requests="1-3", status=403, body="<html>no</html>"),
    "garbage": Fault(endpoint="poll", requests="1-3", body="{"),
    "reset": Fault(endpoint="poll", requests="1-3", reset=True, act=False),
    "slow down": Fault(endpoint="poll", requests="1-3", status=400, body='{"error":"slow_down"}'),
    "delay": Fault(endpoint="poll", requests="1-3", delay=10),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_flow_survives_scripted_faults(fault: Fault) -> None:
    policy = Policy(approve=Approve.AUTO, approve_after=40)
    credential = signed_in(Run(Authority(policy=policy, faults=[fault])))
    assert credential.account_id == policy.account.account_id


def test_an_approval_whose_answer_was_lost_is_reported_as_lost() -> None:
    policy = Policy(approve=Approve.AUTO, approve_after=8)
    outcome = Run(Authority(policy=policy, faults=[Fault(endpoint="poll", requests=2, reset=True)])).finish()
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.APPROVAL_LOST
