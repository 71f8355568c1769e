"""A sign-in whose ID token is believed by its signature alone: the keys for it come before anything is shown.

Rules of this file: what the server says of itself is used only where the dialect takes it, and otherwise what
the provider says; nobody is asked to sign in while the keys cannot be had; keys that cannot be had prove
nothing of a token. A key that is not known is looked for once more, with the tokens in hand, and no longer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Any, Final, assert_never

import attrs

from codex_oauth_core.checkpoints.codec import INSTANT, NAME, FieldCodec, each, omitted, record
from codex_oauth_core.checkpoints.layout import ANSWER
from codex_oauth_core.effect_unions import Effect, SignInEffect
from codex_oauth_core.effects import SendRequest, Wait, Why
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import (
    Granted,
    KeySet,
    KeysFact,
    MetadataFact,
    PublicKey,
    Refusal,
    ServerMetadata,
    TryAgain,
)
from codex_oauth_core.flows.machine import HOPELESS, refusal_of
from codex_oauth_core.flows.sign_in import SignInFlowOf
from codex_oauth_core.provider import CodeInHand

__all__ = ["KEY_FIELDS", "KeysTrigger", "VerifiedSignInFlow"]


@unique
class KeysTrigger(StrEnum):
    """The triggers that the table of every such sign-in has."""

    DISCOVER = "discover"
    DISCOVERED = "discovered"
    FETCH_KEYS = "fetch_keys"
    KEYS_FETCHED = "keys_fetched"
    UNKNOWN_KEY = "unknown_key"
    RETRY_LATER = "retry_later"
    DUE = "due"


KEYS_LIMIT: Final = 30.0
"""Seconds, from the start, within which keys that could not be had are asked for again."""

KEY_FIELDS: Final[Mapping[str, FieldCodec[Any]]] = {
    "_keys_until": omitted(INSTANT),
    "_keys": omitted(each(record(PublicKey, key_id=NAME, modulus=NAME, exponent=NAME))),
    "_answer": omitted(ANSWER),
}
"""What a checkpoint holds of keys: part of the layout of each."""


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class VerifiedSignInFlow(SignInFlowOf[SignInEffect]):
    """A sign-in that asks for the server's keys, where its provider needs signatures."""

    metadata_problem: str | None = attrs.field(default=None, init=False)
    """Why what the server says of itself is not used: `issuer`, `origin`, or what kept it from being had."""
    _keys_until: float | None = attrs.field(default=None, init=False, repr=False)
    _keys: tuple[PublicKey, ...] | None = attrs.field(default=None, init=False, repr=False)
    _answer: ResponseReceived | None = attrs.field(default=None, init=False, repr=False)
    """Tokens in hand, whose ID token may be signed with a new key."""

    @property
    def code_in_hand(self) -> CodeInHand | None:
        """The code that is being exchanged, with the keys in hand; None while there is none."""
        return None if self._code is None else attrs.evolve(self._code, keys=self._keys or ())

    @abstractmethod
    def _keys_in_hand(self, wall: float) -> Effect:
        """Go on: the keys are there, at the Unix time `wall`."""

    def _begin_with_keys(self) -> Effect:
        self._keys_until = self._now + KEYS_LIMIT
        request = self.provider.dialect.metadata_request(self.provider)
        if request is None:
            self._move(KeysTrigger.FETCH_KEYS)
            return self._request_keys()
        self._move(KeysTrigger.DISCOVER)
        return SendRequest(request, self.request_timeout)

    def _discovered(self, fact: MetadataFact) -> Effect:
        """Go on by what the server says of itself, or else by what the provider says."""
        match fact:
            case ServerMetadata():
                provider, said = self.provider, attrs.asdict(fact)
                new = {name: url for name, url in said.items() if url not in (None, getattr(provider, name))}
                self.provider = attrs.evolve(provider, **new) if new else provider
            case Refusal() | TryAgain():
                if fact.kind in HOPELESS:
                    return self._fail(fact if isinstance(fact, Refusal) else refusal_of(fact))
                reason = fact.reason if isinstance(fact, Refusal) else None
                self.metadata_problem = reason or fact.kind.value
            case _:
                assert_never(fact)
        self._move(KeysTrigger.DISCOVERED)
        return self._request_keys()

    def _request_keys(self) -> Effect:
        self._tries += 1
        return self._keys_request()

    def _keys_request(self, *, once: bool = False) -> Effect:
        request = self.provider.dialect.keys_request(self.provider)
        if request is None:
            return self._not_to_be_had()
        return SendRequest(request, self.request_timeout, once=once)

    def _keys_fetched(self, fact: KeysFact, response: ResponseReceived) -> Effect:
        if isinstance(fact, TryAgain):
            return self._postpone(fact)
        self._keys, self._failure, self._keys_until = fact.keys, None, None
        self._move(KeysTrigger.KEYS_FETCHED)
        return self._keys_in_hand(response.wall)

    def _postpone(self, failure: TryAgain) -> Effect:
        self._failure = failure
        until = self._now + max(2.0 ** (self._tries - 1), failure.retry_after or 0.0)
        if failure.kind in HOPELESS or self._keys_until is None or until >= self._keys_until:
            return self._fail(refusal_of(failure))
        self._move(KeysTrigger.RETRY_LATER)
        limited = failure.kind is ErrorKind.RATE_LIMITED
        return Wait(until, Why.RATE_LIMITED if limited else Why.RETRY, cause=failure.kind)

    def _request_keys_again(self) -> Effect:
        if self._keys_until is None or self._now >= self._keys_until:  # woken late
            return self._fail(refusal_of(self._failure or TryAgain(ErrorKind.NETWORK)))
        self._move(KeysTrigger.DUE)
        return self._request_keys()

    def _not_to_be_had(self) -> Effect:
        return self._fail(Refusal(ErrorKind.OAUTH_ERROR, reason=NO_ENDPOINT))

    # -- tokens that may be signed with a new key --------------------------------------------------

    def _refresh_keys(self, answer: ResponseReceived) -> Effect:
        """Hold the tokens until there are fresh keys."""
        self._answer = answer
        self._move(KeysTrigger.UNKNOWN_KEY)
        return self._keys_request(once=True)  # what is granted is in hand: nothing cuts it

    def _keys_refreshed(self, fact: KeysFact) -> Effect:
        answer, self._answer = self._answer, None
        assert answer is not None  # for its sake the keys were asked for
        if isinstance(fact, KeySet):
            self._keys = fact.keys
            return self._exchange_answered(answer)
        return self._judge_unverified(answer, refusal_of(fact))

    def _judge_unverified(self, answer: ResponseReceived, why: Refusal) -> Effect:
        """Nobody can tell whose the tokens are; that proves nothing against them, and they are not kept."""
        code = self.code_in_hand
        assert code is not None
        fact = self.provider.dialect.read_exchange(self.provider, code, answer)
        if isinstance(fact, Granted):
            return self._judge(attrs.evolve(fact.tokens, refusal=why), answer)
        return self._fail(fact)

    def _keys_resumed(self, *, discovering: bool) -> Effect:
        if self._keys_until is None or self._now >= self._keys_until:
            return self._fail(refusal_of(self._failure or TryAgain(ErrorKind.NETWORK)))
        request = self.provider.dialect.metadata_request(self.provider)
        if discovering and request is not None:
            return SendRequest(request, self.request_timeout)
        return self._keys_request()
