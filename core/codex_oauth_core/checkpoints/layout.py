"""The forms in which a checkpoint holds the values that flows share.

Rules of this file: one table for each class, naming every field of it, but for a `setting`: whoever goes on
may have other settings; which number is an instant, and which text a secret, is said here and nowhere else.
"""

from __future__ import annotations

from typing import Final

from codex_oauth_core.checkpoints.codec import (
    COUNT,
    FLAG,
    HIDDEN,
    INSTANT,
    NAME,
    SECONDS,
    SECRET,
    TEXT,
    Form,
    optional,
    record,
    word,
)
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import Refused, TryAgain
from codex_oauth_core.flows.pace import Pace
from codex_oauth_core.pkce import Pkce, s256

__all__ = ["DEVICE", "PACE", "PKCE", "REFUSED", "TRY_AGAIN"]

TRY_AGAIN: Final = record(
    TryAgain,
    kind=word(ErrorKind),
    maybe_answered=FLAG,
    retry_after=optional(SECONDS),
    code=optional(TEXT),
    status=optional(COUNT),
    cause=optional(TEXT),
)

REFUSED: Final = record(
    Refused,
    kind=word(ErrorKind),
    code=optional(TEXT),
    status=optional(COUNT),
    reason=optional(TEXT),
    uncertain=FLAG,
    cause=optional(TEXT),
    message=optional(TEXT),
)

DEVICE: Final = record(
    DeviceAuthorization,
    device_auth_id=HIDDEN,
    user_code=TEXT,
    interval=SECONDS,
    verification_uri=NAME,
    expires_in=SECONDS,
)

PACE: Final = record(Pace, interval=SECONDS, deadline=INSTANT, failures=COUNT)


def _from_verifier(raw: object, where: str) -> Pkce:
    verifier = SECRET.take(raw, where)
    return Pkce(verifier, s256(verifier.reveal()))


PKCE: Final[Form[Pkce]] = Form(
    lambda pair, now: SECRET.put(pair.code_verifier, now),
    _from_verifier,  # the challenge follows from it (RFC 7636 §4.2)
)
