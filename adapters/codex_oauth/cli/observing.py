"""What happens in a sign-in, told while it happens; and Ctrl-C, which ends it in order.

Rules of this file: `--verbose` tells a line for each request, answer and wait: of a request its method and
its address without a query, of an answer its status, kind, length and time: no body, no header that could
hold a secret. What was granted is not lost to a Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol, Self, TypeVar, assert_never

from codex_oauth.cli.output import hint_from_a_signal, printable
from codex_oauth.cli.process import ENDING
from codex_oauth.cli.views import View
from codex_oauth.worlds.world import World
from codex_oauth_core.effect_unions import SignInEffect
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
from codex_oauth_core.storage import Register

__all__ = ["Interrupt", "ObservedWorld", "answer_line", "effect_line", "observed"]


class ObservedWorld:
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
        self.is_finishing = False
        """Whether a request is out that no cancel cuts."""

    def now(self) -> tuple[float, float]:
        """The wrapped world's clocks."""
        return self._world.now()

    def perform(self, effect: SignInEffect) -> Event:
        """Tell, and do what the effect asks."""
        if isinstance(effect, SendRequest):
            self._on_send(effect)
        self.is_finishing = isinstance(effect, SendRequest) and effect.once
        if self._on_detail is None:
            return self._perform(effect)
        self._on_detail(effect_line(effect, self.now()[0]))
        event = self._perform(effect)
        if (line := answer_line(event)) is not None:
            self._on_detail(line)
        return event

    def _perform(self, effect: SignInEffect) -> Event:
        try:
            return self._world.perform(effect)
        finally:
            self.is_finishing = False

    def cancel(self) -> None:
        """Cancel the wrapped world's run."""
        self._world.cancel()

    def __enter__(self) -> Self:
        self._world.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._world.__exit__(*exc_info)


def effect_line(effect: SignInEffect, at: float) -> str:
    """What is done next, in a line."""
    match effect:
        case SendRequest(request=request, once=once):
            address = request.url.partition("?")[0].partition("#")[0]
            return f"> {request.method} {address}{' (once)' if once else ''}"
        case Wait(until=until, why=why, cause=cause):
            because = f", after {cause.value}" if cause else ""
            return f"= waiting for {max(0.0, until - at):.0f} s: {why.value}{because}"
        case Register():
            return "= keeping what this program was registered as"
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


def observed(world: World, view: View, args: argparse.Namespace) -> World:
    """The world, whose requests the view gets to know; with `--verbose` every step."""
    return ObservedWorld(world, view.sending, view.detail if args.verbose else None)


# -- Ctrl-C ----------------------------------------------------------------------------------------


class Cancellable(Protocol):
    """What can be cancelled: a world."""

    def cancel(self) -> None:
        """Cancel it."""


W = TypeVar("W", bound=Cancellable)


_STOPPING: Final = "Stopping when the answer of the server has come. Ctrl-C again stops at once."


class Interrupt:
    """Ctrl-C, SIGTERM or a closed terminal within a `with` block: the first cancels in order, so that a
    granted login is not lost; the second interrupts.
    """

    def __init__(self) -> None:
        self._worlds: list[Cancellable] = []
        self._before: dict[int, Any] = {}

    def cancels(self, world: W) -> W:
        """The world, which the next Ctrl-C cancels."""
        self._worlds.append(world)
        return world

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._cancel) for number in heard}
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _cancel(self, number: int, frame: FrameType | None) -> None:
        for ending in self._before:
            signal.signal(ending, signal.default_int_handler)
        if not self._worlds:
            raise KeyboardInterrupt
        if any(getattr(world, "is_finishing", False) for world in self._worlds):
            hint_from_a_signal(_STOPPING)
        for world in self._worlds:
            world.cancel()
