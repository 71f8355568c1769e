"""How values stand in a checkpoint: plain and JSON-able, and checked again when they are taken up.

Rules of this file: a codec is data, and a table of codecs is all that a flow says about its checkpoints.
Taking up trusts nothing and raises only CheckpointError: its reason is a word with one fixed text, its place
is named by our own field names, and nothing that stood in a checkpoint enters it. An instant is put down as
the seconds that are left to it, and taken up as an instant of a clock that shows zero; `shift` sets it to the
driver's clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Generic, TypeVar, cast

import attrs

from codex_oauth_core.secret import Secret

__all__ = [
    "COUNT",
    "FLAG",
    "HIDDEN",
    "INSTANT",
    "LARGEST_NUMBER",
    "NAME",
    "SECONDS",
    "SECRET",
    "TEXT",
    "CheckpointError",
    "FieldCodec",
    "each",
    "number",
    "omitted",
    "optional",
    "record",
    "table",
    "word",
]


_TEXTS: Final[Mapping[str, str]] = {
    "not_a_checkpoint": "this is no checkpoint of a sign-in",
    "too_new": "the checkpoint was made by a newer release",
    "other_provider": "the checkpoint is of another provider or client",
    "malformed": "the checkpoint is damaged",
    "nothing_outstanding": "there is nothing to put down: the flow is not started, over, or handed over",
    "bad_time": "a checkpoint takes finite times",
    "other_key": "the checkpoint was sealed with another key",
    "sealed_wrong": "the sealed checkpoint is damaged, or somebody else's",
    "extra_missing": "sealing needs the extra: pip install 'codex-oauth[keyring]'",
}


class CheckpointError(ValueError):
    """This program cannot resume from the mapping, or the flow cannot give a checkpoint now.

    `reason` is a word for programs. `restore()` gives `not_a_checkpoint`, `too_new`, `other_provider` or
    `malformed`; `checkpoint()` gives `nothing_outstanding` or `bad_time`; `seal()` and `unseal()` give
    `other_key`, `sealed_wrong` or `extra_missing`. `where` names the malformed field, such as
    `fields.device.interval`. `reason`, `where` and the text repeat no value of the mapping.
    """

    def __init__(self, reason: str, where: str | None = None) -> None:
        super().__init__(_TEXTS[reason] if where is None else f"{_TEXTS[reason]}: {where}")
        self.reason = reason
        self.where = where


T = TypeVar("T")
E = TypeVar("E", bound=Enum)

LARGEST_NUMBER: Final = 1e9
"""Seconds, or a count: more than any that matters."""

_LONGEST_TEXT: Final = 1024
_LONGEST_SECRET: Final = 16 * 1024
_MOST_ITEMS: Final = 256
_VISIBLE: Final = re.compile(r"[\x20-\x7e]+", re.ASCII)
_NAME: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


def _unshifted(value: Any, by: float) -> Any:
    return value


@attrs.frozen
class FieldCodec(Generic[T]):
    """How a value is put down at an instant, taken up from whatever stands there, and moved by seconds."""

    encode: Callable[[T, float], Any]
    decode: Callable[[object, str], T]
    """Takes what stands there, and its place's name. Raises CheckpointError."""
    shift: Callable[[T, float], T] = _unshifted
    may_be_absent: bool = False
    """Whether a table leaves the name out where there is no value, and takes None where it is not there."""


# -- texts and numbers ---------------------------------------------------------------------------------


def _text(fits: Callable[[str], object], longest: int = _LONGEST_TEXT) -> Callable[[object, str], str]:
    def decode(raw: object, where: str) -> str:
        if isinstance(raw, str) and len(raw) <= longest and fits(raw):
            return raw
        raise CheckpointError("malformed", where)

    return decode


def _as_it_is(value: Any, now: float) -> Any:
    return value


def _secret(fits: Callable[[str], object]) -> FieldCodec[Secret[str]]:
    decode = _text(fits, _LONGEST_SECRET)
    return FieldCodec(lambda value, now: value.reveal(), lambda raw, where: Secret(decode(raw, where)))


TEXT: Final[FieldCodec[str]] = FieldCodec(_as_it_is, _text(str.isprintable))
"""A text that is safe to show."""

NAME: Final[FieldCodec[str]] = FieldCodec(_as_it_is, _text(_NAME.fullmatch))
"""A URI, or a word of a protocol: visible ASCII without spaces."""

SECRET: Final[FieldCodec[Secret[str]]] = _secret(_VISIBLE.fullmatch)
"""A token, code, verifier or state (RFC 6749 appendix A: VSCHAR)."""

