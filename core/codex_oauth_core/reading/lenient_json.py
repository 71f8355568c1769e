"""The members of a JSON object that came at a price: read in spite of what is wrong beside them.

Rules of this file: hostile input never raises, and costs time and memory in proportion to `MAX_BODY` at most,
compressed or not; a member is whole or `UNREADABLE`; an object that does not end is none.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Final, cast

from codex_oauth_core.reading.json_body import MAX_BODY, UNREADABLE

__all__ = ["DAMAGED", "read_members"]

DAMAGED: Final = "\ufffd"
"""Stands for each byte that could not be read."""

_PACKED: Final = ("gzip", "x-gzip", "deflate")  # RFC 9110 §8.4.1
_MOST_MEMBERS: Final = 1000  # more than any answer has
_GZIP: Final = b"\x1f\x8b"
_ANY_HEADER: Final = 47  # zlib's: of gzip or of zlib, whichever is there
_NO_HEADER: Final = -15  # what some servers call deflate

_DECODER: Final = json.JSONDecoder(strict=False)  # control characters in a text are no reason

_LEAD: Final = rf"[\s\x00{DAMAGED}\ufeff]*"  # compiled by the first answer, and not by each import (P1)
_BETWEEN: Final = rf"[\s,{DAMAGED}]*"
_COLON: Final = rf"\s*[:{DAMAGED}]\s*"
_STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*(?P<end>"?)'
_NESTED: Final = rf"{_STRING}|[\[\]{{}}]"
_SCALAR: Final = r"[^,}\s]+"


def read_members(body: bytes, encoding: str | None = None) -> list[tuple[str, object]] | None:
    """The members of the object in `body`, in their order; None if there is no whole object, or one of more
    than a thousand members.

    Forgiven are a byte order mark, bytes that are no UTF-8, UTF-16 and UTF-32, control characters in a text,
    whatever follows the object, gzip and deflate (`encoding` is the answer's Content-Encoding), and in a
    member, which is then `UNREADABLE`, a number too long or values nested too deep.
    """
    if len(body) > MAX_BODY:
        return None
    text = _object(body)
    if text is None and (body.startswith(_GZIP) or (encoding or "").strip().lower() in _PACKED):
        unpacked = _unpacked(body)
        text = None if unpacked is None else _object(unpacked)
    return None if text is None else _members(text)


def _unpacked(body: bytes) -> bytes | None:
    """What is packed in `body`; None if it is more than a body may be, or damaged."""
    for form in (_ANY_HEADER, _NO_HEADER):
        try:
            unpacked = zlib.decompressobj(form).decompress(body, MAX_BODY + 1)
        except zlib.error:
            continue
        return unpacked if len(unpacked) <= MAX_BODY else None
    return None


def _object(body: bytes) -> str | None:
    """The text from the first brace on, if nothing of weight stands before it."""
    text = body.decode(json.detect_encoding(body), "replace")
    start = _match_end(_LEAD, text, 0)
    return text[start + 1 :] if text.startswith("{", start) else None


def _members(text: str) -> list[tuple[str, object]] | None:
    found: list[tuple[str, object]] = []
    at = _match_end(_BETWEEN, text, 0)
    while not text.startswith("}", at):
        name_end = _end_of_value(text, at) if text.startswith('"', at) else None
        value_at = None if name_end is None else _after_colon(text, name_end)
        value_end = None if value_at is None else _end_of_value(text, value_at)
        if value_at is None or value_end is None or len(found) == _MOST_MEMBERS:
            return None
        found.append((_name(text[at:name_end]), _value(text[value_at:value_end])))
        at = _match_end(_BETWEEN, text, value_end)
    return found


def _match_end(pattern: str, text: str, at: int) -> int:
    match = re.compile(pattern).match(text, at)
    return at if match is None else match.end()


def _after_colon(text: str, at: int) -> int | None:
    match = re.compile(_COLON).match(text, at)
    return None if match is None else match.end()


def _end_of_value(text: str, at: int) -> int | None:
    """Where the value that begins at `at` ends; None if it does not."""
    if text.startswith(("{", "["), at):
        return _end_of_nested(text, at)
    if text.startswith('"', at):
        match = re.compile(_STRING, re.DOTALL).match(text, at)
        return match.end() if match is not None and match["end"] else None
    match = re.compile(_SCALAR).match(text, at)
    return None if match is None else match.end()


def _end_of_nested(text: str, at: int) -> int | None:
    depth = 0
    for match in re.compile(_NESTED, re.DOTALL).finditer(text, at):
        mark = text[match.start()]
        if mark == '"':
            if not match["end"]:
                return None
            continue
        depth += 1 if mark in "{[" else -1
        if depth == 0:
            return match.end()
    return None


def _name(written: str) -> str:
    value = _value(written)
    return value if isinstance(value, str) else written


def _value(written: str) -> object:
    try:
        return cast("object", _DECODER.decode(written))
    except (ValueError, RecursionError):  # ValueError: bad JSON, a number of 5000 digits
        return UNREADABLE
