"""Twisted in tests: a reactor of one's own that is turned by hand, and a world around it that blocks.

Rules of this file: the process's reactor is neither installed nor started; at the end nothing is left on ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

from twisted.internet import reactor as _of_the_process
from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure

from codex_oauth.clock import Clock, now
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.twisted_world import TwistedWorld
from codex_oauth_core import Event, SignInEffect, Wait

__all__ = ["ReactorWorld", "TurnedReactor"]

T = TypeVar("T")

PROCESS: Any = _of_the_process
"""Parts of Twisted make it on first use: here it is made, so that no test takes it for a leak."""


class TurnedReactor:
    """A reactor that runs while somebody waits for a `Deferred`."""

    def __init__(self) -> None:
        self.reactor: Any = SelectReactor()
        self.reactor.startRunning(installSignalHandlers=False)
        self.reactor.iterate(0)

    def result(self, deferred: Deferred[T], limit: float = 10.0) -> T:
        """What `deferred` fires with. Raises what it fails with."""
        found: list[Any] = []
        deferred.addBoth(found.append)
        give_up = time.monotonic() + limit
        while not found:
            assert time.monotonic() < give_up, "it never fires"
            self.reactor.iterate(0.02)
        if isinstance(found[0], Failure):
            found[0].raiseException()
        result: T = found[0]
        return result

    def turn(self, done: Callable[[], bool], limit: float = 5.0) -> None:
        """Run until `done()`, or the limit."""
        give_up = time.monotonic() + limit
        while not done() and time.monotonic() < give_up:
            self.reactor.iterate(0.02)

    def left(self) -> list[object]:
        """What is still to come: timers and connections."""
        waker = {self.reactor.waker}
        return [
            *self.reactor.getDelayedCalls(),
            *(set(self.reactor.getReaders()) - waker),
            *self.reactor.getWriters(),
        ]

    def close(self) -> None:
        """End the reactor. Fails if something is left on it."""
        self.turn(lambda: not self.left(), limit=1.0)
        left = self.left()
        self.reactor.fireSystemEvent("shutdown")
        self.reactor.iterate(0)
        self.reactor.disconnectAll()
        self.reactor.removeReader(self.reactor.waker)
        self.reactor.waker.connectionLost(None)
        assert left == []


class ReactorWorld:
    """`TwistedWorld` for a blocking loop: each effect turns a reactor until it is done."""

    def __init__(
        self,
        *,
        on_wait: Callable[[Wait], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        self._turned = TurnedReactor()
        self.within = TwistedWorld(self._turned.reactor, on_wait=on_wait, callbacks=callbacks, now=now)
        self.now = self.within.now
        self.cancel = self.within.cancel

    def perform(self, effect: SignInEffect) -> Event:
        return self._turned.result(self.within.perform(effect))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.within.close()
        self._turned.close()
