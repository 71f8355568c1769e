"""How values stand in a checkpoint: plain and JSON-able, and checked again when they are taken up.

Rules of this file: a form is data, and a table of forms is all that a flow says about its checkpoints.
Taking up trusts nothing and raises only CheckpointError: its reason is a word with one fixed text, its place
is named by our own field names, and nothing that stood in a checkpoint enters it. An instant is put down as
the seconds that are left to it, and taken up as an instant of a clock that shows zero; `moved` sets it to the
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
    "LONGEST",
    "NAME",
    "SECONDS",
    "SECRET",
    "TEXT",
    "CheckpointError",
    "Form",
    "each",
    "number",
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
    """A mapping is no checkpoint that can be taken up here, or a flow cannot be put down now.

    `reason` is a word for programs: `not_a_checkpoint`, `too_new`, `other_provider` or `malformed` from
    `restore()`, `nothing_outstanding` or `bad_time` from `checkpoint()`, `other_key`, `sealed_wrong` or
    `extra_missing` from a seal. `where` names the field that is malformed, `fields.device.interval` say.
    Neither they nor the text repeat anything of the mapping.
    """

    def __init__(self, reason: str, where: str | None = None) -> None:
        super().__init__(_TEXTS[reason] if where is None else f"{_TEXTS[reason]}: {where}")
        self.reason = reason
        self.where = where


T = TypeVar("T")
E = TypeVar("E", bound=Enum)

LONGEST: Final = 1e9
"""Seconds, or a count: more than any that matters."""

_LONGEST_TEXT: Final = 1024
_LONGEST_SECRET: Final = 16 * 1024
_MOST_ITEMS: Final = 256
_VISIBLE: Final = re.compile(r"[\x20-\x7e]+", re.ASCII)
_NAME: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


def _unmoved(value: Any, by: float) -> Any:
    return value


@attrs.frozen
class Form(Generic[T]):
    """How a value is put down at an instant, taken up from whatever stands there, and moved by seconds."""

    put: Callable[[T, float], Any]
    take: Callable[[object, str], T]
    """Takes what stands there, and its place's name. Raises CheckpointError."""
    moved: Callable[[T, float], T] = _unmoved


# -- texts and numbers ---------------------------------------------------------------------------------


def _text(fits: Callable[[str], object], longest: int = _LONGEST_TEXT) -> Callable[[object, str], str]:
    def take(raw: object, where: str) -> str:
        if isinstance(raw, str) and len(raw) <= longest and fits(raw):
            return raw
        raise CheckpointError("malformed", where)

    return take


def _as_it_is(value: Any, now: float) -> Any:
    return value


def _secret(fits: Callable[[str], object]) -> Form[Secret[str]]:
    take = _text(fits, _LONGEST_SECRET)
    return Form(lambda value, now: value.reveal(), lambda raw, where: Secret(take(raw, where)))


TEXT: Final[Form[str]] = Form(_as_it_is, _text(str.isprintable))
"""A text that is safe to show."""

NAME: Final[Form[str]] = Form(_as_it_is, _text(_NAME.fullmatch))
"""A URI, or a word of a protocol: visible ASCII without spaces."""

SECRET: Final[Form[Secret[str]]] = _secret(_VISIBLE.fullmatch)
"""A token, code, verifier or state (RFC 6749 appendix A: VSCHAR)."""

HIDDEN: Final[Form[Secret[str]]] = _secret(len)
"""A secret of whatever letters a server chose."""


def number(lowest: float, highest: float) -> Form[float]:
    """Seconds within bounds. What is outside is put down as the bound, and never taken up."""

    def take(raw: object, where: str) -> float:
        if isinstance(raw, int | float) and not isinstance(raw, bool) and lowest <= raw <= highest:
            return float(raw)
        raise CheckpointError("malformed", where)

    return Form(lambda value, now: min(max(value, lowest), highest), take)


SECONDS: Final = number(0.0, LONGEST)

INSTANT: Final[Form[float]] = Form(
    lambda value, now: SECONDS.put(value - now, now), SECONDS.take, lambda value, by: value + by
)


def _take_count(raw: object, where: str) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= LONGEST:
        return raw
    raise CheckpointError("malformed", where)


def _take_flag(raw: object, where: str) -> bool:
    if isinstance(raw, bool):
        return raw
    raise CheckpointError("malformed", where)


COUNT: Final[Form[int]] = Form(_as_it_is, _take_count)
FLAG: Final[Form[bool]] = Form(_as_it_is, _take_flag)


def word(members: type[E]) -> Form[E]:
    """A member of an enumeration, by its value."""
    by_value: Mapping[object, E] = {member.value: member for member in members}

    def take(raw: object, where: str) -> E:
        member = by_value.get(raw) if isinstance(raw, str) else None
        if member is None:
            raise CheckpointError("malformed", where)
        return member

    return Form(lambda value, now: value.value, take)


# -- forms made of forms -------------------------------------------------------------------------------


def optional(form: Form[T]) -> Form[T | None]:
    """A value, or none."""
    return Form(
        lambda value, now: None if value is None else form.put(value, now),
        lambda raw, where: None if raw is None else form.take(raw, where),
        lambda value, by: None if value is None else form.moved(value, by),
    )


def each(form: Form[T]) -> Form[tuple[T, ...]]:
    """A few values of one form."""

    def take(raw: object, where: str) -> tuple[T, ...]:
        if not isinstance(raw, list | tuple):
            raise CheckpointError("malformed", where)
        items = cast("list[object]", raw)
        if len(items) > _MOST_ITEMS:
            raise CheckpointError("malformed", where)
        return tuple(form.take(item, where) for item in items)

    return Form(
        lambda values, now: [form.put(value, now) for value in values],
        take,
        lambda values, by: tuple(form.moved(value, by) for value in values),
    )


def table(forms: Mapping[str, Form[Any]]) -> Form[dict[str, Any]]:
    """Named values: exactly these names, no more and no fewer."""

    def take(raw: object, where: str) -> dict[str, Any]:
        if not isinstance(raw, Mapping) or set(cast("Mapping[object, object]", raw)) != set(forms):
            raise CheckpointError("malformed", where)
        found = cast("Mapping[str, object]", raw)
        return {name: form.take(found[name], f"{where}.{name}") for name, form in forms.items()}

    return Form(
        lambda values, now: {name: form.put(values[name], now) for name, form in forms.items()},
        take,
        lambda values, by: {name: form.moved(values[name], by) for name, form in forms.items()},
    )


def record(made: Callable[..., T], **forms: Form[Any]) -> Form[T]:
    """An object of the class `made`, which takes these fields by name."""
    fields = table(forms)

    def named(value: T) -> dict[str, Any]:
        return {name: getattr(value, name) for name in forms}

    return Form(
        lambda value, now: fields.put(named(value), now),
        lambda raw, where: made(**fields.take(raw, where)),
        lambda value, by: made(**fields.moved(named(value), by)),
    )
