"""Error codes of the official sign-in's token endpoint, and what each means.

Rules of this file: a code decides, whatever the status is; codes are compared in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CLIENT_REJECTED", "LOGIN_OVER", "OUR_MISTAKES", "TEMPORARY", "known_code"]

LOGIN_OVER: Final[Mapping[str, str]] = {
    "invalid_grant": "The login is not valid any more, or this application was disconnected in ChatGPT.",
    "invalid_refresh_token": "The server does not know the login's refresh token.",
    "token_expired": "The login's refresh token has expired.",
    "refresh_token_expired": "The login has expired: it was not used for a month.",
    "refresh_token_invalidated": "The login was ended by the server, or by a sign-out.",
    "refresh_token_reused": "The login's refresh token was already used, perhaps by a copy of the login.",
}
"""Codes of a refresh answer, at any status, after which only a new sign-in helps; each with its message."""

CLIENT_REJECTED: Final = ("invalid_client",)

OUR_MISTAKES: Final = (
    "unauthorized_client",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "unsupported_grant_type",
)
"""Of RFC 6749 §5.2 and RFC 8707 §2: the request was wrong, or the server has changed; no login is over."""

TEMPORARY: Final = ("temporarily_unavailable", "server_error")
"""Nothing is promised of what became of a refresh token."""

_REDIRECTED: Final = ("access_denied", "unsupported_response_type")
"""Of RFC 6749 §4.1.2.1."""

_KNOWN: Final = frozenset((*LOGIN_OVER, *CLIENT_REJECTED, *OUR_MISTAKES, *TEMPORARY, *_REDIRECTED))


def known_code(code: str) -> str:
    """A code as a text of this file, or `other`."""
    return code if code in _KNOWN else "other"
