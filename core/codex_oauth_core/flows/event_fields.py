"""Which field of an event is not what its type says: a driver's bug, found before it changes anything.

Rules of this file: every event of every flow is looked at, so a look costs less than a microsecond or two; a
field is named, and its value never told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, cast

from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Cause,
    Event,
    Phase,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Started,
    StoreAnswered,
    TimeReached,
)
from codex_oauth_core.secret import Secret
from codex_oauth_core.settings import BadSetting

__all__ = ["invalid_field"]

_EARLIEST: Final = -1e15
_LATEST: Final = 1e15
"""Seconds: no clock shows an instant beyond that in either direction, and an instant is exact to 0.1 s."""


def invalid_field(event: Event) -> str | None:
    """The first field of `event` that does not fit, and what it should be; None if all fit."""
    look = _LOOKS.get(type(event))
    return _of_a_subclass(event) if look is None else look(event)


def _of_a_subclass(event: Any) -> str | None:
    look = next((_LOOKS[base] for base in type(event).__mro__ if base in _LOOKS), None)
    return None if look is None else look(event)


def _is_seconds(value: object) -> bool:
    # a comparison and not isfinite(), which raises for a number of 400 digits
    return isinstance(value, float | int) and not isinstance(value, bool) and _EARLIEST < value < _LATEST


def _timed(event: Any) -> str | None:
    if type(event.at) is float and _EARLIEST < event.at < _LATEST:  # nearly always, and three times as fast
        return None
    return None if _is_seconds(event.at) else "at is no finite number of seconds"


def _dated(event: Any) -> str | None:
    return _timed(event) or (None if _is_seconds(event.wall) else "wall is no finite number of seconds")


def _response(event: Any) -> str | None:
    return None if _is_usual(event) else _odd_response(event)


def _is_usual(event: Any) -> bool:
    """Whether a response is as most worlds make it: then nothing else is to be asked."""
    headers, at, wall, sent_at = event.headers, event.at, event.wall, event.sent_at
    if headers.__class__ is not dict or not type(at) is type(wall) is type(sent_at) is float:
        return False
    for name, value in headers.items():
        if type(name) is not str or type(value) is not str:
            return False
    return (
        _EARLIEST < at < _LATEST
        and _EARLIEST < wall < _LATEST
        and _EARLIEST < sent_at < _LATEST
        and type(event.status) is int
        and _hides(event.body, bytes)
    )


def _odd_response(event: Any) -> str | None:
    if found := _dated(event):
        return found
    if not _is_seconds(event.sent_at):
        return "sent_at is no finite number of seconds"
    if not isinstance(event.status, int) or isinstance(event.status, bool):
        return "status is no whole number"
    if not _is_text_by_text(event.headers):
        return "headers is no mapping of texts to texts"
    return None if _hides(event.body, (bytes, bytearray)) else "body holds no bytes"


def _is_text_by_text(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    members = cast("Mapping[object, object]", value).items()
    return all(isinstance(name, str) and isinstance(text, str) for name, text in members)


def _hides(value: object, kinds: type[Any] | tuple[type[Any], ...]) -> bool:
    return isinstance(value, Secret) and isinstance(value.reveal(), kinds)


def _failure(event: Any) -> str | None:
    if found := _timed(event):
        return found
    if not isinstance(event.phase, Phase):  # an equal text would count as "not sent"
        return "phase is no Phase"
    if not isinstance(event.cause, Cause):
        return "cause is no Cause"
    if not (event.setting is None or isinstance(event.setting, BadSetting)):
        return "setting is no BadSetting"
    return None if event.errno is None or isinstance(event.errno, str) else "errno is no text"


def _callback(event: Any) -> str | None:
    return _timed(event) or (None if _hides(event.query, str) else "query is no Secret of a text")


@cache
def _answered() -> Mapping[str, type[Any]]:
    """The members that a store's answers have, and of what type they are where they are not None."""
    from codex_oauth_core.record import Intent, Record  # which a sign-in does not need until it is stored

    return {
        "record": Record,
        "error": SignInError,
        "problem": SignInError,
        "rescued": bool,
        "intent": Intent,
        "name": str,
    }


def _stored(event: Any) -> str | None:
    if found := _dated(event):
        return found
    for name, kind in _answered().items():
        value = getattr(event.answer, name, None)
        if value is not None and not isinstance(value, kind):
            return f"answer.{name} is no {kind.__name__}"
    return None


_LOOKS: Final[Mapping[type[Any], Callable[[Any], str | None]]] = {
    Started: _dated,
    Resumed: _dated,
    ResponseReceived: _response,
    RequestFailed: _failure,
    TimeReached: _timed,
    CallbackReceived: _callback,
    StoreAnswered: _stored,
    Cancelled: _timed,
}
