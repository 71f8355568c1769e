"""A streamed model answer: gathered into one for who asked for no stream, or made whole as it passes.

Rules of this file: no I/O; bytes in, and what they come to; an answer is whole, or it is an error: never half
of one. Unknown events are nobody's affair. No more than `most` bytes are kept of one answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

import attrs

from codex_oauth.clients.events import EventDecoder, EventTooLongError, ServerEvent

__all__ = ["MOST_OF_AN_ANSWER", "Filling", "Gathering", "WholeAnswer", "is_usage_limit"]

MOST_OF_AN_ANSWER: Final = 64 * 2**20
"""Bytes that are kept of one answer."""

_MOST_AFTER: Final = 2**16
_MOST_PIECES_AFTER: Final = 2
"""Bytes, and pieces of a stream, that are read after the answer: comments may keep one open without end."""

_NOT_AGAIN: Final = ("x-should-retry", "false")
"""OpenAI's clients repeat nothing that says so."""

_LIMITS: Final = frozenset({"usage_limit_reached", "usage_not_included", "insufficient_quota"})
"""What waiting a second does not change."""

_STATUS: Final[Mapping[str, int]] = {
    **dict.fromkeys(_LIMITS, 429),
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "vector_store_timeout": 500,
    "server_is_overloaded": 503,
    "slow_down": 503,
}
"""The status of an answer whose stream names one of these; any other code is about the request: 400."""


@attrs.frozen
class WholeAnswer:
    """What a caller gets who asked for no stream."""

    status: int
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


def is_usage_limit(content: bytes) -> bool:
    """Whether the body of an answer says that the plan, and not the moment, refuses."""
    error = _object(_parsed(content)).get("error")
    return any(_text(_object(error).get(name)) in _LIMITS for name in ("type", "code"))


def _parsed(content: str | bytes | None) -> object:
    try:
        return None if content is None else json.loads(content)
    except (ValueError, RecursionError):
        return None


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _object(value: object) -> dict[str, Any]:
    return value if _is_object(value) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


@attrs.define(eq=False)
class _Items:
    """The items of an answer, as they are done."""

    most: int
    _items: dict[int, Any] = attrs.field(factory=dict[int, Any], init=False)
    kept: int = attrs.field(default=0, init=False)
    _next: int = attrs.field(default=0, init=False)

    def learn(self, told: dict[str, Any], event: ServerEvent) -> None:
        """Keep the item that an event brings."""
        if _kind(told, event) != "response.output_item.done" or not _is_object(told.get("item")):
            return
        self.kept += len(event.raw)
        if self.kept <= self.most:
            at = told.get("output_index")
            at = at if isinstance(at, int) else self._next
            self._next = max(self._next, at + 1)
            self._items[at] = told["item"]

    def fill(self, response: dict[str, Any]) -> bool:
        """Whether an answer had no items, and has them now."""
        if response.get("output") or not self._items or self.kept > self.most:
            return False
        response["output"] = [self._items[at] for at in sorted(self._items)]
        return True


_DONE: Final = ("response.completed", "response.incomplete")


def _kind(told: dict[str, Any], event: ServerEvent) -> object:
    return told.get("type", event.name)


# -- for who asked for no stream -----------------------------------------------------------------------


class Gathering:
    """Reads a stream: `feed` it to its end, or until that says it is enough; `end` is the answer."""

    def __init__(self, most: int = MOST_OF_AN_ANSWER) -> None:
        self._decoder = EventDecoder(most)
        self._items = _Items(most)
        self._answer: WholeAnswer | None = None
        self._after = self._pieces_after = 0

    @property
    def has_answer(self) -> bool:
        """Whether the answer is there, and only the end of the stream is missing."""
        return self._answer is not None

    def feed(self, data: bytes) -> bool:
        """Whether it is enough, though it is not the end."""
        if self._answer is not None:  # a connection whose answer is read to the end is used again
            self._after += len(data)
            self._pieces_after += 1
            return self._after > _MOST_AFTER or self._pieces_after >= _MOST_PIECES_AFTER
        try:
            for event in self._decoder.feed(data):
                self._answer = self._read(event)
                if self._answer is not None:
                    return False
                if self._items.kept > self._items.most:
                    break
            else:
                return False
        except EventTooLongError:
            pass
        self._answer = _too_large()
        return True

    def end(self) -> WholeAnswer:
        """The answer, or an error in its place."""
        return self._answer or _error(502, "The answer ended before it was complete.", "stream_truncated")

    def _read(self, event: ServerEvent) -> WholeAnswer | None:
        told = _object(_parsed(event.data))
        self._items.learn(told, event)
        kind, response = _kind(told, event), told.get("response")
        if kind in _DONE and _is_object(response):
            self._items.fill(response)
            return WholeAnswer(200, json.dumps(response).encode())
        if kind == "response.failed":
            return _failed(_object(_object(response).get("error")), told)
        if kind == "error":
            flat = {name: told.get(name) for name in ("message", "code", "param")}
            return _failed(_object(told.get("error")) or flat, told)
        return None


def _failed(error: dict[str, Any], told: dict[str, Any]) -> WholeAnswer:
    """The error that a stream tells, as an answer of its own."""
    kind, code = _text(error.get("type")), _text(error.get("code"))
    status = next((_STATUS[name] for name in (code, kind) if name in _STATUS), None)
    for given in (told.get("status"), told.get("status_code")):
        if status is None and isinstance(given, int) and 400 <= given <= 599:
            status = given
    if status is None:
        status = 400 if code or kind else 502
    body = {
        "param": None,
        **error,
        "message": _text(error.get("message")) or "The model's answer failed.",
        "type": kind or code or "server_error",
        "code": code or None,
    }
    again = {code, kind}.isdisjoint(_LIMITS)
    return WholeAnswer(status, json.dumps({"error": body}).encode(), () if again else (_NOT_AGAIN,))


def _too_large() -> WholeAnswer:
    return attrs.evolve(
        _error(502, "The answer is larger than what is kept of one.", "answer_too_large"),
        headers=(_NOT_AGAIN,),
    )


def _error(status: int, message: str, code: str) -> WholeAnswer:
    error = {"message": message, "type": "server_error", "code": code, "param": None}
    return WholeAnswer(status, json.dumps({"error": error}).encode())


# -- for who asked for one -----------------------------------------------------------------------------


_TO_READ: Final = re.compile(rb"response\.(?:output_item\.done|completed|incomplete)")


class Filling:
    """Passes a stream on as it comes, and only puts the items into a last event that has none."""

    def __init__(self, most: int = MOST_OF_AN_ANSWER) -> None:
        self._decoder = EventDecoder(most)
        self._items = _Items(most)
        self._gave_up = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What to pass on now."""
        if self._gave_up:
            yield data
            return
        try:
            for event in self._decoder.feed(data):
                yield self._filled(event)
        except EventTooLongError:  # it is passed on as it is
            self._gave_up = True
            yield self.end()

    def end(self) -> bytes:
        """What is left where the stream ended within an event."""
        rest = bytes(self._decoder.rest)
        self._decoder.rest.clear()
        return rest

    def _filled(self, event: ServerEvent) -> bytes:
        if _TO_READ.search(event.raw) is None:  # most are pieces of the text
            return event.raw
        told = _object(_parsed(event.data))
        self._items.learn(told, event)
        kind, response = _kind(told, event), told.get("response")
        if kind not in _DONE or not _is_object(response) or not self._items.fill(response):
            return event.raw
        name = f"event: {event.name}\n" if event.name else ""
        return f"{name}data: {json.dumps(told)}\n\n".encode()
