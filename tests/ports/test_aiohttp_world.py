"""The asyncio world: what becomes of an effect when its task is cancelled, and of one that `cancel()` ends."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth.clock import instant
from codex_oauth.worlds import anyio_world
from codex_oauth.worlds.aiohttp_world import AiohttpWorld
from codex_oauth_core import (
    Cancelled,
    Event,
    ResponseReceived,
    SignInEffect,
    TimeReached,
    Wait,
    Why,
)
from tests.transport.certificates import Authority
from tests.transport.servers import (
    OK,
    Server,
    answering,
    at_most,
    no_new_sockets,
    over_tls,
    post,
    read_request,
    silent,
)
from tests.transport.servers import _open_files as open_files


def wait(seconds: float) -> Wait:
    return Wait(instant() + seconds, Why.PENDING)


def slowly(asked: threading.Event, go_on: threading.Event) -> Callable[[socket.socket], None]:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        asked.set()
        go_on.wait(5)
        sock.sendall(OK)

    return script


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110  # it looks at what threads do
            await asyncio.sleep(0.005)


def alone() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("effect", ["wait", "request"])
def test_a_cancelled_task_leaves_at_once_and_nothing_behind(effect: str) -> None:
    async def main(url: str, connected: Callable[[], bool]) -> None:
        async with AiohttpWorld() as world:
            performing = asyncio.create_task(
                world.perform(wait(60) if effect == "wait" else post(url, timeout=60))
            )
            await (asyncio.sleep(0.02) if effect == "wait" else until(connected))
            performing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await performing
        assert alone()

    with no_new_sockets(), Server(silent) as server, at_most(3):
        asyncio.run(main(server.url, lambda: server.connections > 0))


def test_a_cancelled_task_waits_for_its_once_request_whose_answer_is_not_lost() -> None:
    asked, go_on = threading.Event(), threading.Event()
    events: list[Event] = []

    async def main(url: str) -> None:
        async def perform() -> None:
            async with AiohttpWorld() as world:
                events.append(await world.perform(post(url, once=True)))
                await asyncio.sleep(0)
                events.append(await world.perform(wait(60)))

        performing = asyncio.create_task(perform())
        await until(asked.is_set)
        for _ in range(3):  # however often
            performing.cancel()
            await asyncio.sleep(0.02)
        assert not performing.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await performing
        assert alone()

    with no_new_sockets(), Server(slowly(asked, go_on)) as server, at_most(4):
        asyncio.run(main(server.url))
    assert [type(event) for event in events] == [ResponseReceived]


def test_a_time_limit_of_the_callers_ends_a_wait_as_a_time_limit() -> None:
    async def main() -> None:
        async with AiohttpWorld() as world:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await world.perform(wait(60))

    with at_most(2):
        asyncio.run(main())


@pytest.mark.parametrize("effect", ["wait", "request"])
def test_a_cancel_from_another_thread_is_an_event(effect: str) -> None:
    async def main(url: str, connected: Callable[[], bool]) -> Event:
        async with AiohttpWorld() as world:
            performing = asyncio.create_task(
                world.perform(wait(60) if effect == "wait" else post(url, timeout=60))
            )
            await (asyncio.sleep(0.02) if effect == "wait" else until(connected))
            for _ in range(2):
                await asyncio.to_thread(world.cancel)
            return await performing

    with no_new_sockets(), Server(silent) as server, at_most(3):
        assert isinstance(asyncio.run(main(server.url, lambda: server.connections > 0)), Cancelled)


def test_a_cancel_before_the_block_is_remembered_and_one_after_it_does_no_harm() -> None:
    async def main(effect: SignInEffect) -> Event:
        world = AiohttpWorld()
        world.cancel()
        async with world:
            event = await world.perform(effect)
        world.cancel()
        return event

    with Server(answering(OK)) as server:
        assert isinstance(asyncio.run(main(wait(60))), Cancelled)
        assert isinstance(asyncio.run(main(post(server.url))), Cancelled)
        assert isinstance(asyncio.run(main(post(server.url, once=True))), ResponseReceived)
        assert server.connections == 1


# F33
def test_a_resume_from_suspend_is_noticed_within_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anyio_world, "ASYNC_SLICE", 0.05)
    slept = 0.0

    def now() -> tuple[float, float]:
        return instant() + slept, 0.0

    async def main() -> Event:
        nonlocal slept
        async with AiohttpWorld(now=now) as world:
            performing = asyncio.create_task(world.perform(wait(1000)))
            await asyncio.sleep(0.02)
            slept = 3600.0
            return await performing

    with at_most(2):
        assert isinstance(asyncio.run(main()), TimeReached)


def test_outside_its_block_it_performs_nothing() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(AiohttpWorld().perform(wait(0)))


def test_aiohttp_does_not_wait_for_a_servers_farewell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS ends by a message of both sides; a server that never sends its own must hold up nothing."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK)
        time.sleep(1)  # it neither reads nor ends

    async def main(url: str) -> int:
        async with AiohttpWorld() as world:
            assert isinstance(await world.perform(post(url)), ResponseReceived)
            await asyncio.sleep(0.1)
            return len(open_files() - before)

    before = open_files()
    with Server(over_tls(script, authority.server("127.0.0.1"))) as server:
        mine = asyncio.run(main(server.url.replace("http", "https", 1)))
    listener, server_side, loop_and_its_socket_pair = 1, 1, 3
    assert mine <= listener + server_side + loop_and_its_socket_pair
