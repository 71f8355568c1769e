"""What a store keeps of one login: a versioned JSON document around a credential.

Rules of this file: pure reading and writing of bytes; whatever the bytes are, `read_record` gives a
`Record` or a `SignInError` and never raises; fields that it does not know, in the document or in its
`credential`, survive a rewrite; what it reads can be written again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.reading.json_body import as_object
from codex_oauth_core.reading.login_document import (
    LONGEST_DOCUMENT,
    SCHEMA_VERSION,
    TooNew,
    Unfit,
    login_fields,
    read_document,
)
from codex_oauth_core.secret import Secret

__all__ = [
    "LONGEST_RECORD",
    "OWN_WORDS",
    "SCHEMA_VERSION",
    "UNUSABLE_SUCCESSOR",
    "Intent",
    "Record",
    "read_record",
    "without_intent",
    "write_record",
]

LONGEST_RECORD: Final = LONGEST_DOCUMENT
"""Bytes of a stored login that are read at most."""

UNUSABLE_SUCCESSOR: Final = "refresh_token_unusable"

OWN_WORDS: Final[Mapping[str, str]] = {
    UNUSABLE_SUCCESSOR: "The refresh token that the server sent last cannot be used; the old one is spent.",
}
"""What `dead_code` says where it is no word of the server's, each with its message."""


@attrs.frozen
class Intent:
    """Who is about to spend the refresh token, and since when (Unix seconds, by the store's clock).

    `owner` is random for each hold of a lock, so that no two holds look the same, whatever the host, process
    or thread; it is empty in records of an earlier release. `pid` and `host` are for people.
    """

    pid: int
    host: str
    at: float
    owner: str = ""


@attrs.frozen
class Record:
    """A stored login.

    `generation` counts its renewals. `parent` is the SHA-256 of the refresh token that was exchanged for this
    one; None after a sign-in. `uncertain_at` (Unix seconds) marks a refresh whose answer was lost. `spent`
    marks a refresh token that must not be sent again. `dead_code` is the server's last error code, or one of
    `OWN_WORDS`. `server_offset` is the server's clock minus ours, in seconds. `unknown` holds fields that a
    newer release wrote.
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
        """SHA-256 of the refresh token, or of the access token if there is no refresh token. A
        compare-and-set compares this version.
        """
        return (self.credential.refresh_token or self.credential.access_token).fingerprint()

    @property
    def in_doubt(self) -> bool:
        """Whether a renewal may have spent the refresh token, because its answer was not stored."""
        return self.uncertain_at is not None or self.intent is not None

    @property
    def is_renewable(self) -> bool:
        """Whether the record has a refresh token that is not known to be invalid."""
        return self.credential.refresh_token is not None and not self.spent and self.dead_code is None


def without_intent(record: Record) -> Record:
    """The record without the intent of a process that was interrupted; the doubt that it means stays."""
    if record.intent is None:
        return record
    since = record.intent.at if record.uncertain_at is None else record.uncertain_at
    return attrs.evolve(record, intent=None, uncertain_at=since)


def write_record(record: Record) -> bytes:
    """The record as UTF-8 JSON. It holds every secret of the login: write it only to a place that its owner
    alone can read.
    """
    extra = dict(record.unknown)
    credential = {**as_object(extra.pop("credential", None)), **_credential_fields(record.credential)}
    intent = record.intent
    document = {
        **extra,
        "schema_version": SCHEMA_VERSION,
        "credential": credential,
        "generation": record.generation,
        "parent": record.parent,
        "intent": None if intent is None else _intent_fields(intent),
        "uncertain_at": record.uncertain_at,
        "spent": record.spent,
        "dead_code": record.dead_code,
        "server_offset": record.server_offset,
    }
    return json.dumps(document).encode() + b"\n"  # one line: with `indent` the encoder is the slow one


def _intent_fields(intent: Intent) -> dict[str, Any]:
    fields = attrs.asdict(intent)
    if not intent.owner:  # an earlier release's is written as it was
        del fields["owner"]
    return fields


def _credential_fields(credential: Credential) -> dict[str, Any]:
    values = {field.name: getattr(credential, field.name) for field in attrs.fields(Credential)}
    if credential.scopes is None:  # as earlier releases wrote it
        del values["scopes"]
    values["key"] = credential.key  # for other programs, and for who looks at the file; it is never read
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in values.items()}


def read_record(data: bytes) -> Record | SignInError:
    """The record in `data`, or an error of kind `corrupt_auth`. Its `details.reason` says what is wrong:
    `too_big`, `not_json`, `not_an_object`, `too_deep` or the name of the first field that does not fit.

    `schema_too_new` means that a newer release wrote the file: do not change such a file.
    """
    try:
        document = read_document(data)
        return _record(document, login_fields(document))
    except TooNew as newer:
        return _too_new(newer.version)
    except Unfit as unfit:
        return SignInError.of(ErrorKind.CORRUPT_AUTH, reason=str(unfit))


def _too_new(version: int) -> SignInError:
    return SignInError.of(
        ErrorKind.CORRUPT_AUTH,
        "The stored login was written by a newer release of codex-oauth.",
        reason="schema_too_new",
        schema_version=min(version, 10**9),
    )


_KNOWN: Final = frozenset(field.name for field in attrs.fields(Record)) - {"unknown"} | {"schema_version"}
_KNOWN_INSIDE: Final = frozenset(field.name for field in attrs.fields(Credential)) | {"key"}


def _unknown(document: Mapping[str, Any]) -> dict[str, Any]:
    unknown = {name: value for name, value in document.items() if name not in _KNOWN}
    inner = as_object(document["credential"])
    if strangers := {name: value for name, value in inner.items() if name not in _KNOWN_INSIDE}:
        unknown["credential"] = strangers
    return unknown


_SECRET: Final = ("access_token", "refresh_token", "id_token")


def _record(document: Mapping[str, Any], fields: dict[str, Any]) -> Record:
    inner, intent = fields["credential"], fields["intent"]
    tokens = {name: None if inner[name] is None else Secret(inner[name]) for name in _SECRET}
    scopes: list[str] | None = inner["scopes"]
    bound: dict[str, Any] = {**inner, **tokens, "scopes": None if scopes is None else tuple(scopes)}
    kept: dict[str, Any] = {
        **fields,
        "credential": Credential(**bound),
        "intent": None if intent is None else Intent(**intent),
    }
    return Record(**kept, unknown=_unknown(document))
