"""A world of callbacks: Twisted, where nothing blocks and nothing is awaited.

Rules of this file: the reactor's thread does everything, but for `cancel()` and what callbacks bring; every
wait goes through the reactor, so a long sign-in needs no deep stack; a wait sleeps in slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar, assert_never, cast

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from codex_oauth.clock import Clock, now
from codex_oauth.transport.twisted_transport import Reactor, Sent, TwistedTransport
from codex_oauth.worlds.callbacks import CallbackSource, Sources, answer_of
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.errors import SignInError
from codex_oauth_core.events import Cancelled, Event, RequestFailed, Started, StoreAnswered
from codex_oauth_core.flows.machine import Drivable
from codex_oauth_core.storage import Register, Registered

__all__ = ["REACTOR_SLICE", "TwistedWorld", "drive", "sign_in"]

T = TypeVar("T")

REACTOR_SLICE: Final = 5.0
"""Seconds that a wait sleeps at most, so that a resume from suspend is noticed."""


def sign_in(
    flow: Drivable[SignInEffect, T],
    reactor: Reactor,
    *,
    on_wait: Callable[[Wait], None] | None = None,
    callbacks: Iterable[CallbackSource] = (),
    now: Clock = now,
) -> Deferred[T | SignInError]:
    """Drive `flow` to its end on `reactor`: a `Deferred` of its outcome. A failure is a value here.

    Cancelling the `Deferred` ends the flow as cancelled, which is an outcome too; a `once` request is
    finished first. The parameters mean what those of `SyncWorld` mean. Call it in the reactor's thread.
    """
    return drive(flow, TwistedWorld(reactor, on_wait=on_wait, callbacks=callbacks, now=now))


def drive(flow: Drivable[SignInEffect, T], world: TwistedWorld) -> Deferred[T | SignInError]:
    """`sign_in` in a world that is there already; it is closed at the end."""
    return _Run(flow, world).start()


class TwistedWorld:
    """Performs effects on a reactor. For one run; call `close()` at its end."""

    def __init__(
        self,
        reactor: Reactor,
        *,
        on_wait: Callable[[Wait], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        self._reactor = reactor
        self._send: Callable[[SendRequest], Deferred[Sent]] = TwistedTransport(reactor, now=now)
        self._on_wait = on_wait
        self._now = now
        self._sources = Sources(callbacks)
        self._cancelled = self._closed = False
        self._look: Callable[[], None] | None = None  # at what ended the effect early

    def now(self) -> tuple[float, float]:
        """The instant, and Unix time; both in seconds."""
        return self._now()

    def perform(self, effect: SignInEffect) -> Deferred[Event]:
        """Do what the effect asks. What `on_wait` or a source raises is the failure of the `Deferred`."""
        match effect:
            case SendRequest():
                return maybeDeferred(self._request, effect)
            case Wait():
                return maybeDeferred(self._wait, effect)
            case Register():
                return succeed(StoreAnswered(*self.now(), Registered()))
            case _:
                assert_never(effect)

    def cancel(self) -> None:
        """Answer `Cancelled` as soon as possible; a `once` request is finished first. From any thread."""
        self._cancelled = True
        self._call_in_reactor()

    def close(self) -> None:
        """Stop listening for callbacks. The reactor is left alone from now on: it may end."""
        self._closed = True
        self._sources.stop()

    def _request(self, effect: SendRequest) -> Deferred[Event]:
        if self._cancelled and not effect.once:
            return succeed(Cancelled(self._now()[0]))
        sending = cast("Deferred[Event]", self._send(effect))
        if effect.once:
            return sending
        self._look = lambda: sending.cancel() if self._cancelled else None
        return sending.addBoth(self._requested)

    def _requested(self, event: Event | Failure) -> Event | Failure:
        self._look = None
        error = cast("Any", event).value if isinstance(event, Failure) else None
        failed = isinstance(event, RequestFailed) or isinstance(error, CancelledError)
        return Cancelled(self._now()[0]) if self._cancelled and failed else event

    def _wait(self, wait: Wait) -> Deferred[Event]:
        heard = self._sources.listen(wait.callback, self._call_in_reactor, cancelled=self._cancelled)
        if self._on_wait is not None and not self._cancelled:
            self._on_wait(wait)
        answered: Deferred[Event] = Deferred()
        waking: Any = None

        def look() -> None:
            nonlocal waking
            if waking.active():
                waking.cancel()
            at, _ = self._now()
            if event := answer_of(wait, heard, at, cancelled=self._cancelled):
                self._look = None
                self._sources.stop()
                answered.callback(event)
            else:
                waking = self._reactor.callLater(min(wait.until - at, REACTOR_SLICE), look)

        self._look = look
        waking = self._reactor.callLater(0, look)  # and not at once: the stack stays flat
        return answered

    def _call_in_reactor(self) -> None:
        if not self._closed:
            self._reactor.callFromThread(self._ring)

    def _ring(self) -> None:
        if self._look is not None:
            self._look()


class _Outcome(Deferred[T]):
    """Fires with a flow's outcome. A cancel is handed to the world, and never fires it by itself: a `once`
    request may be under way.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self._cancel_run = cancel

    def cancel(self) -> None:
        """End the flow as soon as it allows it; after its end, what came after it in the chain."""
        if self.called:
            super().cancel()
        else:
            self._cancel_run()


class _Run(Generic[T]):
    """The loop, turned inside out: each answer asks for the next effect."""

    def __init__(self, flow: Drivable[SignInEffect, T], world: TwistedWorld) -> None:
        self._flow = flow
        self._world = world
        self._outcome: Deferred[T | SignInError] = _Outcome(world.cancel)

    def start(self) -> Deferred[T | SignInError]:
        """Begin. The `Deferred` fires at the end."""
        self._next(Started(*self._world.now()))
        return self._outcome

    def _next(self, event: Event) -> None:
        effect = self._flow.receive(event)
        if isinstance(effect, Finished):
            self._world.close()
            self._outcome.callback(cast("T | SignInError", effect.outcome))
        else:
            self._world.perform(effect).addCallback(self._next).addErrback(self._fail)

    def _fail(self, failure: Failure) -> None:
        self._world.close()
        self._outcome.errback(failure)
