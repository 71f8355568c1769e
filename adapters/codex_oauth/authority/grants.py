"""What the authority has granted: codes, families of tokens, and device logins.

Rules of this file: a code is used once, and using it again revokes what it granted (RFC 6749 §4.1.2); a
refresh token is used once, and using it again revokes its whole family (RFC 9700 §4.14.2); a device login
(RFC 8628) is approved or denied once, and its approval is handed out once. Secrets are kept as
fingerprints; tokens have the shape and the claims of the real service's, and are plainly fake. All times
are monotonic seconds, but for `wall`: Unix time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, unique
from typing import Final, assert_never

import attrs

from codex_oauth.authority.policy import Account, Approve, Policy
from codex_oauth_core.codex.codes import LOGIN_OVER
from codex_oauth_core.codex.render import unsigned_token
from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import (
    ExchangeFact,
    Gone,
    Granted,
    Pending,
    PollFact,
    RefreshFact,
    Refusal,
    SlowDown,
    Tokens,
)
from codex_oauth_core.pkce import base64url, s256
from codex_oauth_core.secret import Secret

__all__ = ["Device", "Devices", "Grants", "Standing", "mint", "tidy"]


NOTICE: Final = "issued by a test authority; it opens nothing"
ID_TOKEN_LIFETIME: Final = 3600
_AUDIENCE: Final = "https://api.openai.com/v1"


def mint(
    policy: Policy,
    *,
    issuer: str,
    client_id: str,
    scope: str,
    wall: float,
    entropy: Callable[[int], bytes],
    account: Account | None = None,
) -> tuple[Secret[str], Secret[str], Secret[str]]:
    """A new access, refresh and id token, issued at `wall` (Unix seconds) for `scope` (space-separated), to
    `account`, else to the policy's.
    """
    account, issued = account or policy.account, int(wall)
    common = {"fake": NOTICE, "iss": issuer, "iat": issued, **_told(sub=account.user_id)}
    access = unsigned_token(
        {
            **common,
            "aud": [_AUDIENCE],
            "client_id": client_id,
            "exp": issued + policy.access_lifetime,
            "jti": entropy(16).hex(),
            "scp": scope.split(),
            CLAIMS: _account_claims(account),
        }
    )
    identity = unsigned_token(
        {
            **common,
            "aud": [client_id],
            "exp": issued + ID_TOKEN_LIFETIME,
            **_told(
                email=account.email, email_verified=None if account.email is None else True, name=account.name
            ),
            CLAIMS: _account_claims(account),
        }
    )
    refresh = Secret(f"fake-refresh-{base64url(entropy(32))}")
    return access, refresh, identity


def _account_claims(account: Account) -> Mapping[str, object]:
    return _told(
        chatgpt_account_id=account.account_id,
        chatgpt_plan_type=account.plan,
        chatgpt_user_id=account.user_id,
        user_id=account.user_id,
        organizations=[],
    )


def _told(**claims: object) -> dict[str, object]:
    """The claims that say anything."""
    return {name: value for name, value in claims.items() if value is not None}


# -- codes and families of tokens ----------------------------------------------------------------------


_INVALID_GRANT: Final = Refusal(ErrorKind.TOKEN_REQUEST_FAILED, "invalid_grant")


@attrs.define(eq=False)
class _Family:
    """All tokens of one sign-in. Only `current` is worth anything."""

    scope: str
    account: Account
    current: str = ""
    expires_at: float | None = None
    revoked: bool = False


@attrs.define(eq=False)
class _Access:
    """An access token. `expires_at` is Unix time, as the token says; `over`: a test has ended it alone."""

    family: _Family
    expires_at: float
    over: str | None = None


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
    _by_access: dict[str, _Access] = attrs.field(factory=dict[str, _Access], init=False, repr=False)

    @property
    def approver(self) -> Account:
        """Who approves the next sign-in."""
        return self.policy.who_approves(len(self._codes))

    def issue_code(
        self, redirect_uris: Iterable[str], code_challenge: str, scope: str, now: float
    ) -> Secret[str]:
        """A code for this challenge and for one of these redirect URIs."""
        code, family = Secret(f"fake-code-{base64url(self.entropy(32))}"), _Family(scope, self.approver)
        self._codes[code.fingerprint()] = _Code(
            redirect_uris=frozenset(redirect_uris),
            code_challenge=code_challenge,
            expires_at=now + self.policy.code_lifetime,
            family=family,
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
        access = self._by_access.get(known)
        family = self._by_refresh.get(known) or (None if access is None else access.family)
        if family is not None:
            family.revoked = True

    def opened_by(self, token: Secret[str], wall: float) -> Account | str:
        """Whose access token this is, or the code of the refusal: `invalid_token` for one that never was."""
        access = self._by_access.get(token.fingerprint())
        if access is None:
            return "invalid_token"
        if access.family.revoked:
            return "token_invalidated"
        return access.over or ("token_expired" if wall >= access.expires_at else access.family.account)

    def end_access(self, token: Secret[str], code: str) -> None:
        """From now on this access token is refused with `code`; the sign-in goes on."""
        access = self._by_access.get(token.fingerprint())
        if access is not None:
            access.over = code

    def _tokens(self, family: _Family, issuer: str, now: float, wall: float) -> Tokens:
        access, refresh, identity = mint(
            self.policy,
            issuer=issuer,
            client_id=self.client_id,
            scope=family.scope,
            wall=wall,
            entropy=self.entropy,
            account=family.account,
        )
        expires_at = int(wall) + self.policy.access_lifetime
        self._by_access[access.fingerprint()] = _Access(family, expires_at)
        self._by_refresh[refresh.fingerprint()] = family
        family.current = refresh.fingerprint()
        lifetime = self.policy.refresh_lifetime
        family.expires_at = None if lifetime is None else now + lifetime
        return Tokens(access, refresh, identity, float(self.policy.access_lifetime))


def _over(code: str, status: int = 401) -> Refusal:
    return Refusal(ErrorKind.LOGIN_REQUIRED, code, status, message=LOGIN_OVER[code])


# -- device logins -------------------------------------------------------------------------------------


PACE_TOLERANCE: Final = 0.1
"""Seconds that a poll may come early: clocks differ and timers are rough."""

SLOW_DOWN_STEP: Final = 5.0
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no vowels, so no words; 34 bits in eight
_CODE_LENGTH: Final = 8


@unique
class Standing(Enum):
    """How a device login stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    HANDED_OUT = "handed out"


