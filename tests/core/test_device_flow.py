"""The device flow over scripted answers: outcome, and the instants of its waits, row by row."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import attrs
import pytest

from codex_oauth import run
from codex_oauth.testing import SCENARIOS, FakeWorld, Lost, Reply, Scenario, scripted
from codex_oauth_core import (
    CODEX,
    Cause,
    Credential,
    DeviceFlow,
    DevicePrompt,
    ErrorKind,
    Event,
    Finished,
    Phase,
    Request,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInEffect,
    SignInError,
    Started,
    TimeReached,
    Wait,
    Why,
)
from codex_oauth_core.flows.device import State
from codex_oauth_core.settings import BadSetting, SettingFault
from tests.support import (
    CODE,
    DEVICE_ID,
    PENDING,
    SIGN_IN,
    SLOW_DOWN,
    T0,
    VERIFIER,
    approved,
    as_json,
    code,
    issued,
    page,
    tokens,
)

E = ErrorKind


def drive(*replies: Reply | Lost, **options: Any) -> tuple[Any, FakeWorld]:
    world = FakeWorld(scripted(replies))
    return run(DeviceFlow(**options), world), world


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    world = FakeWorld(scripted(scenario.replies))
    outcome = run(DeviceFlow(workspaces=scenario.workspaces), world)
    kind = outcome.kind if isinstance(outcome, SignInError) else None
    assert kind == scenario.ends
    if isinstance(outcome, SignInError):
        assert {**outcome.details, **scenario.details} == dict(outcome.details)
    assert [(round(wait.until - T0, 6), wait.why.value) for wait in world.waits] == list(scenario.waits)


def test_what_is_sent_from_first_to_last() -> None:
    _, world = drive(*SIGN_IN)
    usercode, first, second, exchange = world.requests
    assert usercode.request.url == "https://auth.openai.com/api/accounts/deviceauth/usercode"
    assert json.loads(usercode.request.body.reveal()) == {"client_id": CODEX.client_id}
    assert first.request.url == "https://auth.openai.com/api/accounts/deviceauth/token"
    assert json.loads(first.request.body.reveal()) == {"device_auth_id": DEVICE_ID, "user_code": "ABCD-12345"}
    assert second == first
    assert exchange.request.url == "https://auth.openai.com/oauth/token"
    assert parse_qs(exchange.request.body.reveal().decode(), strict_parsing=True) == {
        "grant_type": ["authorization_code"],
        "client_id": [CODEX.client_id],
        "code": [CODE],
        "code_verifier": [VERIFIER],
        "redirect_uri": ["https://auth.openai.com/deviceauth/callback"],
    }
    assert [request.once for request in world.requests] == [False, False, False, True]


def test_the_prompt_is_one_object_for_as_long_as_the_code_lives() -> None:
    outcome, world = drive(issued(expires_in=60), *SIGN_IN[1:])
    assert isinstance(outcome, Credential)
    assert world.waits[0].prompt == DevicePrompt(
        verification_uri="https://auth.openai.com/codex/device",
        user_code="ABCD-12345",
        expires_at=1_800_000_007.5 + 60,
        issuer="https://auth.openai.com",
        title="Sign in with ChatGPT (Codex)",
    )
    assert len({id(wait.prompt) for wait in world.waits}) == 1


def test_the_prompt_shows_a_padded_code_bare_and_polls_it_as_received() -> None:
    _, world = drive(issued(user_code=" ABCD "), approved(), tokens())
    assert isinstance(prompt := world.waits[0].prompt, DevicePrompt)
    assert prompt.user_code == "ABCD"
    assert json.loads(world.requests[1].request.body.reveal())["user_code"] == " ABCD "


def test_waking_early_gives_the_same_wait_again() -> None:
    flow = DeviceFlow()
    flow.receive(Started(T0, 0.0))
    wait = flow.receive(ResponseReceived(T0, T0 + 0.25, 0.0, 200, {}, issued().body))
    assert isinstance(wait, Wait)
    for early in (T0, T0 + 1, wait.until - 0.001):
        assert flow.receive(TimeReached(early)) is wait
        assert flow.state is State.WAITING
    assert isinstance(flow.receive(TimeReached(wait.until)), SendRequest)


def test_time_never_runs_backwards() -> None:
    flow = DeviceFlow()
    flow.receive(Started(T0, 0.0))
    wait = flow.receive(ResponseReceived(T0, T0 + 100, 0.0, 200, {}, issued().body))
    assert isinstance(wait, Wait)
    poll = flow.receive(TimeReached(wait.until))
    assert isinstance(poll, SendRequest)
    again = flow.receive(ResponseReceived(T0, T0 + 2, 0.0, 403, {}, PENDING.body))
    assert isinstance(again, Wait)
    assert again.until == wait.until + 5


# F33
def test_after_a_suspend_past_the_deadline_it_expires_without_a_poll() -> None:
    flow = DeviceFlow()
    flow.receive(Started(T0, 0.0))
    flow.receive(ResponseReceived(T0, T0, 0.0, 200, {}, issued().body))
    effect = flow.receive(TimeReached(T0 + 3600))
    assert flow.state is State.EXPIRED
    assert effect.outcome.kind is E.EXPIRED  # type: ignore[union-attr]


def test_after_a_shorter_suspend_there_is_one_poll_at_once() -> None:
    flow = DeviceFlow()
    flow.receive(Started(T0, 0.0))
    flow.receive(ResponseReceived(T0, T0, 0.0, 200, {}, issued().body))
    assert isinstance(flow.receive(TimeReached(T0 + 600)), SendRequest)


def test_an_approval_whose_poll_started_in_time_is_exchanged_after_the_deadline() -> None:
    late = attrs.evolve(approved(), delay=10.0)
    outcome, world = drive(issued(expires_in=8), PENDING, late, tokens())
    assert isinstance(outcome, SignInError)  # the first poll is at 4 s, the next would be past the deadline
    outcome, world = drive(issued(expires_in=8), late, tokens())
    assert isinstance(outcome, Credential)
    assert world.at > T0 + 8


def test_no_code_is_requested_after_a_short_deadline() -> None:
    outcome, world = drive(as_json(503, {}), max_lifetime=0.5)
    assert isinstance(outcome, SignInError)
    assert outcome.kind is E.NETWORK
    assert len(world.requests) == 1


def test_woken_long_after_a_failed_first_request_it_asks_no_more() -> None:
    flow = DeviceFlow()
    flow.receive(Started(T0, 0.0))
    flow.receive(RequestFailed(T0 + 1, Phase.NOT_SENT, Cause.DNS))
    effect = flow.receive(TimeReached(T0 + 400))
    assert flow.state is State.FAILED
    assert effect.outcome.to_dict()["error"]["details"] == {"cause": "dns"}  # type: ignore[union-attr]


def test_woken_long_after_an_exchange_that_was_not_sent_the_code_is_not_sent() -> None:
    flow = DeviceFlow()
    events: tuple[Event, ...] = (
        Started(T0, 0.0),
        ResponseReceived(T0, T0, 0.0, 200, {}, issued().body),
        TimeReached(T0 + 5),
        ResponseReceived(T0 + 5, T0 + 5, 0.0, 200, {}, approved().body),
        RequestFailed(T0 + 6, Phase.NOT_SENT, Cause.CONNECT),
        TimeReached(T0 + 400),
    )
    *_, effect = map(flow.receive, events)
    assert flow.state is State.FAILED
    assert isinstance(effect, Finished)
    assert isinstance(effect.outcome, SignInError)
    assert effect.outcome.kind is E.NETWORK


def test_the_deadline_never_exceeds_the_callers_limit() -> None:
    outcome, world = drive(issued(expires_in=10_000), *[PENDING] * 500, max_lifetime=30.0)
    assert isinstance(outcome, SignInError)
    assert outcome.kind is E.EXPIRED
    assert T0 + 30 <= world.at < T0 + 31


def test_a_code_is_exchanged_once_and_never_resent_when_in_doubt() -> None:
    outcome, world = drive(issued(), approved(), Lost(Cause.RESET, Phase.MAYBE_SENT))
    assert isinstance(outcome, SignInError)
    assert (outcome.kind, outcome.details) == (
        E.TOKEN_REQUEST_FAILED,
        {"cause": "reset", "uncertain": True},
    )
    assert sum(request.once for request in world.requests) == 1


def test_a_code_that_was_surely_not_sent_is_sent_again_within_thirty_seconds() -> None:
    unsent = Lost(Cause.CONNECT, Phase.NOT_SENT)
    outcome, world = drive(issued(), approved(), unsent, unsent, tokens())
    assert isinstance(outcome, Credential)
    assert [wait.prompt for wait in world.waits[1:]] == [None, None]
    outcome, world = drive(issued(), approved(), *[unsent] * 50)
    assert isinstance(outcome, SignInError)
    assert (outcome.kind, outcome.details) == (E.NETWORK, {"cause": "connect"})
    sent = [at for at, effect in world.performed if isinstance(effect, SendRequest) and effect.once]
    assert sent[-1] - sent[0] < 30


def test_a_login_that_is_not_kept_is_revoked_and_says_whether_that_was_confirmed() -> None:
    for reply, confirmed in ((as_json(200, {}), True), (as_json(500, {}), False), (Lost(), False)):
        outcome, world = drive(issued(), approved(), tokens(), reply, workspaces=("acct_other",))
        assert isinstance(outcome, SignInError)
        assert (outcome.kind, outcome.details) == (E.WORKSPACE_RESTRICTED, {"revoked": confirmed})
        revocation = world.requests[-1]
        assert (revocation.once, revocation.timeout) == (True, 10.0)
        assert revocation.request.url == "https://auth.openai.com/oauth/revoke"
        assert json.loads(revocation.request.body.reveal()) == {
            "token": "canary-refresh-token-5566",
            "token_type_hint": "refresh_token",
            "client_id": CODEX.client_id,
        }


def test_without_a_refresh_token_the_access_token_is_revoked() -> None:
    outcome, world = drive(issued(), approved(), tokens(refresh_token=...), as_json(200, {}))
    assert isinstance(outcome, SignInError)
    assert outcome.details == {"reason": "refresh_token", "revoked": True}
    body = json.loads(world.requests[-1].request.body.reveal())
    assert set(body) == {"token", "token_type_hint"}
    assert body["token_type_hint"] == "access_token"


def test_a_server_that_echoes_a_secret_as_its_error_code_is_not_repeated() -> None:
    echo = code(DEVICE_ID, 400)
    outcome, _ = drive(issued(), echo)
    assert isinstance(outcome, SignInError)
    assert outcome.details == {"code": "other", "status": 400}
    outcome, _ = drive(issued(), approved(), code(CODE.upper(), 400))
    assert isinstance(outcome, SignInError)
    assert outcome.details["code"] == "other"
    outcome, _ = drive(issued(), approved(), code(VERIFIER[3:20], 400))
    assert isinstance(outcome, SignInError)
    assert outcome.details["code"] == "other"


def test_no_text_of_the_server_is_in_an_error() -> None:
    outcome, _ = drive(issued(), as_json(400, {"error": {"code": "bad", "message": "PROSE"}, "x": "PROSE"}))
    assert isinstance(outcome, SignInError)
    assert "PROSE" not in json.dumps(outcome.to_dict()) + repr(outcome) + str(outcome)


@pytest.mark.parametrize("effects_before", range(6))
def test_cancelling_at_each_effect(effects_before: int) -> None:
    """The sixth effect is the exchange, which a cancel does not cut: the login is kept."""

    @attrs.define(eq=False)
    class Impatient(FakeWorld):
        def perform(self, effect: SignInEffect) -> Any:
            if len(self.performed) == effects_before:
                self.cancel()
            return super().perform(effect)

    world = Impatient(scripted(SIGN_IN))
    outcome = run(DeviceFlow(), world)
    if effects_before < 6 and not world.requests[-1].once:
        assert isinstance(outcome, SignInError)
        assert outcome.kind is E.CANCELLED
    else:
        assert isinstance(outcome, Credential)


def test_the_cause_of_a_retry_is_shown() -> None:
    outcome, world = drive(
        issued(), Lost(Cause.TLS_CERTIFICATE, Phase.NOT_SENT), page(403), approved(), tokens()
    )
    assert isinstance(outcome, Credential)
    assert [(wait.why, wait.cause) for wait in world.waits] == [
        (Why.PENDING, None),
        (Why.RETRY, E.TLS_UNTRUSTED),
        (Why.RETRY, E.BLOCKED),
    ]


def test_slow_down_counts_for_good_whatever_comes_between() -> None:
    between = (PENDING, Lost(), page(503), code("weird", 404), as_json(429, {}))
    for other in between:
        _, world = drive(issued(), SLOW_DOWN, other, SLOW_DOWN, PENDING, approved(), tokens())
        step = world.waits[-1].until - world.waits[-2].until
        limited = isinstance(other, Reply) and other.status == 429
        assert step == pytest.approx((20 if limited else 15) + 0.25)


def test_a_request_passes_the_users_provider() -> None:
    seen: list[str] = []

    def server(request: Request, at: float, wall: float) -> Reply:
        seen.append(request.url)
        return as_json(404, {})

    provider = CODEX.at("http://127.0.0.1:9999")
    outcome = run(DeviceFlow(provider=provider), FakeWorld(server))
    assert isinstance(outcome, SignInError)
    assert outcome.kind is E.DEVICE_CODE_UNSUPPORTED
    assert seen == ["http://127.0.0.1:9999/api/accounts/deviceauth/usercode"]


@pytest.mark.parametrize("option", ["max_lifetime", "request_timeout"])
@pytest.mark.parametrize("value", [0, -1.0])
def test_options_are_checked(option: str, value: float) -> None:
    options: dict[str, Any] = {option: value}
    with pytest.raises(ValueError, match=option):
        DeviceFlow(**options)


SETTING = BadSetting("ALL_PROXY", SettingFault.BAD_PORT)


@pytest.mark.parametrize("answered", [(), (issued(),), (issued(), PENDING), (issued(), approved())])
def test_a_setting_that_cannot_be_used_ends_it_at_once_wherever_it_stands(
    answered: tuple[Reply | Lost, ...],
) -> None:
    """Asking for a code, polling, and exchanging."""
    flow, world = DeviceFlow(), FakeWorld(scripted(answered))
    effect: Any = flow.receive(Started(*world.now()))
    while not isinstance(effect, SendRequest) or len(world.requests) < len(answered):
        effect = flow.receive(world.perform(effect))
    effect = flow.receive(RequestFailed(world.at, Phase.NOT_SENT, Cause.MISCONFIGURED, SETTING))
    assert isinstance(effect, Finished)
    error = effect.outcome
    assert isinstance(error, SignInError)
    assert (error.kind, error.message) == (E.MISCONFIGURED, str(SETTING))
    assert error.details == {"cause": "misconfigured", "reason": "bad_port", "setting": "ALL_PROXY"}


def test_a_proxy_that_asks_for_credentials_is_named_when_it_stays_so() -> None:
    flow, at = DeviceFlow(), T0
    effect: Any = flow.receive(Started(at, 1_800_000_000.0))
    setting = BadSetting("https_proxy", SettingFault.CREDENTIALS)
    while not isinstance(effect, Finished):
        if isinstance(effect, Wait):
            at = effect.until
            effect = flow.receive(TimeReached(at))
        else:
            effect = flow.receive(RequestFailed(at, Phase.NOT_SENT, Cause.PROXY_AUTH, setting))
    error = effect.outcome
    assert isinstance(error, SignInError)
    assert (error.kind, error.message) == (E.NETWORK, str(setting))
    assert error.details == {"cause": "proxy_auth", "reason": "credentials", "setting": "https_proxy"}
