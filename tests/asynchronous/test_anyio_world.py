"""The asynchronous world: waits, cancels, callbacks, and what it leaves behind, on asyncio and trio."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from codex_oauth import AnyioWorld, AsyncHttpxWorld, AsyncPromptedWorld, AsyncWorld, arun
from codex_oauth.clock import instant
from codex_oauth.transport.protocol import AsyncSendOutcome
from codex_oauth.worlds import anyio_world
from codex_oauth_core import (
    CODEX,
    Cancelled,
    DeviceFlow,
    DevicePrompt,
    ErrorKind,
    ResponseReceived,
    SendRequest,
    SignInError,
    TimeReached,
    Wait,
    Why,
)
from codex_oauth_core.effects import Prompt
from tests.asynchronous.running import each_backend, run, run_virtual, virtual_now
from tests.transport.servers import Server, answering, at_most, post, silent, trickling
from tests.worlds.test_sync_world import Source, browser_wait, rule, soon, wait

SLOW = (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", *[b"x"] * 4)


async def unsendable(effect: SendRequest) -> AsyncSendOutcome:
    raise AssertionError


def test_it_is_a_world() -> None:
    world: AsyncWorld = AsyncHttpxWorld()
    assert world.now()[0] <= instant()


@each_backend
def test_a_wait_ends_at_its_time_and_not_before(backend: str) -> None:
    async def main() -> None:
        async with AnyioWorld(unsendable) as world:
            until = instant() + 0.1
            event = await world.perform(Wait(until, Why.PENDING))
            assert isinstance(event, TimeReached)
            assert until <= event.at < until + 1
            assert isinstance(await world.perform(wait(-1)), TimeReached)

    run(main, backend)


@each_backend
def test_the_display_sees_every_wait_and_may_be_a_coroutine(backend: str) -> None:
    shown: list[object] = []

    async def show(wait: Wait) -> None:
        await anyio.sleep(0.01)
        shown.append(wait)

    async def tick(wait: Wait, at: float) -> None:
        shown.append("tick")

    async def main() -> None:
        async with AnyioWorld(unsendable, on_wait=show, on_tick=tick) as world:
            await world.perform(first := wait(0.1))
            await world.perform(second := wait(0.1))
        assert shown == [first, "tick", second, "tick"]

    run(main, backend)


@each_backend
def test_the_display_ticks_from_the_start_and_then_every_second(backend: str) -> None:
    ticks: list[float] = []

    async def main() -> None:
        begun, _ = virtual_now()
        async with AnyioWorld(unsendable, now=virtual_now, on_tick=lambda _, at: ticks.append(at)) as world:
            await world.perform(Wait(begun + 3.5, Why.PENDING))
        assert ticks == pytest.approx([begun, begun + 1, begun + 2, begun + 3])

    run_virtual(main, backend)


# F33
@each_backend
def test_a_resume_from_suspend_is_noticed_within_a_slice(backend: str) -> None:
    slept = 0.0

    def now() -> tuple[float, float]:
        at, wall = virtual_now()
        return at + slept, wall + slept

    async def main() -> None:
        nonlocal slept
        begun = anyio.current_time()
        async with AnyioWorld(unsendable, now=now) as world, anyio.create_task_group() as tasks:
            until = now()[0] + 1000

            async def suspend() -> None:
                nonlocal slept
                await anyio.sleep(12)
                slept = 3600.0

            tasks.start_soon(suspend)
            assert isinstance(await world.perform(Wait(until, Why.PENDING)), TimeReached)
        assert anyio.current_time() - begun == pytest.approx(15)

    assert 0 < anyio_world.ASYNC_SLICE <= 5
    run_virtual(main, backend)


@each_backend
def test_waking_early_is_harmless(backend: str) -> None:
    async def main() -> None:
        async with AnyioWorld(unsendable, now=virtual_now) as world:
            alarm = world._alarm
            assert alarm is not None
            until = virtual_now()[0] + 3
            async with anyio.create_task_group() as tasks:
                for after in (0.5, 0.5, 1.0):
                    tasks.start_soon(_later, after, alarm.ring)
                event = await world.perform(Wait(until, Why.PENDING))
                assert isinstance(event, TimeReached)
                assert event.at == pytest.approx(until)

    run_virtual(main, backend)


async def _later(seconds: float, call: Callable[[], None]) -> None:
    await anyio.sleep(seconds)
    call()


# -- cancel() ------------------------------------------------------------------------------------------


@each_backend
def test_a_cancel_from_another_thread_ends_a_wait_at_once(backend: str) -> None:
    async def main() -> None:
        async with AnyioWorld(unsendable) as world:
            timer = soon(world.cancel)
            assert isinstance(await world.perform(wait(60)), Cancelled)
            timer.join()

    with at_most(2):
        run(main, backend)


@each_backend
def test_a_cancel_from_a_signal_handler_ends_a_wait_at_once(backend: str) -> None:
    async def main() -> None:
        async with AnyioWorld(unsendable) as world:
            before = signal.signal(signal.SIGUSR1, lambda number, frame: world.cancel())
            timer = soon(lambda: os.kill(os.getpid(), signal.SIGUSR1))
            try:
                assert isinstance(await world.perform(wait(60)), Cancelled)
            finally:
                timer.join()
                signal.signal(signal.SIGUSR1, before)

    with at_most(3):
        run(main, backend)


@each_backend
def test_a_cancel_beforehand_is_remembered_by_waits_and_requests(backend: str) -> None:
    shown: list[Wait] = []
    source = Source()

    async def main() -> None:
        world = AnyioWorld(unsendable, on_wait=shown.append, callbacks=[source])
        world.cancel()
        async with world:
            assert isinstance(await world.perform(wait(60)), Cancelled)
            assert isinstance(await world.perform(post("http://127.0.0.1:9/")), Cancelled)
            assert isinstance(await world.perform(browser_wait(rule())), Cancelled)
        world.cancel()

    run(main, backend)
    assert (shown, source.calls) == ([], [])


@each_backend
def test_a_cancel_out_of_a_callback_ends_that_wait(backend: str) -> None:
    def show(wait: Wait) -> None:
        worlds[-1].cancel()

    def tick(wait: Wait, at: float) -> None:
        worlds[-1].cancel()

    worlds: list[AnyioWorld] = []

    async def main() -> None:
        worlds.append(AnyioWorld(unsendable, on_wait=show))
        async with worlds[-1] as world:
            assert isinstance(await world.perform(wait(60)), Cancelled)
        worlds.append(AnyioWorld(unsendable, on_tick=tick))
        async with worlds[-1] as world:
            assert isinstance(await world.perform(wait(60)), Cancelled)

    with at_most(2):
        run(main, backend)


@each_backend
@pytest.mark.parametrize("peer", [silent, trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x")])
def test_a_cancel_cuts_a_request_at_once(peer: Callable[..., None], backend: str) -> None:
    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            timer = soon(world.cancel)
            assert isinstance(await world.perform(post(server.url, 30)), Cancelled)
            timer.join()

    with Server(peer) as server, at_most(2):
        run(main, backend)


@each_backend
def test_a_once_request_is_never_cut_and_the_cancel_is_kept_for_later(backend: str) -> None:
    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            timer = soon(world.cancel)
            answer = await world.perform(post(server.url, once=True))
            timer.join()
            assert isinstance(answer, ResponseReceived)
            assert answer.body.reveal() == b"x" * 4
            assert isinstance(await world.perform(post(server.url, once=True)), ResponseReceived)
            assert isinstance(await world.perform(wait(60)), Cancelled)
            assert isinstance(await world.perform(post(server.url)), Cancelled)
        assert server.connections == 2

    with Server(answering(*SLOW, pause=0.05)) as server:
        run(main, backend)


@each_backend
def test_ten_thousand_cancels_from_another_thread_never_block(backend: str) -> None:
    async def main() -> None:
        async with AnyioWorld(unsendable) as world:

            def cancel() -> None:
                for _ in range(10_000):
                    world.cancel()

            thread = threading.Thread(target=cancel)
            thread.start()
            assert isinstance(await world.perform(wait(60)), Cancelled)
            await anyio.to_thread.run_sync(thread.join)

    with at_most(5):
        run(main, backend)


@each_backend
def test_a_cancel_after_the_loop_has_ended_does_no_harm(backend: str) -> None:
    worlds: list[AnyioWorld] = []

    async def main() -> None:
        worlds.append(await AnyioWorld(unsendable).__aenter__())  # and nobody leaves it

    run(main, backend)
    worlds[0].cancel()


# -- ends ----------------------------------------------------------------------------------------------


@each_backend
def test_what_a_callback_raises_comes_out_and_the_sources_are_stopped(backend: str) -> None:
    source = Source()

    def broken(*_: object) -> None:
        raise LookupError("the display is gone")

    async def main(**options: Any) -> None:
        async with AnyioWorld(unsendable, callbacks=[source], **options) as world:
            await world.perform(browser_wait(rule()))

    for options in ({"on_wait": broken}, {"on_tick": broken}):
        with pytest.raises(LookupError):
            run(lambda options=options: main(**options), backend)  # type: ignore[misc]  # a default binds it
    assert source.calls == ["start", "stop"] * 2


@each_backend
def test_outside_its_block_a_world_performs_nothing(backend: str) -> None:
    async def main() -> None:
        world = AnyioWorld(unsendable)
        with pytest.raises(RuntimeError):
            await world.perform(wait(0))
        async with world:
            pass
        with pytest.raises(RuntimeError):
            await world.perform(wait(0))

    run(main, backend)


@each_backend
def test_a_flow_runs_in_it_to_its_end(backend: str) -> None:
    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            outcome = await arun(DeviceFlow(provider=CODEX.at(f"http://127.0.0.1:{server.port}")), world)
        assert isinstance(outcome, SignInError)
        assert outcome.kind is ErrorKind.DEVICE_CODE_UNSUPPORTED

    with Server(answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as server:
        run(main, backend)


@each_backend
def test_a_prompt_is_shown_once_by_a_function_or_a_coroutine_function(backend: str) -> None:
    shown: list[Prompt] = []
    prompt = DevicePrompt("https://auth.example", "ABCD-12345", 0.0, "https://auth.example")
    again = DevicePrompt("https://auth.example", "ABCD-12345", 0.0, "https://auth.example")

    async def show(prompt: Prompt) -> None:
        await checkpoint()
        shown.append(prompt)

    async def main(on_prompt: Callable[[Prompt], Awaitable[None] | None]) -> None:
        async with AsyncPromptedWorld(AnyioWorld(unsendable), on_prompt) as world:
            for one in (prompt, prompt, again):
                await world.perform(Wait(instant(), Why.PENDING, one))
            world.cancel()
            assert isinstance(await world.perform(wait(60)), Cancelled)
        assert len(shown) == 2
        assert shown[1] is again

    for on_prompt in (shown.append, show):
        shown.clear()
        run(lambda on_prompt=on_prompt: main(on_prompt), backend)  # type: ignore[misc]  # a default binds it


@each_backend
def test_who_is_cancelled_already_shows_nothing_and_listens_nowhere(backend: str) -> None:
    shown: list[Wait] = []
    source = Source()

    async def main() -> None:
        async with AnyioWorld(unsendable, on_wait=shown.append, callbacks=(source,)) as world:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await world.perform(browser_wait(rule()))
            assert scope.cancelled_caught

    run(main, backend)
    assert (shown, source.calls) == ([], [])
