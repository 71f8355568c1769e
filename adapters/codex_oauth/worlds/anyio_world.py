"""The world of an asynchronous program: one task, one effect at a time, on asyncio or trio.

Rules of this file: instants come from `now`, sleep from anyio, in slices, so that a resume from suspend is
noticed; whatever it opened is closed when its `async with` block ends. The cancellation of a task is no
event, and cuts no `once` request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, Self, assert_never

from codex_oauth.clock import Clock, now
from codex_oauth.event_loops import load_anyio, maybe_await, on_this_loop, shielded
from codex_oauth.transport.protocol import AsyncTransport
from codex_oauth.worlds.callbacks import CallbackSource, Sources, answer_of
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.events import Cancelled, Event, StoreAnswered
from codex_oauth_core.storage import Register, Registered

if TYPE_CHECKING:
    from anyio import CancelScope

__all__ = ["ASYNC_SLICE", "ASYNC_TICK", "AnyioWorld"]

ASYNC_SLICE: Final = 5.0
"""Seconds that a wait sleeps at most, so that a resume from suspend is noticed."""

ASYNC_TICK: Final = 1.0
"""Seconds between two ticks of a countdown."""


class AnyioWorld:
    """Performs effects by awaiting. Use it in an `async with` block, for one run.

    `send` carries requests. `on_wait` gets every `Wait` before the world sleeps: show its prompt there.
    `on_tick` gets the `Wait` and the present instant when the wait starts and about once a second: show a
    countdown there. Both may be coroutine functions. `perform` raises what they raise, and they may call
    `cancel()`. `callbacks` bring the redirect of a `Wait` that has a `callback`; they start before the prompt
    is shown.

    A cancelled task leaves a wait or a request at once. A `once` request is completed first, within its time
    limit: its answer is returned, and the next await that may be interrupted raises the cancellation.
    """

    def __init__(
        self,
        send: AsyncTransport,
        *,
        on_wait: Callable[[Wait], Awaitable[None] | None] | None = None,
        on_tick: Callable[[Wait, float], Awaitable[None] | None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        self._send = send
        self._on_wait = on_wait
        self._on_tick = on_tick
        self._now = now
        self._sources = Sources(callbacks)
        self._cancelled = False
        self._alarm: _AsyncWaker | None = None

    def now(self) -> tuple[float, float]:
        """The instant and Unix time, both in seconds."""
        return self._now()

    async def perform(self, effect: SignInEffect) -> Event:
        """Perform the effect, and return the event that answers it. Raises RuntimeError outside the `async
        with` block, and what a source of `callbacks` raises if it cannot start: no event could say that, and
        the wait would never end.
        """
        alarm = self._alarm
        if alarm is None:
            raise RuntimeError("a world performs effects inside its `async with` block")
        match effect:
            case SendRequest():
                return await (self._once(effect) if effect.once else self._request(effect, alarm))
            case Wait():
                return await self._wait(effect, alarm)
            case Register():
                return StoreAnswered(*self.now(), Registered())
            case _:
                assert_never(effect)

    def cancel(self) -> None:
        """Answer `Cancelled` as soon as possible. A `once` request is finished first. Call it from any thread
        or signal handler.
        """
        self._cancelled = True
        if alarm := self._alarm:
            alarm.cut()

    async def _once(self, effect: SendRequest) -> Event:
        return await shielded(lambda: self._send(effect))

    async def _request(self, effect: SendRequest, alarm: _AsyncWaker) -> Event:
        from anyio.lowlevel import checkpoint_if_cancelled

        await checkpoint_if_cancelled()
        if not self._cancelled:
            with alarm.cuttable():
                return await self._send(effect)
        return Cancelled(self._now()[0])

    async def _wait(self, wait: Wait, alarm: _AsyncWaker) -> Event:
        from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

        await checkpoint_if_cancelled()
        heard = self._sources.listen(wait.callback, alarm.ring, cancelled=self._cancelled)
        if self._on_wait is not None and not self._cancelled:
            await maybe_await(self._on_wait(wait))
        if self._cancelled or self._now()[0] >= wait.until:  # else it sleeps, which lets others go on as well
            await checkpoint()
        while True:
            alarm.clear()  # before the look at what it may have rung for
            at, _ = self._now()
            if event := answer_of(wait, heard, at, cancelled=self._cancelled):
                self._sources.stop()
                return event
            if self._on_tick is not None:
                await maybe_await(self._on_tick(wait, at))
            await alarm.sleep(
                min(wait.until - at, ASYNC_SLICE if self._on_tick is None else min(ASYNC_SLICE, ASYNC_TICK))
            )

    async def __aenter__(self) -> Self:
        load_anyio()
        self._alarm = _AsyncWaker()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._alarm = None
        self._sources.stop()


class _AsyncWaker:
    """Sleep that another thread can end, and a request that it can cut."""

    def __init__(self) -> None:
        from anyio import Event

        self._soon = on_this_loop()
        self._rung = Event()
        self._scope: CancelScope | None = None

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`, or until somebody rings. Once rung it does not sleep until `clear()`."""
        from anyio import move_on_after

        with move_on_after(seconds):
            await self._rung.wait()

    def cuttable(self) -> CancelScope:
        """A scope that `cut()` cancels."""
        from anyio import CancelScope

        self._scope = CancelScope()
        return self._scope

    def clear(self) -> None:
        """Forget what was rung so far."""
        from anyio import Event

        if self._rung.is_set():
            self._rung = Event()

    def ring(self) -> None:
        """End every sleep. From any thread."""
        self._soon(self._ring)

    def cut(self) -> None:
        """End every sleep and every request that may be cut. From any thread."""
        self._soon(self._cut)

    def _ring(self) -> None:
        self._rung.set()

    def _cut(self) -> None:
        self._ring()
        if self._scope is not None:
            self._scope.cancel()
