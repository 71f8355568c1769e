"""The token server of the exhaustive search: it rotates refresh tokens, and ends a sign-in whose token is reused.

Rules of this file: a token says of itself which sign-in it is of, and how often that was renewed; answers
are bytes that the real dialect reads.
"""

from __future__ import annotations

import json
import re
from typing import Final

from codex_oauth_core import CODEX, Credential, Record, Request, ResponseReceived, Secret
from tests.simulation.exhaustive_state import Shared
from tests.simulation.exhaustive_values import AT, WALL, Token

__all__ = ["LONG_AGO", "named", "receive", "requested", "response", "revoke", "sign_in"]

LONG_AGO: Final = "2026-01-01T00:00:00Z"
_LIFETIME: Final = 3600
_TOKEN: Final = re.compile(r"\br(\d+)\.(\d+)\b")
_HEADERS: Final = {"content-type": "application/json"}
_CODES: Final = {"reused": "refresh_token_reused", "revoked": "refresh_token_invalidated"}


def named(token: Token) -> str:
    """A refresh token's name, which it is."""
    return f"r{token[0]}.{token[1]}"


def sign_in(family: int, expires_in: float, obtained_at: str) -> Record:
    """The record of a finished sign-in."""
    return Record(
        Credential(
            access_token=Secret(f"a{family}.0"),
            refresh_token=Secret(named((family, 0))),
            account_id="account",
            issuer=CODEX.issuer,
            client_id=CODEX.client_id,
            obtained_at=obtained_at,
            expires_at=round((WALL + expires_in) * 1000),
        )
    )


def requested(request: Request) -> tuple[bool, Token]:
    """Whether a request revokes, and the refresh token in it."""
    (found,) = _TOKEN.findall(request.body.reveal().decode())
    return "revoke" in request.url, (int(found[0]), int(found[1]))


def receive(shared: Shared, token: Token) -> tuple[str, Shared]:
    """What the server says to a refresh token, and what it makes of it."""
    family, renewed = token
    current, alive = shared.families[family]
    if renewed < current:
        shared = shared._replace(bad=shared.bad or f"{named(token)} is sent twice")
    if alive and renewed == current:
        return "granted", _with_family(shared, family, (current + 1, True))
    return "reused" if alive else "revoked", _with_family(shared, family, (current, False))


def revoke(shared: Shared, token: Token) -> Shared:
    """End a sign-in for a logout."""
    family = token[0]
    shared = _with_family(shared, family, (shared.families[family][0], False))
    return shared._replace(ended=shared.ended | {family})


def _with_family(shared: Shared, number: int, family: tuple[int, bool]) -> Shared:
    families = list(shared.families)
    families[number] = family
    return shared._replace(families=tuple(families))


def response(answer: str, token: Token, wall: float = WALL) -> ResponseReceived:
    """What the server answered to a refresh, or to a revocation, at an instant of who hears it."""
    status, body = 200, {}
    if answer == "granted":
        family, renewed = token[0], token[1] + 1
        body = {
            "access_token": f"a{family}.{renewed}",
            "refresh_token": named((family, renewed)),
            "expires_in": _LIFETIME,
        }
    elif answer == "unavailable":
        return ResponseReceived(AT, AT, wall, 503, {**_HEADERS, "retry-after": "3"}, b"{}")
    elif answer in _CODES:
        status, body = 401, {"error": {"code": _CODES[answer], "message": "no"}}
    return ResponseReceived(AT, AT, wall, status, _HEADERS, json.dumps(body).encode())
