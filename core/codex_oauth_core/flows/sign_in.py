"""What every sign-in is: a flow that ends by exchanging an authorization code, and that can be put down.

Rules of this file: a code is sent once, and again only if surely nothing was sent; what is granted but
not kept is revoked; every failure names whether the server may have acted. A checkpoint has no request in it,
so endpoints come from the caller's provider alone; no time limit grows while a flow is put down, whatever
happens to the wall clock.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, assert_never

import attrs

from codex_oauth_core.checkpoints.codec import (
    COUNT,
    INSTANT,
    NAME,
    SECRET,
    TEXT,
    CheckpointError,
    FieldCodec,
    each,
    number,
    omitted,
    optional,
    record,
)
from codex_oauth_core.checkpoints.layout import (
    CHECKPOINT_VERSION,
    REFUSED,
    TRY_AGAIN,
    WAIT,
    Layout,
    Suspended,
    waiting,
)
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import Finished, SendRequest, Wait, Why
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind
from codex_oauth_core.events import Event, ResponseReceived, Resumed
from codex_oauth_core.facts import Granted, Refusal, Tokens, TryAgain
from codex_oauth_core.flows.grant import accept_tokens
from codex_oauth_core.flows.machine import HOPELESS, E_co, Flow, error_of, refusal_of, safe_code
from codex_oauth_core.flows.no_answer import why_failed
from codex_oauth_core.identity import Identity
from codex_oauth_core.provider import CodeInHand, Provider
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.effect_unions import Effect, SignInEffect  # noqa: F401  # in a string, below

__all__ = [
    "LONGEST_NAME",
    "SIGN_IN_FIELDS",
    "SignInFlow",
    "SignInFlowOf",
    "SignInTrigger",
    "as_ids",
]


EXCHANGE_LIMIT: Final = 30.0
"""Seconds within which an exchange that was surely not sent is tried again."""

LONGEST_REQUEST: Final = 300.0

REVOCATION_LIMIT: Final = 10.0
"""Seconds for the one attempt to revoke what is not kept."""


# -- the flow ---------------------------------------------------------------------------------------------


@unique
class SignInTrigger(StrEnum):
    """The triggers that the table of every sign-in has: those of its last leg, and of its endings."""

    RETRY_LATER = "retry_later"
    DUE = "due"
    GRANTED = "granted"
    UNWANTED = "unwanted"
    DENY = "deny"
    EXPIRE = "expire"
    FAIL = "fail"


_ENDINGS: Final = {
    ErrorKind.DENIED: SignInTrigger.DENY,
    ErrorKind.EXPIRED: SignInTrigger.EXPIRE,
    ErrorKind.TIMEOUT: SignInTrigger.EXPIRE,
}
"""By the kind of the error; every other one is a `FAIL`."""


@attrs.frozen(kw_only=True)
class _Code(CodeInHand):
    """The code, and until when it is worth another try."""

    give_up_at: float


@attrs.frozen
class _TokenToRevoke:
    """A token that is being revoked, what kind of token it is (RFC 7009 §2.1), and the client that it was
    issued to, if that is not the provider's usual one.
    """

    token: Secret[str]
    hint: str
    client_id: str | None = None


_IDENTITY: Final[FieldCodec[Identity]] = record(
    Identity, issuer=TEXT, client_id=TEXT, account_id=optional(TEXT), user_id=optional(TEXT)
)

_ACCOUNT: Final[FieldCodec[Identity | str]] = FieldCodec(
    lambda value, now: value if isinstance(value, str) else _IDENTITY.encode(value, now),
    lambda raw, where: (TEXT if isinstance(raw, str) else _IDENTITY).decode(raw, where),
)
"""The login that is asked for: its identity, or what people call it."""

SIGN_IN_FIELDS: Final[Mapping[str, FieldCodec[Any]]] = {
    "workspaces": each(TEXT),
    "account": omitted(_ACCOUNT),
    "request_timeout": number(1e-6, LONGEST_REQUEST),
    "_code": optional(
        record(
            _Code,
            authorization_code=SECRET,
            code_verifier=SECRET,
            redirect_uri=NAME,
            query=omitted(SECRET),
            nonce=omitted(SECRET),
            give_up_at=INSTANT,
        )
    ),
    "_tries": COUNT,
    "_failure": optional(TRY_AGAIN),
    "_verdict": optional(REFUSED),
    "_unwanted": optional(record(_TokenToRevoke, token=SECRET, hint=NAME, client_id=omitted(NAME))),
}
"""What a checkpoint holds of every sign-in: part of the layout of each."""


def _bounded(_flow: object, field: attrs.Attribute[float], seconds: float) -> None:
    if not 0 < seconds <= LONGEST_REQUEST:
        raise ValueError(f"{field.name}: more than 0 and at most {LONGEST_REQUEST:g} seconds")


LONGEST_NAME: Final = 1024
"""Letters of what people may call a login."""


def _asked_for(_flow: object, _field: object, account: Identity | str | None) -> None:
    """Refuse what nobody is called, and no checkpoint could take up: what a person approves would be lost."""
    if isinstance(account, str) and not (len(account) <= LONGEST_NAME and account.isprintable()):
        raise ValueError(f"account: a name of at most {LONGEST_NAME} printable letters")


def as_ids(names: Iterable[str]) -> tuple[str, ...]:
    """Workspace ids as a tuple. Raises TypeError for one string, which would be taken letter by letter."""
    if isinstance(names, str):
        raise TypeError("workspaces is a collection of ids, not one string")
    return tuple(names)


# NO_OP: options are checked when a flow is made; to check at every assignment took a quarter of a replay (P6)
@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class SignInFlowOf(Flow[E_co, Credential]):
    """A flow that ends by exchanging a code; `checkpoint()` puts it down, and `restore()` makes it again.

    `workspaces`: the account must be one of these, if any are given. `account`: whose login must come of it,
    as the identity of one that is known, or as what people call it; another person's is revoked
    (`account_changed`). `request_timeout`: seconds that one request may take as a whole. ValueError for an
    `account` that is no name: longer than 1024 letters, or not printable.
    """

    layout: ClassVar[Layout]

    provider: Provider = attrs.field(default=CODEX)
    workspaces: tuple[str, ...] = attrs.field(default=(), converter=as_ids)
    account: Identity | str | None = attrs.field(default=None, validator=_asked_for)
    request_timeout: float = attrs.field(default=15.0, validator=_bounded)
    _code: _Code | None = attrs.field(default=None, init=False, repr=False)
    _tries: int = attrs.field(default=0, init=False, repr=False)
    _failure: TryAgain | None = attrs.field(default=None, init=False, repr=False)
    _verdict: Refusal | None = attrs.field(default=None, init=False, repr=False)
    _unwanted: _TokenToRevoke | None = attrs.field(default=None, init=False, repr=False)
    _resting: Suspended | None = attrs.field(default=None, init=False, repr=False)
    _handed_over: bool = attrs.field(default=False, init=False, repr=False)

    @property
    def code_in_hand(self) -> CodeInHand | None:
        """The code that is being exchanged; None while there is none."""
        return self._code

    def _exchange_code(self, code: CodeInHand) -> Effect:
        """Take a code, and send it for the first time."""
        return self._exchange(self._take_code(code))

    def _take_code(self, code: CodeInHand) -> _Code:
        """Take a code: from now on it grows old."""
        self._tries = 0
        values = {field.name: getattr(code, field.name) for field in attrs.fields(CodeInHand)}
        self._code = _Code(**values, give_up_at=self._now + EXCHANGE_LIMIT)
        return self._code

    def _exchange(self, code: _Code) -> Effect:
        request = self.provider.dialect.exchange_request(self.provider, code)
        if isinstance(request, Refusal):
            return self._fail(request)
        if request is None:
            return self._fail(Refusal(ErrorKind.TOKEN_REQUEST_FAILED, reason=NO_ENDPOINT))
        return SendRequest(request, self.request_timeout, once=True)

    def _exchange_again(self) -> Effect:
        code, failure = self._code, self._failure
        if code is None or failure is None or self._now >= code.give_up_at:  # woken late
            return self._fail(refusal_of(failure or TryAgain(ErrorKind.NETWORK)))
        self._move(SignInTrigger.DUE)
        return self._exchange(code)

    def _exchange_answered(self, response: ResponseReceived) -> Effect:
        code = self.code_in_hand
        assert code is not None  # it was sent
        fact = self.provider.dialect.read_exchange(self.provider, code, response)
        match fact:
            case Granted():
                return self._judge(fact.tokens, response)
            case Refusal():
                return self._fail(fact)
            case _:
                assert_never(fact)

    def _exchange_unanswered(self, failure: TryAgain) -> Effect:
        if failure.kind in HOPELESS:
            return self._fail(refusal_of(failure))
        if failure.maybe_answered:
            lost = Refusal(ErrorKind.TOKEN_REQUEST_FAILED, uncertain=True, cause=failure.cause)
            return self._fail(lost)
        self._failure = failure
        self._tries += 1
        until = self._now + 2.0 ** (self._tries - 1)
        if self._code is None or until >= self._code.give_up_at:
            return self._fail(refusal_of(failure))
        self._move(SignInTrigger.RETRY_LATER)
        return Wait(until, Why.RETRY, cause=failure.kind)

    def _judge(self, tokens: Tokens, response: ResponseReceived) -> Effect:
        """Keep what was granted, or revoke it and say why."""
        held = (*self._secrets(), tokens.access_token, tokens.refresh_token, tokens.id_token)
        self._code = None
        verdict = accept_tokens(tokens, self.provider, self.workspaces, response, self.account)
        if isinstance(verdict, Credential):
            self._move(SignInTrigger.GRANTED)
            return Finished(verdict)
        # a dialect that refuses a grant may repeat a part of it as the code; what is held is forgotten here
        verdict = attrs.evolve(verdict, code=safe_code(verdict.code, filter(None, held)))
        # with a refresh token go all the tokens that came with it (RFC 7009 §2.1)
        token = tokens.refresh_token or tokens.access_token
        if token is None:
            return self._fail(verdict)
        self._move(SignInTrigger.UNWANTED)
        self._verdict = verdict
        hint = "refresh_token" if tokens.refresh_token else "access_token"
        self._unwanted = _TokenToRevoke(token, hint, tokens.client_id)
        return self._revoke(self._unwanted)

    def _revoke(self, unwanted: _TokenToRevoke) -> Effect:
        provider = attrs.evolve(self.provider, client_id=unwanted.client_id or self.provider.client_id)
        request = provider.dialect.revocation_request(provider, unwanted.token, unwanted.hint)
        if request is None:
            return self._revoked(confirmed=False)
        return SendRequest(request, REVOCATION_LIMIT, once=True)

    def _revoked(self, *, confirmed: bool) -> Finished:
        return self._fail(self._verdict or Refusal(ErrorKind.INVALID_RESPONSE), revoked=confirmed)

    # -- picked up with a request that is sent once, and may have been -------------------------------

    def _exchange_resumed(self, *, handed_over: bool) -> Effect:
        code = self._code
        if handed_over and code is not None and self._now < code.give_up_at:
            return self._exchange(code)
        lost = Refusal(ErrorKind.TOKEN_REQUEST_FAILED, reason="put_down", uncertain=not handed_over)
        return self._fail(lost)

    def _revocation_resumed(self, *, handed_over: bool) -> Effect:
        if handed_over and self._unwanted is not None:
            return self._revoke(self._unwanted)
        return self._revoked(confirmed=False)

    def _fail(self, fact: Refusal, *, revoked: bool | None = None) -> Finished:
        return self._end(
            _ENDINGS.get(fact.kind, SignInTrigger.FAIL),
            error_of(fact, self._secrets(), texts=self.provider.texts, revoked=revoked),
        )

    def _secrets(self) -> tuple[Secret[str], ...]:
        """What the flow holds and a server might echo into an error code."""
        code = self._code
        held = () if code is None else (code.authorization_code, code.code_verifier, code.nonce)
        return tuple(secret for secret in held if secret is not None)

    # -- put down, and picked up -------------------------------------------------------------------------

    def checkpoint(self, *, at: float, wall: float, handed_over: bool = False) -> dict[str, Any]:
        """This flow as a plain mapping that `json.dumps` takes and `restore()` understands.

        **It holds secrets as plain text**: the device id, an authorization code, the code verifier, `state`,
        a token that is to be revoked. Seal it before it leaves memory, and never log it.

        A checkpoint moves the outstanding effect: take it before performing that, and then do not perform it
        here, or store it against a crash and restore it only if this process is gone. With `handed_over` the
        caller promises that nobody has begun the effect: only then is a `once` request sent by whoever
        restores it, and this flow takes no more events. `seq`, the number of events received, is for
        compare-and-set where there are several workers; all other keys are this release's own affair.

        `at` and `wall` are the present time, as in events. Raises CheckpointError (`nothing_outstanding`,
        `bad_time`).
        """
        if self._effect is None or isinstance(self._effect, Finished) or self._handed_over:
            raise CheckpointError("nothing_outstanding")
        if not (math.isfinite(at) and math.isfinite(wall)):
            raise CheckpointError("bad_time")
        now = max(self._now, at)
        mapping = {
            "version": CHECKPOINT_VERSION,
            "flow": self.layout.kind,
            **self.layout.whole().encode(
                {
                    "issuer": self.provider.issuer,
                    "client_id": self.provider.client_id,
                    "seq": self._seq,
                    "handed_over": handed_over,
                    "wall": wall,
                    "state": self.state,
                    "wait": waiting(self._effect),
                    "fields": {name: getattr(self, name) for name in self.layout.fields},
                },
                now,
            ),
        }
        self._handed_over = handed_over
        return mapping

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], provider: Provider) -> Self:
        """What `restore()` does for one kind of flow. `version` and `flow` were looked at."""
        body = {name: value for name, value in mapping.items() if name not in ("version", "flow")}
        found = cls.layout.whole().decode(body, "checkpoint")
        if (found["issuer"], found["client_id"]) != (provider.issuer, provider.client_id):
            raise CheckpointError("other_provider")
        resting = Suspended(found["wall"], found["handed_over"], found["wait"])
        about = {"state": found["state"], "_seq": found["seq"], "_resting": resting}
        try:
            flow = cls._made({**found["fields"], **about}, provider)
        except ValueError:  # all other options are bounded by what reads them
            raise CheckpointError("malformed", "checkpoint.fields.account") from None
        if (invalid_field := flow.invalid_field()) is not None:
            raise CheckpointError("malformed", invalid_field)
        return flow

    @classmethod
    def _made(cls, values: Mapping[str, Any], provider: Provider) -> Self:
        given = {each.name: each.alias or each.name for each in attrs.fields(cls) if each.init}
        options = {alias: values[name] for name, alias in given.items() if name in values}
        flow = cls(provider=provider, **options)
        for name in values.keys() - given.keys():
            setattr(flow, name, values[name])
        return flow

    def invalid_field(self) -> str | None:
        """What a restored flow lacks, or has and should not have, in its state; None if it fits together."""
        needed = self.layout.needs.get(self.state)
        waits = self._resting is not None and self._resting.wait is not None
        if needed is None:
            return "state"
        if waits is not ("wait" in needed):
            return "wait"
        lacking = (name for name in needed if name != "wait" and getattr(self, name) is None)
        return next(lacking, None)

    def _welcomes(self, event: Event) -> bool:
        if self._resting is not None:
            return isinstance(event, Resumed)
        return not self._handed_over and super()._welcomes(event)

    def _resumed(self, event: Resumed) -> Effect:
        resting, self._resting = self._resting, None
        assert resting is not None
        asleep = max(0.0, event.wall - resting.wall)  # a clock that was set back lengthens nothing
        by = self._now - asleep
        for name, codec in self.layout.fields.items():
            setattr(self, name, codec.shift(getattr(self, name), by))
        self._trouble = why_failed(self._failure, self.provider.issuer, self.request_timeout)
        return self._outstanding(attrs.evolve(resting, wait=WAIT.shift(resting.wait, by)), event.wall)

    @abstractmethod
    def _outstanding(self, resting: Suspended, wall: float) -> Effect:
        """The effect that was outstanding when the flow was put down, or how it ends instead."""


SignInFlow = SignInFlowOf["SignInEffect"]
"""Any sign-in flow, in the form that a driver needs."""
