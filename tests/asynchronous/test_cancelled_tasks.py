"""Tasks that are cancelled while a world performs an effect: at once, but never within a `once` request."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal

import anyio
import pytest
from anyio.lowlevel import checkpoint

from codex_oauth import AnyioWorld, AsyncHttpxWorld, AsyncWorld
from codex_oauth_core import ResponseReceived
from tests.asynchronous.running import each_backend, run
from tests.asynchronous.test_anyio_world import SLOW, unsendable
from tests.transport.servers import Server, answering, at_most, post, silent
from tests.worlds.test_sync_world import soon, wait


def test_a_once_request_survives_task_cancel_and_the_cancellation_comes_after() -> None:
    order: list[str] = []

    async def sign_in(world: AsyncWorld) -> None:
        answer = await world.perform(post(server.url, once=True))
        order.append(type(answer).__name__)
        await world.perform(wait(60))
        order.append("never")

    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            task = asyncio.create_task(sign_in(world))
            for _ in range(3):  # any number of times
                await asyncio.sleep(0.04)
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()

    with Server(answering(*SLOW, pause=0.05)) as server, at_most(3):
        run(main, "asyncio")
    assert order == ["ResponseReceived"]


def test_ctrl_c_in_asyncio_run_waits_for_a_once_request() -> None:
    answers: list[object] = []

    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            answers.append(await world.perform(post(server.url, once=True)))
            await world.perform(wait(60))
            answers.append("never")

    with Server(answering(*SLOW, pause=0.05)) as server, at_most(3):
        timer = soon(lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(main())
        timer.join()
    assert [type(answer) for answer in answers] == [ResponseReceived]


def test_a_once_request_survives_the_end_of_asyncio_run() -> None:
    answers: list[object] = []

    async def sign_in() -> None:
        async with AsyncHttpxWorld() as world:
            answers.append(await world.perform(post(server.url, once=True)))
            await world.perform(wait(60))
            answers.append("never")

    async def main() -> None:
        tasks.append(asyncio.create_task(sign_in()))
        await asyncio.sleep(0.05)

    tasks: list[asyncio.Task[None]] = []
    with Server(answering(*SLOW, pause=0.05)) as server, at_most(3):
        asyncio.run(main())
    assert [type(answer) for answer in answers] == [ResponseReceived]
    assert tasks[0].cancelled()


@each_backend
def test_a_once_request_survives_a_scope_and_the_next_await_is_cut(backend: str) -> None:
    order: list[str] = []

    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            with anyio.move_on_after(0.08) as scope:
                answer = await world.perform(post(server.url, once=True))
                order.append(type(answer).__name__)
                await world.perform(wait(60))
                order.append("never")
            assert scope.cancelled_caught

    with Server(answering(*SLOW, pause=0.05)) as server, at_most(3):
        run(main, backend)
    assert order == ["ResponseReceived"]


def test_asyncios_timeout_counts_a_late_cancellation_once() -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        async with AsyncHttpxWorld() as world:
            with pytest.raises(TimeoutError):
                await in_time(world)
        assert task.cancelling() == 0

    async def in_time(world: AsyncWorld) -> None:
        async with asyncio.timeout(0.08):
            await world.perform(post(server.url, once=True))
            await world.perform(wait(60))

    with Server(answering(*SLOW, pause=0.05)) as server:
        run(main, "asyncio")


@each_backend
def test_a_cancelled_wait_or_request_ends_at_once(backend: str) -> None:
    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            for effect in (wait(60), post(server.url, 30)):
                with anyio.move_on_after(0.05) as scope:
                    await world.perform(effect)
                assert scope.cancelled_caught

    with Server(silent) as server, at_most(2):
        run(main, backend)


@each_backend
def test_a_wait_that_is_over_still_lets_others_run(backend: str) -> None:
    turns: list[int] = []

    async def main() -> None:
        async def other() -> None:
            for turn in itertools.count():
                turns.append(turn)
                await checkpoint()

        async with anyio.create_task_group() as tasks, AnyioWorld(unsendable) as world:
            tasks.start_soon(other)
            for _ in range(20):
                await world.perform(wait(-1))
            tasks.cancel_scope.cancel()
        assert len(turns) > 5

    run(main, backend)
