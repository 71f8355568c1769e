"""Checks of a world that takes callbacks: when their sources start and stop, and what they can bring.

Rules of this file: the source is a script; what a redirect is, and is not, is judged by `CallbackRule`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

import attrs

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.performing import CheckedClock, MakeAsyncListeningWorld, soon, wait
from codex_oauth.testing.world_failure_checks import SOON
from codex_oauth.testing.world_log_checks import says_nothing
from codex_oauth_core.callback import Accepted, CallbackRule
from codex_oauth_core.effects import Wait, Why
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import CallbackReceived, Cancelled, Event, StoreAnswered, TimeReached
from codex_oauth_core.registration import Registration
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Register, Registered, StoreFailed

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


class _Keeping:
    """A source that keeps what accepts its redirects, for whoever brings one late."""

    def __init__(self) -> None:
        self.accept: Callable[[Accepted], None] | None = None

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Begin."""
        self.accept = accept

    def stop(self) -> None:
        """Nothing to end: what it was given stays usable."""

    def bring(self) -> None:
        """A redirect, now. Whatever it raises is a failure."""
        if self.accept is None:
            fail("the source was not started")
        self.accept(Accepted(Secret(_QUERY)))


async def a_redirect_that_comes_late_changes_nothing(make: MakeAsyncListeningWorld) -> None:
    """After its wait was answered: before the next one, in its middle, and after the end of the world."""
    clock = CheckedClock()
    source = _Keeping()
    async with make(now=clock, callbacks=(source,), on_wait=_unseen) as world:
        for when in ("before the next wait", "in the next wait"):
            with case(f"a redirect {when}"):
                event = await world.perform(_wait(clock, 0.02))
                true(isinstance(event, TimeReached), f"the event of a wait is {type(event).__name__}")
                if when.startswith("before"):
                    source.bring()
                with soon(source.bring, 0.02) if when.startswith("in") else contextlib.nullcontext():
                    effect = wait(clock, 0.1)
                    while (
                        isinstance(event := await world.perform(effect), TimeReached)
                        and event.at < effect.until
                    ):
                        continue
                true(isinstance(event, TimeReached), f"the event of a wait is {type(event).__name__}")
    source.bring()


async def a_redirect_that_comes_twice_is_told_once(make: MakeAsyncListeningWorld) -> None:
    clock = CheckedClock()
    source = _Keeping()

    def twice() -> None:
        source.bring()
        source.bring()

    async with make(now=clock, callbacks=(source,), on_wait=_unseen) as world:
        with soon(twice, 0.05):
            _is_redirect(await world.perform(_wait(clock, _LONG)), clock)
        event = await world.perform(_wait(clock, 0.05))
        true(
            isinstance(event, TimeReached),
            f"the event of the wait after a redirect is {type(event).__name__}",
        )


async def a_rule_starts_its_sources_once(make: MakeAsyncListeningWorld) -> None:
    """The same `Wait` comes again when it was answered early; the sources of its rule do not start anew."""
    clock = CheckedClock()
    steps: list[str] = []
    effect = _wait(clock, 0.02)
    async with make(now=clock, callbacks=(_Source(steps),), on_wait=_unseen) as world:
        for _ in range(3):
            await world.perform(effect)
    same(steps.count("start"), 1, "how often a source was started by one rule")
    true("stop" in steps, "the source was not stopped")


async def a_cancel_by_the_display_ends_the_wait(make: MakeAsyncListeningWorld) -> None:
    """`cancel()` may be called by whoever is shown a wait."""
    clock = CheckedClock()
    cancels: list[Callable[[], None]] = []
    source = _Source([])
    async with make(now=clock, callbacks=(source,), on_wait=lambda _: cancels[0]()) as world:
        cancels.append(world.cancel)
        begun = time.monotonic()
        event = await world.perform(_wait(clock, _LONG))
        true(
            isinstance(event, Cancelled),
            f"the event of a wait whose display cancels is {type(event).__name__}",
        )
        true(time.monotonic() - begun < SOON, "a cancel must end a wait at once")
    same(source.steps, ["start", "stop"], "what was done to the source")


async def every_wait_is_shown(make: MakeAsyncListeningWorld) -> None:
    """As it came, before it waits: one with a callback, and one without."""
    clock = CheckedClock()
    shown: list[Wait] = []
    effects = [wait(clock, 0.0), _wait(clock, 0.02), wait(clock, 0.05)]
    async with make(now=clock, callbacks=(), on_wait=shown.append) as world:
        for number, effect in enumerate(effects, 1):
            await world.perform(effect)
            true(shown[-1:] == [effect] and shown[-1] is effect, "a wait was not shown, or not as it came")
            true(len(shown) >= number, "a wait was not shown")


async def nothing_of_a_redirect_is_logged(make: MakeAsyncListeningWorld) -> None:
    with says_nothing("fake-code") as looked_at, looked_at("a redirect"):
        for brings in (0.0, 0.02):
            clock = CheckedClock()
            source = _Source([], brings)
            async with make(now=clock, callbacks=(source,), on_wait=_unseen) as world:
                event = await world.perform(_wait(clock, _LONG))
                true("fake-code" not in repr(event), "the event shows the redirect")
                source.join()


async def a_registration_is_answered(make: MakeAsyncListeningWorld) -> None:
    clock = CheckedClock()
    registration = Registration("https://auth.example", "app_1", "/callback", "check", "2027-01-15T08:00:07Z")
    async with make(now=clock, callbacks=(), on_wait=_unseen) as world:
        clock.step(50.0)
        before = clock.instant()
        event = await world.perform(Register(registration))
    if not isinstance(event, StoreAnswered):
        fail(f"the event of a registration is {type(event).__name__}")
    true(isinstance(event.answer, Registered | StoreFailed), f"its answer is {type(event.answer).__name__}")
    true(before <= event.at <= clock.instant(), "`at` must be when it was answered")
    same(round(event.wall - event.at, 3), round(clock()[1] - clock()[0], 3), "how far `wall` is from `at`")


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
    a_redirect_that_comes_late_changes_nothing,
    a_redirect_that_comes_twice_is_told_once,
    a_rule_starts_its_sources_once,
    a_cancel_by_the_display_ends_the_wait,
    every_wait_is_shown,
    nothing_of_a_redirect_is_logged,
    a_registration_is_answered,
)
