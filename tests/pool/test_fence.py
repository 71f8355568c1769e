"""`before_once`: nothing is sent once before it is allowed, and nothing comes between the two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import pytest

from codex_oauth import FlowPool
from codex_oauth.pool.handle import GRACE
from codex_oauth.testing.fake_world import START, WALL
from codex_oauth_core import Cause, DeviceFlow, ErrorKind, Resumed, SendRequest, SignInError, Wait
from tests.pool.handing_over import LATENCY, Counting, again, kind, nobody_ends
from tests.pool.virtual import each_backend, now, run


def fenced(server: Counting, asks: Callable[[], Awaitable[bool]], **options: Any) -> FlowPool[str]:
    async def before_once(key: str, flow: Any) -> bool:
        assert key == "ada"
        assert isinstance(flow.effect, SendRequest)
        assert flow.effect.once
        return await asks()

    return FlowPool[str](server, jitter=0, now=now, before_once=before_once, **options)


@each_backend
@pytest.mark.parametrize("refusals", [0, 1, 3])
def test_nothing_is_sent_once_before_it_is_allowed(refusals: int, backend: str) -> None:
    server = Counting()
    asked: list[tuple[float, int]] = []

    async def asks() -> bool:
        asked.append((now()[0] - START, server.exchanged))
        await anyio.sleep(0.5)
        return len(asked) > refusals

    async def main() -> None:
        async with fenced(server, asks) as pool:
            pool.add(DeviceFlow(), "ada")
            assert [kind(outcome) async for _, outcome in pool] == [None]

    run(main, backend)
    assert len(asked) == refusals + 1
    assert {exchanged for _, exchanged in asked} == {0}
    assert server.exchanged == 1
    assert server.begun.count("token") == 1, "polls are not asked for"


@each_backend
def test_a_flow_that_may_never_send_fails_as_not_sent(backend: str) -> None:
    server = Counting()

    async def never() -> bool:
        return False

    async def main() -> None:
        async with fenced(server, never) as pool:
            pool.add(DeviceFlow(), "ada")
            ((_, outcome),) = [ended async for ended in pool]
            assert isinstance(outcome, SignInError)
            assert outcome.details.get("cause") == Cause.TIMEOUT.value
            assert "uncertain" not in outcome.details

    run(main, backend)
    assert server.exchanged == 0


@each_backend
def test_what_the_fence_raises_ends_the_pool_and_nothing_is_sent(backend: str) -> None:
    server = Counting()
    ended: list[tuple[str, ErrorKind | None]] = []

    async def fails() -> bool:
        await anyio.sleep(0.1)
        raise LookupError("no database")

    def on_end(key: str, outcome: object) -> None:
        ended.append((key, kind(outcome)))

    async def block() -> None:
        async with fenced(server, fails, on_end=on_end) as pool:
            pool.add(DeviceFlow(), "ada")
            await anyio.sleep_forever()

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as raised:
            await block()
        assert raised.group_contains(LookupError, match="no database")

    run(main, backend)
    assert server.exchanged == 0
    assert ended == [("ada", ErrorKind.CANCELLED)]


@each_backend
@pytest.mark.parametrize("do", ["put_down", "cancel", "leave", "cut"])
@pytest.mark.parametrize("allowed", [True, False])
def test_nobody_comes_between_the_fence_and_what_it_allows(allowed: bool, do: str, backend: str) -> None:
    """What is marked as being exchanged is exchanged, whatever happens to the flow, the pool and the task."""
    server = Counting()
    found: list[object] = []

    async def asks() -> bool:
        await anyio.sleep(1)
        return allowed

    async def main() -> None:
        pool = fenced(server, asks)
        with anyio.CancelScope() as scope:
            async with pool:
                ada = pool.add(DeviceFlow(), "ada")
                await anyio.sleep(2 * LATENCY + 5 + 0.5)
                assert server.begun[-1] == "token"
                if do == "put_down":
                    found.append(await ada.put_down())
                elif do == "cancel":
                    ada.cancel()
                elif do == "cut":
                    scope.cancel()
        ended = [kind(outcome) async for _, outcome in pool]
        if allowed:
            assert ended == [None]
        else:
            assert ended == ([] if do == "put_down" else [ErrorKind.CANCELLED])
        if do == "put_down":
            assert [checkpoint is None for checkpoint in found] == [allowed]
        assert server.exchanged == allowed

    run(main, backend)


@each_backend
@pytest.mark.parametrize("do", ["put_down", "leave"])
def test_a_fence_that_never_answers_holds_the_end_up_for_a_bounded_time(do: str, backend: str) -> None:
    server = Counting()

    async def hangs() -> bool:
        await anyio.sleep_forever()
        return True

    async def main() -> None:
        async with (pool := fenced(server, hangs)):
            ada = pool.add(DeviceFlow(request_timeout=15), "ada")
            await anyio.sleep(10)
            if do == "put_down":
                assert again(await ada.put_down()) is not None
        assert now()[0] - START == 10 + 15 + GRACE
        assert [kind(outcome) async for _, outcome in pool] == (
            [] if do == "put_down" else [ErrorKind.CANCELLED]
        )

    run(main, backend)
    assert server.exchanged == 0


@each_backend
def test_what_the_fence_raises_does_not_take_a_checkpoint_along(backend: str) -> None:
    found: list[Mapping[str, Any] | None] = []

    async def fails() -> bool:
        await anyio.sleep(1)
        raise LookupError("no database")

    async def block() -> None:
        async with fenced(Counting(), fails, on_end=nobody_ends) as pool:
            ada = pool.add(DeviceFlow(), "ada")
            await anyio.sleep(2 * LATENCY + 5 + 0.5)
            found.append(await ada.put_down())
            await anyio.sleep_forever()

    async def main() -> None:
        with pytest.raises(ExceptionGroup):
            await block()

    run(main, backend)
    assert isinstance(again(found[0]).receive(Resumed(START, WALL)), Wait)
