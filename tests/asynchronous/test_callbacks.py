"""Redirects that end a wait of the asynchronous world, on asyncio and trio."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from codex_oauth import AnyioWorld
from codex_oauth.clock import instant
from codex_oauth_core import CallbackReceived, CallbackRule, ErrorKind, SignInError, TimeReached
from codex_oauth_core.callback import Accepted
from tests.asynchronous.running import each_backend, run
from tests.asynchronous.test_anyio_world import unsendable
from tests.transport.servers import at_most
from tests.worlds.test_sync_world import ACCEPTED, Source, browser_wait, rule, wait


@each_backend
def test_the_first_redirect_ends_the_wait_and_every_source(backend: str) -> None:
    sources = [Source(), Source(after=0.05), Source(after=0.06)]

    async def main() -> None:
        async with AnyioWorld(unsendable, callbacks=sources) as world:
            event = await world.perform(browser_wait(rule()))
            assert isinstance(event, CallbackReceived)
            assert event.query == ACCEPTED.query
            assert [source.calls for source in sources] == [["start", "stop"]] * 3

    with at_most(2):
        run(main, backend)


@each_backend
def test_a_redirect_at_once_and_late_counts(backend: str) -> None:
    late = 0.0

    class Immediate(Source):
        def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
            nonlocal late
            super().start(rule, accept)
            accept(ACCEPTED)
            late = 3600.0

    async def main() -> None:
        now: Callable[[], tuple[float, float]] = lambda: (instant() + late, time.time())  # noqa: E731
        async with AnyioWorld(unsendable, callbacks=[Immediate()], now=now) as world:
            assert isinstance(await world.perform(browser_wait(rule())), CallbackReceived)

    run(main, backend)


@each_backend
def test_a_redirect_is_said_once_and_a_rule_is_started_once(backend: str) -> None:
    source, same = Source(after=0.0), rule()

    async def main() -> None:
        async with AnyioWorld(unsendable, callbacks=[source]) as world:
            assert isinstance(await world.perform(wait(0.01)), TimeReached)
            assert source.calls == []
            assert isinstance(await world.perform(browser_wait(same)), CallbackReceived)
            assert isinstance(await world.perform(browser_wait(same, 0.05)), TimeReached)
            assert source.calls == ["start", "stop"]
            assert isinstance(await world.perform(browser_wait(rule())), CallbackReceived)
        assert source.calls == ["start", "stop"] * 2

    run(main, backend)


@each_backend
def test_a_source_that_cannot_start_raises_and_the_others_are_stopped(backend: str) -> None:
    first, last = Source(), Source()
    broken = Source(error=SignInError.of(ErrorKind.CALLBACK_SERVER_FAILED))

    async def main() -> None:
        async with AnyioWorld(unsendable, callbacks=[first, broken, last]) as world:
            await world.perform(browser_wait(rule()))

    with pytest.raises(SignInError):
        run(main, backend)
    assert (first.calls, last.calls) == (["start", "stop"], [])
