"""The exit codes of the command line, the same with and without `--json`.

Rules of this file: every kind of error has exactly one code, and `docs/errors.md` shows the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from codex_oauth_core.errors import ErrorKind

__all__ = [
    "EXIT_CODES",
    "INTERRUPTED",
    "LOGIN_REQUIRED",
    "OK",
    "REFUSED",
    "STORAGE",
    "TEMPORARY",
    "UNEXPECTED",
    "USAGE",
]

OK: Final = 0
UNEXPECTED: Final = 1
"""A fault of this program."""

USAGE: Final = 2
"""An option or argument that the command does not take, or a setting of this machine that cannot be used."""

REFUSED: Final = 3
"""Denied, expired or refused."""

LOGIN_REQUIRED: Final = 4
"""There is no usable login: sign in (again)."""

TEMPORARY: Final = 5
"""No answer, or one that could not be used: trying again later may help."""

STORAGE: Final = 6
"""The login could not be read from disk or written to it."""

INTERRUPTED: Final = 130
"""Cancelled by the user: 128 + SIGINT, as shells have it."""

_KINDS: Final[Mapping[int, tuple[ErrorKind, ...]]] = {
    REFUSED: (
        ErrorKind.DENIED,
        ErrorKind.OAUTH_ERROR,
        ErrorKind.EXPIRED,
        ErrorKind.TIMEOUT,
        ErrorKind.APPROVAL_LOST,
        ErrorKind.DEVICE_CODE_UNSUPPORTED,
        ErrorKind.DEVICE_AUTH_FAILED,
        ErrorKind.TOKEN_REQUEST_FAILED,
        ErrorKind.NO_ACCOUNT_ID,
        ErrorKind.MISSING_AUTHORIZATION_CODE,
        ErrorKind.INVALID_STATE,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.REGION_BLOCKED,
        ErrorKind.ACCOUNT_CHANGED,
        ErrorKind.WORKSPACE_RESTRICTED,
        ErrorKind.CLIENT_REJECTED,
    ),
    USAGE: (ErrorKind.MISCONFIGURED,),
    LOGIN_REQUIRED: (ErrorKind.LOGIN_REQUIRED,),
    TEMPORARY: (
        ErrorKind.NETWORK,
        ErrorKind.TLS_UNTRUSTED,
        ErrorKind.BLOCKED,
        ErrorKind.RATE_LIMITED,
        ErrorKind.INVALID_RESPONSE,
        ErrorKind.CALLBACK_PORT_UNAVAILABLE,
        ErrorKind.CALLBACK_SERVER_FAILED,
    ),
    STORAGE: (ErrorKind.CORRUPT_AUTH, ErrorKind.AUTH_READ_FAILED, ErrorKind.AUTH_WRITE_FAILED),
    INTERRUPTED: (ErrorKind.CANCELLED,),
}

EXIT_CODES: Final[Mapping[ErrorKind, int]] = MappingProxyType(
    {kind: code for code, kinds in _KINDS.items() for kind in kinds}
)
"""The exit code of each kind of error."""
