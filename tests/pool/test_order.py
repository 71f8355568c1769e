"""Who is served when: never too early, never too many at once, in turn, and with the present instant."""

from __future__ import annotations

import statistics
from collections import defaultdict
from itertools import pairwise

import anyio
import pytest

from codex_oauth import FlowPool
from codex_oauth.pool.flow_pool import FLOWS_A_TURN, GRAIN
from codex_oauth.testing.fake_world import START
from codex_oauth_core import (
    Credential,
    DeviceFlow,
    DevicePrompt,
    Event,
    Finished,
    ResponseReceived,
    SendRequest,
    Wait,
)
from tests.pool.servers import Crowd
from tests.pool.virtual import each_backend, now, run


@each_backend
def test_two_thousand_flows_complete_with_seven_requests_at_a_time(backend: str) -> None:
    crowd = Crowd(now, latency=0.01, polls=3)
    outcomes: dict[int, object] = {}

    async def main() -> None:
        async with FlowPool[int](crowd, max_requests=7, now=now) as pool:
            for key in range(2_000):
                pool.add(DeviceFlow(), key)
            async for key, outcome in pool:
                outcomes[key] = outcome
                assert pool.in_flight <= 7
            assert (len(pool), pool.in_flight) == (0, 0)

    run(main, backend)
    assert crowd.most == 7
    assert len(outcomes) == 2_000
    assert {type(outcome) for outcome in outcomes.values()} == {Credential}
    assert all(len(polls) == 3 for polls in crowd.polled.values())


@each_backend
def test_a_pool_uses_one_task_and_one_for_each_request(backend: str) -> None:
    counts: list[int] = []

    async def main() -> None:
        before = len(anyio.get_running_tasks())
        crowd = Crowd(now, latency=1, polls=2)
        async with FlowPool[int](crowd, max_requests=9, now=now) as pool:
            for key in range(100):
                pool.add(DeviceFlow(), key)
            while len(pool):
                counts.append(len(anyio.get_running_tasks()) - before)
                await anyio.sleep(0.5)

    run(main, backend)
    assert max(counts) == 10
    assert min(counts) == 1


@each_backend
def test_too_many_flows_fall_behind_evenly(backend: str) -> None:
    """600 flows want 120 polls a second of a server that can do 32."""
    crowd = Crowd(now, latency=0.25, polls=12)
    late: list[float] = []

    async def main() -> None:
        async with FlowPool[int](crowd, max_requests=8, now=now) as pool:
            for key in range(600):
                pool.add(DeviceFlow(), key)
            with anyio.move_on_after(200):
                await pool.join()
            late.append(pool.late)

    run(main, backend)
    assert crowd.most == 8
    assert late[0] > 5
    pauses = [b - a for polls in crowd.polled.values() for a, b in pairwise(polls[1:])]
    assert statistics.mean(pauses) == pytest.approx(600 / 32, rel=0.05)
    assert max(pauses) - min(pauses) < 2  # seconds: nobody is passed over
    assert max(map(len, crowd.polled.values())) - min(map(len, crowd.polled.values())) <= 1


class Watched(DeviceFlow):
    """A flow that keeps what it is told and what it answers."""

    __slots__ = ("seen",)
    seen: list[tuple[Event, SendRequest | Wait | Finished]]

    def receive(self, event: Event) -> SendRequest | Wait | Finished:
        effect = super().receive(event)
        self.seen.append((event, effect))
        return effect


def watched() -> Watched:
    flow = Watched()
    flow.seen = []
    return flow


@each_backend
@pytest.mark.parametrize("max_requests", [3, 64])
def test_what_a_flow_decides_is_sent_at_that_instant(max_requests: int, backend: str) -> None:
    flows = [watched() for _ in range(60)]

    async def main() -> None:
        crowd = Crowd(now, latency=0.5, polls=3)
        async with FlowPool[int](crowd, max_requests=max_requests, now=now) as pool:
            for key, flow in enumerate(flows):
                pool.add(flow, key)
            await pool.join()

    run(main, backend)
    for flow in flows:
        for (event, effect), (answer, _) in pairwise(flow.seen):
            if isinstance(effect, SendRequest):
                assert isinstance(answer, ResponseReceived)
                assert answer.sent_at == event.at
            elif isinstance(effect, Wait):
                assert answer.at >= effect.until