@attrs.define(eq=False, kw_only=True)
class Device:
    """One device login."""

    user_code: str
    issued_at: float
    interval: float
    decision: bool | None = None
    handed_out: bool = False
    last_poll: float | None = None


def tidy(typed: str) -> str:
    """A code as people type it, in its one form: no case, no dash, no spaces."""
    return "".join(char for char in typed.upper() if char.isalnum())


@attrs.define(eq=False)
class Devices:
    """All device logins of one authority."""

    policy: Policy
    entropy: Callable[[int], bytes] = attrs.field(repr=False)
    _by_id: dict[str, Device] = attrs.field(factory=dict[str, Device], init=False, repr=False)
    _by_code: dict[str, Device] = attrs.field(factory=dict[str, Device], init=False, repr=False)

    def issue(self, now: float, verification_uri: str) -> DeviceAuthorization:
        """Begin a device login (RFC 8628 §3.2)."""
        device_auth_id = Secret(f"fake-deviceauth-{base64url(self.entropy(24))}")
        device = Device(user_code=self._new_code(), issued_at=now, interval=float(self.policy.interval))
        self._by_id[device_auth_id.fingerprint()] = device
        self._by_code[tidy(device.user_code)] = device
        return DeviceAuthorization(
            device_auth_id, device.user_code, device.interval, verification_uri, self.policy.lifetime
        )

    def find(self, typed: str) -> Device | None:
        """The login that a person means by what they typed."""
        return self._by_code.get(tidy(typed))

    def standing(self, device: Device, now: float) -> Standing:
        """How a login stands now, the policy's own decision included."""
        age = now - device.issued_at
        if device.handed_out:
            return Standing.HANDED_OUT
        if age >= self.policy.lifetime:
            return Standing.EXPIRED
        decision = device.decision
        if decision is None and age >= self.policy.approve_after:
            decision = {Approve.AUTO: True, Approve.DENY: False}.get(self.policy.approve)
        if decision is None:
            return Standing.PENDING
        return Standing.APPROVED if decision else Standing.DENIED

    def decide(self, device: Device, now: float, *, approve: bool) -> bool:
        """A person's decision; False, and no effect, if there is nothing to decide any more."""
        if self.standing(device, now) is not Standing.PENDING or self.policy.approve is Approve.NEVER:
            return False
        device.decision = approve
        return True

    def poll(self, device_auth_id: Secret[str], user_code: str, now: float) -> Device | PollFact:
        """The login that is to be handed out now, or what to say instead."""
        device = self._by_id.get(device_auth_id.fingerprint())
        if device is None or device.user_code != user_code:
            return Gone("deviceauth_not_found", 404)
        if self._too_fast(device, now):
            return SlowDown()
        standing = self.standing(device, now)
        match standing:
            case Standing.APPROVED:
                device.handed_out = True
                return device
            case Standing.PENDING:
                return Pending()
            case Standing.DENIED:
                return Refusal(ErrorKind.DENIED, "deviceauth_authorization_denied")
            case Standing.EXPIRED:
                return Refusal(ErrorKind.EXPIRED, "deviceauth_authorization_expired")
            case Standing.HANDED_OUT:
                return Gone("deviceauth_not_found", 404)
            case _:
                assert_never(standing)

    def _too_fast(self, device: Device, now: float) -> bool:
        """Whether a poll comes too early; then the interval is 5 s longer from now on (RFC 8628 §3.5)."""
        last, device.last_poll = device.last_poll, now
        if not self.policy.strict_pace or last is None or now - last >= device.interval - PACE_TOLERANCE:
            return False
        device.interval += SLOW_DOWN_STEP
        return True

    def _new_code(self) -> str:
        number = int.from_bytes(self.entropy(16), "big")
        while (code := _spell(number)) in self._by_code:
            number += 1
        return f"{code[:4]}-{code[4:]}"


def _spell(number: int) -> str:
    base = len(_LETTERS)
    return "".join(_LETTERS[number // base**place % base] for place in range(_CODE_LENGTH))
