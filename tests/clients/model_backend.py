"""A model backend by its rules, as a function: what it demands, refuses and streams. For transports of httpx and
httpx2 that send nothing.

Rules of this file: it knows nothing of what it tests; a fault is a field; it keeps what it was sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import attrs

__all__ = ["ITEM", "ModelBackend", "asynchronous", "blocking", "events", "stream_of"]

TEXT = "Hello, ü."
ITEM: dict[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}],
}
REFUSED = ("max_output_tokens", "temperature", "top_p", "metadata", "stream_options")
LIMIT = {
    "error": {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": 1790000000,
        "resets_in_seconds": 60,
    }
}


def response(status: str, output: list[Any]) -> dict[str, Any]:
    done = status == "completed"
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "m",
        "output": output,
        "error": None,
        "incomplete_details": None,
        "instructions": "x",
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "text": {"format": {"type": "text"}},
        "store": False,
        "usage": {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 3,
        }
        if done
        else None,
    }


def events(*, empty: bool = True) -> list[dict[str, Any]]:
    """The events of a text; with `empty` the last one has no items, as the backend was often seen to do."""
    part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    middle = len(TEXT) // 2
    deltas: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
        for piece in (TEXT[:middle], TEXT[middle:])
    ]
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": response("in_progress", [])},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**ITEM, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **where, "part": part},
        *deltas,
        {"type": "codex.unknown", "anything": [1]},
        {"type": "response.output_text.done", **where, "text": TEXT, "logprobs": []},
        {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
        {"type": "response.completed", "response": response("completed", [] if empty else [ITEM])},
    ]
    return [{**each, "sequence_number": n} for n, each in enumerate(told)]


def stream_of(told: list[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in told)


Answer = tuple[int, dict[str, str], list[bytes]]


@attrs.define(eq=False)
class ModelBackend:
    """`takes`: whether it takes a token. `told`: its events. `size`: of the pieces they come in."""

    takes: Callable[[str], bool] = lambda _: True
    told: list[dict[str, Any]] = attrs.field(factory=events)
    kind: str | None = "text/event-stream"
    size: int = 37
    early: Answer | None = None
    """What it says in place of an answer, whatever is asked."""
    rules: bool = True
    breaks: bool = False
    """Whether the connection breaks after the last event."""
    requests: list[tuple[str, str, dict[str, str], bytes]] = attrs.field(factory=list[Any])
    closed: int = 0
    """Streams that were closed."""

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for *_, body in self.requests]

    @property
    def headers(self) -> list[dict[str, str]]:
        return [headers for _, _, headers, _ in self.requests]

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent = {name.lower(): value for name, value in headers.items()}
        self.requests.append((method, path, sent, body))
        if self.early is not None:
            return self.early
        token = sent.get("authorization", "").removeprefix("Bearer ")
        if not self.takes(token):
            return said(
                401,
                {
                    "error": {
                        "message": "no",
                        "type": "invalid_request_error",
                        "code": "token_invalidated",
                        "param": None,
                    }
                },
            )
        if not path.endswith("/responses"):
            return said(200, {"object": "list", "data": []})
        asked = json.loads(body)
        if self.rules and (fault := _fault(asked)) is not None:
            return said(400, {"detail": fault})
        stream = stream_of(self.told)
        kind = {} if self.kind is None else {"Content-Type": self.kind}
        return 200, kind, [stream[at : at + self.size] for at in range(0, len(stream), self.size)]


def said(status: int, value: object) -> Answer:
    return status, {"Content-Type": "application/json"}, [json.dumps(value).encode()]


def _fault(asked: dict[str, Any]) -> str | None:
    if not asked.get("instructions"):
        return "Instructions are required"
    if not isinstance(asked.get("input"), list):
        return "Input must be a list"
    if asked.get("store", True) is not False:
        return "Store must be set to false"
    if asked.get("stream") is not True:
        return "Stream must be set to true"
    if any(item.get("role") == "system" for item in asked["input"]):
        return "System messages are not allowed"
    named = [name for name in REFUSED if asked.get(name) is not None]
    return f"Unsupported parameter: {named[0]}" if named else None


# -- as transports -------------------------------------------------------------------------------------


def blocking(library: ModuleType, backend: ModelBackend) -> Any:
    """A transport of that library that asks `backend`."""

    class Stream(library.SyncByteStream):  # type: ignore[name-defined,misc]
        def __init__(self, pieces: list[bytes]) -> None:
            self._pieces = pieces

        def __iter__(self) -> Iterator[bytes]:
            yield from self._pieces
            if backend.breaks:
                raise library.ReadError("broken")

        def close(self) -> None:
            backend.closed += 1

    def handle(request: Any) -> Any:
        status, headers, pieces = backend.answer(
            request.method, request.url.path, request.headers, request.read()
        )
        return library.Response(status, headers=headers, stream=Stream(pieces))

    return library.MockTransport(handle)


def asynchronous(library: ModuleType, backend: ModelBackend) -> Any:
    """The same for an asynchronous client."""

    class Stream(library.AsyncByteStream):  # type: ignore[name-defined,misc]
        def __init__(self, pieces: list[bytes]) -> None:
            self._pieces = pieces

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self._pieces:
                yield piece
            if backend.breaks:
                raise library.ReadError("broken")

        async def aclose(self) -> None:
            backend.closed += 1

    async def handle(request: Any) -> Any:
        body = await request.aread()
        status, headers, pieces = backend.answer(request.method, request.url.path, request.headers, body)
        return library.Response(status, headers=headers, stream=Stream(pieces))

    return library.MockTransport(handle)
