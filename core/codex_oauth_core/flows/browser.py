"""The browser flow (RFC 6749 §4.1 with PKCE, RFC 8252): a page to open, and a redirect back.

Rules of this file: a state and a trigger bear the protocol's words, every move is a row of the table, and
`docs/diagrams/browser.mmd` is drawn from it; the redirect URI that was shown is the one that is exchanged;
`state` is used once; only a redirect with the right state can end the flow, whatever else arrives.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import ClassVar, Final
from urllib.parse import urlsplit

import attrs

from codex_oauth_core.callback import Accepted, CallbackRule, read_redirect
from codex_oauth_core.checkpoints.codec import NAME, SECRET, TEXT, omitted
from codex_oauth_core.checkpoints.layout import PKCE, Layout, Suspended
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import BrowserPrompt, Wait, Why
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import CallbackReceived, ResponseReceived, Started
from codex_oauth_core.facts import Refusal, Tokens, TryAgain
from codex_oauth_core.flows.machine import FlowMachine, Move
from codex_oauth_core.flows.sign_in import SIGN_IN_FIELDS
from codex_oauth_core.flows.verified_sign_in import KEY_FIELDS, VerifiedSignInFlow
from codex_oauth_core.pkce import Pkce
from codex_oauth_core.provider import AuthorizationRequest, CodeInHand, Provider
from codex_oauth_core.reading.times import rfc3339
from codex_oauth_core.registration import Registration
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Register, StorageAnswer, StoreFailed

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "BrowserFlow", "State", "Trigger"]


# -- the moves -----------------------------------------------------------------------------------------


@unique
class State(Enum):
    """Where a browser login stands."""

    IDLE = "idle"
    REQUESTING_METADATA = "requesting_metadata"
    REQUESTING_KEYS = "requesting_keys"
    POSTPONED = "postponed"
    AWAITING_CALLBACK = "awaiting_callback"
    REGISTERING = "registering"
    EXCHANGING = "exchanging"
    HOLDING_CODE = "holding_code"
    REFRESHING_KEYS = "refreshing_keys"
    REVOKING = "revoking"
    SIGNED_IN = "signed_in"
    DENIED = "denied"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    FAILED = "failed"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    DISCOVER = "discover"
    DISCOVERED = "discovered"
    FETCH_KEYS = "fetch_keys"
    KEYS_FETCHED = "keys_fetched"
    CALLBACK_ACCEPTED = "callback_accepted"
    CLIENT_ISSUED = "client_issued"
    REGISTERED = "registered"
    UNKNOWN_KEY = "unknown_key"
    RETRY_LATER = "retry_later"
    DUE = "due"
    GRANTED = "granted"
    UNWANTED = "unwanted"
    DENY = "deny"
    EXPIRE = "expire"
    CANCEL = "cancel"
    FAIL = "fail"


FINAL: Final = (State.SIGNED_IN, State.DENIED, State.TIMED_OUT, State.CANCELLED, State.FAILED)
LIVE: Final = tuple(state for state in State if state not in FINAL)

_ENDS: Final = (
    (Trigger.DENY, State.DENIED),
    (Trigger.EXPIRE, State.TIMED_OUT),
    (Trigger.CANCEL, State.CANCELLED),
    (Trigger.FAIL, State.FAILED),
)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.AWAITING_CALLBACK),
    (Trigger.DISCOVER, State.IDLE, State.REQUESTING_METADATA),
    (Trigger.FETCH_KEYS, State.IDLE, State.REQUESTING_KEYS),
    (Trigger.DISCOVERED, State.REQUESTING_METADATA, State.REQUESTING_KEYS),
    (Trigger.RETRY_LATER, State.REQUESTING_KEYS, State.POSTPONED),
    (Trigger.DUE, State.POSTPONED, State.REQUESTING_KEYS),
    (Trigger.KEYS_FETCHED, State.REQUESTING_KEYS, State.AWAITING_CALLBACK),
    (Trigger.CALLBACK_ACCEPTED, State.AWAITING_CALLBACK, State.EXCHANGING),
    (Trigger.CLIENT_ISSUED, State.AWAITING_CALLBACK, State.REGISTERING),
    (Trigger.REGISTERED, State.REGISTERING, State.EXCHANGING),
    (Trigger.RETRY_LATER, State.EXCHANGING, State.HOLDING_CODE),
    (Trigger.DUE, State.HOLDING_CODE, State.EXCHANGING),
    (Trigger.GRANTED, State.EXCHANGING, State.SIGNED_IN),
    (Trigger.UNWANTED, State.EXCHANGING, State.REVOKING),
    (Trigger.UNKNOWN_KEY, State.EXCHANGING, State.REFRESHING_KEYS),
    (Trigger.GRANTED, State.REFRESHING_KEYS, State.SIGNED_IN),
    (Trigger.UNWANTED, State.REFRESHING_KEYS, State.REVOKING),
    *((trigger, state, end) for trigger, end in _ENDS for state in LIVE),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)


# -- the flow ------------------------------------------------------------------------------------------


LAYOUT: Final = Layout(
    "browser",
    {
        **SIGN_IN_FIELDS,
        "redirect_uri": NAME,
        "pkce": PKCE,
        "callback_state": SECRET,
        "nonce": omitted(SECRET),
        "id_token_hint": omitted(SECRET),
        "login_hint": omitted(TEXT),
        "prompt": omitted(NAME),
        **KEY_FIELDS,
    },
    {
        State.REQUESTING_METADATA: ("_keys_until",),
        State.REQUESTING_KEYS: ("_keys_until",),
        State.POSTPONED: ("_keys_until", "_failure", "wait"),
        State.AWAITING_CALLBACK: ("wait",),
        State.REGISTERING: ("_code",),
        State.EXCHANGING: ("_code",),
        State.HOLDING_CODE: ("_code", "_failure", "wait"),
        State.REFRESHING_KEYS: ("_code", "_answer"),
        State.REVOKING: ("_verdict", "_unwanted"),
    },
)


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class BrowserFlow(VerifiedSignInFlow):
    """Sign in with the browser (RFC 8252, RFC 7636). It ends with a `Credential` or a `SignInError`.

    Make it with the `redirect_uri` of a receiver that already listens, a fresh `pkce` and `state`, and a
    `nonce` if the provider wants one. Feed it `Started`. The `prompt` of its `Wait` is the page to open, and
    `callback` is the rule for redirects. Answer with `CallbackReceived` when the rule has accepted a
    redirect. The flow waits `lifetime` seconds.

    `id_token_hint` and `login_hint` say who is about to sign in; only the prompt's `open_url` has them.
    `prompt`: what the server must ask the person again.

    If the provider's ID tokens need a signature check, the flow fetches the keys first, and shows no page
    without them. If the redirect issues a client id, the flow keeps it (`Register`) before it exchanges the
    code.
    """

    machine = MACHINE
    layout: ClassVar[Layout] = LAYOUT

    redirect_uri: str
    pkce: Pkce
    callback_state: Secret[str] = attrs.field(alias="state")
    nonce: Secret[str] | None = None
    id_token_hint: Secret[str] | None = None
    login_hint: str | None = attrs.field(default=None, repr=False)
    prompt: str | None = None
    lifetime: float = attrs.field(default=600.0, validator=attrs.validators.gt(0))
    state: State = attrs.field(default=State.IDLE, init=False)
    _ahead: float = attrs.field(default=0.0, init=False, repr=False)
    """Unix time less the instant."""
    _page_of: tuple[Provider, Secret[str] | None] | None = attrs.field(default=None, init=False, repr=False)
    """The page that was made before the keys were asked for, and of which provider."""

    # -- which state takes which event -------------------------------------------------------------

    def _on_time(self) -> Effect:
        match self.state:
            case State.HOLDING_CODE:
                return self._exchange_again()
            case State.POSTPONED:
                return self._request_keys_again()
            case _:
                return self._fail(Refusal(ErrorKind.TIMEOUT))

    def _on_response(self, response: ResponseReceived) -> Effect:
        dialect = self.provider.dialect
        match self.state:
            case State.REQUESTING_METADATA:
                return self._discovered(dialect.read_metadata(self.provider, response))
            case State.REQUESTING_KEYS:
                fact = dialect.read_keys(self.provider, response)
                return self._keys_fetched(fact, response)
            case State.REFRESHING_KEYS:
                return self._keys_refreshed(dialect.read_keys(self.provider, response))
            case State.EXCHANGING:
                return self._exchange_answered(response)
            case _:
                return self._revoked(confirmed=dialect.read_revocation(self.provider, response) is True)

    def _on_request_failed(self, failure: TryAgain) -> Effect:
        match self.state:
            case State.REQUESTING_METADATA:
                return self._discovered(failure)
            case State.REQUESTING_KEYS:
                return self._postpone(failure)
            case State.REFRESHING_KEYS:
                return self._keys_refreshed(failure)
            case State.EXCHANGING:
                return self._exchange_unanswered(failure)
            case _:
                return self._revoked(confirmed=False)

    # -- before the page ---------------------------------------------------------------------------

    def _start(self, event: Started) -> Effect:
        self._ahead = event.wall - self._now
        provider = self.provider
        lacking = provider.dialect.why_not(provider)
        if lacking is not None:
            return self._fail(lacking)
        if not provider.needs_signatures:
            self._move(Trigger.START)
            return self._await_callback(self._now + self.lifetime, event.wall)
        self._page_of = provider, self._page()
        return self._not_to_be_had() if self._page_of[1] is None else self._begin_with_keys()

    def _keys_in_hand(self, wall: float) -> Effect:
        return self._await_callback(self._now + self.lifetime, wall)

    # -- the page ----------------------------------------------------------------------------------

    def _await_callback(self, until: float, wall: float) -> Effect:
        made, self._page_of = self._page_of, None
        url = made[1] if made is not None and made[0] is self.provider else self._page()
        if url is None:
            return self._not_to_be_had()
        hinted = self.id_token_hint is not None or self.login_hint is not None
        prompt = BrowserPrompt(
            authorize_url=url,
            expires_at=wall + (until - self._now),
            issuer=self.provider.issuer,
            title=self.provider.texts.title,
            open_url=self._page(id_token_hint=self.id_token_hint, login_hint=self.login_hint)
            if hinted
            else None,
        )
        return Wait(until, Why.CALLBACK, prompt, self._rule())

    def _page(
        self, *, id_token_hint: Secret[str] | None = None, login_hint: str | None = None
    ) -> Secret[str] | None:
        asked = AuthorizationRequest(
            redirect_uri=self.redirect_uri,
            state=self.callback_state,
            code_challenge=self.pkce.code_challenge,
            nonce=self.nonce,
            workspaces=self.workspaces,
            id_token_hint=id_token_hint,
            login_hint=login_hint,
            prompt=self.prompt,
        )
        return self.provider.dialect.authorize_url(self.provider, asked)

    def _rule(self) -> CallbackRule:
        provider = self.provider
        return CallbackRule(
            self.redirect_uri,
            self.callback_state,
            provider.state_suffixes,
            provider.issuer,
            provider.names_itself,
        )

    def _called_back(self, event: CallbackReceived) -> Effect:
        wait = self._effect
        if not isinstance(wait, Wait) or wait.callback is None:
            return super()._called_back(event)
        if not isinstance(wait.callback.judge_redirect(f"?{event.query.reveal()}"), Accepted):
            return wait  # a driver that did not ask the rule; nobody is signed in by that
        redirect = read_redirect(event.query)
        if redirect.error is not None:
            return self._fail(self._refusal(redirect.error, redirect.description))
        if redirect.code is None:
            return self._fail(Refusal(ErrorKind.MISSING_AUTHORIZATION_CODE))
        code = CodeInHand(
            authorization_code=redirect.code,
            code_verifier=self.pkce.code_verifier,
            redirect_uri=self.redirect_uri,
            query=event.query,
            nonce=self.nonce,
            client_id=redirect.client_id,
        )
        asked = self._registration(code, event.at + self._ahead)
        if isinstance(asked, Refusal):
            return self._fail(asked)
        if asked is None:
            self._move(Trigger.CALLBACK_ACCEPTED)
            return self._exchange_code(code)
        self._take_code(code)
        self._move(Trigger.CLIENT_ISSUED)
        return asked

    def _refusal(self, error: str, description: Secret[str] | None) -> Refusal:
        kind = ErrorKind.DENIED if error == "access_denied" else ErrorKind.OAUTH_ERROR
        why = self.provider.dialect.why_denied
        return Refusal(kind, error, reason=why(error, description) if why and description else None)

    # -- what a redirect issued is kept before anything is exchanged -------------------------------

    def _registration(self, code: CodeInHand, wall: float) -> Register | Refusal | None:
        issued = self.provider.dialect.issued_client_id(self.provider, code)
        if issued is None or isinstance(issued, Refusal):
            return issued
        return Register(
            Registration(
                issuer=self.provider.issuer,
                client_id=issued,
                redirect_path=urlsplit(self.redirect_uri).path,
                application=self.provider.application or "",
                registered_at=rfc3339(wall),
            )
        )

    def _stored(self, answer: StorageAnswer) -> Effect:
        code = self._code
        if isinstance(answer, StoreFailed):
            self._code = None
            return self._end(Trigger.FAIL, answer.error)
        assert code is not None  # with it the client id came
        if self._now >= code.give_up_at:
            return self._fail(Refusal(ErrorKind.TOKEN_REQUEST_FAILED, reason="too_late"))
        self._move(Trigger.REGISTERED)
        return self._exchange(code)

    def _judge(self, tokens: Tokens, response: ResponseReceived) -> Effect:
        if tokens.unknown_key and self.state is State.EXCHANGING:
            return self._refresh_keys(response)
        return super()._judge(tokens, response)

    # -- picked up ---------------------------------------------------------------------------------

    def _outstanding(self, resting: Suspended, wall: float) -> Effect:
        self._ahead = wall - self._now
        match self.state:
            case State.EXCHANGING:
                return self._exchange_resumed(handed_over=resting.handed_over)
            case State.REGISTERING:
                return self._registering_resumed(wall)
            case State.REQUESTING_METADATA | State.REQUESTING_KEYS:
                return self._keys_resumed(discovering=self.state is State.REQUESTING_METADATA)
            case State.REFRESHING_KEYS:
                return self._keys_request(once=True)
            case _:
                return self._waited(resting, wall)

    def _registering_resumed(self, wall: float) -> Effect:
        assert self._code is not None
        asked = self._registration(self._code, wall)
        return asked if isinstance(asked, Register) else self._fail(asked or _NOT_ISSUED)

    def _waited(self, resting: Suspended, wall: float) -> Effect:
        wait = resting.wait
        if wait is None:
            return self._revocation_resumed(handed_over=resting.handed_over)
        if self.state is State.AWAITING_CALLBACK:
            return self._await_callback(wait.until, wall)
        return Wait(wait.until, wait.why, cause=wait.cause)

    def _secrets(self) -> tuple[Secret[str], ...]:
        own = (self.callback_state, self.pkce.code_verifier, self.nonce, self.id_token_hint)
        return tuple(secret for secret in (*super()._secrets(), *own) if secret is not None)


_NOT_ISSUED: Final = Refusal(ErrorKind.TOKEN_REQUEST_FAILED, reason="put_down")
