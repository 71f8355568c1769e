"""Claims of a JWT, read as hints and never verified: tokens come from the token endpoint over TLS.

Rules of this file: whatever the token is, the answer is a mapping and never an exception; nothing
that a token names (`kid`, `jku`, `x5u`, `crit`) is looked at.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final, cast

from codex_oauth_core.reading.json_body import read_json
from codex_oauth_core.reading.times import plausible_time
from codex_oauth_core.secret import Secret

__all__ = ["expiry", "read_claims"]

_MAX_SEGMENT: Final = 16 * 1024
_SEGMENTS: Final = 3


def read_claims(token: Secret[str]) -> Mapping[str, object]:
    """The payload's claims; empty for an opaque or malformed token. Of duplicate claims the last wins."""
    segments = token.reveal().split(".")
    if len(segments) != _SEGMENTS or not all(0 < len(part) <= _MAX_SEGMENT for part in segments):
        return {}
    payload = segments[1].encode("ascii", "replace")
    try:
        decoded = base64.b64decode(payload + b"=" * (-len(payload) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return {}
    claims = read_json(decoded)
    return cast("Mapping[str, object]", claims) if isinstance(claims, dict) else {}


def expiry(token: Secret[str]) -> float | None:
    """The `exp` claim in Unix seconds, or None unless it is a plausible number (years 2001 to 2100)."""
    return plausible_time(read_claims(token).get("exp"))
