"""WebSockets of the authority, as the server's application has them (ASGI).

Rules of this file: what is said is decided by the conversation; here it is sent, with its silences, and a
connection that is too old, or whose server ends, is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from codex_oauth.authority.messages import Answer
from codex_oauth.authority.models.conversation import CLOSED_BY_FAULT, Conversation, Frame
from codex_oauth_core.effects import Request

if TYPE_CHECKING:
    from starlette.types import Receive, Send

__all__ = ["Upgrading", "converse", "refuse"]

AGE_SLICE: Final = 0.5
"""Seconds after which it is looked whether a connection is too old."""


@runtime_checkable
class Upgrading(Protocol):
    """Rules that have WebSockets."""

    def upgrade(self, request: Request, now: float, wall: float) -> Answer | Conversation:
        """The WebSocket that a request opens, or why it opens none."""
        ...


async def refuse(answer: Answer, receive: Receive, send: Send) -> None:
    """Answer an upgrade with something else than a WebSocket."""
    await receive()  # the upgrade itself
    if answer.reset or answer.truncate is not None:
        await send({"type": "websocket.close"})
        return
    body = answer.body.reveal()
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def converse(
    conversation: Conversation,
    receive: Receive,
    send: Send,
    *,
    clocks: tuple[Callable[[], float], Callable[[], float]],
    delayed: Callable[[float], Awaitable[bool]],
) -> None:
    """Take an upgrade, and answer messages until either side ends.

    `clocks` are monotonic and Unix time. `delayed` waits; False: the server ends.
    """
    clock, wall = clocks
    await receive()
    headers = [(name.encode(), value.encode()) for name, value in conversation.headers.items()]
    await send({"type": "websocket.accept", "headers": headers})
    while True:
        message = await _next(conversation, receive, clock)
        if message is None:
            frames = conversation.too_old(clock())
        elif message["type"] == "websocket.disconnect":
            return
        else:
            said = message.get("text") or message.get("bytes") or b""
            frames = conversation.receive(said, clock(), wall())
        if not await _sent(frames, send, delayed):
            return


async def _next(conversation: Conversation, receive: Receive, clock: Callable[[], float]) -> Any:
    """The next message; None if the connection gets too old before one comes."""
    pending = asyncio.ensure_future(receive())
    while not (await asyncio.wait({pending}, timeout=AGE_SLICE))[0]:
        if conversation.too_old(clock()):
            pending.cancel()
            return None
    return pending.result()


async def _sent(frames: list[Frame], send: Send, delayed: Callable[[float], Awaitable[bool]]) -> bool:
    """Send frames. False if the connection is over with them."""
    for frame in frames:
        if not await delayed(frame.after):
            await send({"type": "websocket.close", "code": CLOSED_BY_FAULT})
            return False
        if frame.close is not None:
            await send({"type": "websocket.close", "code": frame.close})
            return False
        await send({"type": "websocket.send", "text": frame.text})
    return True
