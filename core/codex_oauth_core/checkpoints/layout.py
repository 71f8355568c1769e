"""What stands where in a checkpoint: the layout of one kind of flow, and the values that flows share.

Rules of this file: one table for each class, naming every field of it, but for a `setting`: whoever goes on
may have other settings; which number is an instant, and which text a secret, is said in such a table and
nowhere else. A layout is data, beside the flow that it is of.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from codex_oauth_core.checkpoints.codec import (
    COUNT,
    FLAG,
    HIDDEN,
    INSTANT,
    LARGEST_NUMBER,
    NAME,
    SECONDS,
    SECRET,
    TEXT,
    CheckpointError,
    FieldCodec,
    number,
    omitted,
    optional,
    record,
    table,
    word,
)
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.effects import Wait, Why
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Refusal, TryAgain
from codex_oauth_core.flows.pace import Pace
from codex_oauth_core.pkce import Pkce, s256
from codex_oauth_core.reading.json_body import MAX_BODY
from codex_oauth_core.reading.times import header
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth_core.effect_unions import Effect

__all__ = [
    "ANSWER",
    "CHECKPOINT_VERSION",
    "DEVICE",
    "PACE",
    "PKCE",
    "REFUSED",
    "TRY_AGAIN",
    "WAIT",
    "Layout",
    "Suspended",
    "Waiting",
    "waiting",
]

CHECKPOINT_VERSION: Final = 1
"""Of a checkpoint's layout. A newer one is not read."""

_LATEST: Final = 1e11  # Unix seconds, some three thousand years on


_WALL: Final = number(0.0, _LATEST)

_SINCE: Final = number(-LARGEST_NUMBER, 0.0)
_PAST: Final[FieldCodec[float]] = FieldCodec(
    lambda value, now: _SINCE.encode(value - now, now), _SINCE.decode, lambda value, by: value + by
)
"""An instant that is over."""


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
    Refusal,
    kind=word(ErrorKind),
    code=optional(TEXT),
    status=optional(COUNT),
    reason=optional(TEXT),
    uncertain=FLAG,
    cause=optional(TEXT),
    message=optional(TEXT),
    signed_in=omitted(TEXT),
)

DEVICE: Final = record(
    DeviceAuthorization,
    device_auth_id=HIDDEN,
    user_code=TEXT,
    interval=SECONDS,
    verification_uri=NAME,
    expires_in=SECONDS,
    verification_uri_complete=omitted(NAME),
)

PACE: Final = record(Pace, interval=SECONDS, deadline=INSTANT, failures=COUNT)


def _from_verifier(raw: object, where: str) -> Pkce:
    verifier = SECRET.decode(raw, where)
    return Pkce(verifier, s256(verifier.reveal()))


PKCE: Final[FieldCodec[Pkce]] = FieldCodec(
    lambda pair, now: SECRET.encode(pair.code_verifier, now),
    _from_verifier,  # the challenge follows from it (RFC 7636 §4.2)
)


_LONGEST_BODY: Final = 2 * MAX_BODY  # as base64 it is longer by a third
_KEPT_HEADERS: Final = ("content-type", "date")
_LONGEST_HEADER: Final = 1024


def _read_body(raw: object, where: str) -> Secret[bytes]:
    if isinstance(raw, str) and len(raw) <= _LONGEST_BODY:
        try:
            return Secret(base64.b64decode(raw, validate=True))
        except (binascii.Error, ValueError):
            pass
    raise CheckpointError("malformed", where)


def _kept_headers(headers: Mapping[str, str], now: float) -> dict[str, str]:
    found = ((name, header(headers, name)) for name in _KEPT_HEADERS)
    return {
        name: value
        for name, value in found
        if value is not None and value.isprintable() and len(value) <= _LONGEST_HEADER
    }


def _read_headers(raw: object, where: str) -> Mapping[str, str]:
    if not isinstance(raw, Mapping):
        raise CheckpointError("malformed", where)
    found = cast("Mapping[object, object]", raw)
    if not set(found) <= set(_KEPT_HEADERS):
        raise CheckpointError("malformed", where)
    return {str(name): TEXT.decode(value, where) for name, value in found.items()}


ANSWER: Final = record(
    ResponseReceived,
    sent_at=_PAST,
    at=_PAST,
    wall=_WALL,
    status=COUNT,
    headers=FieldCodec(_kept_headers, _read_headers),
    body=FieldCodec(
        lambda body, now: base64.b64encode(body.reveal()).decode("ascii"),
        _read_body,
    ),
)
"""An answer that is still to be judged."""


# -- a whole checkpoint --------------------------------------------------------------------------------


@attrs.frozen
class Waiting:
    """The wait that is outstanding, without what is rebuilt."""

    until: float
    why: Why
    cause: ErrorKind | None


@attrs.frozen
class Suspended:
    """A flow that was put down at the Unix time `wall`. `wait` is None where a request is outstanding, which
    surely nobody performed if it was `handed_over`.
    """

    wall: float
    handed_over: bool
    wait: Waiting | None


WAIT: Final = optional(
    record(Waiting, until=INSTANT, why=word(Why), cause=optional(word(ErrorKind))),
)


def waiting(effect: Effect) -> Waiting | None:
    """The wait that an effect is, if it is one."""
    return Waiting(effect.until, effect.why, effect.cause) if isinstance(effect, Wait) else None


@attrs.frozen
class Layout:
    """What a checkpoint holds of one kind of flow.

    `kind` names it there. `fields` are the attributes that are kept. `needs` are the states in which it can
    be put down, with what is never None there: attributes, and `wait`.
    """

    kind: str
    fields: Mapping[str, FieldCodec[Any]]
    needs: Mapping[Enum, tuple[str, ...]]

    def whole(self) -> FieldCodec[dict[str, Any]]:
        """The codec of a whole checkpoint, but for its first two fields, `version` and `flow`."""
        states: type[Enum] = type(next(iter(self.needs)))
        return table(
            {
                "issuer": TEXT,
                "client_id": TEXT,
                "seq": COUNT,
                "handed_over": FLAG,
                "wall": _WALL,
                "state": word(states),
                "wait": WAIT,
                "fields": self._fields(),
            }
        )

    def _fields(self) -> FieldCodec[dict[str, Any]]:
        """The attributes, without the underscore that makes some private."""
        inner = table({name.lstrip("_"): codec for name, codec in self.fields.items()})

        def decode(raw: object, where: str) -> dict[str, Any]:
            found = inner.decode(raw, where)
            return {name: found[name.lstrip("_")] for name in self.fields}

        return FieldCodec(
            lambda values, now: inner.encode(
                {name.lstrip("_"): value for name, value in values.items()}, now
            ),
            decode,
        )
