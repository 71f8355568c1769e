"""The device flow (RFC 8628): a code to type elsewhere, and polls until somebody approves it.

Rules of this file: a state and a trigger bear the protocol's words, every move is a row of the table, and
`docs/diagrams/device.mmd` is drawn from it; the flow decides which trigger an event means, and the table
whether that is allowed; it knows no endpoint, no field name and no status code of any provider.
"""

from __future__ import annotations

import re
from enum import Enum, StrEnum, unique
from typing import TYPE_CHECKING, ClassVar, Final, assert_never

import attrs

from codex_oauth_core.checkpoints.codec import FLAG, INSTANT, optional
from codex_oauth_core.checkpoints.layout import DEVICE, PACE, Layout, Suspended, Waiting
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.effects import DevicePrompt, Finished, SendRequest, Wait, Why
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind
from codex_oauth_core.events import ResponseReceived, Started
from codex_oauth_core.facts import (
    Approved,
    DeviceFact,
    Gone,
    Granted,
    Issued,
    Pending,
    PollFact,
    Refusal,
    SlowDown,
    TryAgain,
    Unrecognized,
)
from codex_oauth_core.flows.machine import HOPELESS, FlowMachine, Move, refusal_of
from codex_oauth_core.flows.pace import Pace
from codex_oauth_core.flows.sign_in import SIGN_IN_FIELDS, SignInFlowOf
from codex_oauth_core.provider import CodeInHand, is_page
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.effect_unions import Effect

__all__ = ["FINAL", "LIVE", "MACHINE", "TABLE", "DeviceFlow", "State", "Trigger"]


# -- the moves -----------------------------------------------------------------------------------------


@unique
class State(Enum):
    """Where a device login stands."""

    IDLE = "idle"
    REQUESTING_CODE = "requesting_code"
    POSTPONED = "postponed"
    WAITING = "waiting"
    POLLING = "polling"
    EXCHANGING = "exchanging"
    HOLDING_CODE = "holding_code"
    REVOKING = "revoking"
    SIGNED_IN = "signed_in"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


@unique
class Trigger(StrEnum):
    """What moves it."""

    START = "start"
    CODE_ISSUED = "code_issued"
    RETRY_LATER = "retry_later"
    DUE = "due"
    PENDING = "pending"
    SLOW_DOWN = "slow_down"
    APPROVED = "approved"
    GRANTED = "granted"
    UNWANTED = "unwanted"
    DENY = "deny"
    EXPIRE = "expire"
    CANCEL = "cancel"
    FAIL = "fail"


FINAL: Final = (State.SIGNED_IN, State.DENIED, State.EXPIRED, State.CANCELLED, State.FAILED)
LIVE: Final = tuple(state for state in State if state not in FINAL)

_ENDS: Final = (
    (Trigger.DENY, State.DENIED),
    (Trigger.EXPIRE, State.EXPIRED),
    (Trigger.CANCEL, State.CANCELLED),
    (Trigger.FAIL, State.FAILED),
)

TABLE: Final[tuple[Move[State], ...]] = (
    (Trigger.START, State.IDLE, State.REQUESTING_CODE),
    (Trigger.CODE_ISSUED, State.REQUESTING_CODE, State.WAITING),
    (Trigger.RETRY_LATER, State.REQUESTING_CODE, State.POSTPONED),
    (Trigger.DUE, State.POSTPONED, State.REQUESTING_CODE),
    (Trigger.DUE, State.WAITING, State.POLLING),
    (Trigger.PENDING, State.POLLING, State.WAITING),
    (Trigger.SLOW_DOWN, State.POLLING, State.WAITING),
    (Trigger.RETRY_LATER, State.POLLING, State.WAITING),
    (Trigger.APPROVED, State.POLLING, State.EXCHANGING),
    (Trigger.GRANTED, State.POLLING, State.SIGNED_IN),  # dialects without an exchange
    (Trigger.UNWANTED, State.POLLING, State.REVOKING),
    (Trigger.RETRY_LATER, State.EXCHANGING, State.HOLDING_CODE),
    (Trigger.DUE, State.HOLDING_CODE, State.EXCHANGING),
    (Trigger.GRANTED, State.EXCHANGING, State.SIGNED_IN),
    (Trigger.UNWANTED, State.EXCHANGING, State.REVOKING),
    *((trigger, state, end) for trigger, end in _ENDS for state in LIVE),
)

