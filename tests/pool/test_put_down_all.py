"""All flows of a pool are put down; and flows that were, cancelled before they go on."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from codex_oauth import FlowPool
from codex_oauth.pool.put_down import UnfinishedPutDown
from codex_oauth.testing.fake_world import START
from codex_oauth_core import (
    BrowserFlow,
    Credential,
    DeviceFlow,
    ErrorKind,
    Resumed,
)
from tests.pool.handing_over import (
    EXCHANGING,
    LATENCY,
    POLLING,
    SIGNED_IN,
    Counting,
    Foreign,
    accepted_by,
    again,
    browser_flow,
    kind,
    nobody_ends,
)
from tests.pool.virtual import each_backend, now, run


@each_backend
@pytest.mark.parametrize("after", [0.0, LATENCY / 2, LATENCY + 1, POLLING, EXCHANGING + 0.5])
def test_all_are_put_down_and_sign_in_elsewhere(after: float, backend: str) -> None:
    server = Counting()

    async def main() -> None:
        async with FlowPool[int](server, jitter=0, max_requests=30, now=now) as pool:
            for key in range(100):
                pool.add(DeviceFlow(), key)
            await anyio.sleep(after)
            ending = sum(name.endswith("!") for name in server.begun)
            checkpoints = await pool.put_down_all()
            assert 0 <= now()[0] - START - after <= (LATENCY if ending else 0)
            assert (len(pool), pool.in_flight, pool.late) == (0, 0, 0)
            begun = list(server.begun)
            with pytest.raises(RuntimeError, match="until all are put down"):
                pool.add(DeviceFlow(), 101)
            assert await pool.put_down_all() == []
            await pool.join()
        ended = [key async for key, outcome in pool if isinstance(outcome, Credential)]
        assert len(ended) == ending
        assert server.begun == begun
        assert sorted([*ended, *(key for key, _ in checkpoints)]) == list(range(100))
        async with FlowPool[int](server, jitter=0, now=now) as pool:
            for key, checkpoint in checkpoints:
                pool.add(again(checkpoint), key, begin=Resumed)
            assert {kind(outcome) async for _, outcome in pool} == {None}
        assert server.exchanged == 100

    run(main, backend)


@each_backend
def test_no_cancellation_takes_the_checkpoints_of_all_along(backend: str) -> None:
    async def main() -> None:
        async with FlowPool[int](Counting(), jitter=0, now=now, on_end=nobody_ends) as pool:
            for key in range(100):
                pool.add(DeviceFlow(), key)
            await anyio.sleep(POLLING)
            checkpoints: list[object] = []
            with anyio.CancelScope() as scope:
                scope.cancel()
                checkpoints += await pool.put_down_all()
            assert len(checkpoints) == 100

    run(main, backend)


@each_backend
def test_what_callbacks_raise_does_not_take_the_checkpoints_of_others_along(backend: str) -> None:
    def on_end(key: int, outcome: object) -> None:
        raise LookupError(key)

    foreign: Any = Foreign()

    async def block(pool: FlowPool[int]) -> None:
        async with pool:
            handles = [pool.add(browser_flow(), key) for key in range(50)]
            pool.add(foreign, 50)
            await anyio.sleep(1)
            for handle in handles[:20]:
                handle.accept(accepted_by(handle, "error=access_denied"))
            with pytest.raises(UnfinishedPutDown) as unfinished:
                await pool.put_down_all()
            kinds = [type(error) for error in unfinished.value.exceptions]
            assert sorted(kinds, key=str) == [*[LookupError] * 20, TypeError]
            put_down = unfinished.value.put_down
            assert sorted(key for key, _ in put_down) == list(range(20, 50))
            assert all(isinstance(again(checkpoint), BrowserFlow) for _, checkpoint in put_down)
            assert len(pool) == 1

    async def main() -> None:
        with pytest.raises(BaseExceptionGroup) as raised:
            await block(FlowPool[int](Counting(), jitter=0, now=now, on_end=on_end))
        assert raised.group_contains(LookupError, match="50"), "the one that is left is cancelled"

    run(main, backend)


@each_backend
def test_nothing_more_is_sent_while_all_are_put_down(backend: str) -> None:
    """Also for those whose time comes meanwhile, and who have a request slot."""
    server, slept = Counting(), [0.0]

    def later() -> tuple[float, float]:
        at, wall = now()
        return at + slept[0], wall + slept[0]

    async def main() -> None:
        async with FlowPool[int](server, jitter=0, max_requests=100, now=later, on_end=nobody_ends) as pool:
            for key in range(100):
                pool.add(DeviceFlow(), key)
            await anyio.sleep(LATENCY + 1)
            slept[0] = 60
            begun = len(server.begun)
            assert len(await pool.put_down_all()) == 100
            await anyio.sleep(1)
            assert len(server.begun) == begun

    run(main, backend)


@each_backend
def test_a_flow_that_stays_and_is_due_does_not_keep_the_pool_busy(backend: str) -> None:
    """In virtual time a pool that never sleeps would never see the end of the exchange."""
    foreign: Any = Foreign()

    async def main() -> None:
        async with FlowPool[str](Counting(), jitter=0, now=now, on_end=lambda key, outcome: None) as pool:
            pool.add(DeviceFlow(), "ada")
            await anyio.sleep(EXCHANGING)
            pool.add(foreign, "eve")
            with pytest.raises(UnfinishedPutDown):
                await pool.put_down_all()
            assert round(now()[0] - START, 6) == SIGNED_IN

    run(main, backend)


# -- cancelled before it goes on -----------------------------------------------------------------------


@each_backend
@pytest.mark.parametrize("handed_over", [True, False])
@pytest.mark.parametrize("after", [LATENCY / 2, LATENCY + 1, POLLING, EXCHANGING])
def test_a_restored_flow_is_cancelled_before_it_begins(after: float, handed_over: bool, backend: str) -> None:
    """Its code is not exchanged any more; one that may have been is not called cancelled."""
    server, flow = Counting(), DeviceFlow()

    async def main() -> None:
        async with FlowPool[str](server, jitter=0, now=now) as pool:
            pool.add(flow, "ada")
            await anyio.sleep(after)
            checkpoint = flow.checkpoint(at=now()[0], wall=now()[1])
        checkpoint["handed_over"] = handed_over
        exchanged = server.exchanged
        async with FlowPool[str](server, jitter=0, now=now) as pool:
            pool.add(again(checkpoint), "ada", begin=Resumed).cancel()
            uncertain = after == EXCHANGING and not handed_over
            expected = ErrorKind.TOKEN_REQUEST_FAILED if uncertain else ErrorKind.CANCELLED
            assert [kind(outcome) async for _, outcome in pool] == [expected]
        assert server.exchanged == exchanged

    run(main, backend)
