"""Tokens with the shape and the claims of the real service's, and plainly fake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from codex_oauth.authority.policy import Account, Policy
from codex_oauth_core.codex.render import unsigned_token
from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.pkce import base64url
from codex_oauth_core.secret import Secret

__all__ = ["mint"]

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
) -> tuple[Secret[str], Secret[str], Secret[str]]:
    """A new access, refresh and id token, issued at `wall` (Unix seconds) for `scope` (space-separated)."""
    account, issued = policy.account, int(wall)
    common = {"fake": NOTICE, "iss": issuer, "iat": issued, "sub": account.user_id}
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
            "email": account.email,
            "email_verified": True,
            "name": account.name,
            CLAIMS: _account_claims(account),
        }
    )
    refresh = Secret(f"fake-refresh-{base64url(entropy(32))}")
    return access, refresh, identity


def _account_claims(account: Account) -> Mapping[str, object]:
    return {
        "chatgpt_account_id": account.account_id,
        "chatgpt_plan_type": account.plan,
        "chatgpt_user_id": account.user_id,
        "user_id": account.user_id,
        "organizations": [],
    }
