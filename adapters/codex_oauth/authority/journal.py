"""What the authority received, for tests to look at.

Rules of this file: a value that is a secret of the protocol is a `Secret` here too; cookies and
`Authorization` are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from codex_oauth_core.secret import Secret

__all__ = ["Received", "shielded", "shown_headers"]

_SECRET: Final = frozenset(
    {
        "access_token",
        "authorization_code",
        "code",
        "code_verifier",
        "csrf",
        "device_auth_id",
        "id_token",
        "refresh_token",
        "state",
        "subject_token",
        "ticket",
        "token",
    }
)
_HIDDEN_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


@attrs.frozen(kw_only=True)
class Received:
    """One request, in the order of arrival.

    `endpoint` is `usercode`, `poll`, `authorize`, `device`, `exchange`, `refresh`, `token` (another
    grant), `revoke` or `other`, and `number` counts its requests from 1. `at` is monotonic, `wall` is
    Unix time. `fields` are its parameters, empty if they were unreadable. `status` is what was answered.
    """

    endpoint: str
    number: int
    at: float
    wall: float
    method: str
    path: str
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    fields: Mapping[str, str | Secret[str]]


def shielded(fields: Mapping[str, str]) -> Mapping[str, str | Secret[str]]:
    """The parameters with every secret among them wrapped."""
    return MappingProxyType({k: Secret(v) if k in _SECRET else v for k, v in fields.items()})


def shown_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers, by lower-case names, without those that hold credentials."""
    return MappingProxyType({k: v for k, v in headers.items() if k not in _HIDDEN_HEADERS})
