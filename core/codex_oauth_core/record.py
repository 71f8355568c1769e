"""What a store keeps of one login: a versioned JSON document around a credential.

Rules of this file: pure reading and writing of bytes; whatever the bytes are, `read_record` gives a
`Record` or a `SignInError` and never raises; fields that it does not know, in the document or in its
`credential`, survive a rewrite; what it reads can be written again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, TypeVar, cast

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.reading.json_body import MAX_BODY, as_object
from codex_oauth_core.secret import Secret

__all__ = ["LONGEST_RECORD", "SCHEMA_VERSION", "Intent", "Record", "read_record", "write_record"]

SCHEMA_VERSION: Final = 1

LONGEST_RECORD: Final = MAX_BODY
"""Bytes of a stored login that are read at most."""

_T = TypeVar("_T")
_Container = dict[str, object] | list[object]
_DEEPEST: Final = 32  # levels of the document; the writer of JSON recurses


@attrs.frozen
class Intent:
    """Who is about to spend the refresh token, and since when (Unix seconds)."""

    pid: int
    host: str
    at: float


@attrs.frozen
class Record:
    """A stored login.

    `generation` counts its renewals. `parent` is the SHA-256 of the refresh token that this one was
    exchanged for, None of a sign-in. `uncertain_at` (Unix seconds) marks a refresh whose answer was
    lost, `spent` a refresh token that must not be sent again, `dead_code` the server's last word.
    `server_offset` is the server's clock less ours, in seconds. `unknown` holds what a newer release wrote.
    """

    credential: Credential
    generation: int = 0
    parent: str | None = None
    intent: Intent | None = None
    uncertain_at: float | None = None
    spent: bool = False
    dead_code: str | None = None
    server_offset: float | None = None
    unknown: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the refresh token (of the access token, where there is no other): the version that a
        compare-and-set compares.
        """
        return (self.credential.refresh_token or self.credential.access_token).fingerprint()

    @property
    def in_doubt(self) -> bool:
        """Whether the refresh token may have been spent by a renewal whose answer nobody stored."""
        return self.uncertain_at is not None or self.intent is not None

    @property
    def is_renewable(self) -> bool:
        """Whether there is a refresh token that is not known to be worthless."""
        return self.credential.refresh_token is not None and not self.spent and self.dead_code is None


class _Unfit(Exception):  # never leaves this file
    """A document or a field does not fit. Its text names the field or the fault, never a value."""


def write_record(record: Record) -> bytes:
    """The record as UTF-8 JSON. It holds every secret of the login: write it where only its owner reads."""
    extra = dict(record.unknown)
    credential = {**as_object(extra.pop("credential", None)), **_credential_fields(record.credential)}
    intent = record.intent
    document = {
        **extra,
        "schema_version": SCHEMA_VERSION,
        "credential": credential,
        "generation": record.generation,
        "parent": record.parent,
        "intent": None if intent is None else attrs.asdict(intent),
        "uncertain_at": record.uncertain_at,
        "spent": record.spent,
        "dead_code": record.dead_code,
        "server_offset": record.server_offset,
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def _credential_fields(credential: Credential) -> dict[str, Any]:
    values = {field.name: getattr(credential, field.name) for field in attrs.fields(Credential)}
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in values.items()}


def read_record(data: bytes) -> Record | SignInError:
    """The record in `data`, or an error of kind `corrupt_auth` whose `details.reason` says what is wrong:
    `too_big`, `not_json`, `not_an_object`, `too_deep` or the name of the first field that does not fit.

    A newer schema is `details.reason == "schema_too_new"`: leave such a file alone.
    """
    try:
        fields = _document(data)
        version = _need(fields, "schema_version", _whole)
        return _too_new(version) if version > SCHEMA_VERSION else _record(fields)
    except _Unfit as unfit:
        return SignInError.of(ErrorKind.CORRUPT_AUTH, reason=str(unfit))


def _document(data: bytes) -> Mapping[str, Any]:
    """The JSON object in `data` (RFC 8259), read strictly: no NaN, no infinity, no name twice."""
    if len(data) > LONGEST_RECORD:
        raise _Unfit("too_big")
    try:
        document: object = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):  # bad UTF-8, bad JSON, a number of 5000 digits; nested too deep
        raise _Unfit("not_json") from None
    if not isinstance(document, dict):
        raise _Unfit("not_an_object")
    if not _is_shallow(cast("dict[str, object]", document)):
        raise _Unfit("too_deep")
    return cast("Mapping[str, Any]", document)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("infinity")
    return number


