"""What `--verbose` tells: a line for each request, each answer and each wait.

Rules of this file: of a request its method and its address without a query, of an answer its status, kind,
length and time: no body, no header that could hold a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, assert_never

from codex_oauth.cli.text import printable
from codex_oauth.worlds.world import World
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.events import (
    CallbackReceived,
    Cancelled,
    Event,
    RequestFailed,
    ResponseReceived,
    Resumed,
    Started,
    StoreAnswered,
    TimeReached,
)

__all__ = ["ToldWorld", "answer_line", "effect_line"]


class ToldWorld:
    """`world`, whose requests are told to `on_send` and whose every step, as a line, to `on_detail`."""

    def __init__(
        self,
        world: World,
        on_send: Callable[[SendRequest], None],
        on_detail: Callable[[str], None] | None = None,
    ) -> None:
        self._world = world
        self._on_send = on_send
        self._on_detail = on_detail

    def now(self) -> tuple[float, float]:
        """The wrapped world's clocks."""
        return self._world.now()

    def perform(self, effect: SendRequest | Wait) -> Event:
        """Tell, and do what the effect asks."""
        if isinstance(effect, SendRequest):
            self._on_send(effect)
        if self._on_detail is None:
            return self._world.perform(effect)
        self._on_detail(effect_line(effect, self.now()[0]))
        event = self._world.perform(effect)
        if (line := answer_line(event)) is not None:
            self._on_detail(line)
        return event

    def cancel(self) -> None:
        """Cancel the wrapped world's run."""
        self._world.cancel()

    def __enter__(self) -> Self:
        self._world.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._world.__exit__(*exc_info)


def effect_line(effect: SendRequest | Wait, at: float) -> str:
    """What is done next, in a line."""
    match effect:
        case SendRequest(request=request, once=once):
            address = request.url.partition("?")[0].partition("#")[0]
            return f"> {request.method} {address}{' (once)' if once else ''}"
        case Wait(until=until, why=why, cause=cause):
            because = f", after {cause.value}" if cause else ""
            return f"= waiting for {max(0.0, until - at):.0f} s: {why.value}{because}"
        case _:
            assert_never(effect)


def answer_line(event: Event) -> str | None:
    """What came of it, in a line; None for the time, which comes by itself."""
    match event:
        case ResponseReceived():
            kind = event.headers.get("content-type", "no content type").partition(";")[0]
            length = len(event.body.reveal())
            took = event.at - event.sent_at
            return f"< {event.status}, {printable(kind, 40)}, {length} bytes, {took:.1f} s"
        case RequestFailed():
            return f"< no answer: {event.cause.value}, {event.phase.value}"
        case CallbackReceived():
            return "< the browser came back"
        case Cancelled():
            return "< cancelled"
        case TimeReached() | Started() | Resumed() | StoreAnswered():
            return None
        case _:
            assert_never(event)
