"""Values of the exhaustive search: two that are equal, but for the time that has passed, are one.

Rules of this file: it knows no kind of flow and no store. Every instant is told relative to now, which is always
`AT` and `WALL`; so time passes by moving all instants of a value into the past. What is long past, and what is
far ahead, stays where it is, so that there are finitely many values. A number is an instant if it is near
`AT` or `WALL`; spans and counts are far smaller. A value is looked at once, and known by its number then.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, Final

import attrs

from codex_oauth_core import Credential, Provider, Record, RenewalPolicy, Secret
from codex_oauth_core.flows.machine import Flow
from codex_oauth_core.record import Intent

__all__ = ["AT", "HOUR", "WALL", "Table", "Token", "Values", "copied"]

AT: Final = 500_000_000.0
"""Now, in seconds on the monotonic clock."""
WALL: Final = 1_800_000_000.0
"""Now, in Unix seconds."""
HOUR: Final = 3_900.0
"""Seconds by which a clock is ahead or behind that was put so: no other span of the search."""
_FAR: Final = 220.0
"""Seconds ahead from which an instant does not come nearer: longer than the longest wait."""

_LONG_AGO: Final = 240.0
_LONG_AGO_IN: Final[Mapping[type, float]] = {Intent: 110.0, Record: 110.0, Credential: 65.0}
"""Seconds after which nothing depends any more on how long ago something was."""
_LIMITS: Final = ("until", "_by", "due_at", "give_up_at")
"""How fields end that hold instants of which only matters whether they have come."""
_SHORT: Final = {"_reserving_since": 20.0}
_COUNTED: Final = "_seq"
"""A flow's count of its events, on which nothing depends."""
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TOKEN: Final = re.compile(r"r(\d+)\.(\d+)")
_PLAIN: Final = (str, int, float, bytes, Enum, type(None))
_LEAVES: Final = (Provider, RenewalPolicy)

Token = tuple[int, int]
"""A refresh token: the number of its sign-in, and how often it was renewed."""


def copied(flow: Any) -> Any:
    """A copy of a flow, which can be changed without changing the other: all its parts are frozen, but for a
    flow that it drives.
    """
    kind: Any = flow.__class__
    new: Any = object.__new__(kind)
    for name in _names(kind):
        value = getattr(flow, name)
        setattr(new, name, copied(value) if _is(value, Flow) else value)
    setattr(new, _COUNTED, 0)
    return new


def _is(value: Any, *kinds: type) -> bool:
    """As isinstance; what is looked at stays of any type to a checker."""
    return isinstance(value, kinds)


@cache
def _names(kind: Any) -> tuple[str, ...]:
    if not attrs.has(kind):
        raise TypeError(f"{kind.__name__} cannot be told from another of its kind")
    return tuple(field.name for field in attrs.fields(kind))


