"""Tokens of the official sign-in: with the real ones' claims, plainly fake, and wrong where scripted.

Rules of this file: an access token is opaque to a client, so it is a JWT that nobody signed; an ID token is
signed with RS256, or spoilt in exactly the one respect that a hostile answer names. `wall` is Unix time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import attrs

from codex_oauth.authority.chatgpt.hostile import ATTACKER, Hostile
from codex_oauth.authority.chatgpt.plan_grants import IssuedTokens, SignedIn
from codex_oauth.authority.chatgpt.settings import ChatGptPolicy, EarliestRefresh, Person
from codex_oauth.authority.chatgpt.signing import ATTACKER_KEY, KeyRing, hs256, rs256
from codex_oauth.authority.grants import ID_TOKEN_LIFETIME, NOTICE
from codex_oauth_core.codex.render import unsigned_token
from codex_oauth_core.pkce import base64url
from codex_oauth_core.secret import Secret

__all__ = ["ATTACKER_KEYS_PATH", "Minting"]

ATTACKER_KEYS_PATH: Final = "/attacker/keys.json"
"""Where a forged ID token says that its key is; no client may go there."""

_AUTH_CLAIMS: Final = "https://api.openai.com/auth"
_SOMEBODY_ELSE: Final = Person(subject="user-fake-else", email="else@example.com", name="Somebody Else")
_EARLIEST: Final[dict[Hostile, object]] = {
    Hostile.EARLIEST_REFRESH_2099: 4_070_908_800,
    Hostile.EARLIEST_REFRESH_NEGATIVE: -1,
    Hostile.EARLIEST_REFRESH_OBJECT: {"at": {"seconds": 1}},
}


@attrs.define(eq=False)
class Minting:
    """Makes the tokens of one authority, and the answers that bring them."""

    policy: ChatGptPolicy
    keys: KeyRing
    entropy: Callable[[int], bytes] = attrs.field(repr=False)

    def answer(
        self, session: SignedIn, issuer: str, wall: float, hostile: frozenset[Hostile], *, renewed: bool
    ) -> tuple[IssuedTokens, dict[str, object]]:
        """New tokens for a sign-in, and the body of the answer that brings them."""
        other = Hostile.EXCHANGE_OTHER_SUBJECT in hostile
        person = self._somebody_else(session) if other else session.registration.person
        with_id_token = not renewed or self.policy.id_token_on_refresh
        if Hostile.REFRESH_OTHER_SUBJECT in hostile:
            person, with_id_token = self._somebody_else(session), True
        with_refresh = self.policy.rotate_refresh_tokens if renewed else "offline_access" in session.scope
        fresh = Secret(f"fake-refresh-{base64url(self.entropy(32))}")
        identity = self._id_token(session, person, issuer, wall, hostile, renewed=renewed)
        tokens = IssuedTokens(
            access_token=self._access_token(session, person, issuer, wall),
            refresh_token=fresh if with_refresh else None,
            id_token=identity if with_id_token else None,
        )
        body: dict[str, object] = {
            "access_token": tokens.access_token.reveal(),
            "token_type": "Bearer",
            "expires_in": int(self.policy.access_lifetime),
        }
        if tokens.refresh_token is not None:
            body["refresh_token"] = tokens.refresh_token.reveal()
        if tokens.id_token is not None:
            body["id_token"] = tokens.id_token.reveal()
        if (self.policy.scope_on_refresh or not renewed) and Hostile.NO_SCOPE not in hostile:
            body["scope"] = session.scope_text
        return tokens, {**body, **self._earliest_refresh_at(wall, hostile)}

    def _earliest_refresh_at(self, wall: float, hostile: frozenset[Hostile]) -> dict[str, object]:
        for name in sorted(hostile & _EARLIEST.keys()):
            return {"earliest_refresh_at": _EARLIEST[name]}
        at = int(wall + self.policy.earliest_refresh_after)
        match self.policy.earliest_refresh_at:
            case EarliestRefresh.NUMBER:
                return {"earliest_refresh_at": at}
            case EarliestRefresh.STRING:
                return {"earliest_refresh_at": datetime.fromtimestamp(at, UTC).isoformat()}
            case EarliestRefresh.ABSENT:
                return {}

    def _somebody_else(self, session: SignedIn) -> Person:
        mine = session.registration.person.subject
        return next((one for one in self.policy.people if one.subject != mine), _SOMEBODY_ELSE)

    def _access_token(self, session: SignedIn, person: Person, issuer: str, wall: float) -> Secret[str]:
        issued = int(wall)
        return unsigned_token(
            {
                "fake": NOTICE,
                "sub": person.subject,
                "aud": self.policy.resource,
                "client_id": session.registration.client_id,
                "scope": session.scope_text,
                "iss": issuer,
                "iat": issued,
                "nbf": issued,
                "exp": issued + int(self.policy.access_lifetime),
                "jti": self.entropy(16).hex(),
                _AUTH_CLAIMS: {"per_user_salt": "fake-salt", "encrypted_auth_metadata": "fake-metadata"},
            }
        )

    def _id_token(
        self,
        session: SignedIn,
        person: Person,
        issuer: str,
        wall: float,
        hostile: frozenset[Hostile],
        *,
        renewed: bool,
    ) -> Secret[str]:
        client_id, issued = session.registration.client_id, int(wall)
        claims: dict[str, object] = {
            "fake": NOTICE,
            "iss": issuer,
            "sub": person.subject,
            "aud": [client_id] if self.policy.audience_as_list else client_id,
            "iat": issued,
            "exp": issued + ID_TOKEN_LIFETIME,
            "jti": self.entropy(16).hex(),
            "email": person.email,
            "email_verified": True,
            "name": person.name,
        }
        if not renewed:
            claims["nonce"] = session.nonce
        return self._signed({**claims, **_spoilt(claims, client_id, hostile)}, issuer, hostile)

    def _signed(self, claims: dict[str, object], issuer: str, hostile: frozenset[Hostile]) -> Secret[str]:
        told = {name: value for name, value in claims.items() if value is not None}
        key = self.keys.current
        if Hostile.ALG_NONE in hostile:
            return unsigned_token(told)
        if Hostile.ALG_HS256 in hostile:
            return hs256(key.modulus, key.kid, told)
        if Hostile.HEADER_JKU in hostile:
            return rs256(ATTACKER_KEY, told, {"kid": key.kid, "jku": issuer + ATTACKER_KEYS_PATH})
        if Hostile.HEADER_JWK in hostile:
            return rs256(ATTACKER_KEY, told, {"kid": key.kid, "jwk": {**ATTACKER_KEY.jwk(), "kid": key.kid}})
        return rs256(key, told)


def _spoilt(claims: dict[str, object], client_id: str, hostile: frozenset[Hostile]) -> dict[str, object]:
    """The claims that are wrong; None for one that is to be missing."""
    issued = int(str(claims["iat"]))
    wrong: dict[Hostile, dict[str, object]] = {
        Hostile.OTHER_AUDIENCE: {"aud": "oaiapp_test_of_somebody_else"},
        Hostile.TWO_AUDIENCES: {"aud": [client_id, ATTACKER]},
        Hostile.OTHER_AZP: {"azp": "oaiapp_test_of_somebody_else"},
        Hostile.OTHER_NONCE: {"nonce": "fake-nonce-of-somebody-else-0123456789abcdef"},
        Hostile.NO_NONCE: {"nonce": None},
        Hostile.ISSUER_SLASH: {"iss": f"{claims['iss']}/"},
        Hostile.EXPIRED_ID_TOKEN: {"iat": issued - 7200, "exp": issued - 3600},
    }
    return {name: value for one in sorted(hostile & wrong.keys()) for name, value in wrong[one].items()}
