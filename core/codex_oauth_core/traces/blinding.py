"""What a dialect read, with every secret and every free string replaced by a fake.

Rules of this file: equal values get equal fakes within one trace, others different ones; numbers stay, for
the flow acts on them; a fake bears nothing of what it stands for but its kind and its place in the order.
Values are told apart by fingerprint: none is kept.
"""

from __future__ import annotations

from typing import Final, TypeVar, assert_never

import attrs

from codex_oauth_core.facts import (
    Approved,
    DeviceFact,
    ExchangeFact,
    Gone,
    Granted,
    Issued,
    Pending,
    PollFact,
    Refused,
    SlowDown,
    Tokens,
    TryAgain,
    Unrecognized,
)
from codex_oauth_core.rendering import Renderers
from codex_oauth_core.secret import Secret

__all__ = ["FAKE_STATE", "FAKE_VERIFIER", "Blinder"]

FAKE_VERIFIER: Final = "fake-verifier".ljust(43, "-")
FAKE_STATE: Final = "fake-state".ljust(43, "-")
_FAKE_PAGE: Final = "https://issuer.invalid/device"

F = TypeVar("F", bound=TryAgain | Refused)
C = TypeVar("C", bound=Unrecognized | Gone)


class Blinder:
    """The fakes of one trace."""

    __slots__ = ("_numbers", "_renderers")

    def __init__(self, renderers: Renderers) -> None:
        self._renderers = renderers
        self._numbers: dict[str, int] = {}

    def fake(self, kind: str, value: str) -> str:
        """The fake of a value, such as `fake-code-0002`."""
        return f"fake-{kind}-{self._number(value):04}"

    def device(self, fact: DeviceFact) -> DeviceFact:
        """What an answer to a device authorization request says."""
        match fact:
            case Issued():
                device = fact.authorization
                hidden = attrs.evolve(
                    device,
                    device_auth_id=self._secret("device", device.device_auth_id),
                    user_code=f"FAKE-{self._number(device.user_code):04}",
                    verification_uri=_FAKE_PAGE,
                )
                return Issued(hidden)
            case TryAgain() | Refused():
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
            case TryAgain() | Refused():
                return self._failure(fact)
            case _:
                assert_never(fact)

    def exchange(self, fact: ExchangeFact) -> ExchangeFact:
        """What an answer to an authorization code says."""
        match fact:
            case Granted():
                return Granted(self._tokens(fact.tokens))
            case Refused():
                return self._failure(fact)
            case _:
                assert_never(fact)

    def _tokens(self, tokens: Tokens) -> Tokens:
        account = None if tokens.account_id is None else self.fake("account", tokens.account_id)
        expires_at = tokens.token_expires_at
        return attrs.evolve(
            tokens,
            access_token=self._token("access", tokens.access_token, expires_at, account),
            refresh_token=None
            if tokens.refresh_token is None
            else self._secret("refresh", tokens.refresh_token),
            id_token=self._token("id", tokens.id_token, None, account),
            account_id=account,
        )

    def _token(
        self, kind: str, token: Secret[str] | None, expires_at: float | None, account: str | None
    ) -> Secret[str] | None:
        if token is None:
            return None
        return self._renderers.token(self.fake(kind, token.reveal()), expires_at, account)

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