class Values:
    """All values that were met in one search, in which `tick` seconds pass at once."""

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._known: dict[int, tuple[Any, int]] = {}
        """By its identity: the object, which must live on for that, and its number."""
        self._numbers: dict[Hashable, int] = {}
        self._objects: list[Any] = []
        self._later: dict[int, Any] = {}
        self._tokens: dict[int, frozenset[Token]] = {}

    def key(self, value: Any) -> Hashable:
        """A key that is equal for equal values."""
        plain: Hashable = value if _is(value, *_PLAIN) else (self._number(value),)
        return plain

    def parts(self, value: Any) -> Hashable:
        """The keys of the parts of a value."""
        if _is(value, Secret):
            return Secret, value.reveal()
        if _is(value, *_LEAVES):
            return str(value.__class__)
        if _is(value, tuple, list):
            return tuple, *map(self.key, value)
        if _is(value, Mapping):
            return Mapping, *sorted((str(name), self.key(each)) for name, each in value.items())
        kind: Any = value.__class__
        return kind, *(self.key(getattr(value, name)) for name in _names(kind))

    def _number(self, value: Any) -> int:
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        number = self._numbers.setdefault(self.parts(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        self._known[id(value)] = value, number
        return number

    # -- time -------------------------------------------------------------------------------------------

    def later(self, value: Any, long_ago: float = _LONG_AGO) -> Any:
        """A value when a tick has passed."""
        if _is(value, bool, bytes, Enum, Secret, type(None)):
            return value
        if _is(value, int, float):
            return _moved_number(value, self._tick, long_ago)
        if _is(value, str):
            return _moved_date(value, self._tick, long_ago) if _ISO.fullmatch(value) else value
        number = self._number(value)
        if number not in self._later:
            self._later[number] = self.rebuilt(self._objects[number], long_ago)
        return self._later[number]

    def rebuilt(self, value: Any, long_ago: float = _LONG_AGO) -> Any:
        """A new value of the same kind, all of whose parts are later."""
        kind: Any = value.__class__
        long_ago = _LONG_AGO_IN.get(kind, long_ago)
        if _is(value, tuple):
            return tuple(self.later(each, long_ago) for each in value)
        if _is(value, Mapping):
            return {name: self.later(each, long_ago) for name, each in value.items()}
        if _is(value, BaseException, *_LEAVES) or not attrs.has(kind):
            return value
        new: Any = object.__new__(kind)
        for name in _names(kind):
            limit = 0.0 if name.endswith(_LIMITS) else _SHORT.get(name, long_ago)
            object.__setattr__(new, name, self.later(getattr(value, name), limit))
        return new

    # -- tokens -----------------------------------------------------------------------------------------

    def tokens(self, value: Any) -> frozenset[Token]:
        """The refresh tokens that a value holds, unless only as a part of a longer text."""
        if _is(value, *_PLAIN):
            return frozenset()
        number = self._number(value)
        if number not in self._tokens:
            self._tokens[number] = self.tokens_of_parts(value)
        return self._tokens[number]

    def tokens_of_parts(self, value: Any) -> frozenset[Token]:
        """The refresh tokens of the parts of a value."""
        if _is(value, Secret):
            said: Any = value.reveal()
            match = _TOKEN.fullmatch(said) if _is(said, str) else None
            return frozenset({(int(match[1]), int(match[2]))} if match else ())
        if _is(value, tuple, list):
            return frozenset[Token]().union(*map(self.tokens, value))
        if _is(value, Mapping, *_LEAVES):
            return frozenset()
        kind: Any = value.__class__
        parts = [getattr(value, name) for name in _names(kind)]
        return frozenset[Token]().union(*map(self.tokens, parts))


_CLOCKS: Final = (WALL, WALL + HOUR, WALL - HOUR)
_NOW: Final = ((AT, 1.0), *((each * scale, scale) for scale in (1.0, 1000.0) for each in _CLOCKS))


def _moved_number(value: float, seconds: float, long_ago: float) -> float:
    for now, scale in _NOW:
        ahead = (value - now) / scale
        if -long_ago < ahead < _FAR:
            return type(value)(now + scale * max(round(ahead - seconds, 3), -long_ago))
    return value


@cache
def _moved_date(value: str, seconds: float, long_ago: float) -> str:
    for now in _CLOCKS:
        ahead = datetime.fromisoformat(value).timestamp() - now
        if -long_ago < ahead < _FAR:
            moved = datetime.fromtimestamp(now, UTC) + timedelta(seconds=max(ahead - seconds, -long_ago))
            return f"{moved:%Y-%m-%dT%H:%M:%SZ}"
    return value


class Table:
    """Values of one kind, each once, under a number. Nobody must change one that is in it."""

    def __init__(self, values: Values) -> None:
        self.values: list[Any] = []
        self.tokens: list[frozenset[Token]] = []
        """The refresh tokens in each of them."""
        self._of = values
        self._numbers: dict[Hashable, int] = {}
        self._later: dict[int, int] = {}

    def number(self, value: Any) -> int:
        """The number of a value."""
        key = self._of.parts(value)
        number = self._numbers.setdefault(key, len(self.values))
        if number == len(self.values):
            self.values.append(value)
            self.tokens.append(self._of.tokens_of_parts(value))
        return number

    def later(self, number: int) -> int:
        """The number of a value when a tick has passed."""
        found = self._later.get(number)
        if found is None:
            found = self._later[number] = self.number(self._of.rebuilt(self.values[number]))
        return found
