"""The inverse of the readers of `plain`: what a trace of a sign-in in that dialect is made of."""

from __future__ import annotations

import json
from typing import Any, Final

import attrs

from codex_oauth_core import (
    DeviceFact,
    ExchangeFact,
    Granted,
    Issued,
    Pending,
    PollFact,
    Refusal,
    Rendered,
    Renderers,
    Secret,
    SlowDown,
    Tokens,
    TryAgain,
)
from tests.dialects.plain import PLAIN

__all__ = ["RENDERED"]

JSON: Final = (("Content-Type", "application/json"),)


def answer(status: int, **fields: Any) -> Rendered:
    there = {name: value for name, value in fields.items() if value is not None}
    return Rendered(status, JSON, Secret(json.dumps(there).encode()))


def failed(fact: TryAgain | Refusal) -> Rendered:
    if fact.cause is not None:
        raise ValueError("no answer says that none came")
    return answer(fact.status or 400, error=fact.code)


def granted(tokens: Tokens) -> Rendered:
    return answer(
        200,
        access_token=tokens.access_token and tokens.access_token.reveal(),
        refresh_token=tokens.refresh_token and tokens.refresh_token.reveal(),
        expires_in=tokens.expires_in,
        scope=None if tokens.scopes is None else " ".join(tokens.scopes),
        token_type="Bearer",
    )


def device_authorization(fact: DeviceFact) -> Rendered:
    if not isinstance(fact, Issued):
        return failed(fact)
    device = fact.authorization
    return answer(
        200,
        device_code=device.device_auth_id.reveal(),
        user_code=device.user_code,
        interval=device.interval,
        expires_in=device.expires_in,
        verification_uri=device.verification_uri,
        verification_uri_complete=device.verification_uri_complete,
    )


def poll(fact: PollFact) -> Rendered:
    match fact:
        case Granted():
            return granted(fact.tokens)
        case Pending():
            return answer(400, error="authorization_pending")
        case SlowDown():
            return answer(400, error="slow_down", interval=fact.interval)
        case TryAgain() | Refusal():
            return failed(fact)
        case _:
            raise ValueError("a poll of this dialect says nothing else")


def exchange(fact: ExchangeFact) -> Rendered:
    return granted(fact.tokens) if isinstance(fact, Granted) else failed(fact)


def token(mark: str, expires_at: float | None, account: str | None, user: str | None) -> Secret[str]:
    return Secret(mark)  # opaque: it says nothing of all that


WORDS: Final = ("access_denied", "expired_token", "invalid_request", "invalid_grant", "invalid_client")

RENDERED: Final = attrs.evolve(
    PLAIN,
    render=Renderers(
        name="plain",
        device_authorization=device_authorization,
        poll=poll,
        exchange=exchange,
        revocation=lambda confirmed: answer(200 if confirmed else 400),
        token=token,
        known_code=lambda code: code if code in WORDS else "other",
    ),
)
"""The dialect with them."""
