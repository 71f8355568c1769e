"""A stored login's document, read strictly: each of its fields, checked.

Rules of this file: a document that does not fit raises `Unfit`, which names the field or the fault and
never a value; nothing heavier than `json` is loaded, because commands that only print a token start with
this.
"""

from __future__ import annotations

from codex_oauth_core.reading.strict_json import NotStrictJsonError, is_list, is_object, read_object

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

__all__ = ["LONGEST_DOCUMENT", "SCHEMA_VERSION", "TooNew", "Unfit", "login_fields", "read_document"]

SCHEMA_VERSION: Final = 1

LONGEST_DOCUMENT: Final = 1024 * 1024
"""Bytes of a stored login that are read at most."""


class Unfit(Exception):
    """A document or a field does not fit. Its text names the field or the fault, never a value."""


class TooNew(Exception):
    """A newer release wrote the document."""

    def __init__(self, version: int) -> None:
        super().__init__("schema_too_new")
        self.version = version


_FAULTS: Final = {"not_utf8": "not_json", "ambiguous": "not_json"}


def read_document(data: bytes) -> Mapping[str, Any]:
    """The JSON object in `data`, read strictly. Raises Unfit, and TooNew for one that is to be left alone."""
    try:
        document = read_object(data, LONGEST_DOCUMENT)
    except NotStrictJsonError as error:
        raise Unfit(_FAULTS.get(error.reason, error.reason)) from None
    version: int = _need(document, "schema_version", _whole)
    if version > SCHEMA_VERSION:
        raise TooNew(version)
    if version != SCHEMA_VERSION:
        raise Unfit("schema_version")
    return document


def login_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record, each of which fits or is None where it is absent; those of its `credential`
    and of its `intent` in dictionaries of their own. Raises Unfit.
    """
    inner = _object(document, "credential")
    intent = None if document.get("intent") is None else _object(document, "intent")
    return {
        "credential": _inside("credential", _credential, inner),
        "generation": _take(document, "generation", _natural) or 0,
        "parent": _take(document, "parent", _hash),
        "intent": None if intent is None else _inside("intent", _intent, intent),
        "uncertain_at": _take(document, "uncertain_at", _number),
        "spent": _take(document, "spent", _flag) or False,
        "dead_code": _take(document, "dead_code", _text),
        "server_offset": _take(document, "server_offset", _number),
    }


def _inside(
    name: str, read: Callable[[Mapping[str, Any]], dict[str, Any]], fields: Mapping[str, Any]
) -> dict[str, Any]:
    """What `read` makes of the object `name`; a field of it that does not fit is called `name.field`."""
    try:
        return read(fields)
    except Unfit as unfit:
        raise Unfit(f"{name}.{unfit}") from None


def _credential(fields: Mapping[str, Any]) -> dict[str, Any]:
    if fields.get("kind", "subscription") != "subscription":
        raise Unfit("kind")
    id_token = _take(fields, "id_token", _token)
    return {
        "access_token": _need(fields, "access_token", _token),
        "refresh_token": _or_null(fields, "refresh_token", _token),
        "account_id": _or_null(fields, "account_id", _id),
        "user_id": _take(fields, "user_id", _id),
        "issuer": _need(fields, "issuer", _text),
        "client_id": _need(fields, "client_id", _text),
        "obtained_at": _need(fields, "obtained_at", _text),
        "id_token": id_token,
        "expires_at": _take(fields, "expires_at", _natural),
        "earliest_refresh_at": _take(fields, "earliest_refresh_at", _natural),
        "scopes": _take(fields, "scopes", _scopes),
    }


def _or_null(fields: Mapping[str, Any], name: str, fits: Callable[[Any], bool]) -> str | None:
    """A text that may be null, and must not be missing."""
    value: str | None = _take(fields, name, fits)
    if name not in fields:
        raise Unfit(name)
    return value


def _intent(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pid": _need(fields, "pid", _natural),
        "host": _need(fields, "host", _text),
        "at": _need(fields, "at", _number),
        "owner": _take(fields, "owner", _text) or "",
    }


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value: object = fields.get(name)
    if not is_object(value):
        raise Unfit(name)
    return value


def _take(fields: Mapping[str, Any], name: str, fits: Callable[[Any], bool]) -> Any:
    """An optional field: None if it is absent or null. Raises Unfit if it does not fit."""
    value = fields.get(name)
    if value is not None and not fits(value):
        raise Unfit(name)
    return value


def _need(fields: Mapping[str, Any], name: str, fits: Callable[[Any], bool]) -> Any:
    value = _take(fields, name, fits)
    if value is None:
        raise Unfit(name)
    return value


_HEX: Final = "0123456789abcdef"
_LONGEST: Final = 4096
_LARGEST: Final = 10**15
_MOST_SCOPES: Final = 100


def _token(value: object) -> bool:
    return _visible(value, 16384)


def _visible(value: object, longest: int) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= longest
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


def _id(value: object) -> bool:
    return _visible(value, 255)


def _scopes(value: object) -> bool:
    return is_list(value) and len(value) <= _MOST_SCOPES and all(map(_id, value))


def _hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and not value.strip(_HEX)


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
