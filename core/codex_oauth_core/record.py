"""What a store keeps of one login: a versioned JSON document around a credential.

Rules of this file: pure reading and writing of bytes; whatever the bytes are, `read_record` gives a
`Record` or a `SignInError` and never raises; fields that a newer release wrote survive a rewrite.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.reading.json_body import as_object, read_json
from codex_oauth_core.secret import Secret

__all__ = ["SCHEMA_VERSION", "Intent", "Record", "read_record", "write_record"]

SCHEMA_VERSION: Final = 1


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
    exchanged for. `uncertain_at` (Unix seconds) marks a refresh whose answer was lost, `spent` a
    refresh token that must not be sent again, `dead_code` the server's last word. `server_offset` is
    the server's clock less ours, in seconds. `unknown` holds what a newer release wrote.
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
        """SHA-256 of the refresh token: the version that a compare-and-set compares."""
        return self.credential.refresh_token.fingerprint()


class _Unfit(Exception):
    """A field does not fit the schema. Its text is the field's name, never its value."""


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
    """The record in `data`, or an error of kind `corrupt_auth` whose `details.reason` says what is wrong.

    A newer schema is `details.reason == "schema_too_new"`: leave such a file alone.
    """
    document = read_json(data)
    if not isinstance(document, dict):
        return _corrupt("not_a_json_object")
    fields = cast("dict[str, Any]", document)
    version = fields.get("schema_version")
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        return SignInError.of(
            ErrorKind.CORRUPT_AUTH,
            "The stored login was written by a newer release of codex-oauth.",
            reason="schema_too_new",
            schema_version=min(version, 10**9),
        )
    try:
        return _record(fields) if version == SCHEMA_VERSION else _corrupt("schema_version")
    except _Unfit as unfit:
        return _corrupt(str(unfit))


def _corrupt(reason: str) -> SignInError:
    return SignInError.of(ErrorKind.CORRUPT_AUTH, reason=reason)


def _record(fields: Mapping[str, Any]) -> Record:
    inner = _object(fields, "credential")
    known = {field.name for field in attrs.fields(Record)} | {"schema_version"}
    unknown = {name: value for name, value in fields.items() if name not in known}
    inner_names = {field.name for field in attrs.fields(Credential)}
    if inner_unknown := {name: value for name, value in inner.items() if name not in inner_names}:
        unknown["credential"] = inner_unknown
    return Record(
        credential=_credential(inner),
        generation=_take(fields, "generation", _natural) or 0,
        parent=_take(fields, "parent", _hash),
        intent=None if fields.get("intent") is None else _intent(_object(fields, "intent")),
        uncertain_at=_take(fields, "uncertain_at", _number),
        spent=fields.get("spent") is True,
        dead_code=_take(fields, "dead_code", _text),
        server_offset=_take(fields, "server_offset", _number),
        unknown=unknown,
    )


def _credential(fields: Mapping[str, Any]) -> Credential:
    if fields.get("kind", "subscription") != "subscription":
        raise _Unfit("credential.kind")
    id_token = _take(fields, "id_token", _token)
    return Credential(
        access_token=Secret(_need(fields, "access_token", _token)),
        refresh_token=Secret(_need(fields, "refresh_token", _token)),
        account_id=_need(fields, "account_id", _account),
        issuer=_need(fields, "issuer", _text),
        client_id=_need(fields, "client_id", _text),
        obtained_at=_need(fields, "obtained_at", _text),
        id_token=None if id_token is None else Secret(id_token),
        expires_at=_take(fields, "expires_at", _natural),
        earliest_refresh_at=_take(fields, "earliest_refresh_at", _natural),
    )


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


def _token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _account(value: object) -> bool:
    return isinstance(value, str) and _ACCOUNT.fullmatch(value) is not None


def _hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()


def _natural(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
