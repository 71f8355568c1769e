"""The device flow against a server that answers anything, and a driver that wakes early and late."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from codex_oauth import run
from codex_oauth.testing import FakeWorld, Lost, Reply, scripted
from codex_oauth_core import (
    Cancelled,
    Cause,
    Credential,
    DeviceFlow,
    Effect,
    Event,
    Finished,
    IllegalEvent,
    Phase,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInError,
    Started,
    TimeReached,
    Wait,
)
from codex_oauth_core.flows.device import FINAL, State
from tests.strategies import objects
from tests.support import (
    CODE,
    DEVICE_ID,
    PENDING,
    T0,
    VERIFIER,
    W0,
    approved,
    as_json,
    code,
    issued,
    page,
    tokens,
)

SECRETS = (DEVICE_ID, CODE, VERIFIER, "canary-")
CODES = (
    "slow_down",
    "authorization_pending",
    "access_denied",
    "expired_token",
    "deviceauth_not_found",
    "weird",
    "deviceauth_odd_pending",
    DEVICE_ID,
)

replies = st.one_of(
    st.sampled_from(
        [PENDING, issued(), issued(expires_in=20), approved(), tokens(), page(403), as_json(429, {})]
    ),
    st.sampled_from([PENDING, code("slow_down"), as_json(503, {}, {"Retry-After": "20"}), as_json(403, {})]),
    st.builds(code, st.sampled_from(CODES), st.sampled_from([200, 400, 403, 404, 429, 500])),
    st.builds(
        as_json,
        st.integers(100, 599),
        objects("error", "code", "device_auth_id", "user_code", "interval", "access_token", "refresh_token"),
        st.dictionaries(st.sampled_from(["Retry-After", "Date"]), st.sampled_from(["3", "90", "-1", "x"])),
    ),
    st.builds(Reply, st.integers(100, 599), st.binary(max_size=60)),
)
failures = st.builds(RequestFailed, st.just(0.0), st.sampled_from(Phase), st.sampled_from(Cause))


class HostileServer(RuleBasedStateMachine):
    """Any answer, any delay, wake-ups early and late, cancels; after the end every event raises."""

    @initialize(
        lifetime=st.sampled_from([8.0, 40.0, 900.0]), workspaces=st.sampled_from([(), ("acct_other",)])
    )
    def begin(self, lifetime: float, workspaces: tuple[str, ...]) -> None:
        self.at = T0
        self.lifetime = lifetime
        self.flow = DeviceFlow(max_lifetime=lifetime, workspaces=workspaces)
        self.poll_ended: float | None = None
        self.agreed = 0.0
        self.deadline = T0 + lifetime
        self.code_requests: list[float] = []
        self.exchanges = 0
        self.late = 0.0  # by how much this driver woke late, in all
        self.effect: Effect = self.take(Started(self.at, W0))

    def take(self, event: Event) -> Effect:
        before = self.flow.state
        self.effect = effect = self.flow.receive(event)
        if isinstance(event, ResponseReceived | RequestFailed) and before is State.POLLING:
            self.poll_ended = event.at
        if before is State.REQUESTING_CODE and self.flow.state is State.WAITING:
            self.deadline = self.flow._deadline
            self.agreed = self.flow._pace.interval
        if isinstance(effect, SendRequest) and self.flow.state is not before:
            self.sent(before)
        return effect

    def sent(self, before: State) -> None:
        match self.flow.state:
            case State.POLLING:
                assert self.at < self.deadline, "no poll at or after the deadline"
                if self.poll_ended is not None:
                    assert self.at - self.poll_ended >= self.agreed - 1e-6, "never closer than agreed"
            case State.REQUESTING_CODE:
                self.code_requests.append(self.at)
                assert self.at < T0 + self.lifetime
                assert len(self.code_requests) <= 3
                assert self.at - self.code_requests[0] < 30 + self.late
            case State.EXCHANGING:
                self.exchanges += 1
                assert before in (State.POLLING, State.HOLDING_CODE)
            case state:
                assert state is State.REVOKING

    @precondition(lambda self: isinstance(self.effect, SendRequest))
    @rule(reply=replies, took=st.sampled_from([0.0, 0.25, 3.0, 15.0]))
    def respond(self, reply: Reply, took: float) -> None:
        if self.flow._device is None and b'"code": "canary' in reply.body:
            return  # it can echo only what it has issued
        sent_at, interval = self.at, self.flow._pace.interval
        self.at += took
        slowed = b"slow_down" in reply.body and b"authorization_code" not in reply.body
        polling = self.flow.state is State.POLLING
        self.take(ResponseReceived(sent_at, self.at, W0, reply.status, reply.headers, reply.body))
        if polling:
            now = self.flow._pace.interval
            assert now >= interval, "an interval never shrinks"
            if slowed and self.flow.state is State.WAITING:
                assert now >= interval + 5, "slow_down adds five seconds"
            self.agreed = now

    @precondition(lambda self: isinstance(self.effect, SendRequest))
    @rule(failure=failures, took=st.sampled_from([0.0, 1.0, 15.0]))
    def lose(self, failure: RequestFailed, took: float) -> None:
        self.at += took
        once_ambiguous = self.flow.state is State.EXCHANGING and failure.phase is Phase.MAYBE_SENT
        self.take(RequestFailed(self.at, failure.phase, failure.cause))
        if once_ambiguous:
            assert self.flow.state is State.FAILED, "a code is not sent again when in doubt"

    @precondition(lambda self: isinstance(self.effect, Wait))
    @rule(late=st.sampled_from([0.0, 0.0, 0.0, 0.5, 400.0]))
    def wake(self, late: float) -> None:
        assert isinstance(self.effect, Wait)
        self.late += late
        self.at = max(self.at, self.effect.until) + late
        self.take(TimeReached(self.at))

    @precondition(lambda self: isinstance(self.effect, Wait))
    @rule(share=st.floats(0.0, 0.99))
    def wake_early(self, share: float) -> None:
        assert isinstance(self.effect, Wait)
        instant = self.at + (self.effect.until - self.at) * share
        if instant < self.effect.until:
            assert self.take(TimeReached(instant)) is self.flow.effect
            assert isinstance(self.flow.effect, Wait)

    @precondition(lambda self: self.flow.state not in FINAL)
    @rule(chance=st.integers(0, 15))
    def cancel(self, chance: int) -> None:
        if chance:
            return
        if isinstance(self.effect, SendRequest) and self.effect.once:
            self.refuse(Cancelled(self.at))
        else:
            self.take(Cancelled(self.at))
            assert self.flow.state is State.CANCELLED

    @rule(event=st.sampled_from([Started(T0, W0), TimeReached(T0 + 9e9), Cancelled(T0)]), failure=failures)
    def after_the_end_every_event_raises(self, event: Event, failure: RequestFailed) -> None:
        if isinstance(self.effect, Finished):
            self.refuse(event)
            self.refuse(failure)

    def refuse(self, event: Event) -> None:
        state, effect = self.flow.state, self.flow.effect
        try:
            self.flow.receive(event)
        except IllegalEvent:
            assert (self.flow.state, self.flow.effect) == (state, effect)
        else:
            raise AssertionError("an illegal event was accepted")

    @invariant()
    def nothing_shows_a_secret(self) -> None:
        text = repr(self.flow) + repr(self.effect)
        if isinstance(self.effect, Finished) and isinstance(self.effect.outcome, SignInError):
            text += json.dumps(self.effect.outcome.to_dict()) + str(self.effect.outcome)
        assert not any(secret in text for secret in SECRETS)

    @invariant()
    def it_ends_in_time(self) -> None:
        bound = self.deadline + 15 + 30 + 15 + 10 + self.late  # poll, exchange tries, a request, a revocation
        assert isinstance(self.effect, Finished) or self.at <= bound

    @invariant()
    def the_end_and_the_state_agree(self) -> None:
        assert isinstance(self.effect, Finished) is (self.flow.state in FINAL)
        if self.flow.state is State.SIGNED_IN:
            assert isinstance(self.effect, Finished)
            assert isinstance(self.effect.outcome, Credential)


TestHostileServer = HostileServer.TestCase


@given(st.lists(st.sampled_from(["slow_down", "pending", "reset", "page"]), max_size=25))
def test_slow_down_is_cumulative_and_outlives_everything(kinds: list[str]) -> None:
    answers: dict[str, Reply | Lost] = {
        "slow_down": code("slow_down", 400),
        "pending": PENDING,
        "reset": Lost(),
        "page": page(502),
    }
    world = FakeWorld(scripted([issued(), *(answers[kind] for kind in kinds), approved(), tokens()]))
    outcome = run(DeviceFlow(max_lifetime=1e6), world) if kinds else None
    gaps = polls(world)
    for index, gap in enumerate(gaps):
        slowed = kinds[: index + 1].count("slow_down")
        assert gap >= 5 + 5 * slowed - 1e-6
        if kinds[index] in ("slow_down", "pending"):
            assert abs(gap - (5 + 5 * slowed)) < 1e-6, "and a back-off is forgotten after a real answer"
    assert kinds == [] or outcome is not None


def polls(world: FakeWorld) -> list[float]:
    """The pauses between polls, from the end of one to the start of the next."""
    starts = [at for at, effect in world.performed if isinstance(effect, SendRequest) and not effect.once][1:]
    return [after - (before + world.round_trip) for before, after in pairwise(starts)]


@given(
    lifetime=st.floats(1.0, 900.0),
    kinds=st.lists(
        st.sampled_from([PENDING, code("slow_down"), Lost(), page(503)]), min_size=400, max_size=400
    ),
)
def test_nothing_is_polled_at_or_after_the_deadline_and_then_it_has_expired(
    lifetime: float, kinds: list[Any]
) -> None:
    world = FakeWorld(scripted([issued(expires_in=lifetime), *kinds]))
    outcome = run(DeviceFlow(), world)
    deadline = T0 + lifetime
    starts = [at for at, effect in world.performed if isinstance(effect, SendRequest)]
    assert all(at < deadline for at in starts)
    assert deadline <= world.at <= deadline + world.round_trip
    assert isinstance(outcome, SignInError)
    assert outcome.kind.value in ("expired", "network")
