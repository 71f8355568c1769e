"""The world of a blocking program: one thread, one effect at a time, on real time.

Rules of this file: it blocks in slices, so that a resume from suspend, a cancel and (on Windows) Ctrl-C
are noticed; whatever it opened is closed when its `with` block ends. KeyboardInterrupt is no event.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, Self, assert_never

from codex_oauth.clock import Clock, now
from codex_oauth.transport.protocol import SendOutcome, Transport, never
from codex_oauth.worlds.callbacks import CallbackSource, Sources, answer_of
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.events import Cancelled, Event, StoreAnswered
from codex_oauth_core.storage import Register, Registered

__all__ = ["SLICE", "TICK", "SyncWorld"]

SLICE: Final = 0.5 if sys.platform == "win32" else 5.0
"""Seconds that a wait blocks at most, so that a resume from suspend and (on Windows) Ctrl-C are noticed."""

TICK: Final = 1.0
"""Seconds between two ticks of a countdown."""

_BLIND: Final = 0.1
"""Seconds that a sleep lasts at most which nobody can end."""


class SyncWorld:
    """Performs effects by blocking. Use it in a `with` block, for one run.

    `send` carries requests. `on_wait` gets every `Wait` before the world blocks: show its prompt there.
    `on_tick` gets the `Wait` and the present instant when the wait starts and about once a second: show a
    countdown there. `perform` raises what they raise, and they may call `cancel()`. `callbacks` bring the
    redirect of a `Wait` that has a `callback`; they start before the prompt is shown.
    """

    def __init__(
        self,
        send: Transport,
        *,
        on_wait: Callable[[Wait], None] | None = None,
        on_tick: Callable[[Wait, float], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        self._send = send
        self._on_wait = on_wait
        self._on_tick = on_tick
        self._now = now
        self._sources = Sources(callbacks)
        self._cancelled = False  # a flag and no threading.Event: a signal handler may set it
        self._alarm: _Waker | None = None

    def now(self) -> tuple[float, float]:
        """The instant and Unix time, both in seconds."""
        return self._now()

    def perform(self, effect: SignInEffect) -> Event:
        """Perform the effect, and return the event that answers it. Raises RuntimeError outside the `with`
        block, and what a source of `callbacks` raises if it cannot start: no event could say that, and the
        wait would never end.
        """
        alarm = self._alarm
        if alarm is None:
            raise RuntimeError("a world performs effects inside its `with` block")
        match effect:
            case SendRequest():
                return self._request(effect)
            case Wait():
                return self._wait(effect, alarm)
            case Register():
                return StoreAnswered(*self.now(), Registered())
            case _:
                assert_never(effect)

    def cancel(self) -> None:
        """Answer `Cancelled` as soon as possible. A `once` request is finished first. Call it from any
        thread.
        """
        self._cancelled = True
        if alarm := self._alarm:
            alarm.ring()

    def _request(self, effect: SendRequest) -> SendOutcome:
        if effect.once:
            return self._send(effect, never)
        if self._cancelled:
            return Cancelled(self._now()[0])
        return self._send(effect, lambda: self._cancelled)

    def _wait(self, wait: Wait, alarm: _Waker) -> Event:
        heard = self._sources.listen(wait.callback, alarm.ring, cancelled=self._cancelled)
        if self._on_wait is not None and not self._cancelled:
            self._on_wait(wait)
        while True:
            alarm.clear()  # before the look at what it may have rung for
            at, _ = self._now()
            if event := answer_of(wait, heard, at, cancelled=self._cancelled):
                self._sources.stop()
                return event
            if self._on_tick is not None:
                self._on_tick(wait, at)
            alarm.sleep(min(wait.until - at, SLICE if self._on_tick is None else min(SLICE, TICK)))

    def __enter__(self) -> Self:
        self._alarm = _Waker()
        return self

    def __exit__(self, *exc_info: object) -> None:
        alarm, self._alarm = self._alarm, None
        try:
            self._sources.stop()
        finally:
            if alarm is not None:
                alarm.close()


class _Waker:
    """Sleep that another thread can end: a selector on one end of a socket pair. They are opened by the first
    sleep: a renewal that need not wait opens nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may ring while we open or close
        self._resources = contextlib.ExitStack()
        self._rung = False
        self._selector: selectors.BaseSelector | None = None
        self._bell: socket.socket | None = None
        self._hammer: socket.socket | None = None

    def sleep(self, seconds: float) -> None:
        """Block for `seconds`, or until somebody rings. Once rung it does not block until `clear()`."""
        try:
            selector = self._selector or self._opened()
        except OSError:  # no descriptor is to be had: whoever sleeps looks again soon
            time.sleep(min(max(seconds, 0.0), _BLIND))
            return
        if not self._rung:  # what rings from here on is heard by the selector
            self._rung = bool(selector.select(seconds))

    def _opened(self) -> selectors.BaseSelector:
        with self._lock, contextlib.ExitStack() as resources:
            bell, hammer = (resources.enter_context(end) for end in socket.socketpair())
            selector = resources.enter_context(selectors.DefaultSelector())
            bell.setblocking(False)
            hammer.setblocking(False)
            selector.register(bell, selectors.EVENT_READ)
            self._resources = resources.pop_all()
            self._bell, self._hammer, self._selector = bell, hammer, selector
        return selector

    def clear(self) -> None:
        """Forget what was rung so far."""
        if not self._rung:
            return
        self._rung = False
        if self._bell is not None:
            with contextlib.suppress(BlockingIOError):
                while self._bell.recv(4096):
                    pass

    def ring(self) -> None:
        """End every sleep. Does nothing once it is closed."""
        with self._lock:
            self._rung = True  # before the look whether somebody sleeps already
            if self._hammer is not None:
                with contextlib.suppress(OSError):  # closed, or rung very often
                    self._hammer.send(b"\0")

    def close(self) -> None:
        """Close the sockets."""
        with self._lock:
            self._resources.close()
