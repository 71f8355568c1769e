"""Checks of a world that takes callbacks: when their sources start and stop, and what they can bring.

Rules of this file: the source is a script; what a redirect is, and is not, is judged by `CallbackRule`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import attrs

from codex_oauth.testing.checking import fail, same, true
from codex_oauth.testing.performing import CheckedClock, MakeAsyncListeningWorld, soon, wait
from codex_oauth.testing.world_failure_checks import SOON
from codex_oauth_core.callback import Accepted, CallbackRule
from codex_oauth_core.effects import Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import CallbackReceived, Cancelled, Event
from codex_oauth_core.secret import Secret

__all__ = ["ASYNC_LISTENING_CHECKS"]

_LONG: Final = SOON + 1.0
_QUERY: Final = "code=fake-code&state=fake-state"


class _Source:
    """A source that keeps what became of it. `brings` seconds after its start it brings a redirect."""

    def __init__(self, steps: list[str], brings: float | None = None) -> None:
        self.steps = steps
        self._brings = brings
        self._timers: list[threading.Timer] = []

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Begin."""
        self.steps.append("start")
        if self._brings == 0:
            accept(Accepted(Secret(_QUERY)))
        elif self._brings is not None:
            self._timers.append(threading.Timer(self._brings, accept, (Accepted(Secret(_QUERY)),)))
            self._timers[-1].start()

    def stop(self) -> None:
        """End."""
        self.steps.append("stop")

    def join(self) -> None:
        """Wait for what is still to come."""
        for timer in self._timers:
            timer.join()


@attrs.frozen
class _NoStart:
    """A source that cannot begin."""

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Raises."""
        raise SignInError.of(ErrorKind.CALLBACK_SERVER_FAILED)

    def stop(self) -> None:
        """Nothing to end."""


def _rule() -> CallbackRule:
    return CallbackRule("http://127.0.0.1:1/callback", Secret("fake-state"), (), "http://127.0.0.1:2")


def _wait(clock: CheckedClock, seconds: float) -> Wait:
    return attrs.evolve(wait(clock, seconds), why=Why.CALLBACK, callback=_rule())


async def sources_start_before_the_wait_is_shown_and_stop_at_its_end(make: MakeAsyncListeningWorld) -> None:
    steps: list[str] = []
    clock = CheckedClock()
    callbacks = (_Source(steps), _Source(steps))
    async with make(now=clock, callbacks=callbacks, on_wait=lambda _: steps.append("show")) as world:
        await world.perform(_wait(clock, 0.05))
    same(steps, ["start", "start", "show", "stop", "stop"], "what was done to two sources, and when")


async def a_redirect_ends_the_wait(make: MakeAsyncListeningWorld) -> None:
    for delay in (0.0, 0.1):
        clock = CheckedClock()
        source = _Source([], delay)
        async with make(now=clock, callbacks=(source,), on_wait=_unseen) as world:
            begun = time.monotonic()
            event = await world.perform(_wait(clock, _LONG))
            true(time.monotonic() - begun < SOON, "a redirect must end the wait at once")
            _is_redirect(event, clock)
            source.join()
        same(source.steps[-1], "stop", "what was done to the source last")


async def the_first_redirect_of_any_source_counts(make: MakeAsyncListeningWorld) -> None:
    clock = CheckedClock()
    sources = (_Source([]), _Source([], 0.0), _Source([], 0.0))
    async with make(now=clock, callbacks=sources, on_wait=_unseen) as world:
        _is_redirect(await world.perform(_wait(clock, _LONG)), clock)
    same([source.steps for source in sources], [["start", "stop"]] * 3, "what was done to three sources")


async def a_wait_without_a_callback_starts_no_source(make: MakeAsyncListeningWorld) -> None:
    clock = CheckedClock()
    source = _Source([])
    async with make(now=clock, callbacks=(source,), on_wait=_unseen) as world:
        await world.perform(wait(clock, 0.01))
    same(source.steps, [], "what was done to the source of a wait without a callback")


async def a_cancel_stops_the_sources(make: MakeAsyncListeningWorld) -> None:
    clock = CheckedClock()
    source = _Source([])
    async with make(now=clock, callbacks=(source,), on_wait=_unseen) as world:
        with soon(world.cancel):
            event = await world.perform(_wait(clock, _LONG))
    true(isinstance(event, Cancelled), f"the event after a cancel is {type(event).__name__}")
    same(source.steps, ["start", "stop"], "what was done to the source of a cancelled wait")


async def an_exception_stops_the_sources(make: MakeAsyncListeningWorld) -> None:
    clock = CheckedClock()
    source = _Source([])

    def broken(_: Wait) -> None:
        raise LookupError("the display is gone")

    try:
        async with make(now=clock, callbacks=(source,), on_wait=broken) as world:
            await world.perform(_wait(clock, 0.05))
    except LookupError:
        same(source.steps, ["start", "stop"], "what was done to the source when `on_wait` raised")
        return
    fail("what `on_wait` raises must come out of `perform`")


async def a_source_that_cannot_start_is_told_and_the_others_stop(make: MakeAsyncListeningWorld) -> None:
    clock = CheckedClock()
    source = _Source([])
    try:
        async with make(now=clock, callbacks=(source, _NoStart()), on_wait=_unseen) as world:
            await world.perform(_wait(clock, 0.05))
    except SignInError as error:
        same(error.kind, ErrorKind.CALLBACK_SERVER_FAILED, "the error of a source that cannot start")
        same(source.steps, ["start", "stop"], "what was done to the source beside it")
        return
    fail("what `start` of a source raises must come out of `perform`")


def _unseen(_: Wait) -> None:
    return None


def _is_redirect(event: Event, clock: CheckedClock) -> None:
    if not isinstance(event, CallbackReceived):
        fail(f"the event of a redirect is {type(event).__name__}")
    same(event.query == Secret(_QUERY), True, "whether the query of a redirect came as it is, and secret")
    true(0 <= clock.instant() - event.at < SOON, "`at` of a redirect must be when it came")


ASYNC_LISTENING_CHECKS: Final = (
    sources_start_before_the_wait_is_shown_and_stop_at_its_end,
    a_redirect_ends_the_wait,
    the_first_redirect_of_any_source_counts,
    a_wait_without_a_callback_starts_no_source,
    a_cancel_stops_the_sources,
    an_exception_stops_the_sources,
    a_source_that_cannot_start_is_told_and_the_others_stop,
)
