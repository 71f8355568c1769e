"""What a pool refuses, and where the exceptions of others come out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import pytest

from codex_oauth import FlowPool
from codex_oauth.testing.fake_world import START, WALL
from codex_oauth_core import (
    BrowserFlow,
    CallbackRule,
    Credential,
    DeviceFlow,
    ErrorKind,
    Event,
    Pkce,
    RequestFailed,
    ResponseReceived,
    Secret,
    SendRequest,
    SignInError,
    Started,
    Wait,
)
from codex_oauth_core.callback import Accepted
from tests.pool.servers import Crowd
from tests.pool.virtual import each_backend, now, run

STATE = "canary-state-0123456789-0123456789-012345678"


def fails(*args: object) -> None:
    raise ZeroDivisionError("of a callback")


async def fails_to_send(effect: SendRequest) -> ResponseReceived | RequestFailed:
    raise ValueError("no HTTP")


async def fails_itself() -> None:
    await anyio.sleep(2)
    raise KeyError("of the block")


async def group_from(pool: FlowPool[int], then: Callable[[], Awaitable[None]]) -> BaseException:
    """What comes out of a block that adds ten flows; it leaves no task."""

    async def block() -> None:
        async with pool:
            for key in range(10):
                pool.add(DeviceFlow(), key)
            await then()

    before = len(anyio.get_running_tasks())
    with pytest.raises((ExceptionGroup, KeyError)) as raised:
        await block()
    assert len(anyio.get_running_tasks()) == before
    return raised.value


def has(raised: BaseException, kind: type[BaseException]) -> bool:
    """Whether `raised` is a group with such an exception, at any depth."""
    inner: Sequence[BaseException] = getattr(raised, "exceptions", ())
    return any(isinstance(each, kind) or has(each, kind) for each in inner)


@each_backend
@pytest.mark.parametrize("callback", ["on_prompt", "on_wait", "on_end"])
def test_what_a_callback_raises_comes_out_of_the_block_and_ends_it(callback: str, backend: str) -> None:
    options: dict[str, Any] = {callback: fails}

    async def main() -> None:
        pool = FlowPool[int](Crowd(now, latency=1, polls=2), now=now, **options)
        assert has(await group_from(pool, anyio.sleep_forever), ZeroDivisionError)

    run(main, backend)


@each_backend
def test_what_a_transport_raises_comes_out_of_the_block(backend: str) -> None:
    async def main() -> None:
        pool = FlowPool[int](fails_to_send, now=now)
        assert has(await group_from(pool, pool.join), ValueError)

    run(main, backend)


@each_backend
def test_an_exception_of_the_block_comes_out_as_it_is(backend: str) -> None:
    async def main() -> None:
        pool = FlowPool[int](Crowd(now, latency=1), now=now)
        assert isinstance(await group_from(pool, fails_itself), KeyError)

    run(main, backend)


@each_backend
def test_exceptions_of_the_block_and_of_a_callback_come_out_together(backend: str) -> None:
    async def main() -> None:
        pool = FlowPool[int](Crowd(now, latency=1), now=now, on_end=fails)
        raised = await group_from(pool, fails_itself)
        assert has(raised, KeyError)
        assert has(raised, ZeroDivisionError)

    run(main, backend)


@each_backend
def test_flows_are_taken_only_inside_the_block_and_a_pool_is_used_once(backend: str) -> None:
    async def main() -> None:
        pool = FlowPool[int](Crowd(now), now=now)
        with pytest.raises(RuntimeError, match="inside"):
            pool.add(DeviceFlow(), 1)
        async with pool:
            assert [ended async for ended in pool] == []
            await pool.join()
        with pytest.raises(RuntimeError, match="inside"):
            pool.add(DeviceFlow(), 1)
        with pytest.raises(RuntimeError, match="one `async with` block"):
            await pool.__aenter__()

    run(main, backend)


@pytest.mark.parametrize("options", [{"max_requests": 0}, {"jitter": -0.1}])
def test_options_without_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        FlowPool[int](Crowd(now), **options)


@each_backend
def test_outcomes_that_nobody_took_are_kept_for_after_the_block(backend: str) -> None:
    async def main() -> None:
        pool = FlowPool[str](Crowd(now, polls=1), now=now)
        async with pool:
            pool.add(DeviceFlow(), "ada")
            await pool.join()
            pool.add(DeviceFlow(), "bob")
        ended = [(key, outcome) async for key, outcome in pool]
        assert [key for key, _ in ended] == ["ada", "bob"]
        assert isinstance(ended[0][1], Credential)
        assert isinstance(ended[1][1], SignInError)
        assert ended[1][1].kind is ErrorKind.CANCELLED

    run(main, backend)


@each_backend
def test_a_flow_begins_with_the_event_that_its_adder_makes(backend: str) -> None:
    begun: list[tuple[float, float]] = []

    def begin(at: float, wall: float) -> Event:
        begun.append((at, wall))
        return Started(at, wall)

    async def main() -> None:
        async with FlowPool[int](Crowd(now, latency=1, polls=1), max_requests=1, now=now) as pool:
            pool.add(DeviceFlow(), 1)
            pool.add(DeviceFlow(), 2, begin=begin)
            await pool.join()

    run(main, backend)
    assert begun == [(START + 1, WALL + 1)]


# -- redirects -----------------------------------------------------------------------------------------


def browser_flow() -> BrowserFlow:
    pair = Pkce.from_entropy(bytes(range(32)))
    return BrowserFlow(redirect_uri="http://localhost:1455/auth/callback", pkce=pair, state=Secret(STATE))


def judged(rule: CallbackRule) -> Accepted:
    accepted = rule.judge(f"code=canary-code&state={STATE}")
    assert isinstance(accepted, Accepted)
    return accepted


@each_backend
def test_a_redirect_is_brought_to_the_flow_that_waits_for_it(backend: str) -> None:
    rules: list[CallbackRule] = []

    def on_wait(key: str, wait: Wait) -> None:
        assert wait.callback is not None
        rules.append(wait.callback)

    async def main() -> None:
        async with FlowPool[str](Crowd(now, latency=1), now=now, on_wait=on_wait) as pool:
            ada = pool.add(browser_flow(), "ada")
            await anyio.sleep(20)
            accepted = judged(rules[0])
            assert ada.accept(accepted)
            assert not ada.accept(accepted)  # it was faster
            key, outcome = await anext(pool)
            assert (key, type(outcome)) == ("ada", Credential)
            assert not ada.accept(accepted)
            assert now()[0] - START == 21

    run(main, backend)


@each_backend
def test_a_redirect_that_nobody_waits_for_is_refused(backend: str) -> None:
    accepted = judged(
        CallbackRule("http://localhost:1455/auth/callback", Secret(STATE), (), "https://a.example")
    )

    async def main() -> None:
        async with FlowPool[str](Crowd(now, latency=1), now=now) as pool:
            device, browser = pool.add(DeviceFlow(), "device"), pool.add(browser_flow(), "browser")
            assert not browser.accept(accepted)  # it has not begun
            await anyio.sleep(2)
            assert not device.accept(accepted)
            assert len(pool) == 2

    run(main, backend)
