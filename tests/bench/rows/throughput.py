"""How many polls a second one process does over HTTP on loopback, and where that ends.

Rules of this file: the authority is a process of its own; flows poll every 5 s; the demand is doubled until the
pool falls behind. A rate is that of the last seconds, when all flows wait for approval.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Final

import anyio

from codex_oauth import FlowPool
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth_core import CODEX, DeviceFlow, RequestFailed, ResponseReceived, SendRequest
from tests.bench.peers import VENV
from tests.pool.measure import apart

__all__ = ["throughput"]

DEMANDS: Final = (100, 500, 1000)
"""Polls a second that the flows want."""

INTERVAL: Final = 5
"""Seconds between two polls of a flow; what is measured lasts a multiple of it."""

SECONDS: Final = 10.0
PORT: Final = 18_455


class _Counted:
    """A transport that counts answers."""

    def __init__(self, send: AsyncHttpxTransport) -> None:
        self._send = send
        self.answers = 0

    async def __call__(self, effect: SendRequest) -> ResponseReceived | RequestFailed:
        answer = await self._send(effect)
        self.answers += 1
        return answer


@contextmanager
def _authority() -> Generator[str]:
    command = [str(VENV / "bin" / "codex-oauth"), "authority", "--port", str(PORT), "--approve", "never"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(1.5)
        try:
            yield f"http://127.0.0.1:{PORT}"
        finally:
            process.terminate()


async def _rate(issuer: str, demand: int) -> tuple[float, float]:
    """Polls a second, and the seconds that the pool is late."""
    provider = CODEX.at(issuer)
    transport = AsyncHttpxTransport()
    send = _Counted(transport)
    shown: list[None] = []
    async with FlowPool[int](send, on_prompt=lambda key, prompt: shown.append(None)) as pool:
        flows = demand * INTERVAL
        for key in range(flows):
            pool.add(DeviceFlow(provider=provider), key)
        with anyio.move_on_after(40):
            while len(shown) < flows:  # noqa: ASYNC110  # an event would be set with every one of them
                await anyio.sleep(0.05)
        await anyio.sleep(INTERVAL)
        before, began = send.answers, time.perf_counter()
        await anyio.sleep(SECONDS)
        rate, late = (send.answers - before) / (time.perf_counter() - began), pool.late
    await transport.aclose()
    return rate, late


def throughput() -> tuple[str, ...]:
    """A sentence for each demand."""
    said: list[str] = []
    with _authority() as issuer:
        for demand in DEMANDS:
            rate, late = apart(partial(_rate, issuer, demand))
            said.append(
                f"Over HTTP on loopback, {demand * INTERVAL} flows that want {demand} polls a second: "
                f"{rate:.0f} a second, late by {late:.1f} s."
            )
    return tuple(said)
