"""A model's answer as an HTTP answer: server-sent events, each sent by itself, or cut off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from codex_oauth.authority.messages import Answer, StreamPart
from codex_oauth.authority.models.events import ModelEvent
from codex_oauth_core.secret import Secret

__all__ = ["stream_answer"]


def stream_answer(
    events: Iterable[tuple[float, ModelEvent | None]],
    headers: Mapping[str, str] | None = None,
    *,
    content_type: bool = True,
) -> Answer:
    """The answer that streams these events, each after its silence; None: the connection is closed there."""
    sent, parts, cut = b"", list[StreamPart](), False
    for number, (after, event) in enumerate(events):
        if event is None:
            cut = True
            break
        piece = _wire(event, number)
        sent += piece
        parts.append(StreamPart(len(piece), after))
    kind = (("Content-Type", "text/event-stream; charset=utf-8"),) if content_type else ()
    return Answer(
        status=200,
        headers=(*kind, *(headers or {}).items()),
        body=Secret(sent),
        parts=tuple(parts),
        truncate=len(sent) if cut else None,
    )


def _wire(event: ModelEvent, number: int) -> bytes:
    data = json.dumps({**event, "sequence_number": number}, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {data}\n\n".encode()
