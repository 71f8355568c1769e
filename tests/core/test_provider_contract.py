"""What a provider may lack, and what a dialect may say of a grant: nothing is invented, and what is refused is revoked."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from codex_oauth import run
from codex_oauth.testing import FakeWorld, Lost, Reply, scripted
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    BrowserPrompt,
    CallbackReceived,
    Cause,
    Credential,
    DeviceFlow,
    ErrorKind,
    Finished,
    KindFacts,
    Phase,
    Pkce,
    Provider,
    Renewal,
    Request,
    ResponseReceived,
    Resumed,
    Revocation,
    Revoked,
    Secret,
    SendRequest,
    SignInError,
    Started,
    Texts,
    TimeReached,
    Wait,
    restore,
)
from codex_oauth_core.facts import Granted, Refusal, Tokens
from codex_oauth_core.outcomes import NotRenewed
from codex_oauth_core.provider import AuthorizationRequest, CodeInHand, Dialect, Required
from tests.core.storing import ADVISORY, EXPIRED, StoreWorld
from tests.support import CODE, T0, W0, approved, as_json, issued, response, there, tokens

E = ErrorKind
STATE: Final = "canary-state-0123456789-0123456789-012345678"
PAIR: Final = Pkce.from_entropy(bytes(range(32)))
URI: Final = "http://localhost:1455/auth/callback"
OK: Final = as_json(200, {})


def without(*names: str) -> Provider:
    lacking: Any = dict.fromkeys(names)
    return attrs.evolve(CODEX, **lacking)


def speaking(provider: Provider = CODEX, **functions: Any) -> Provider:
    """A provider whose dialect has these functions of its own."""
    return attrs.evolve(provider, dialect=attrs.evolve(provider.dialect, **functions))


def by_device(provider: Provider, *replies: Reply | Lost, **options: Any) -> tuple[Any, FakeWorld]:
    world = FakeWorld(scripted((issued(), *replies)))
    return run(DeviceFlow(provider=provider, **options), world), world


def browser(provider: Provider, **options: Any) -> BrowserFlow:
    given: dict[str, Any] = {"redirect_uri": URI, "pkce": PAIR, "state": Secret(STATE), **options}
    return BrowserFlow(provider=provider, **given)


def redirected(flow: BrowserFlow, more: str = "") -> Any:
    flow.receive(Started(T0, W0))
    return flow.receive(CallbackReceived(T0 + 1, Secret(f"code={CODE}&state={STATE}{more}")))


def failed(outcome: Any) -> SignInError:
    assert isinstance(outcome, SignInError)
    return outcome


# -- what is not there ---------------------------------------------------------------------------------


NEEDED_BY_A_DEVICE: Final = (
    "device_authorization_endpoint",
    "device_token_endpoint",
    "verification_uri",
    "device_redirect_uri",
    "token_endpoint",
)


@pytest.mark.parametrize("name", NEEDED_BY_A_DEVICE)
def test_a_device_flow_that_lacks_a_step_ends_at_once_and_sends_nothing(name: str) -> None:
    world = FakeWorld(scripted(()))
    error = failed(run(DeviceFlow(provider=without(name)), world))
    assert (error.kind, error.details) == (E.DEVICE_CODE_UNSUPPORTED, {"reason": "no_endpoint"})
    assert error.next_actions == ("Sign in with the browser.",)
    assert world.performed == []


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
def test_a_browser_flow_that_lacks_a_step_ends_at_once_and_shows_no_page(name: str) -> None:
    effect = browser(without(name)).receive(Started(T0, W0))
    assert isinstance(effect, Finished)
    error = failed(effect.outcome)
    assert (error.kind, error.details) == (E.OAUTH_ERROR, {"reason": "no_endpoint"})
    assert not error.retryable


def test_an_approval_without_a_redirect_uri_or_an_exchange_is_not_exchanged_elsewhere() -> None:
    """Where a dialect begins what it cannot finish."""

    def begin(provider: Provider) -> Request | None:
        return CODEX.dialect.device_authorization_request(CODEX)

    def poll(provider: Provider, device: Any) -> Request | None:
        return CODEX.dialect.poll_request(CODEX, device)

    careless = {"device_authorization_request": begin, "poll_request": poll}
    for name in ("device_redirect_uri", "token_endpoint"):
        outcome, world = by_device(speaking(without(name), **careless), approved())
        assert failed(outcome).details == {"reason": "no_endpoint"}
        assert len(world.requests) == 2
    outcome, world = by_device(
        speaking(without("device_token_endpoint"), device_authorization_request=begin), approved()
    )
    assert (failed(outcome).kind, len(world.requests)) == (E.DEVICE_CODE_UNSUPPORTED, 1)


def test_a_grant_that_is_refused_where_nothing_is_revoked_is_told_so() -> None:
    outcome, world = by_device(without("revocation_endpoint"), approved(), tokens(), workspaces=("another",))
    assert failed(outcome).kind is E.WORKSPACE_RESTRICTED
    assert failed(outcome).details == {"revoked": False}
    assert [sent.request.url for sent in world.requests][2:] == [CODEX.token_endpoint]


def test_a_logout_where_nothing_is_revoked_sends_nothing_and_says_not_confirmed() -> None:
    world = StoreWorld(EXPIRED)
    assert world.run(Revocation(provider=without("revocation_endpoint"))) == Revoked(confirmed=False)
    assert (world.stored, world.sent) == (None, [])
    unstored = Revocation(provider=without("revocation_endpoint"), credential=EXPIRED.credential)
    assert unstored.receive(Started(T0, W0)) == Finished(Revoked(confirmed=False))


def test_a_login_that_nobody_renews_is_used_while_it_lives_and_nothing_is_reserved_for_it() -> None:
    world = StoreWorld(EXPIRED)
    error = failed(world.run(Renewal(provider=without("token_endpoint"))))
    assert (error.kind, error.details) == (E.LOGIN_REQUIRED, {"reason": "no_endpoint"})
    assert world.order == ["Load"]
    still_good = StoreWorld(ADVISORY)
    outcome = still_good.run(Renewal(provider=without("token_endpoint")))
    assert isinstance(outcome, NotRenewed)
    assert (outcome.record, still_good.order) == (ADVISORY, ["Load"])


def test_a_dialect_without_a_function_has_not_got_that_step() -> None:
    empty = attrs.evolve(CODEX, dialect=Dialect())
    world = FakeWorld(scripted(()))
    assert failed(run(DeviceFlow(provider=empty), world)).kind is E.DEVICE_CODE_UNSUPPORTED
    assert isinstance(browser(empty).receive(Started(T0, W0)), Finished)
    assert StoreWorld(EXPIRED).run(Revocation(provider=empty)) == Revoked(confirmed=False)
    answer, dialect = response(OK), Dialect()
    code = CodeInHand(authorization_code=Secret("c"), code_verifier=Secret("v"), redirect_uri=URI)
    for fact in (
        dialect.read_device_authorization(empty, answer),
        dialect.read_poll(empty, answer),
        dialect.read_exchange(empty, code, answer),
        dialect.read_refresh(empty, answer),
    ):
        assert fact == Refusal(E.INVALID_RESPONSE, status=200)
    assert dialect.read_revocation(empty, answer) is False
    assert dialect.login_over_message("invalid_grant") is None


# -- the issuer ----------------------------------------------------------------------------------------


def test_the_issuer_is_kept_to_the_letter() -> None:
    slashed = attrs.evolve(CODEX, issuer="https://auth.example/")
    assert slashed.issuer == "https://auth.example/"
    wait: Any = browser(slashed).receive(Started(T0, W0))
    for iss, accepted in (("https://auth.example/", True), ("https://auth.example", False)):
        judged = wait.callback.judge(f"{URI}?code=c&state={STATE}&iss={iss}")
        assert hasattr(judged, "query") is accepted


@pytest.mark.parametrize(
    "typed", ["http://127.0.0.1:1234", "http://127.0.0.1:1234/", "http://127.0.0.1:1234//"]
)
def test_who_types_an_issuer_may_end_it_with_a_slash_or_not(typed: str) -> None:
    """The moved provider writes it as the one that it was moved from, and no endpoint has two slashes."""
    assert CODEX.at(typed).issuer == "http://127.0.0.1:1234"
    assert CODEX.at(typed).token_endpoint == "http://127.0.0.1:1234/oauth/token"
    slashed = attrs.evolve(CODEX, issuer=f"{CODEX.issuer}/")
    assert slashed.at(typed).issuer == "http://127.0.0.1:1234/"
    assert slashed.at(typed).token_endpoint == "http://127.0.0.1:1234/oauth/token"
    assert slashed.at(slashed.issuer) == slashed
    lacking = without("revocation_endpoint").at(typed)
    assert lacking.revocation_endpoint is None


# -- what a sign-in needs ------------------------------------------------------------------------------


def needing(*parts: Required, **changes: Any) -> Provider:
    return attrs.evolve(CODEX, must_grant=frozenset(parts), **changes)


@pytest.mark.parametrize("needed", [(), (Required.ACCESS_TOKEN,), (Required.ACCESS_TOKEN, Required.SCOPE)])
def test_a_provider_that_need_not_grant_a_refresh_token_signs_in_without(
    needed: tuple[Required, ...],
) -> None:
    outcome, _ = by_device(needing(*needed), approved(), tokens(refresh_token=...))
    assert isinstance(outcome, Credential)
    assert outcome.refresh_token is None


@pytest.mark.parametrize(
    ("needed", "fields", "reason", "hint"),
    [
        ((), {"access_token": ...}, "access_token", "refresh_token"),
        ((Required.REFRESH_TOKEN,), {"refresh_token": ...}, "refresh_token", "access_token"),
        ((), {"refresh_token": "has a space"}, "refresh_token", "access_token"),
    ],
)
def test_what_is_missing_is_named_and_what_was_granted_is_revoked(
    needed: tuple[Required, ...], fields: dict[str, Any], reason: str, hint: str
) -> None:
    outcome, world = by_device(needing(*needed), approved(), tokens(**fields), OK)
    assert failed(outcome).kind is E.INVALID_RESPONSE
    assert failed(outcome).details == {"reason": reason, "revoked": True}
    assert json.loads(world.requests[-1].request.body.reveal())["token_type_hint"] == hint


@pytest.mark.parametrize("needed", [True, False])
def test_an_account_is_needed_only_where_the_provider_must_name_one(needed: bool) -> None:
    nameless = tokens(access_token="opaque", id_token=...)
    provider = needing(Required.ACCOUNT) if needed else CODEX
    outcome, _ = by_device(provider, approved(), nameless, *([OK] if needed else []))
    if needed:
        assert (failed(outcome).kind, failed(outcome).details) == (E.NO_ACCOUNT_ID, {"revoked": True})
    else:
        assert isinstance(outcome, Credential)
        assert outcome.account_id is None


def granting(**fields: Any) -> Provider:
    """A dialect that finds these tokens in every answer to a code."""
    usual: dict[str, Any] = {
        "access_token": Secret("at"),
        "refresh_token": Secret("rt"),
        "account_id": "acct_1",
    }
    found = Tokens(**{**usual, **fields})

    def read(provider: Provider, code: CodeInHand, answer: ResponseReceived) -> Granted:
        return Granted(found)

    return speaking(CODEX, read_exchange=read)


@pytest.mark.parametrize(
    ("scopes", "kept"),
    [
        (None, True),
        (("openid", "profile", "email", "offline_access", "more"), True),
        (("openid",), False),
        ((), False),
    ],
)
def test_scopes_that_must_be_granted_are(scopes: tuple[str, ...] | None, kept: bool) -> None:
    provider = attrs.evolve(granting(scopes=scopes), must_grant=frozenset({Required.SCOPE}))
    outcome, _ = by_device(provider, approved(), OK, *([] if kept else [OK]))
    assert isinstance(outcome, Credential) is kept
    if not kept:
        assert failed(outcome).details == {"reason": "scope", "revoked": True}
    outcome, _ = by_device(granting(scopes=scopes), approved(), OK)
    assert isinstance(outcome, Credential)  # where nobody asked for it, fewer are no error (RFC 6749 §3.3)


# -- what a dialect may say ----------------------------------------------------------------------------


def test_a_grant_that_the_dialect_refuses_is_revoked_and_ends_with_its_word() -> None:
    refusal = Refusal(E.INVALID_RESPONSE, reason="nonce", message="The id token is of another sign-in.")
    outcome, world = by_device(granting(refusal=refusal), approved(), OK, OK)
    error = failed(outcome)
    assert (error.kind, error.message) == (E.INVALID_RESPONSE, "The id token is of another sign-in.")
    assert error.details == {"reason": "nonce", "revoked": True}
    assert json.loads(world.requests[-1].request.body.reveal())["token"] == "rt"


def test_a_client_id_that_the_redirect_issued_binds_the_login_and_is_revoked_with() -> None:
    outcome, _ = by_device(granting(client_id="issued_1"), approved(), OK)
    assert isinstance(outcome, Credential)
    assert outcome.client_id == "issued_1"
    unwanted, world = by_device(granting(client_id="issued_1"), approved(), OK, OK, workspaces=("another",))
    assert failed(unwanted).kind is E.WORKSPACE_RESTRICTED
    assert json.loads(world.requests[-1].request.body.reveal())["client_id"] == "issued_1"


def test_a_client_id_that_was_issued_is_still_known_after_a_checkpoint() -> None:
    provider = granting(client_id="issued_1")
    flow = browser(provider, workspaces=("another",))
    redirected(flow)
    sent: Any = flow.receive(response(OK, T0 + 2))
    assert json.loads(sent.request.body.reveal())["client_id"] == "issued_1"
    mapping = json.loads(json.dumps(flow.checkpoint(at=T0 + 2, wall=W0, handed_over=True)))
    again: Any = restore(mapping, provider).receive(Resumed(T0 + 3, W0 + 1))
    assert again.request == sent.request


def test_a_redirect_that_lacks_what_it_must_bring_is_not_exchanged() -> None:
    seen: list[CodeInHand] = []

    def refuse(provider: Provider, code: CodeInHand) -> Refusal:
        seen.append(code)
        return Refusal(E.INVALID_RESPONSE, reason="client_id")

    effect = redirected(browser(speaking(exchange_request=refuse)), "&client_id=issued_2")
    assert isinstance(effect, Finished)
    assert failed(effect.outcome).details == {"reason": "client_id"}
    (code,) = seen
    assert there(code.query).reveal() == f"code={CODE}&state={STATE}&client_id=issued_2"
    assert (code.redirect_uri, code.code_verifier, code.nonce) == (URI, PAIR.code_verifier, None)


def test_what_an_answer_is_checked_against_is_there_for_its_reader_also_after_a_checkpoint() -> None:
    seen: list[tuple[Provider, CodeInHand]] = []

    def read(provider: Provider, code: CodeInHand, answer: ResponseReceived) -> Refusal:
        seen.append((provider, code))
        return Refusal(E.INVALID_RESPONSE)

    provider, nonce = speaking(read_exchange=read), Secret("canary-nonce-4455")
    flow = browser(provider, nonce=nonce)
    redirected(flow, "&x=1")
    mapping = json.loads(json.dumps(flow.checkpoint(at=T0 + 1, wall=W0, handed_over=True)))
    for signing_in in (flow, restore(mapping, provider)):
        if signing_in is not flow:
            signing_in.receive(Resumed(T0 + 2, W0))
            signing_in.receive(response(OK, T0 + 3))
    other = browser(provider, nonce=nonce)
    redirected(other, "&x=1")
    other.receive(response(OK, T0 + 3))
    (one, first), (two, second) = seen
    assert one is two is provider
    for code in (first, second):
        assert (code.authorization_code, code.nonce) == (Secret(CODE), nonce)
        assert there(code.query).reveal() == f"code={CODE}&state={STATE}&x=1"
        assert "canary" not in repr(code)


def test_a_nonce_is_in_the_page_that_is_opened_and_in_no_error_and_stays_while_a_flow_rests() -> None:
    def url(provider: Provider, asked: AuthorizationRequest) -> Secret[str]:
        return Secret(f"https://auth.openai.com/?nonce={there(asked.nonce).reveal()}")

    def echo(provider: Provider, code: CodeInHand, answer: ResponseReceived) -> Refusal:
        return Refusal(E.TOKEN_REQUEST_FAILED, there(code.nonce).reveal())

    provider, nonce = speaking(authorize_url=url, read_exchange=echo), Secret("canary-nonce-4455")
    flow = browser(provider, nonce=nonce)
    wait: Any = flow.receive(Started(T0, W0))
    mapping = json.loads(json.dumps(flow.checkpoint(at=T0, wall=W0, handed_over=True)))
    resumed = restore(mapping, provider)
    again: Any = resumed.receive(Resumed(T0, W0))
    for effect in (wait, again):
        assert isinstance(effect.prompt, BrowserPrompt)
        assert parse_qs(urlsplit(effect.prompt.authorize_url.reveal()).query) == {"nonce": [nonce.reveal()]}
    resumed.receive(CallbackReceived(T0 + 1, Secret(f"code={CODE}&state={STATE}")))
    ended: Any = resumed.receive(response(OK, T0 + 2))
    assert ended.outcome.details["code"] == "other"


def test_a_code_that_was_surely_not_sent_is_built_again_from_what_is_in_hand() -> None:
    unsent = Lost(Cause.CONNECT, Phase.NOT_SENT)
    outcome, world = by_device(CODEX, approved(), unsent, tokens())
    assert isinstance(outcome, Credential)
    assert world.requests[2].request == world.requests[3].request
    flow = browser(CODEX)
    assert not flow.code_in_hand
    assert isinstance(redirected(flow), SendRequest)
    code: CodeInHand = there(flow.code_in_hand)
    assert code.authorization_code == Secret(CODE)
    assert isinstance(flow, BrowserFlow)
    assert not isinstance(flow.effect, Wait | TimeReached)


def test_a_nonce_that_a_redirect_repeats_as_an_error_is_not_repeated() -> None:
    flow = browser(CODEX, nonce=Secret("canary-nonce-4455"))
    flow.receive(Started(T0, W0))
    ended: Any = flow.receive(CallbackReceived(T0, Secret(f"error=canary-nonce-4455&state={STATE}")))
    assert failed(ended.outcome).details == {"code": "other"}


def test_what_a_provider_says_of_an_error_is_said_in_a_sign_in_and_in_a_renewal() -> None:
    own = KindFacts("Our client is not known there.", ("Ask us.",))
    texts = Texts(errors=((E.CLIENT_REJECTED, None, own), (E.TOKEN_REQUEST_FAILED, None, own)))
    provider = attrs.evolve(CODEX, texts=texts)
    renewed = StoreWorld(EXPIRED, [as_json(401, {"error": "invalid_client"})]).run(Renewal(provider=provider))
    signed_in, _ = by_device(provider, approved(), as_json(400, {"error": "invalid_grant"}))
    for error in (failed(renewed), failed(signed_in)):
        assert (error.message, error.next_actions) == (own.message, own.next_actions)
