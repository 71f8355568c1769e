"""The asynchronous listener on asyncio and trio: cancelled, timed out, and with exceptions of its block."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import cast

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from codex_oauth import AsyncCallbackListener
from codex_oauth.listener.async_listener import AsyncService
from codex_oauth.listener.ports import bind
from tests.listener.sign_ins import PATIENCE, QUERY, connect, genuine, rule_for, say
from tests.transport.servers import at_most, no_new_sockets

each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def run(main: Callable[[], Awaitable[None]], backend: str) -> None:
    """Run it; it leaves no socket, no task, and takes no second longer than it should."""
    with no_new_sockets(), at_most(1):
        anyio.run(main, backend=backend)


@each_backend
def test_the_redirect_comes(backend: str) -> None:
    async def main() -> None:
        async with AsyncCallbackListener((0,)) as listener:
            with connect(listener.port) as browser:
                browser.sendall(genuine(listener.port))
                accepted = await listener.wait(rule_for(listener.redirect_uri), PATIENCE)
                assert accepted is not None
                assert accepted.query.reveal() == QUERY
                assert browser.recv(12) == b"HTTP/1.1 200"
                bind([listener.port], "/").close()  # it listens no more

    run(main, backend)


@each_backend
def test_a_wait_that_timed_out_is_taken_up_again(backend: str) -> None:
    async def main() -> None:
        async with AsyncCallbackListener((0,)) as listener:
            rule = rule_for(listener.redirect_uri)
            assert await listener.wait(rule, 0.05) is None
            with connect(listener.port) as browser:
                browser.sendall(genuine(listener.port))
                accepted = await listener.wait(rule, PATIENCE)
                assert accepted is not None
                assert await listener.wait(rule, 0) is accepted

    run(main, backend)


@each_backend
def test_a_cancelled_wait_leaves_no_task_and_no_socket(backend: str) -> None:
    ports: list[int] = []

    async def cancelled() -> None:
        async with AsyncCallbackListener((0,)) as listener:
            ports.append(listener.port)
            with contextlib.ExitStack() as stack:
                for _ in range(5):
                    say(stack.enter_context(connect(listener.port)), b"GET ")
                await listener.wait(rule_for(listener.redirect_uri), 60)

    async def main() -> None:
        before = len(anyio.get_running_tasks())
        with anyio.move_on_after(0.1) as scope:
            await cancelled()
        assert scope.cancelled_caught
        assert len(anyio.get_running_tasks()) == before
        bind(ports, "/").close()

    run(main, backend)


def test_a_task_that_asyncio_cancels_leaves_none_either() -> None:
    async def sign_in(listening: asyncio.Event) -> None:
        async with AsyncCallbackListener((0,)) as listener:
            listening.set()
            await listener.wait(rule_for(listener.redirect_uri), 60)

    async def main() -> None:
        listening = asyncio.Event()
        task = asyncio.create_task(sign_in(listening))
        await listening.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with no_new_sockets(), at_most(1):
        asyncio.run(main())


@each_backend
@pytest.mark.parametrize("waits", [True, False])
def test_an_exception_of_the_block_comes_out_as_it_is(waits: bool, backend: str) -> None:
    async def block() -> None:
        async with AsyncCallbackListener((0,)) as listener:
            if waits:
                await listener.wait(rule_for(listener.redirect_uri), 0.02)
            raise LookupError("of the block")

    async def main() -> None:
        with pytest.raises(LookupError, match="of the block"):
            await block()

    run(main, backend)


@each_backend
def test_a_connection_that_came_just_before_the_end_is_closed(backend: str) -> None:
    async def main() -> None:
        for pause in range(6):  # each moment between the accept and the first turn
            async with AsyncCallbackListener((0,)) as listener:
                await listener.wait(rule_for(listener.redirect_uri), 0)
                with connect(listener.port), connect(listener.port):
                    for _ in range(pause):
                        await anyio.lowlevel.checkpoint()
                    await anyio.lowlevel.checkpoint()

    run(main, backend)


def test_a_connection_whose_task_never_began_is_closed() -> None:
    class NeverBegins:
        def start_soon(self, *args: object, name: str) -> None:
            pass

    async def main() -> None:
        bound = bind([0], "/auth/callback")
        service = AsyncService(bound, rule_for(bound.redirect_uri), cast("TaskGroup", NeverBegins()))
        ours, theirs = socket.socketpair()
        service._admit(ours)
        service.close()
        theirs.close()

    run(main, "asyncio")


@each_backend
def test_after_the_redirect_its_tasks_end_by_themselves(backend: str) -> None:
    def ours() -> list[str]:
        return [task.name or "" for task in anyio.get_running_tasks() if "callback" in (task.name or "")]

    async def main() -> None:
        async with AsyncCallbackListener((0,)) as listener:
            rule = rule_for(listener.redirect_uri)
            await listener.wait(rule, 0.02)
            assert len(ours()) == 2
            with connect(listener.port) as browser:
                browser.sendall(genuine(listener.port))
                await listener.wait(rule, PATIENCE)
            with anyio.fail_after(PATIENCE):
                while ours():  # noqa: ASYNC110  # there is no event to wait for
                    await anyio.sleep(0.005)

    run(main, backend)


@each_backend
def test_two_tasks_may_wait_and_neither_outlives_the_block(backend: str) -> None:
    results: list[object] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks, AsyncCallbackListener((0,)) as listener:
            rule = rule_for(listener.redirect_uri)

            async def wait() -> None:
                results.append(await listener.wait(rule, 60))

            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.sleep(0.02)

    run(main, backend)
    assert results == [None, None]


@each_backend
def test_it_serves_one_sign_in_inside_its_block(backend: str) -> None:
    async def main() -> None:
        async with AsyncCallbackListener((0,)) as listener:
            with pytest.raises(ValueError, match="another redirect URI"):
                await listener.wait(rule_for("http://localhost:1/auth/callback"), 0)
            await listener.wait(rule_for(listener.redirect_uri), 0)
            with pytest.raises(RuntimeError):
                await listener.wait(rule_for(listener.redirect_uri), 0)
        outside = AsyncCallbackListener((listener.port,))
        with pytest.raises(RuntimeError):
            await outside.wait(rule_for(outside.redirect_uri), 0)
        async with outside:
            pass

    run(main, backend)


@each_backend
def test_other_tasks_go_on_while_it_is_flooded(backend: str) -> None:
    turns = 0

    async def main() -> None:
        async def count() -> None:
            nonlocal turns
            while True:
                await anyio.sleep(0.001)
                turns += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(count)
            async with AsyncCallbackListener((0,)) as listener:
                with contextlib.ExitStack() as stack:
                    for _ in range(100):
                        sock = stack.enter_context(socket.socket())
                        sock.setblocking(False)
                        sock.connect_ex(("127.0.0.1", listener.port))
                    assert await listener.wait(rule_for(listener.redirect_uri), 0.2) is None
            tasks.cancel_scope.cancel()

    run(main, backend)
    assert turns > 10