def _is_shallow(document: dict[str, object]) -> bool:
    level: list[_Container] = [document]
    for _ in range(_DEEPEST):
        inner = [value for outer in level for value in _values(outer)]
        level = [cast("_Container", value) for value in inner if isinstance(value, dict | list)]
    return not level


def _values(container: _Container) -> Iterable[object]:
    return container.values() if isinstance(container, dict) else container


def _too_new(version: int) -> SignInError:
    return SignInError.of(
        ErrorKind.CORRUPT_AUTH,
        "The stored login was written by a newer release of codex-oauth.",
        reason="schema_too_new",
        schema_version=min(version, 10**9),
    )


_KNOWN: Final = frozenset(field.name for field in attrs.fields(Record)) - {"unknown"} | {"schema_version"}
_KNOWN_INSIDE: Final = frozenset(field.name for field in attrs.fields(Credential))


def _unknown(fields: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    unknown = {name: value for name, value in fields.items() if name not in _KNOWN}
    if strangers := {name: value for name, value in inner.items() if name not in _KNOWN_INSIDE}:
        unknown["credential"] = strangers
    return unknown


def _record(fields: Mapping[str, Any]) -> Record:
    if fields["schema_version"] != SCHEMA_VERSION:
        raise _Unfit("schema_version")
    inner = _object(fields, "credential")
    intent = None if fields.get("intent") is None else _object(fields, "intent")
    return Record(
        credential=_inside("credential", _credential, inner),
        generation=_take(fields, "generation", _natural) or 0,
        parent=_take(fields, "parent", _hash),
        intent=None if intent is None else _inside("intent", _intent, intent),
        uncertain_at=_take(fields, "uncertain_at", _number),
        spent=_take(fields, "spent", _flag) or False,
        dead_code=_take(fields, "dead_code", _text),
        server_offset=_take(fields, "server_offset", _number),
        unknown=_unknown(fields, inner),
    )


def _inside(name: str, read: Callable[[Mapping[str, Any]], _T], fields: Mapping[str, Any]) -> _T:
    """What `read` makes of the object `name`; a field of it that does not fit is called `name.field`."""
    try:
        return read(fields)
    except _Unfit as unfit:
        raise _Unfit(f"{name}.{unfit}") from None


def _credential(fields: Mapping[str, Any]) -> Credential:
    if fields.get("kind", "subscription") != "subscription":
        raise _Unfit("kind")
    id_token = _take(fields, "id_token", _token)
    return Credential(
        access_token=Secret(_need(fields, "access_token", _token)),
        refresh_token=_secret_or_null(fields, "refresh_token"),
        account_id=_need(fields, "account_id", _account),
        issuer=_need(fields, "issuer", _text),
        client_id=_need(fields, "client_id", _text),
        obtained_at=_need(fields, "obtained_at", _text),
        id_token=None if id_token is None else Secret(id_token),
        expires_at=_take(fields, "expires_at", _natural),
        earliest_refresh_at=_take(fields, "earliest_refresh_at", _natural),
    )


def _secret_or_null(fields: Mapping[str, Any], name: str) -> Secret[str] | None:
    """A token that may be null, and must not be missing."""
    value = _take(fields, name, _token)
    if name not in fields:
        raise _Unfit(name)
    return None if value is None else Secret(value)


def _intent(fields: Mapping[str, Any]) -> Intent:
    return Intent(_need(fields, "pid", _natural), _need(fields, "host", _text), _need(fields, "at", _number))


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise _Unfit(name)
    return cast("Mapping[str, Any]", value)


_Check = Callable[[Any], bool]


def _take(fields: Mapping[str, Any], name: str, fits: _Check) -> Any:
    """An optional field: None if it is absent or null. Raises `_Unfit` if it does not fit."""
    value = fields.get(name)
    if value is not None and not fits(value):
        raise _Unfit(name)
    return value


def _need(fields: Mapping[str, Any], name: str, fits: _Check) -> Any:
    value = _take(fields, name, fits)
    if value is None:
        raise _Unfit(name)
    return value


_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST: Final = 4096
_LARGEST: Final = 10**15


def _token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _account(value: object) -> bool:
    return isinstance(value, str) and _ACCOUNT.fullmatch(value) is not None


def _hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _natural(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