HIDDEN: Final[FieldCodec[Secret[str]]] = _secret(len)
"""A secret of whatever letters a server chose."""


def number(lowest: float, highest: float) -> FieldCodec[float]:
    """Seconds within bounds. What is outside is put down as the bound, and never taken up."""

    def decode(raw: object, where: str) -> float:
        if isinstance(raw, int | float) and not isinstance(raw, bool) and lowest <= raw <= highest:
            return float(raw)
        raise CheckpointError("malformed", where)

    return FieldCodec(lambda value, now: min(max(value, lowest), highest), decode)


SECONDS: Final = number(0.0, LARGEST_NUMBER)

INSTANT: Final[FieldCodec[float]] = FieldCodec(
    lambda value, now: SECONDS.encode(value - now, now), SECONDS.decode, lambda value, by: value + by
)


def _take_count(raw: object, where: str) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= LARGEST_NUMBER:
        return raw
    raise CheckpointError("malformed", where)


def _take_flag(raw: object, where: str) -> bool:
    if isinstance(raw, bool):
        return raw
    raise CheckpointError("malformed", where)


COUNT: Final[FieldCodec[int]] = FieldCodec(_as_it_is, _take_count)
FLAG: Final[FieldCodec[bool]] = FieldCodec(_as_it_is, _take_flag)


def word(members: type[E]) -> FieldCodec[E]:
    """A member of an enumeration, by its value."""
    by_value: Mapping[object, E] = {member.value: member for member in members}

    def decode(raw: object, where: str) -> E:
        member = by_value.get(raw) if isinstance(raw, str) else None
        if member is None:
            raise CheckpointError("malformed", where)
        return member

    return FieldCodec(lambda value, now: value.value, decode)


# -- codecs made of codecs -------------------------------------------------------------------------------


def optional(codec: FieldCodec[T]) -> FieldCodec[T | None]:
    """A value, or none."""
    return FieldCodec(
        lambda value, now: None if value is None else codec.encode(value, now),
        lambda raw, where: None if raw is None else codec.decode(raw, where),
        lambda value, by: None if value is None else codec.shift(value, by),
    )


def omitted(codec: FieldCodec[T]) -> FieldCodec[T | None]:
    """A value that earlier releases did not have: where there is none it is not named at all."""
    return attrs.evolve(optional(codec), may_be_absent=True)


def each(codec: FieldCodec[T]) -> FieldCodec[tuple[T, ...]]:
    """A few values of one codec."""

    def decode(raw: object, where: str) -> tuple[T, ...]:
        if not isinstance(raw, list | tuple):
            raise CheckpointError("malformed", where)
        items = cast("list[object]", raw)
        if len(items) > _MOST_ITEMS:
            raise CheckpointError("malformed", where)
        return tuple(codec.decode(item, where) for item in items)

    return FieldCodec(
        lambda values, now: [codec.encode(value, now) for value in values],
        decode,
        lambda values, by: tuple(codec.shift(value, by) for value in values),
    )


def table(codecs: Mapping[str, FieldCodec[Any]]) -> FieldCodec[dict[str, Any]]:
    """Named values: exactly these names, no more and no fewer. What is `omitted` where it is None is not put
    down then, and is None where it is missing.
    """
    needed = {name for name, codec in codecs.items() if not codec.may_be_absent}

    def encode(values: Mapping[str, Any], now: float) -> dict[str, Any]:
        there = {name: codec for name, codec in codecs.items() if name in needed or values[name] is not None}
        return {name: codec.encode(values[name], now) for name, codec in there.items()}

    def decode(raw: object, where: str) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise CheckpointError("malformed", where)
        found = cast("Mapping[str, object]", raw)
        if not needed <= set(found) <= set(codecs):
            raise CheckpointError("malformed", where)
        return {name: codec.decode(found.get(name), f"{where}.{name}") for name, codec in codecs.items()}

    return FieldCodec(
        encode,
        decode,
        lambda values, by: {name: codec.shift(values[name], by) for name, codec in codecs.items()},
    )


def record(made: Callable[..., T], **codecs: FieldCodec[Any]) -> FieldCodec[T]:
    """An object of the class `made`, which takes these fields by name."""
    fields = table(codecs)

    def named(value: T) -> dict[str, Any]:
        return {name: getattr(value, name) for name in codecs}

    return FieldCodec(
        lambda value, now: fields.encode(named(value), now),
        lambda raw, where: made(**fields.decode(raw, where)),
        lambda value, by: made(**fields.shift(named(value), by)),
    )
