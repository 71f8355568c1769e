"""The browser flow: the page to open, redirects of every kind, and the same last leg as the device flow."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import FakeWorld, Lost, Reply, scripted
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    BrowserPrompt,
    CallbackReceived,
    Cancelled,
    Cause,
    Credential,
    ErrorKind,
    Event,
    Finished,
    IllegalEvent,
    Phase,
    Pkce,
    RequestFailed,
    Resumed,
    Secret,
    SendRequest,
    SignInError,
    Started,
    StoreAnswered,
    TimeReached,
    Wait,
    Why,
)
from codex_oauth_core.callback import Accepted
from codex_oauth_core.flows.browser import FINAL, TABLE, State
from codex_oauth_core.storage import Registered
from tests.core.chatgpt import FIRST
from tests.support import CODE, T0, W0, as_json, code, response, tokens

E = ErrorKind
STATE = "canary-state-0123456789-0123456789-012345678"
PAIR = Pkce.from_entropy(bytes(range(32)))
URI = "http://localhost:1455/auth/callback"


def flow(**options: Any) -> BrowserFlow:
    given: dict[str, Any] = {"redirect_uri": URI, "pkce": PAIR, "state": Secret(STATE), **options}
    return BrowserFlow(**given)


def callback(query: str = f"code={CODE}&state={STATE}", at: float = T0 + 20) -> CallbackReceived:
    return CallbackReceived(at, Secret(query))


def drive(*events: Event, **options: Any) -> tuple[BrowserFlow, Any]:
    """Started and these events; the last effect."""
    signing_in = flow(**options)
    effect: Any = None
    for event in (Started(T0, W0), *events):
        effect = signing_in.receive(event)
    return signing_in, effect


def jwt(claims: dict[str, Any], **header: Any) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    return ".".join([*(part.decode() for part in parts), "ZmFrZQ"])


def outcome(effect: Any) -> SignInError:
    assert isinstance(effect, Finished)
    assert isinstance(effect.outcome, SignInError)
    return effect.outcome


def test_the_page_to_open_and_the_rule_for_what_comes_back() -> None:
    _, wait = drive(workspaces=("ws1", "ws2"))
    assert isinstance(wait, Wait)
    assert (wait.until, wait.why) == (T0 + 600, Why.CALLBACK)
    assert isinstance(wait.prompt, BrowserPrompt)
    assert wait.prompt.expires_at == W0 + 600
    query = parse_qs(urlsplit(wait.prompt.authorize_url.reveal()).query, strict_parsing=True)
    assert query["redirect_uri"] == [URI]
    assert query["state"] == [STATE]
    assert query["code_challenge"] == [PAIR.code_challenge]
    assert query["allowed_workspace_id"] == ["ws1,ws2"]
    assert PAIR.code_verifier.reveal() not in wait.prompt.authorize_url.reveal()
    assert wait.callback is not None
    assert (wait.callback.redirect_uri, wait.callback.issuer) == (URI, CODEX.issuer)
    assert wait.callback.state_suffixes == CODEX.state_suffixes


def test_what_a_provider_promises_of_itself_is_in_the_rule() -> None:
    _, wait = drive(provider=attrs.evolve(CODEX, names_itself=True))
    assert isinstance(wait, Wait)
    assert wait.callback is not None
    assert wait.callback.names_itself
    signing_in, again = drive(callback(), provider=attrs.evolve(CODEX, names_itself=True))
    assert (signing_in.state, again) == (State.AWAITING_CALLBACK, wait)


def test_the_genuine_redirect_is_exchanged_once_with_the_same_redirect_uri() -> None:
    signing_in, effect = drive(callback())
    assert isinstance(effect, SendRequest)
    assert effect.once
    form = parse_qs(effect.request.body.reveal().decode(), strict_parsing=True)
    assert form == {
        "grant_type": ["authorization_code"],
        "client_id": [CODEX.client_id],
        "code": [CODE],
        "code_verifier": [PAIR.code_verifier.reveal()],
        "redirect_uri": [URI],
    }
    done = signing_in.receive(response(tokens(), T0 + 21))
    assert isinstance(done, Finished)
    assert isinstance(done.outcome, Credential)
    assert signing_in.state is State.SIGNED_IN


def test_a_state_with_the_providers_suffix_is_ours() -> None:
    _, effect = drive(callback(f"code={CODE}&state={STATE}.onboarding_entrypoint%3Dlife_sciences"))
    assert isinstance(effect, SendRequest)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x",
        "code=x&state=wrong",
        "error=access_denied",
        "error=access_denied&state=wrong",
        f"code=x&state={STATE}&state={STATE}",
    ],
)
def test_what_the_rule_refuses_changes_nothing_even_from_a_driver_that_did_not_ask(query: str) -> None:
    signing_in, effect = drive(callback(query))
    assert isinstance(effect, Wait)
    assert signing_in.state is State.AWAITING_CALLBACK
    assert isinstance(signing_in.receive(callback(at=T0 + 30)), SendRequest)


@pytest.mark.parametrize(
    ("query", "kind", "state", "details"),
    [
        ("error=access_denied", E.DENIED, State.DENIED, {"code": "access_denied"}),
        ("error=server_error&code=x", E.OAUTH_ERROR, State.FAILED, {"code": "server_error"}),
        ("error=%1b%5b31m&error_description=PROSE", E.OAUTH_ERROR, State.FAILED, {"code": "other"}),
        (f"error={STATE}", E.OAUTH_ERROR, State.FAILED, {"code": "other"}),
        ("x=y", E.MISSING_AUTHORIZATION_CODE, State.FAILED, {}),
        ("code=", E.MISSING_AUTHORIZATION_CODE, State.FAILED, {}),
        ("code=a%00b", E.MISSING_AUTHORIZATION_CODE, State.FAILED, {}),
    ],
)
def test_a_redirect_that_brings_no_code_ends_it(
    query: str, kind: E, state: State, details: dict[str, str]
) -> None:
    signing_in, effect = drive(callback(f"{query}&state={STATE}"))
    assert (outcome(effect).kind, signing_in.state, dict(outcome(effect).details)) == (kind, state, details)


DISABLED = ("missing_codex_entitlement", "codex_cli_workspace_disabled")


@pytest.mark.parametrize(
    "description",
    [
        *DISABLED,
        *(name.upper() for name in DISABLED),
        *(f"PROSE ({name}): canary" for name in DISABLED),
        *(f"{name}+and%20more%0a" for name in DISABLED),
    ],
)
@pytest.mark.parametrize("error", ["access_denied", "ACCESS_DENIED"])
def test_a_workspace_without_codex_is_its_administrators_to_change(error: str, description: str) -> None:
    query = f"error={error}&error_description={description}&state={STATE}"
    signing_in, effect = drive(callback(query))
    told = outcome(effect)
    assert (told.kind, signing_in.state) == (E.DENIED, State.DENIED)
    assert dict(told.details) == {"code": "access_denied", "reason": "not_enabled"}
    assert told.message == "Codex is not enabled for this workspace."
    assert "administrator" in told.next_actions[0]
    assert not told.retryable
    for name in (*DISABLED, "PROSE", "canary"):
        assert name.lower() not in f"{told} {told!r} {told.to_dict()} {signing_in!r}".lower()


@pytest.mark.parametrize("around", ["{}", "'{}'", " {}\n", '"{}"'])
def test_a_pasted_denial_for_want_of_codex_is_told_as_that(around: str) -> None:
    signing_in, wait = drive()
    url = f"{URI}?error=access_denied&error_description={DISABLED[1]}&state={STATE}"
    verdict = wait.callback.judge(around.format(url))
    assert isinstance(verdict, Accepted)
    told = outcome(signing_in.receive(CallbackReceived(T0 + 20, verdict.query)))
    assert (told.details["reason"], told.retryable) == ("not_enabled", False)


@pytest.mark.parametrize(
    ("error", "description"),
    [
        ("access_denied", "The person said no"),
        ("access_denied", ""),
        ("access_denied", "missing codex entitlement"),
        ("server_error", DISABLED[0]),
        (DISABLED[0], DISABLED[0]),
    ],
)
def test_any_other_description_changes_nothing(error: str, description: str) -> None:
    with_it = outcome(drive(callback(f"error={error}&error_description={description}&state={STATE}"))[1])
    without = outcome(drive(callback(f"error={error}&state={STATE}"))[1])
    assert with_it.to_dict() == without.to_dict()
    assert with_it.retryable


def test_a_dialect_need_not_read_descriptions() -> None:
    plain = attrs.evolve(CODEX, dialect=attrs.evolve(CODEX.dialect, why_denied=None))
    query = f"error=access_denied&error_description={DISABLED[0]}&state={STATE}"
    told = outcome(drive(callback(query), provider=plain)[1])
    assert dict(told.details) == {"code": "access_denied"}


def test_nobody_comes_back() -> None:
    signing_in, effect = drive(TimeReached(T0 + 59.9), TimeReached(T0 + 60), lifetime=60.0)
    assert outcome(effect).kind is E.TIMEOUT
    assert signing_in.state is State.TIMED_OUT


def test_waking_early_gives_the_same_wait() -> None:
    signing_in, wait = drive()
    assert signing_in.receive(TimeReached(T0 + 5)) is wait


def test_the_exchange_has_the_retry_rules_of_the_device_flow() -> None:
    unsent = RequestFailed(T0 + 21, Phase.NOT_SENT, Cause.DNS)
    signing_in, wait = drive(callback(), unsent)
    assert isinstance(wait, Wait)
    assert (wait.why, wait.callback, wait.prompt) == (Why.RETRY, None, None)
    assert isinstance(signing_in.receive(TimeReached(wait.until)), SendRequest)
    lost = RequestFailed(T0 + 23, Phase.MAYBE_SENT, Cause.TIMEOUT)
    assert outcome(signing_in.receive(lost)).details == {"cause": "timeout", "uncertain": True}


def test_another_workspace_than_asked_for_is_revoked() -> None:
    signing_in, effect = drive(callback(), response(tokens(), T0 + 21), workspaces=("acct_other",))
    assert isinstance(effect, SendRequest)
    assert signing_in.state is State.REVOKING
    ended = outcome(signing_in.receive(response(as_json(200, {}), T0 + 22)))
    assert (ended.kind, ended.details) == (E.WORKSPACE_RESTRICTED, {"revoked": True})


def test_a_code_that_is_echoed_is_not_repeated() -> None:
    _, effect = drive(callback(), response(code(CODE, 400), T0 + 21))
    assert outcome(effect).details == {"code": "other", "status": 400}


KEYED = attrs.evolve(
    FIRST, metadata_endpoint="https://auth.openai.com/.well-known/openid-configuration", has_nonce=True
)
"""A provider that needs signatures: the states that only it has."""
KEYS = {"keys": [{"kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB"}]}
ISSUED = callback(f"code={CODE}&state={STATE}&client_id=oaiapp_1")
DISCOVERED: tuple[Event, ...] = (response(as_json(200, {"issuer": CODEX.issuer})),)
READY: tuple[Event, ...] = (*DISCOVERED, response(as_json(200, KEYS)))
REGISTERED: tuple[Event, ...] = (*READY, ISSUED, StoreAnswered(T0 + 21, W0, Registered()))
UNSENT = RequestFailed(T0 + 1, Phase.NOT_SENT, Cause.DNS)
KEYED_WAYS: dict[State, tuple[Event, ...]] = {
    State.REQUESTING_METADATA: (),
    State.REQUESTING_KEYS: DISCOVERED,
    State.POSTPONED: (*DISCOVERED, UNSENT),
    State.REGISTERING: (*READY, ISSUED),
    State.REFRESHING_KEYS: (*REGISTERED, response(tokens(id_token=jwt({}, kid="new", alg="RS256")), T0 + 22)),
}
WAYS: dict[State, tuple[Event, ...]] = {
    State.AWAITING_CALLBACK: (),
    State.EXCHANGING: (callback(),),
    State.HOLDING_CODE: (callback(), RequestFailed(T0 + 21, Phase.NOT_SENT, Cause.DNS)),
    State.REVOKING: (callback(), response(tokens(refresh_token=...), T0 + 21)),
    State.SIGNED_IN: (callback(), response(tokens(), T0 + 21)),
    State.DENIED: (callback(f"error=access_denied&state={STATE}"),),
    State.TIMED_OUT: (TimeReached(T0 + 601),),
    State.CANCELLED: (Cancelled(T0),),
    State.FAILED: (callback(f"state={STATE}"),),
}
LATER = T0 + 25
EVENTS: dict[str, Event] = {
    "Started": Started(LATER, W0),
    "ResponseReceived": response(as_json(200, {}), LATER),
    "RequestFailed": RequestFailed(LATER, Phase.NOT_SENT, Cause.DNS),
    "TimeReached": TimeReached(LATER),
    "CallbackReceived": callback(at=LATER),
    "StoreAnswered": StoreAnswered(LATER, W0, Registered()),
    "Resumed": Resumed(LATER, W0),
    "Cancelled": Cancelled(LATER),
}
REQUESTS = {"ResponseReceived", "RequestFailed"}
WELCOME: dict[State, set[str]] = {
    State.IDLE: {"Started", "Cancelled"},
    State.AWAITING_CALLBACK: {"TimeReached", "CallbackReceived", "Cancelled"},
    State.EXCHANGING: REQUESTS,
    State.HOLDING_CODE: {"TimeReached", "Cancelled"},
    State.REVOKING: REQUESTS,
    State.REQUESTING_METADATA: REQUESTS | {"Cancelled"},
    State.REQUESTING_KEYS: REQUESTS | {"Cancelled"},
    State.POSTPONED: {"TimeReached", "Cancelled"},
    State.REGISTERING: {"StoreAnswered"},
    State.REFRESHING_KEYS: REQUESTS,  # tokens are in hand
    **{state: set[str]() for state in FINAL},
}
MOVES = {(source, dest) for _, source, dest in TABLE}


def test_the_ways_and_the_welcomes_cover_every_state() -> None:
    assert set(WELCOME) == {State.IDLE, *WAYS, *KEYED_WAYS} == set(State)
    assert {type(event) for event in EVENTS.values()} == set(Event.__args__)


def flow_in(state: State) -> BrowserFlow:
    if state is State.IDLE:
        return flow()
    if state in WAYS:
        return drive(*WAYS[state])[0]
    return drive(*KEYED_WAYS[state], provider=KEYED, nonce=Secret("n"))[0]


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_state_by_event(state: State, name: str) -> None:
    signing_in = flow_in(state)
    assert signing_in.state is state
    if name in WELCOME[state]:
        effect = signing_in.receive(EVENTS[name])
        assert signing_in.state is state or (state, signing_in.state) in MOVES
        assert isinstance(effect, Finished) is (signing_in.state in FINAL)
        return
    before = (signing_in.state, signing_in.effect)
    with pytest.raises(IllegalEvent):
        signing_in.receive(EVENTS[name])
    assert (signing_in.state, signing_in.effect) == before


@pytest.mark.parametrize(
    ("state", "event", "kind"),
    [
        (state, event, kind)
        for state in (State.REQUESTING_METADATA, State.REQUESTING_KEYS, State.REFRESHING_KEYS)
        for event, kind in (
            (RequestFailed(LATER, Phase.NOT_SENT, Cause.TLS_CERTIFICATE), E.TLS_UNTRUSTED),
            (RequestFailed(LATER, Phase.NOT_SENT, Cause.MISCONFIGURED), E.MISCONFIGURED),
        )
    ],
)
def test_what_does_not_become_better_ends_it_at_once(state: State, event: Event, kind: E) -> None:
    signing_in = flow_in(state)
    effect: Any = signing_in.receive(event)
    if state is State.REFRESHING_KEYS:
        assert (signing_in.state, isinstance(effect, SendRequest)) == (State.REVOKING, True)
        effect = signing_in.receive(response(as_json(200, {}), LATER))
    assert outcome(effect).kind is kind


def test_a_wait_for_keys_says_why_and_ends_by_its_limit() -> None:
    signing_in, wait = drive(
        *DISCOVERED, response(Reply(429, b"", {"retry-after": "7"}), T0 + 1), provider=KEYED
    )
    assert (wait.until, wait.why, wait.cause, wait.prompt) == (T0 + 8, Why.RATE_LIMITED, E.RATE_LIMITED, None)
    assert outcome(signing_in.receive(TimeReached(T0 + 30))).kind is E.RATE_LIMITED
    _, effect = drive(*DISCOVERED, response(Reply(429, b"", {"retry-after": "30"}), T0 + 1), provider=KEYED)
    assert outcome(effect).kind is E.RATE_LIMITED


def test_every_row_that_leads_on_is_taken() -> None:
    taken: set[tuple[State, State]] = set()
    answers: tuple[Event, ...] = (
        *EVENTS.values(),
        response(as_json(200, KEYS), LATER),
        response(tokens(), LATER),
        response(tokens(refresh_token=...), LATER),
        response(tokens(id_token=jwt({}, kid="new", alg="RS256")), LATER),
        callback(f"code={CODE}&state={STATE}&client_id=oaiapp_1", at=LATER),
    )
    starts = [(flow_in, state) for state in State] + [(keyed, state) for state in KEYED_LATER]
    for make, state in starts:
        for event in answers:
            signing_in = make(state)
            before = signing_in.state
            try:
                signing_in.receive(event)
            except IllegalEvent:
                continue
            taken.add((before, signing_in.state))
    taken |= {moved(KEYED), moved(attrs.evolve(KEYED, metadata_endpoint=None))}
    with_keys = {(State.REFRESHING_KEYS, State.SIGNED_IN)}  # a whole sign-in: test_chatgpt_sign_in
    assert {(a, b) for a, b in MOVES if b not in FINAL or b is State.SIGNED_IN} - with_keys <= taken


KEYED_LATER: dict[State, tuple[Event, ...]] = {State.AWAITING_CALLBACK: READY, State.EXCHANGING: REGISTERED}


def keyed(state: State) -> BrowserFlow:
    return drive(*KEYED_LATER[state], provider=KEYED, nonce=Secret("n"))[0]


def moved(provider: Any) -> tuple[State, State]:
    signing_in = flow(provider=provider)
    before = signing_in.state
    signing_in.receive(Started(T0, W0))
    return before, signing_in.state


@given(st.lists(st.text(max_size=80), max_size=8))
def test_no_redirect_of_others_ends_or_moves_it(queries: list[str]) -> None:
    signing_in, wait = drive()
    for query in queries:
        assert signing_in.receive(callback(query)) is wait
    assert isinstance(signing_in.receive(callback()), SendRequest)


@given(
    query=st.text(max_size=60),
    answers=st.lists(
        st.builds(Reply, st.integers(100, 599), st.binary(max_size=60))
        | st.builds(Lost, st.sampled_from(Cause), st.sampled_from(Phase)),
        min_size=60,
        max_size=60,
    ),
)
def test_it_always_ends_and_shows_no_secret(query: str, answers: list[Reply | Lost]) -> None:
    signing_in, effect = drive(callback(f"code={CODE}&state={STATE}&{query}"))
    world = FakeWorld(scripted(answers), at=T0 + 20)
    while isinstance(effect, SendRequest | Wait):
        assert "canary" not in repr(effect) + repr(signing_in)
        effect = signing_in.receive(world.perform(effect))
    assert world.at <= T0 + 700
    assert "canary" not in repr(effect)


def test_each_sign_in_needs_its_own_lifetime() -> None:
    with pytest.raises(ValueError, match="lifetime"):
        flow(lifetime=0)
    assert attrs.fields_dict(BrowserFlow)["lifetime"].default == 600.0