@each_backend
@pytest.mark.parametrize(("jitter", "most"), [(0.0, 0.0), (0.2, 0.2), (60.0, 0.5)])
def test_jitter_prolongs_each_wait_a_little_and_shortens_none(
    jitter: float, most: float, backend: str
) -> None:
    """A wait of 5 s is prolonged by half a second at most."""
    until: dict[str, list[float]] = defaultdict(list)
    crowd = Crowd(now, polls=20)

    def on_wait(key: int, wait: Wait) -> None:
        assert isinstance(wait.prompt, DevicePrompt)
        until[wait.prompt.user_code].append(wait.until)

    async def main() -> None:
        async with FlowPool[int](crowd, jitter=jitter, on_wait=on_wait, now=now) as pool:
            for key in range(30):
                pool.add(DeviceFlow(), key)
            await pool.join()

    run(main, backend)
    late = [
        polled - due
        for user_code, polls in crowd.polled.items()
        for due, polled in zip(until[user_code], polls, strict=True)
    ]
    assert len(late) == 600
    assert min(late) >= 0
    assert max(late) <= most + GRAIN + 1e-6
    assert max(late) >= most * 0.9


@each_backend
def test_jitter_draws_a_burst_apart(backend: str) -> None:
    crowd = Crowd(now, polls=1)

    async def main() -> None:
        async with FlowPool[int](crowd, now=now, max_requests=200) as pool:
            for key in range(200):
                pool.add(DeviceFlow(), key)
            await pool.join()

    run(main, backend)
    instants = [polls[0] - START for polls in crowd.polled.values()]
    assert 0.4 < max(instants) - min(instants) <= 0.5 + GRAIN
    assert len({round(instant, 2) for instant in instants}) > 30


@each_backend
def test_after_a_suspend_everybody_has_a_turn_before_anybody_has_two(backend: str) -> None:
    suspended = 0.0

    def clock() -> tuple[float, float]:
        return now()[0] + suspended, now()[1] + suspended

    crowd = Crowd(clock, latency=0.25)
    noticed: list[float] = []

    async def main() -> None:
        nonlocal suspended
        async with FlowPool[int](crowd, max_requests=10, now=clock) as pool:
            for key in range(200):
                pool.add(DeviceFlow(), key)
            await anyio.sleep(8.5)
            before = clock()[0]
            suspended = 300.0
            resumed = clock()[0]
            await anyio.sleep(14)
            in_flight = [
                polls for polls in crowd.polled.values() if any(-0.3 < at - before <= 0 for at in polls)
            ]
            waited = [polls for polls in crowd.polled.values() if polls not in in_flight]
            after = [[at for at in polls if at >= resumed] for polls in waited]
            noticed.append(min(at for polls in after for at in polls) - resumed)
            assert len(after) >= 185
            assert max(polls[0] for polls in after) < min(polls[1] for polls in after if len(polls) > 1)

    run(main, backend)
    assert noticed[0] <= 5
    assert crowd.most == 10


@each_backend
def test_a_pool_that_sleeps_notices_a_resume_within_five_seconds(backend: str) -> None:
    suspended = 0.0

    def clock() -> tuple[float, float]:
        return now()[0] + suspended, now()[1] + suspended

    crowd = Crowd(clock, interval=300)

    async def main() -> None:
        nonlocal suspended
        async with FlowPool[int](crowd, now=clock) as pool:
            pool.add(DeviceFlow(), 1)
            await anyio.sleep(12)
            suspended = 400.0
            await anyio.sleep(5.1)
            assert len(crowd.polled) == 1

    run(main, backend)


class Idle(DeviceFlow):
    """A flow that asks to be told the time again at once, and never sends a poll."""

    __slots__ = ()

    def receive(self, event: Event) -> SendRequest | Wait | Finished:
        effect = super().receive(event)
        return Wait(event.at, effect.why, effect.prompt) if isinstance(effect, Wait) else effect


@each_backend
def test_other_tasks_have_their_turns_while_thousands_are_due(backend: str) -> None:
    steps: list[int] = []
    turns: list[int] = []

    async def main() -> None:
        async with FlowPool[int](Crowd(now), now=now, on_wait=lambda key, wait: steps.append(key)) as pool:
            for key in range(1_000):
                pool.add(Idle(), key)
            while len(steps) < 20_000:
                await anyio.lowlevel.checkpoint()
                turns.append(len(steps))

    run(main, backend)
    assert max(b - a for a, b in pairwise(turns)) <= FLOWS_A_TURN + 64


def test_prompts_are_shown_once_and_waits_each_time() -> None:
    prompts: list[str] = []
    waits: list[str] = []

    async def main() -> None:
        async with FlowPool[str](
            Crowd(now, polls=4),
            now=now,
            on_prompt=lambda key, prompt: prompts.append(key),
            on_wait=lambda key, wait: waits.append(key),
        ) as pool:
            pool.add(DeviceFlow(), "ada")
            pool.add(DeviceFlow(), "bob")
            await pool.join()

    run(main, "asyncio")
    assert prompts == ["ada", "bob"]
    assert sorted(waits) == ["ada"] * 4 + ["bob"] * 4
