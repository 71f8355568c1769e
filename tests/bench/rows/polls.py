"""P14: what a poll costs over HTTP, through the whole pool.

Rules of this file: the server is a process of its own, a round trip away; each figure is taken in a fresh process,
of more flows than it can serve, and counts the CPU time of that process alone, whatever the server and the kernel's
other work take.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import anyio
import attrs

from codex_oauth import FlowPool
from codex_oauth.transport.aiohttp_poll_transport import AiohttpPollTransport
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth_core import CODEX, DeviceFlow, ResponseReceived, SendRequest
from tests.bench.peers import ROOT
from tests.bench.ratios import Result, Spread, Target, Times
from tests.pool.measure import apart

__all__ = ["measure"]

ROUND_TRIP: Final = 0.1
"""Seconds that an answer takes: from another continent."""

IN_FLIGHT: Final = 512
"""Requests at a time: more than 2 500 a second have in flight, at that round trip."""

SECONDS: Final = 4.0
HTTPX: Final = "codex-oauth over httpx"
POLLS: Final = "codex-oauth, for polls"


@attrs.frozen
class _Side:
    """A transport, and how many flows, each polling once a second, are more than it can serve."""

    make: Callable[[], Any]
    called: str
    flows: int


SIDES: Final = {
    HTTPX: _Side(AsyncHttpxTransport, "FlowPool(AsyncHttpxTransport(), max_requests=512)", 1_500),
    POLLS: _Side(AiohttpPollTransport, "FlowPool(AiohttpPollTransport(), max_requests=512)", 6_000),
}


class _Counted:
    """A transport that counts answers, all of which are such."""

    def __init__(self, send: Callable[[SendRequest], Awaitable[Any]]) -> None:
        self._send = send
        self.answers = 0

    async def __call__(self, effect: SendRequest) -> Any:
        answer = await self._send(effect)
        assert isinstance(answer, ResponseReceived), answer
        self.answers += 1
        return answer


@contextmanager
def _server() -> Generator[str]:
    command = [sys.executable, "-m", "tests.bench.rows.polls_server", str(ROUND_TRIP)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.communicate()  # its input ends, and so does it


async def _cost(name: str, issuer: str) -> float:
    """Seconds of CPU that a poll takes."""
    side, provider = SIDES[name], CODEX.at(issuer)
    transport = side.make()
    send = _Counted(transport)
    shown: list[None] = []
    async with FlowPool[int](
        send, max_requests=IN_FLIGHT, on_prompt=lambda key, prompt: shown.append(None)
    ) as pool:
        for key in range(side.flows):
            pool.add(DeviceFlow(provider=provider), key)
        while len(shown) < side.flows:  # noqa: ASYNC110  # an event would be set with every one of them
            await anyio.sleep(0.05)
        await anyio.sleep(1)
        gc.collect()
        gc.freeze()
        answers, used = send.answers, time.process_time()
        await anyio.sleep(SECONDS)
        cost = (time.process_time() - used) / (send.answers - answers)
        assert pool.late > 0, "it kept up with its flows: there are too few"
    await transport.aclose()
    return cost


def measure(rounds: int) -> Result:
    """P14."""
    taken: dict[str, list[float]] = {name: [] for name in SIDES}
    with _server() as issuer:
        for number in range(rounds):
            for name in sorted(SIDES, reverse=bool(number % 2)):
                taken[name].append(apart(partial(_cost, name, issuer)))
    times = Times(HTTPX, taken)
    figures = tuple(times.figure(name, side.called, ours=name == POLLS) for name, side in SIDES.items())
    targets = (
        Target(
            "polls a second of a core",
            Spread.of([1 / cost for cost in taken[POLLS]]),
            2_500,
            at_least=True,
            unit="",
        ),
        Target("of those over httpx", times.ratio(HTTPX, POLLS), 7, at_least=True),
    )
    note = (
        f"Device flows through the whole pool, over HTTP on loopback; {IN_FLIGHT} requests in flight, each answered "
        f"after {ROUND_TRIP:g} s. Times are those of the CPU, in user and system mode, in the polling process."
    )
    return Result("P14", HTTPX, figures, targets, notes=(note,))
