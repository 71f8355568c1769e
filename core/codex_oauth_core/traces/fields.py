"""The fields of a trace's lines, each of its type, or a `TraceError` that names the line and the field.

Rules of this file: an error repeats a field's name, which is ours, and never its value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NoReturn, cast

import attrs

from codex_oauth_core.traces.form import TraceError

__all__ = ["Fields"]

_LATEST: Final = 1e12
"""Seconds, or milliseconds: no instant or moment of a sign-in is beyond that in either direction."""
_WALLS: Final = (-6e10, 2.5e11)  # Unix times within the years 1 to 9999


@attrs.frozen
class Fields:
    """The members of one JSON object, on the line `number`."""

    members: Mapping[str, object]
    number: int

    def wrong(self, what: str) -> NoReturn:
        """Raise the TraceError that says what is wrong with this line."""
        raise TraceError(f"Line {self.number}: {what}.")

    def text(self, name: str) -> str:
        """A text."""
        value = self.members.get(name)
        return value if isinstance(value, str) else self.wrong(f"{name} is no text")

    def text_or_none(self, name: str) -> str | None:
        """A text, or null."""
        return None if self.members.get(name) is None else self.text(name)

    def ascii(self, name: str) -> str:
        """A text of ASCII characters alone."""
        text = self.text(name)
        return text if text.isascii() else self.wrong(f"{name} is not plain ASCII")

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.members.get(name)
        return value if isinstance(value, bool) else self.wrong(f"{name} is neither true nor false")

    def whole(self, name: str) -> int:
        """A whole number."""
        value = self.members.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(f"{name} is no whole number")
        return value

    def number_of(self, name: str) -> float:
        """A finite number."""
        value = self.members.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(f"{name} is no number")
        if abs(value) > _LATEST or math.isnan(value):
            self.wrong(f"{name} is out of bounds")
        return float(value)

    def wall(self, name: str = "wall") -> float:
        """Unix time that a calendar has."""
        wall = self.number_of(name)
        return wall if _WALLS[0] < wall < _WALLS[1] else self.wrong(f"{name} is out of bounds")

    def inner(self, name: str) -> Fields:
        """An object."""
        value = self.members.get(name)
        if not isinstance(value, dict):
            self.wrong(f"it has no {name}")
        return Fields(cast("Mapping[str, object]", value), self.number)

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """A list of at most so many texts."""
        value = self.members.get(name)
        found = cast("list[object]", value) if isinstance(value, list) else []
        if not isinstance(value, list) or len(found) > most:
            self.wrong(f"{name} is no list, or too long")
        return tuple(each if isinstance(each, str) else self.wrong(f"{name} has no texts") for each in found)

    def text_by_name(self, name: str) -> Mapping[str, str]:
        """An object whose members are texts."""
        inner = self.inner(name)
        return {key: inner.text(key) for key in inner.members}
