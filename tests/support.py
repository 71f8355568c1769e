"""Answers and tokens for tests: plainly fake, and in the shapes that servers use."""

from __future__ import annotations

import base64
import json
from typing import Any, TypeVar

from codex_oauth.testing import Lost, Reply
from codex_oauth_core import ResponseReceived
from codex_oauth_core.pkce import s256

T = TypeVar("T")
T0 = 1_000_003.25
W0 = 1_800_000_007.5
CLAIMS = "https://api.openai.com/auth"
VERIFIER = "canary-verifier-0123456789-0123456789-012345678"
DEVICE_ID = "canary-device-auth-id-7788"
CODE = "canary-authorization-code-9911"


def there(value: T | None) -> T:
    """What is certainly there."""
    assert value is not None
    return value


def jwt(claims: dict[str, Any]) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}.fake"


def account_token(account_id: str = "acct_fake", marker: str = "access", **claims: Any) -> str:
    return jwt({CLAIMS: {"chatgpt_account_id": account_id}, "marker": f"canary-{marker}", **claims})


def as_json(status: int, value: Any, headers: dict[str, str] | None = None, delay: float = 0.0) -> Reply:
    return Reply(
        status, json.dumps(value).encode(), {"content-type": "application/json", **(headers or {})}, delay
    )


def page(status: int, **headers: str) -> Reply:
    return Reply(status, b"<!doctype html><title>Blocked</title>", {"content-type": "text/html", **headers})


def issued(**fields: Any) -> Reply:
    return as_json(200, {"device_auth_id": DEVICE_ID, "user_code": "ABCD-12345", "interval": "5", **fields})


def code(name: str, status: int = 403, headers: dict[str, str] | None = None, **beside: Any) -> Reply:
    return as_json(status, {"error": {"code": name, "message": "prose"}, **beside}, headers)


PENDING = code("deviceauth_authorization_pending")
SLOW_DOWN = code("slow_down", 400)


def approved(**fields: Any) -> Reply:
    body = {"authorization_code": CODE, "code_verifier": VERIFIER, "code_challenge": s256(VERIFIER), **fields}
    return as_json(200, body)


def tokens(**fields: Any) -> Reply:
    body = {
        "access_token": account_token(),
        "refresh_token": "canary-refresh-token-5566",
        "id_token": account_token(marker="id"),
        "expires_in": 864000,
        "token_type": "Bearer",
        **fields,
    }
    return as_json(200, {name: value for name, value in body.items() if value is not ...})


def response(reply: Reply, at: float = T0, wall: float = W0, took: float = 0.25) -> ResponseReceived:
    return ResponseReceived(at - took, at, wall, reply.status, reply.headers, reply.body)


SIGN_IN: tuple[Reply | Lost, ...] = (issued(), PENDING, approved(), tokens())