MACHINE: Final = FlowMachine(State, State.IDLE, TABLE)


# -- the flow ------------------------------------------------------------------------------------------


_LONGEST_CODE: Final = 128
_LONGEST_PAGE: Final = 2048  # characters; a person may have to type it
CODE_TRIES: Final = 3
CODE_LIMIT: Final = 30.0
"""Seconds, and tries, for obtaining a device authorization."""


def _origin(uri: str) -> tuple[str, str]:
    """The scheme, and host with port, of a URI (RFC 6454 §4)."""
    scheme, _, rest = uri.partition("://")
    return scheme, re.split(r"[/?#]", rest, maxsplit=1)[0]


def _unusable(device: DeviceAuthorization, pinned: str | None) -> str | None:
    """The name of what cannot be shown to a person; None if all can. Where the provider has a page of its
    own, `pinned`, no other server's is shown.
    """
    if not (0 < len(device.user_code.strip()) <= _LONGEST_CODE and device.user_code.isprintable()):
        return "user_code"
    for name in ("verification_uri", "verification_uri_complete"):
        page: str | None = getattr(device, name)
        if page is None:
            continue
        if (
            len(page) > _LONGEST_PAGE
            or not is_page(page)
            or (pinned is not None and _origin(page) != _origin(pinned))
        ):
            return name
    return None


