"""A world for asyncio programs that use aiohttp.

Rules of this file: a wait sleeps in slices, as in `sync_world`; a cancelled task leaves nothing behind, and
its `once` request goes on to the end before the cancellation is raised.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final, Self, assert_never

from codex_oauth.clock import Clock, now
from codex_oauth.event_loops import uncut
from codex_oauth.transport.aiohttp_transport import AiohttpTransport
from codex_oauth.transport.protocol import Answer
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.waiting import Sources, answer_of
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.events import Cancelled, Event

__all__ = ["SLICE", "AiohttpWorld"]

SLICE: Final = 5.0
"""Seconds that a wait sleeps at most, so that a resume from suspend is noticed."""


class AiohttpWorld:
    """Performs effects on an asyncio loop. Use it in an `async with` block, for one run.

    The parameters mean what those of `SyncWorld` mean; `on_wait` must not block.
    """

    def __init__(
        self,
        *,
        on_wait: Callable[[Wait], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        self._send = AiohttpTransport(now=now)
        self._on_wait = on_wait
        self._now = now
        self._sources = Sources(callbacks)
        self._cancelled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm = asyncio.Event()
        self._limit: asyncio.Timeout | None = None  # of a request that may be cut

    def now(self) -> tuple[float, float]:
        """The instant, and Unix time; both in seconds."""
        return self._now()

    async def perform(self, effect: SendRequest | Wait) -> Event:
        """Do what the effect asks. Raises RuntimeError outside the `async with` block, and what a source of
        `callbacks` raises that cannot start.
        """
        if self._loop is None:
            raise RuntimeError("a world performs effects inside its `async with` block")
        match effect:
            case SendRequest():
                return await (
                    uncut(lambda: self._send(effect)) if effect.once else self._send_unless_cancelled(effect)
                )
            case Wait():
                return await self._wait(effect)
            case _:
                assert_never(effect)

    def cancel(self) -> None:
        """Answer `Cancelled` as soon as possible; a `once` request is finished first. From any thread."""
        self._cancelled = True
        self._ring()

    async def _send_unless_cancelled(self, effect: SendRequest) -> Answer:
        if self._cancelled:
            return Cancelled(self._now()[0])
        try:
            async with asyncio.timeout(None) as self._limit:
                return await self._send(effect)
        except TimeoutError:
            return Cancelled(self._now()[0])
        finally:
            self._limit = None

    async def _wait(self, wait: Wait) -> Event:
        heard = self._sources.listen(wait.callback, self._ring, cancelled=self._cancelled)
        if self._on_wait is not None and not self._cancelled:
            self._on_wait(wait)
        while True:
            self._alarm.clear()  # before the look at what it may have rung for
            at, _ = self._now()
            if event := answer_of(wait, heard, at, cancelled=self._cancelled):
                self._sources.stop()
                return event
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait.until - at, SLICE)):
                    await self._alarm.wait()

    def _ring(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._alarm.set()
        if self._cancelled and self._limit is not None:
            self._limit.reschedule(0)
            self._limit = None  # once is enough, and twice an error

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._loop = None
        self._sources.stop()
