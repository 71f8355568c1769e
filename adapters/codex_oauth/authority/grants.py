"""Authorization codes, and the families of tokens that grow out of them.

Rules of this file: a code is used once, and using it again revokes what it granted (RFC 6749 §4.1.2);
a refresh token is used once, and using it again revokes its whole family (RFC 9700 §4.14.2); secrets
are kept as fingerprints. Times are monotonic seconds, `wall` is Unix time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from codex_oauth.authority.policy import Policy
from codex_oauth.authority.tokens import mint
from codex_oauth_core.codex.codes import LOGIN_OVER
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import ExchangeFact, Granted, RefreshFact, Refusal, Tokens
from codex_oauth_core.pkce import base64url, s256
from codex_oauth_core.secret import Secret

__all__ = ["Grants"]

_INVALID_GRANT: Final = Refusal(ErrorKind.TOKEN_REQUEST_FAILED, "invalid_grant")


@attrs.define(eq=False)
class _Family:
    """All tokens of one sign-in. Only `current` is worth anything."""

    scope: str
    current: str = ""
    expires_at: float | None = None
    revoked: bool = False


@attrs.define(eq=False, kw_only=True)
class _Code:
    redirect_uris: frozenset[str]
    code_challenge: str
    expires_at: float
    family: _Family
    used: bool = False


@attrs.define(eq=False)
class Grants:
    """All codes and tokens of one authority."""

    policy: Policy
    client_id: str
    entropy: Callable[[int], bytes] = attrs.field(repr=False)
    _codes: dict[str, _Code] = attrs.field(factory=dict[str, _Code], init=False, repr=False)
    _by_refresh: dict[str, _Family] = attrs.field(factory=dict[str, _Family], init=False, repr=False)
    """By the fingerprint of every refresh token that the family ever had."""
    _by_access: dict[str, _Family] = attrs.field(factory=dict[str, _Family], init=False, repr=False)

    def issue_code(
        self, redirect_uris: Iterable[str], code_challenge: str, scope: str, now: float
    ) -> Secret[str]:
        """A code for this challenge and for one of these redirect URIs."""
        code = Secret(f"fake-code-{base64url(self.entropy(32))}")
        self._codes[code.fingerprint()] = _Code(
            redirect_uris=frozenset(redirect_uris),
            code_challenge=code_challenge,
            expires_at=now + self.policy.code_lifetime,
            family=_Family(scope),
        )
        return code

    def exchange(
        self,
        code: Secret[str],
        verifier: Secret[str],
        redirect_uri: str,
        issuer: str,
        *,
        now: float,
        wall: float,
    ) -> ExchangeFact:
        """Tokens for a code. Whatever is wrong with the rest, the code is spent by this."""
        known = self._codes.get(code.fingerprint())
        if known is None:
            return _INVALID_GRANT
        if known.used:
            known.family.revoked = True
            return _INVALID_GRANT
        known.used = True
        proven = hmac.compare_digest(s256(verifier.reveal()), known.code_challenge)
        if now >= known.expires_at or not proven or redirect_uri not in known.redirect_uris:
            return _INVALID_GRANT
        return Granted(self._tokens(known.family, issuer, now, wall))

    def refresh(self, token: Secret[str], issuer: str, *, now: float, wall: float) -> RefreshFact:
        """New tokens for a refresh token, which is spent by this (RFC 6749 §6)."""
        family = self._by_refresh.get(token.fingerprint())
        if family is None:
            return _over("invalid_grant", 400)
        if token.fingerprint() != family.current:
            family.revoked = True
            return _over("refresh_token_reused")
        if family.revoked:
            return _over("refresh_token_invalidated")
        if family.expires_at is not None and now >= family.expires_at:
            return _over("refresh_token_expired")
        return Granted(self._tokens(family, issuer, now, wall))

    def revoke(self, token: Secret[str]) -> None:
        """End the sign-in that this access or refresh token belongs to (RFC 7009 §2.1)."""
        known = token.fingerprint()
        family = self._by_refresh.get(known) or self._by_access.get(known)
        if family is not None:
            family.revoked = True

    def _tokens(self, family: _Family, issuer: str, now: float, wall: float) -> Tokens:
        access, refresh, identity = mint(
            self.policy,
            issuer=issuer,
            client_id=self.client_id,
            scope=family.scope,
            wall=wall,
            entropy=self.entropy,
        )
        self._by_access[access.fingerprint()] = family
        self._by_refresh[refresh.fingerprint()] = family
        family.current = refresh.fingerprint()
        lifetime = self.policy.refresh_lifetime
        family.expires_at = None if lifetime is None else now + lifetime
        return Tokens(access, refresh, identity, float(self.policy.access_lifetime))


def _over(code: str, status: int = 401) -> Refusal:
    return Refusal(ErrorKind.LOGIN_REQUIRED, code, status, message=LOGIN_OVER[code])