LAYOUT: Final = Layout(
    "device",
    {
        **SIGN_IN_FIELDS,
        "_deadline": INSTANT,
        "_code_limit": INSTANT,
        "_device": optional(DEVICE),
        "_pace": PACE,
        "_answered_once": FLAG,
        "_known_pending": FLAG,
        "_maybe_lost": FLAG,
    },
    {
        State.REQUESTING_CODE: (),
        State.POSTPONED: ("wait",),
        State.WAITING: ("_device", "wait"),
        State.POLLING: ("_device",),
        State.EXCHANGING: ("_code",),
        State.HOLDING_CODE: ("_code", "_failure", "wait"),
        State.REVOKING: ("_verdict", "_unwanted"),
    },
)


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class DeviceFlow(SignInFlowOf[SendRequest | Wait]):
    """Sign in with a device code (RFC 8628). It ends with a `Credential` or a `SignInError`.

    Feed it `Started`, then perform each effect that it returns: `SendRequest` and `Wait`. The `prompt` of a
    `Wait` is what the person must see. `max_lifetime` limits the sign-in in seconds, whatever the server
    says. It ends at its deadline at the latest, plus one poll, 30 s of exchange attempts and one request, and
    10 s more if it revokes a login that it does not keep.
    """

    machine = MACHINE
    layout: ClassVar[Layout] = LAYOUT

    max_lifetime: float = attrs.field(default=900.0, validator=attrs.validators.gt(0))
    state: State = attrs.field(default=State.IDLE, init=False)
    _deadline: float = attrs.field(default=0.0, init=False, repr=False)
    _code_limit: float = attrs.field(default=0.0, init=False, repr=False)
    _device: DeviceAuthorization | None = attrs.field(default=None, init=False, repr=False)
    _prompt: DevicePrompt | None = attrs.field(default=None, init=False, repr=False)
    _pace: Pace = attrs.field(factory=lambda: Pace(0.0, 0.0), init=False, repr=False)
    _answered_once: bool = attrs.field(default=False, init=False, repr=False)
    _known_pending: bool = attrs.field(default=False, init=False, repr=False)
    _maybe_lost: bool = attrs.field(default=False, init=False, repr=False)

    @property
    def authorization(self) -> DeviceAuthorization | None:
        """The device authorization that the server issued; None before the server has issued it."""
        return self._device

    # -- which state takes which event -------------------------------------------------------------

    def _start(self, event: Started) -> Effect:
        self._move(Trigger.START)
        self._deadline = self._now + self.max_lifetime
        self._code_limit = self._now + min(CODE_LIMIT, self.max_lifetime)
        return self._ask_for_code()

    def _on_time(self) -> Effect:
        match self.state:
            case State.POSTPONED:
                return self._ask_again()
            case State.HOLDING_CODE:
                return self._exchange_again()
            case _:
                return self._poll()

    def _on_response(self, response: ResponseReceived) -> Effect:
        dialect = self.provider.dialect
        match self.state:
            case State.POLLING:
                return self._polled(dialect.read_poll(self.provider, response), response)
            case State.REQUESTING_CODE:
                fact = dialect.read_device_authorization(self.provider, response)
                return self._code_answered(fact, response)
            case State.EXCHANGING:
                return self._exchange_answered(response)
            case _:
                return self._revoked(confirmed=dialect.read_revocation(self.provider, response) is True)

    def _on_request_failed(self, failure: TryAgain) -> Effect:
        match self.state:
            case State.POLLING:
                return self._back_off(failure)
            case State.REQUESTING_CODE:
                return self._postpone(failure)
            case State.EXCHANGING:
                return self._exchange_unanswered(failure)
            case _:
                return self._revoked(confirmed=False)

    # -- obtaining a code --------------------------------------------------------------------------

    def _ask_for_code(self) -> Effect:
        self._tries += 1
        return self._code_request()

    def _code_request(self) -> Effect:
        request = self.provider.dialect.device_authorization_request(self.provider)
        if request is None:
            return self._not_to_be_had()
        return SendRequest(request, self.request_timeout)

    def _not_to_be_had(self) -> Finished:
        return self._fail(Refusal(ErrorKind.DEVICE_CODE_UNSUPPORTED, reason=NO_ENDPOINT))

    def _ask_again(self) -> Effect:
        if self._now >= self._code_limit:  # woken late, for instance after a suspend
            return self._give_up()
        self._move(Trigger.DUE)
        return self._ask_for_code()

    def _code_answered(self, fact: DeviceFact, response: ResponseReceived) -> Effect:
        match fact:
            case Issued():
                unusable = _unusable(fact.authorization, self.provider.verification_uri)
                if unusable is not None:
                    return self._fail(Refusal(ErrorKind.INVALID_RESPONSE, reason=unusable))
                return self._show_code(fact.authorization, response)
            case TryAgain():
                return self._postpone(fact)
            case Refusal():
                return self._fail(fact)
            case _:
                assert_never(fact)

    def _postpone(self, failure: TryAgain) -> Effect:
        self._failure = failure = self._named(failure)
        until = self._now + max(2.0 ** (self._tries - 1), failure.retry_after or 0.0)
        hopeless = failure.kind in HOPELESS
        if hopeless or self._tries >= CODE_TRIES or until >= self._code_limit:
            return self._give_up()
        self._move(Trigger.RETRY_LATER)
        limited = failure.kind is ErrorKind.RATE_LIMITED
        return Wait(until, Why.RATE_LIMITED if limited else Why.RETRY, cause=failure.kind)

    def _named(self, failure: TryAgain) -> TryAgain:
        """A server that asks us to wait for longer than we try for a code limits us, whatever its status."""
        patience = self._code_limit - self._now
        limits = failure.retry_after is not None and failure.retry_after >= patience
        return attrs.evolve(failure, kind=ErrorKind.RATE_LIMITED) if limits else failure

    def _show_code(self, device: DeviceAuthorization, response: ResponseReceived) -> Effect:
        self._move(Trigger.CODE_ISSUED)
        self._device, self._failure = device, None
        self._deadline = min(self._deadline, min(response.sent_at, self._now) + device.expires_in)
        self._code_limit = self._deadline  # of no use now; one of its own takes memory
        self._pace = Pace(device.interval, self._deadline)
        self._prompt = self._shown(device, response.wall)
        return self._wait(self._pace.first(self._now), Why.PENDING)

    def _shown(self, device: DeviceAuthorization, wall: float) -> DevicePrompt:
        return DevicePrompt(
            verification_uri=device.verification_uri,
            user_code=device.user_code.strip(),
            expires_at=wall + (self._deadline - self._now),
            issuer=self.provider.issuer,
            verification_uri_complete=device.verification_uri_complete,
            title=self.provider.texts.title,
        )

    # -- polling -----------------------------------------------------------------------------------

    def _poll(self) -> Effect:
        if self._now >= self._deadline or self._device is None:
            return self._give_up()
        self._move(Trigger.DUE)
        return self._poll_request(self._device)

    def _poll_request(self, device: DeviceAuthorization) -> Effect:
        request = self.provider.dialect.poll_request(self.provider, device)
        if request is None:
            return self._not_to_be_had()
        return SendRequest(request, self.request_timeout)

    def _polled(self, fact: PollFact, response: ResponseReceived) -> Effect:
        match fact:
            case Pending():
                self._known_pending |= fact.named
                return self._go_on(Trigger.PENDING, Why.PENDING)
            case SlowDown():
                self._pace.slow_down(fact.interval)
                why = Why.RATE_LIMITED if fact.limited else Why.SLOW_DOWN
                return self._go_on(Trigger.SLOW_DOWN, why, fact.retry_after)
            case TryAgain():
                return self._back_off(fact)
            case Approved():
                self._move(Trigger.APPROVED)
                redirect_uri = self.provider.device_redirect_uri
                if redirect_uri is None:
                    return self._not_to_be_had()
                code, verifier = fact.authorization_code, fact.code_verifier
                return self._exchange_code(
                    CodeInHand(authorization_code=code, code_verifier=verifier, redirect_uri=redirect_uri)
                )
            case Granted():
                return self._judge(fact.tokens, response)
            case Unrecognized() if not self._known_pending:
                return self._go_on(Trigger.PENDING, Why.PENDING)
            case Unrecognized():
                return self._fail(Refusal(ErrorKind.DEVICE_AUTH_FAILED, fact.code, fact.status))
            case Gone():
                return self._gone(fact)
            case Refusal():
                return self._fail(fact)
            case _:
                assert_never(fact)

    def _go_on(self, trigger: Trigger, why: Why, retry_after: float | None = None) -> Wait:
        """A real answer, but no approval: keep the pace."""
        self._move(trigger)
        self._answered_once, self._maybe_lost, self._failure = True, False, None
        return self._wait(self._pace.answered(self._now, retry_after), why)

    def _back_off(self, failure: TryAgain) -> Effect:
        if failure.kind is ErrorKind.MISCONFIGURED:
            return self._fail(refusal_of(failure))
        self._move(Trigger.RETRY_LATER)
        self._failure = failure
        self._maybe_lost |= failure.maybe_answered
        why = Why.RATE_LIMITED if failure.kind is ErrorKind.RATE_LIMITED else Why.RETRY
        return self._wait(self._pace.failed(self._now, failure.retry_after), why, failure.kind)

    def _gone(self, fact: Gone) -> Effect:
        if not (self._answered_once or fact.certain):  # the login may not have reached every server yet
            lost = self._maybe_lost
            effect = self._go_on(Trigger.PENDING, Why.PENDING)
            self._maybe_lost = lost
            return effect
        kind = ErrorKind.APPROVAL_LOST if self._maybe_lost else ErrorKind.EXPIRED
        return self._fail(Refusal(kind, fact.code, fact.status))

    def _give_up(self) -> Effect:
        """The time is over. If the server could not be reached, that is the reason to give."""
        if self._failure is None:
            return self._fail(Refusal(ErrorKind.EXPIRED))
        return self._fail(refusal_of(self._failure))

    def _wait(self, until: float, why: Why, cause: ErrorKind | None = None) -> Wait:
        return Wait(until, why, self._prompt, cause=cause)

    # -- picking up --------------------------------------------------------------------------------

    def _outstanding(self, resting: Suspended, wall: float) -> Effect:
        if self._device is not None:
            self._prompt = self._shown(self._device, wall)
        match self.state:
            case State.REQUESTING_CODE:
                return self._code_request() if self._now < self._code_limit else self._give_up()
            case State.POLLING if self._device is not None and self._now < self._deadline:
                return self._poll_request(self._device)
            case State.POLLING:
                return self._give_up()
            case State.EXCHANGING:
                return self._exchange_resumed(handed_over=resting.handed_over)
            case State.REVOKING:
                return self._revocation_resumed(handed_over=resting.handed_over)
            case _:
                return self._waited(resting.wait)

    def _waited(self, wait: Waiting | None) -> Wait:
        assert wait is not None
        prompt = self._prompt if self.state is State.WAITING else None
        return Wait(wait.until, wait.why, prompt, cause=wait.cause)

    def invalid_field(self) -> str | None:
        """Check the fields as every flow does, and check that the prompt is one that an answer could have
        caused.
        """
        device = self._device
        unusable = None if device is None else _unusable(device, self.provider.verification_uri)
        return unusable or super().invalid_field()

    def _secrets(self) -> tuple[Secret[str], ...]:
        held = super()._secrets()
        return held if self._device is None else (*held, self._device.device_auth_id)
