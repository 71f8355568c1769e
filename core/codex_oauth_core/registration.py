"""A client id that a server issued to this program, and what every later sign-in with it needs.

Rules of this file: pure reading and writing of bytes; a registration holds no secret, and outlives the logins
that are made with it; whatever the bytes are, `read_registration` gives a `Registration` or a `SignInError`
and never raises; what it reads can be written again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.reading.strict_json import NotStrictJsonError, read_object

__all__ = ["LONGEST_REGISTRATION", "Registration", "read_registration", "write_registration"]

LONGEST_REGISTRATION: Final = 64 * 1024
"""Bytes of a kept registration that are read at most."""

_SCHEMA_VERSION: Final = 1
_LONGEST: Final = 4096


@attrs.frozen
class Registration:
    """This program's registration: `issuer` issued `client_id` to it at a sign-in.

    `redirect_path` is the path of the registered redirect URI: it never changes. `application` is the name
    that the program gave; empty if it gave none. `registered_at` is RFC 3339 in UTC.
    """

    issuer: str
    client_id: str
    redirect_path: str
    application: str
    registered_at: str


def write_registration(registration: Registration) -> bytes:
    """The registration as UTF-8 JSON."""
    document = {"schema_version": _SCHEMA_VERSION, **attrs.asdict(registration)}
    return json.dumps(document).encode() + b"\n"


def read_registration(data: bytes) -> Registration | SignInError:
    """The registration in `data`, or an error of kind `corrupt_auth`. Its `details.reason` says what is
    wrong: `too_big`, `not_json`, `not_an_object`, `too_deep` or the name of the first field that does not
    fit. `schema_too_new` means that a newer release wrote the file: do not change such a file.
    """
    try:
        document = read_object(data, LONGEST_REGISTRATION)
    except NotStrictJsonError as error:
        return _corrupt(_FAULTS.get(error.reason, error.reason))
    version = document.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < _SCHEMA_VERSION:
        return _corrupt("schema_version")
    if version > _SCHEMA_VERSION:
        return _corrupt("schema_too_new")
    wrong = next((name for name, fits in _FIELDS.items() if not _fits(document, name, fits)), None)
    return Registration(**{name: document[name] for name in _FIELDS}) if wrong is None else _corrupt(wrong)


_FAULTS: Final = {"not_utf8": "not_json", "ambiguous": "not_json"}


def _corrupt(reason: str) -> SignInError:
    return SignInError.of(ErrorKind.CORRUPT_AUTH, "A kept registration cannot be read.", reason=reason)


def _fits(document: Mapping[str, Any], name: str, fits: Callable[[str], bool]) -> bool:
    value = document.get(name)
    return isinstance(value, str) and len(value) <= _LONGEST and fits(value)


def _is_name(text: str) -> bool:
    return text != "" and text.isascii() and text.isprintable() and " " not in text


_FIELDS: Final[Mapping[str, Callable[[str], bool]]] = {
    "issuer": _is_name,
    "client_id": _is_name,
    "redirect_path": lambda text: _is_name(text) and text.startswith("/"),
    "application": str.isprintable,
    "registered_at": _is_name,
}
