"""What the model backends of a login want a request to be, and a request made so.

Rules of this file: pure; a body in, a body out, and the names of what was left out. What shapes the answer is
left out where the backend refuses it; what is part of the question (`previous_response_id`, `conversation`,
`prompt`) stays: the backend says that it cannot do it, and nobody gets the answer to another question.
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeGuard, cast

import attrs

from codex_oauth_core.model_api import ModelApi

__all__ = ["DEFAULT_INSTRUCTIONS", "Translation", "translate"]

DEFAULT_INSTRUCTIONS: Final = "You are a helpful assistant."
"""What a request without instructions says where the backend refuses it without."""


@attrs.frozen
class Translation:
    """A body as the backend wants it. `gather`: who asked did not ask for a stream. `dropped`: fields that
    had a value, and are not sent.
    """

    content: bytes
    gather: bool
    dropped: tuple[str, ...] = ()


def translate(content: bytes, api: ModelApi, instructions: str = DEFAULT_INSTRUCTIONS) -> Translation | None:
    """The body of a request for a model answer as `api` wants it; None for what is no JSON object."""
    try:
        asked: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not _is_object(asked):
        return None
    body = {name: value for name, value in asked.items() if value is not None}  # null means: not given
    dropped = tuple(name for name in body if name in api.refused)
    for name in dropped:
        del body[name]
    lifted, body["input"] = _lifted(_as_items(body.get("input", [])))
    texts = [text for text in (body.get("instructions"), *lifted) if text]
    if texts and all(isinstance(text, str) for text in texts):
        body["instructions"] = "\n\n".join(texts)
    elif not texts and api.needs_instructions:
        body["instructions"] = instructions
    body.update(stream=True, store=False)
    sent = json.dumps(body, separators=(",", ":")).encode()
    return Translation(sent, gather=asked.get("stream") is not True, dropped=dropped)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _as_items(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]


def _lifted(items: Any) -> tuple[list[str], Any]:
    """The texts of the system messages at the beginning, and the other items. One that stands later, or holds
    more than text, becomes a developer message: its place counts.
    """
    if not isinstance(items, list):
        return [], items
    texts: list[str] = []
    left: list[Any] = []
    for item in cast("list[object]", items):
        if not (_is_object(item) and item.get("role") == "system"):
            left.append(item)
        elif left or (text := _text_of(item.get("content"))) is None:
            left.append({**item, "role": "developer"})
        else:
            texts.append(text)
    return texts, left


def _text_of(content: Any) -> str | None:
    """The text of a message that is nothing else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts: list[str] = []
    for part in cast("list[object]", content):
        if not (_is_object(part) and isinstance(text := part.get("text"), str)):
            return None
        texts.append(text)
    return "\n".join(texts)
