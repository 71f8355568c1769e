"""The browser flow (RFC 6749 §4.1 with PKCE, RFC 8252): a page to open, and a redirect back.

Rules of this file: a state and a trigger bear the protocol's words, every move is a row of the table, and
`docs/diagrams/browser.mmd` is drawn from it; the redirect URI that was shown is the one that is exchanged;
`state` is used once; only a redirect with the right state can end the flow, whatever else arrives.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import ClassVar, Final

import attrs

from codex_oauth_core.callback import Accepted, CallbackRule, read_redirect
from codex_oauth_core.checkpoints.codec import NAME, SECRET, TEXT, omitted
from codex_oauth_core.checkpoints.layout import PKCE, Layout, Suspended
from codex_oauth_core.effects import BrowserPrompt, Effect, SignInEffect, Wait, Why
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind
from codex_oauth_core.events import CallbackReceived, ResponseReceived, Started
from codex_oauth_core.facts import Refusal, TryAgain
from codex_oauth_core.flows.machine import FlowMachine, Move
from codex_oauth_core.flows.sign_in import SIGN_IN_FIELDS, SignInFlowOf
from codex_oauth_core.pkce import Pkce
from codex_oauth_core.provider import AuthorizationRequest, CodeInHand
from codex_oauth_core.secret import Secret

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "BrowserFlow", "State", "Trigger"]


# -- the moves -----------------------------------------------------------------------------------------


@unique
class State(Enum):
    """Where a browser login stands."""

    IDLE = "idle"
    AWAITING_CALLBACK = "awaiting_callback"
    EXCHANGING = "exchanging"
    HOLDING_CODE = "holding_code"
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
    CALLBACK_ACCEPTED = "callback_accepted"
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
    (Trigger.CALLBACK_ACCEPTED, State.AWAITING_CALLBACK, State.EXCHANGING),
    (Trigger.RETRY_LATER, State.EXCHANGING, State.HOLDING_CODE),
    (Trigger.DUE, State.HOLDING_CODE, State.EXCHANGING),
    (Trigger.GRANTED, State.EXCHANGING, State.SIGNED_IN),
    (Trigger.UNWANTED, State.EXCHANGING, State.REVOKING),
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
    },
    {
        State.AWAITING_CALLBACK: ("wait",),
        State.EXCHANGING: ("_code",),
        State.HOLDING_CODE: ("_code", "_failure", "wait"),
        State.REVOKING: ("_verdict", "_unwanted"),
    },
)


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class BrowserFlow(SignInFlowOf[SignInEffect]):
    """Sign in with the browser.

    Make it with the `redirect_uri` of a receiver that already listens, and with a fresh `pkce` and `state`,
    and `nonce` if the provider has one. Feed it `Started`; its `Wait` bears the page to open as `prompt`, and
    in `callback` the rule for redirects. Answer with `CallbackReceived` when the rule has accepted one. It
    waits `lifetime` seconds.
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

    def _start(self, event: Started) -> Effect:
        self._move(Trigger.START)
        return self._await_callback(self._now + self.lifetime, event.wall)

    def _await_callback(self, until: float, wall: float) -> Effect:
        asked = AuthorizationRequest(
            redirect_uri=self.redirect_uri,
            state=self.callback_state,
            code_challenge=self.pkce.code_challenge,
            nonce=self.nonce,
            workspaces=self.workspaces,
        )
        url = self.provider.dialect.authorize_url(self.provider, asked)
        if url is None:
            return self._fail(Refusal(ErrorKind.OAUTH_ERROR, reason=NO_ENDPOINT))
        expires_at, title = wall + (until - self._now), self.provider.texts.title
        prompt = BrowserPrompt(url, expires_at, self.provider.issuer, title)
        return Wait(until, Why.CALLBACK, prompt, self._rule())

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
        self._move(Trigger.CALLBACK_ACCEPTED)
        return self._exchange_code(
            CodeInHand(
                authorization_code=redirect.code,
                code_verifier=self.pkce.code_verifier,
                redirect_uri=self.redirect_uri,
                query=event.query,
                nonce=self.nonce,
            )
        )

    def _refusal(self, error: str, description: Secret[str] | None) -> Refusal:
        kind = ErrorKind.DENIED if error == "access_denied" else ErrorKind.OAUTH_ERROR
        why = self.provider.dialect.why_denied
        return Refusal(kind, error, reason=why(error, description) if why and description else None)

    def _on_time(self) -> Effect:
        if self.state is State.HOLDING_CODE:
            return self._exchange_again()
        return self._fail(Refusal(ErrorKind.TIMEOUT))

    def _on_response(self, response: ResponseReceived) -> Effect:
        if self.state is State.EXCHANGING:
            return self._exchange_answered(response)
        return self._revoked(confirmed=self.provider.dialect.read_revocation(self.provider, response) is True)

    def _on_request_failed(self, failure: TryAgain) -> Effect:
        if self.state is State.EXCHANGING:
            return self._exchange_unanswered(failure)
        return self._revoked(confirmed=False)

    def _outstanding(self, resting: Suspended, wall: float) -> Effect:
        if self.state is State.EXCHANGING:
            return self._exchange_resumed(handed_over=resting.handed_over)
        wait = resting.wait
        if wait is None:
            return self._revocation_resumed(handed_over=resting.handed_over)
        if self.state is State.HOLDING_CODE:
            return Wait(wait.until, wait.why, cause=wait.cause)
        return self._await_callback(wait.until, wall)

    def _secrets(self) -> tuple[Secret[str], ...]:
        held = (*super()._secrets(), self.callback_state, self.pkce.code_verifier, self.nonce)
        return tuple(secret for secret in held if secret is not None)
