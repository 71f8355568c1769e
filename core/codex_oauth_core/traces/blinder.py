"""The fakes of one trace: what stands there for each secret and each free string.

Rules of this file: equal values get equal fakes within one trace, others different ones; numbers stay, for
the flow acts on them; a fake bears nothing of what it stands for but its kind and its place in the order.
Values are told apart by fingerprint: none is kept.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeVar, assert_never

import attrs

from codex_oauth_core.facts import (
    Approved,
    DeviceFact,
    ExchangeFact,
    Gone,
    Granted,
    Issued,
    KeySet,
    KeysFact,
    MetadataFact,
    Pending,
    PollFact,
    PublicKey,
    Refusal,
    ServerMetadata,
    SlowDown,
    Tokens,
    TryAgain,
    Unrecognized,
)
from codex_oauth_core.rendering import FAKE_ISSUER, Renderers
from codex_oauth_core.secret import Secret

__all__ = ["FAKE_PAGE", "Blinder"]

FAKE_PAGE: Final = f"{FAKE_ISSUER}/device"

F = TypeVar("F", bound=TryAgain | Refusal)
C = TypeVar("C", bound=Unrecognized | Gone)


class Blinder:
    """The fakes of one trace."""

    __slots__ = ("_numbers", "_renderers", "_scopes")

    def __init__(self, renderers: Renderers, scopes: Collection[str] = ()) -> None:
        self._renderers = renderers
        self._scopes = frozenset(scopes)  # what every sign-in asks for is told as it is
        self._numbers: dict[str, int] = {}

    def fake(self, kind: str, value: str) -> str:
        """The fake of a value, such as `fake-code-0002`."""
        return f"fake-{kind}-{self._number(value):04}"

    def device(self, fact: DeviceFact) -> DeviceFact:
        """What an answer to a device authorization request says."""
        match fact:
            case Issued():
                device = fact.authorization
                device_auth_id = self._secret("device", device.device_auth_id)
                user_code = f"FAKE-{self._number(device.user_code):04}"
                whole = None if device.verification_uri_complete is None else f"{FAKE_PAGE}?code={user_code}"
                hidden = attrs.evolve(
                    device,
                    device_auth_id=device_auth_id,
                    user_code=user_code,
                    verification_uri=FAKE_PAGE,
                    verification_uri_complete=whole,
                )
                return Issued(hidden)
            case TryAgain() | Refusal():
                return self._failure(fact)
            case _:
                assert_never(fact)

    def poll(self, fact: PollFact) -> PollFact:
        """What an answer to a poll says."""
        match fact:
            case Approved():
                verifier = self.fake("verifier", fact.code_verifier.reveal()).ljust(43, "-")
                return Approved(self._secret("code", fact.authorization_code), Secret(verifier))
            case Granted():
                return Granted(self._tokens(fact.tokens))
            case Unrecognized() | Gone():
                return self._named(fact)
            case Pending() | SlowDown():
                return fact
            case TryAgain() | Refusal():
                return self._failure(fact)
            case _:
                assert_never(fact)

    def exchange(self, fact: ExchangeFact) -> ExchangeFact:
        """What an answer to an authorization code says."""
        match fact:
            case Granted():
                return Granted(self._tokens(fact.tokens))
            case Refusal():
                return self._failure(fact)
            case _:
                assert_never(fact)

    def _tokens(self, tokens: Tokens) -> Tokens:
        account = None if tokens.account_id is None else self.fake("account", tokens.account_id)
        user = None if tokens.user_id is None else self.fake("user", tokens.user_id)
        expires_at = tokens.token_expires_at
        return attrs.evolve(
            tokens,
            access_token=self._token("access", tokens.access_token, expires_at, account, user),
            refresh_token=None
            if tokens.refresh_token is None
            else self._secret("refresh", tokens.refresh_token),
            id_token=self._token("id", tokens.id_token, None, account, user),
            account_id=account,
            user_id=user,
            client_id=None if tokens.client_id is None else self.fake("client", tokens.client_id),
            key_id=None if tokens.key_id is None else self.fake("key", tokens.key_id),
            scopes=None if tokens.scopes is None else tuple(map(self._scope, tokens.scopes)),
            refusal=None if tokens.refusal is None else self._failure(tokens.refusal),
        )

    def _scope(self, scope: str) -> str:
        return scope if scope in self._scopes else self.fake("scope", scope)

    def metadata(self, fact: MetadataFact) -> MetadataFact:
        """What the server says of itself."""
        match fact:
            case ServerMetadata():
                return ServerMetadata()  # the usual places, of the server that does not exist
            case TryAgain() | Refusal():
                return self._failure(fact)
            case _:
                assert_never(fact)

    def keys(self, fact: KeysFact) -> KeysFact:
        """The keys that the server signs with."""
        match fact:
            case KeySet():
                return KeySet(tuple(_fake_key(self.fake("key", key.key_id)) for key in fact.keys))
            case TryAgain():
                return self._failure(fact)
            case _:
                assert_never(fact)

    def _token(
        self,
        kind: str,
        token: Secret[str] | None,
        expires_at: float | None,
        account: str | None,
        user: str | None,
    ) -> Secret[str] | None:
        if token is None:
            return None
        return self._renderers.token(self.fake(kind, token.reveal()), expires_at, account, user)

    def _named(self, fact: C) -> C:
        return attrs.evolve(fact, code=self.code(fact.code))

    def _failure(self, fact: F) -> F:
        return attrs.evolve(fact, code=None if fact.code is None else self.code(fact.code))

    def code(self, code: str) -> str:
        """An error code in the dialect's own words."""
        return self._renderers.known_code(code)

    def _secret(self, kind: str, value: Secret[str]) -> Secret[str]:
        return Secret(self.fake(kind, value.reveal()))

    def _number(self, value: str) -> int:
        return self._numbers.setdefault(Secret(value).fingerprint(), len(self._numbers) + 1)


def _fake_key(key_id: str) -> PublicKey:
    return PublicKey(key_id, "fake", "fake")
