"""Answers in the shapes that the server of ChatGPT sign-ins gives them, with plainly fake tokens.

Rules of this file: no more than scenarios need; an authority of your own, with its own rules, is
`codex_oauth.authority`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from codex_oauth.testing.fake_world import Reply
from codex_oauth_core.codex.render import unsigned_token
from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.pkce import s256

__all__ = ["PENDING", "SLOW_DOWN", "approved", "as_json", "issued", "page", "refusal", "tokens"]

_VERIFIER: Final = "fake-verifier-0123456789-0123456789-0123456789"
_JSON: Final = {"Content-Type": "application/json"}


def as_json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Any answer in JSON."""
    return Reply(status, json.dumps(value).encode(), {**_JSON, **(headers or {})})


def page(status: int) -> Reply:
    """A page for people, as firewalls and proxies put in the place of an answer."""
    return Reply(status, b"<!doctype html><title>Blocked</title>", {"Content-Type": "text/html"})


def issued(**fields: Any) -> Reply:
    """A device authorization (RFC 8628 §3.2)."""
    return as_json(
        200, {"device_auth_id": "fake-device", "user_code": "ABCD-12345", "interval": "5", **fields}
    )


def refusal(code: str, status: int = 403, **beside: Any) -> Reply:
    """An error code (RFC 8628 §3.5), and fields beside it."""
    return as_json(status, {"error": {"code": code, "message": "prose"}, **beside})


def approved(**fields: Any) -> Reply:
    """The authorization code of an approved device login."""
    proof = {"code_verifier": _VERIFIER, "code_challenge": s256(_VERIFIER)}
    return as_json(200, {"authorization_code": "fake-code", **proof, **fields})


def tokens(**fields: Any) -> Reply:
    """Tokens (RFC 6749 §5.1); a field that is `...` is left out."""
    body = {
        "access_token": _account_token("access"),
        "refresh_token": "fake-refresh",
        "id_token": _account_token("id"),
        "expires_in": 864_000,
        "token_type": "Bearer",
        **fields,
    }
    return as_json(200, {name: value for name, value in body.items() if value is not ...})


def _account_token(kind: str) -> str:
    return unsigned_token({CLAIMS: {"chatgpt_account_id": "acct_fake"}, "kind": kind}).reveal()


PENDING: Final = refusal("deviceauth_authorization_pending")
SLOW_DOWN: Final = refusal("slow_down", 400)
