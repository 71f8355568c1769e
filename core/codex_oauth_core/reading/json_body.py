"""Bodies from the network as JSON values, or as nothing.

Rules of this file: hostile input never raises, and what cannot be read is `UNREADABLE`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Final, cast

__all__ = ["MAX_BODY", "UNREADABLE", "Unreadable", "as_object", "read_json"]

MAX_BODY: Final = 1024 * 1024
"""The most bytes of a body that are read."""


class Unreadable(Enum):
    """The type of `UNREADABLE`: JSON's own null is a readable value."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Unreadable.UNREADABLE


def read_json(body: bytes) -> object:
    """The JSON value in `body`, or `UNREADABLE`: too large, not UTF-8, not JSON, or nested too deep."""
    if len(body) > MAX_BODY:
        return UNREADABLE
    try:
        return cast("object", json.loads(body.decode("utf-8")))
    except (ValueError, RecursionError):  # ValueError: bad UTF-8, bad JSON, a number of 5000 digits
        return UNREADABLE


def as_object(value: object) -> Mapping[str, object]:
    """`value` if it is a JSON object, and an empty object otherwise."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
