"""Whether an ID token is this sign-in's (OpenID Connect Core §3.1.3.7, RFC 7519 §7.2, RFC 8725 §3).

Rules of this file: pure, and each check fails closed: what cannot be told is refused. The algorithm is fixed
here and never the token's to choose; a key is one of those in hand, by its id, and what the token's header
says of keys (`jku`, `jwk`, `x5u`, `x5c`) is not looked at. The checks are made in the order of
`ID_TOKEN_CHECKS`, and the first that fails gives its name.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from codex_oauth_core.reading.strict_json import NotStrictJsonError, read_object
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.facts import PublicKey

__all__ = [
    "ID_TOKEN_CHECKS",
    "TOLERANCE",
    "Expected",
    "IdToken",
    "failed_check",
    "names_audience",
    "read_id_token",
]

TOLERANCE: Final = 60.0
"""Seconds by which the server's clock and the time it is measured by may differ."""

_PART: Final = re.compile(r"[A-Za-z0-9_-]{1,16384}", re.ASCII)
_SUBJECT: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_LONGEST: Final = 16 * 1024


@attrs.frozen(kw_only=True)
class Expected:
    """What an ID token is held to. `now` is Unix time in seconds."""

    issuer: str
    client_id: str
    nonce: Secret[str] | None
    keys: tuple[PublicKey, ...]
    verify: Callable[[Mapping[str, Any], bytes, bytes], bool] | None
    now: float


@attrs.frozen(repr=False)
class IdToken:
    """An ID token, taken apart: nothing in it is proven."""

    header: Mapping[str, object]
    claims: Mapping[str, object]
    signed: bytes
    signature: bytes


def read_id_token(token: Secret[str]) -> IdToken | None:
    """The token, taken apart (RFC 7515 §3.1); None if it is none, or if two could read it differently."""
    text = token.reveal()
    parts = text.split(".")
    if len(parts) != 3:
        return None
    head, payload, signature = (_decoded(part) for part in parts)
    if head is None or payload is None:
        return None
    header, claims = _object(head), _object(payload)
    if header is None or claims is None:
        return None
    return IdToken(header, claims, text.rpartition(".")[0].encode("ascii"), signature or b"")


def _decoded(part: str) -> bytes | None:
    if not _PART.fullmatch(part):
        return None
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return None


def _object(data: bytes) -> Mapping[str, object] | None:
    try:
        return read_object(data, _LONGEST)
    except NotStrictJsonError:
        return None


def failed_check(token: IdToken, expected: Expected) -> str | None:
    """The name of the first check that the token does not pass; None if it is this sign-in's."""
    return next((name for name, passes in ID_TOKEN_CHECKS.items() if not passes(token, expected)), None)


# -- the checks ----------------------------------------------------------------------------------------


def _is_rs256(token: IdToken, _: Expected) -> bool:
    return token.header.get("alg") == "RS256"


def _asks_nothing_critical(token: IdToken, _: Expected) -> bool:
    return "crit" not in token.header  # RFC 7515 §4.1.11


def _names_a_key_in_hand(token: IdToken, expected: Expected) -> bool:
    return bool(_keys(token, expected))


def _keys(token: IdToken, expected: Expected) -> list[PublicKey]:
    return [key for key in expected.keys if key.key_id == token.header.get("kid")]


def _is_signed(token: IdToken, expected: Expected) -> bool:
    verify = expected.verify
    if verify is None or not token.signature:
        return False
    return any(_made(key, verify, token) for key in _keys(token, expected))


def _made(key: PublicKey, verify: Callable[[Mapping[str, Any], bytes, bytes], bool], token: IdToken) -> bool:
    try:
        return verify(key.jwk, token.signed, token.signature) is True
    except Exception:  # noqa: BLE001  # of a library that meets a key that is none
        return False


def _is_the_issuers(token: IdToken, expected: Expected) -> bool:
    return token.claims.get("iss") == expected.issuer


def _is_for_this_client(token: IdToken, expected: Expected) -> bool:
    return names_audience(token, expected.client_id)


def names_audience(token: IdToken, client_id: str) -> bool:
    """Whether a client is an audience of the token: the only one, or one of some."""
    audience = token.claims.get("aud")
    return audience == client_id or (isinstance(audience, list) and client_id in audience)


def _was_given_to_this_client(token: IdToken, expected: Expected) -> bool:
    audience = token.claims.get("aud")
    several = isinstance(audience, list) and len(cast("list[object]", audience)) > 1
    if not several and "azp" not in token.claims:
        return True
    return token.claims.get("azp") == expected.client_id


def _is_alive(token: IdToken, expected: Expected) -> bool:
    until = _moment(token.claims.get("exp"))
    return until is not None and expected.now < until + TOLERANCE


def _was_made_by_now(token: IdToken, expected: Expected) -> bool:
    made = _moment(token.claims.get("iat"))
    return made is not None and made <= expected.now + TOLERANCE


def _moment(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 and math.isfinite(value) else None


def _names_somebody(token: IdToken, _: Expected) -> bool:
    subject = token.claims.get("sub")
    return isinstance(subject, str) and _SUBJECT.fullmatch(subject) is not None


def _is_this_sign_ins(token: IdToken, expected: Expected) -> bool:
    nonce = token.claims.get("nonce")
    if expected.nonce is None or not isinstance(nonce, str):
        return False
    return Secret(nonce) == expected.nonce


ID_TOKEN_CHECKS: Final[Mapping[str, Callable[[IdToken, Expected], bool]]] = {
    "alg": _is_rs256,
    "crit": _asks_nothing_critical,
    "kid": _names_a_key_in_hand,
    "signature": _is_signed,
    "iss": _is_the_issuers,
    "aud": _is_for_this_client,
    "azp": _was_given_to_this_client,
    "exp": _is_alive,
    "iat": _was_made_by_now,
    "sub": _names_somebody,
    "nonce": _is_this_sign_ins,
}
"""By the word that says what is wrong, in the order in which they are made."""
