"""What a failed request for a model answer says, for people: some clients hide it.

Rules of this file: it reads what an error holds, and sends nothing; no token and no header is repeated; what
it does not know it does not explain.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from inspect import iscoroutine
from typing import Any, Final, TypeGuard

from codex_oauth.clock import now
from codex_oauth_core.errors import SignInError

__all__ = ["explain"]

_LONGEST: Final = 500
_MOST_CAUSES: Final = 9


def explain(error: BaseException) -> str | None:
    """The text of the backend, or of this library, in an error of any client; None if there is none. For a
    usage limit the text says when it ends.
    """
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen and len(seen) < _MOST_CAUSES:
        if isinstance(current, SignInError):
            return " ".join((current.message, *current.next_actions))
        if (said := _said(_body_of(current))) is not None:
            return said
        seen.append(current)
        current = current.__cause__ or current.__context__
    return None


def _body_of(error: BaseException) -> dict[str, Any]:
    """The body of the answer: of an error of OpenAI's client, or of httpx, requests or niquests."""
    body: object = getattr(error, "body", None)
    if isinstance(body, str | bytes):
        body = _parsed(body)
    if body is None:
        body = _parsed(_content_of(getattr(error, "response", None)))
    return body if _is_object(body) else {}


def _content_of(response: object) -> object:
    try:
        content: object = getattr(response, "content", None)
    except Exception:  # noqa: BLE001  # of a stream that nobody has read, or cannot be read any more
        return None
    if iscoroutine(content):  # an asynchronous one, likewise
        content.close()
    return content


def _parsed(content: object) -> object:
    try:
        return json.loads(content) if isinstance(content, str | bytes) else None
    except (ValueError, RecursionError):
        return None


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _said(body: dict[str, Any]) -> str | None:
    inner: object = body.get("error")
    error = inner if _is_object(inner) else body
    text = next((each for each in (body.get("detail"), error.get("message")) if isinstance(each, str)), "")
    text = "".join(char for char in text if char.isprintable())[:_LONGEST].strip()
    if not text:
        return None
    return f"{text.rstrip('.')}.{_until(error)}"


def _until(error: dict[str, Any]) -> str:
    """How long a limit lasts, if an error says that."""
    seconds = error.get("resets_in_seconds")
    if not isinstance(seconds, int | float) and isinstance(at := error.get("resets_at"), int | float):
        try:
            seconds = at - now()[1]
        except OverflowError:  # an int that no float holds
            return ""
    if not isinstance(seconds, int | float) or not 0 < seconds < timedelta(days=3650).total_seconds():
        return ""
    at = datetime.fromtimestamp(now()[1] + seconds, UTC).astimezone()
    return f" It is over in {_length(round(seconds))}, at {at:%Y-%m-%d %H:%M}."


def _length(seconds: int) -> str:
    hours, minutes = divmod(-(-seconds // 60), 60)
    days, hours = divmod(hours, 24)
    named = ((days, "d"), (hours, "h"), (minutes, "min"))
    return " ".join(f"{count} {unit}" for count, unit in named if count)
