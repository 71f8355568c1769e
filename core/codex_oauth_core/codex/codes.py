"""Error codes of the Codex authorization server: what each means, and where in an answer it stands.

Rules of this file: codes are compared in lower case; a code is a word, and whatever is not one is
shown as `other`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, unique
from typing import Final

from codex_oauth_core.errors import NOT_ENABLED
from codex_oauth_core.reading.json_body import as_object
from codex_oauth_core.secret import Secret

__all__ = [
    "CLIENT_REJECTED",
    "LOGIN_OVER",
    "REGION_BLOCKED",
    "PollCode",
    "denial",
    "error_code",
    "known_code",
    "known_poll_code",
    "why_denied",
]

REGION_BLOCKED: Final = "unsupported_country_region_territory"
"""At every endpoint; it never means that a login is over."""


@unique
class PollCode(Enum):
    """The class of an error code in a poll answer."""

    PENDING = "pending"
    SLOW_DOWN = "slow_down"
    RATE_LIMITED = "rate_limited"
    DENIED = "denied"
    EXPIRED = "expired"
    GONE = "gone"
    REGION_BLOCKED = "region_blocked"


_POLL_CLASSES: Final[Mapping[PollCode, tuple[str, ...]]] = {
    PollCode.PENDING: (
        "deviceauth_authorization_pending",
        "authorization_pending",
        "deviceauth_authorization_unknown",
    ),
    PollCode.SLOW_DOWN: ("slow_down", "deviceauth_slow_down"),
    PollCode.RATE_LIMITED: ("rate_limit_exceeded",),
    PollCode.DENIED: (
        "access_denied",
        "deviceauth_access_denied",
        "deviceauth_denied",
        "deviceauth_authorization_denied",
        "authorization_declined",
    ),
    PollCode.EXPIRED: (
        "expired_token",
        "deviceauth_expired",
        "deviceauth_expired_token",
        "deviceauth_authorization_expired",
        "deviceauth_user_code_expired",
        "deviceauth_code_expired",
    ),
    PollCode.GONE: ("deviceauth_not_found",),
    PollCode.REGION_BLOCKED: (REGION_BLOCKED,),
}
_POLL_CODES: Final = {code: group for group, codes in _POLL_CLASSES.items() for code in codes}
_POLL_ENDINGS: Final = (
    ("_pending", PollCode.PENDING),
    ("_unknown", PollCode.PENDING),
    ("slow_down", PollCode.SLOW_DOWN),
    ("_denied", PollCode.DENIED),
    ("_declined", PollCode.DENIED),
    ("_expired", PollCode.EXPIRED),
    ("_expired_token", PollCode.EXPIRED),
)

LOGIN_OVER: Final[Mapping[str, str]] = {
    "refresh_token_expired": "The login has expired.",
    "refresh_token_reused": "The login's refresh token was already used, perhaps by another program.",
    "refresh_token_invalidated": "The login was ended by the server.",
    "token_expired": "The login's refresh token has expired.",
    "token_revoked": "The login's refresh token was revoked.",
    "invalid_refresh_token": "The server does not know the login's refresh token.",
    "invalid_grant": "The login is not valid any more.",
    "token_invalidated": "The login's tokens were revoked.",
    "app_session_terminated": "The session was ended, perhaps by a sign-out elsewhere.",
    "account_session_expired": "The account's session has expired.",
    "account_auth_invalidated": "The account must sign in again, perhaps after a change of password.",
    "account_deactivated": "The account was deactivated.",
    "account_suspended": "The account was suspended.",
    "account_deleted": "The account was deleted.",
}
"""Codes of a refresh answer, at any status, after which only a new sign-in helps; each with its message."""

_NOT_ENABLED: Final = ("missing_codex_entitlement", "codex_cli_workspace_disabled")
"""In the description of a redirect that denies access: the workspace has no Codex, or not for this person."""

CLIENT_REJECTED: Final = ("invalid_client", "unauthorized_client")
_TYPES: Final = frozenset((*_POLL_CODES, *LOGIN_OVER, *CLIENT_REJECTED))
_OAUTH: Final = (
    "invalid_request",
    "invalid_scope",
    "unsupported_grant_type",
    "unsupported_response_type",
    "server_error",
    "temporarily_unavailable",
)
"""Further codes of RFC 6749 §4.1.2.1 and §5.2."""

_KNOWN: Final = {code: code for code in (*_POLL_CODES, *LOGIN_OVER, *CLIENT_REJECTED, *_OAUTH)}
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}", re.ASCII)


def known_poll_code(code: str) -> PollCode | None:
    """The class of a code in a poll answer: by the table, else a `deviceauth_*` code by its ending."""
    found = _POLL_CODES.get(code)
    if found or not code.startswith("deviceauth_"):
        return found
    return next((group for ending, group in _POLL_ENDINGS if code.endswith(ending)), None)


def known_code(code: str) -> str:
    """A code as a text of this file: itself, the first of its class in a poll answer, or `other`."""
    group = known_poll_code(code)
    return _KNOWN.get(code, "other" if group is None else _POLL_CLASSES[group][0])


def why_denied(error: str, description: Secret[str]) -> str | None:
    """Why a redirect denies access, as a word of ours; None if nobody but the person may have done it."""
    prose = description.reveal().lower()
    told = error == "access_denied" and any(code in prose for code in _NOT_ENABLED)
    return NOT_ENABLED if told else None


def denial(reason: str) -> str | None:
    """The inverse of `why_denied`."""
    return _NOT_ENABLED[0] if reason == NOT_ENABLED else None


def error_code(body: object) -> str | None:
    """The error code in a JSON body: `error.code`, else `error` as a string, else top-level `code`.

    `error.type` counts only if it is a code known here. What is not a word comes back as `other`.
    """
    fields = as_object(body)
    error = fields.get("error")
    inner = as_object(error)
    code = _text(inner.get("code")) or _text(error) or _known_type(inner) or _text(fields.get("code"))
    return None if not code else code if _WORD.fullmatch(code) else "other"


def _text(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _known_type(inner: Mapping[str, object]) -> str:
    kind = inner.get("type")
    return kind.lower() if isinstance(kind, str) and kind.lower() in _TYPES else ""
