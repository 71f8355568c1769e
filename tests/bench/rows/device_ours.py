"""P5, one part: a device flow over httpx with answers in the process, as ours does it.

Rules of this file: every sign-in has a client of its own over `httpx.MockTransport`, so that no socket and no
TLS context is in any figure; nobody sleeps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import httpx

from codex_oauth import AsyncHttpxWorld, Credential, HttpxWorld, arun, run
from codex_oauth.testing import VirtualClock
from codex_oauth_core import CODEX, DeviceFlow
from tests.support import PENDING, approved, issued, tokens

T = TypeVar("T")

__all__ = ["in_loop", "ours", "ours_async", "server"]


def server(polls: int) -> httpx.MockTransport:
    """Answers `polls` polls with pending, and then approves."""
    left = iter(range(polls))
    kinds = {name: (reply.status, reply.body) for name, reply in (("issued", issued()), ("tokens", tokens()))}
    pending, done = (PENDING.status, PENDING.body), (200, approved().body)

    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if url == CODEX.device_token_endpoint:
            status, body = done if next(left, None) is None else pending
        else:
            status, body = kinds["issued" if url == CODEX.device_authorization_endpoint else "tokens"]
        return httpx.Response(status, content=body, headers={"content-type": "application/json"})

    return httpx.MockTransport(answer)


def ours(polls: int) -> None:
    """`run(DeviceFlow(), HttpxWorld(client=...))`."""
    clock = VirtualClock()
    with (
        httpx.Client(transport=server(polls)) as client,
        HttpxWorld(client=client, on_wait=clock.skip, now=clock) as world,
    ):
        outcome = run(DeviceFlow(), world)
    assert isinstance(outcome, Credential), outcome


async def ours_async(polls: int) -> None:
    """`arun(DeviceFlow(), AsyncHttpxWorld(client=...))`."""
    clock = VirtualClock()
    async with (
        httpx.AsyncClient(transport=server(polls)) as client,
        AsyncHttpxWorld(client=client, on_wait=clock.skip, now=clock) as world,
    ):
        outcome = await arun(DeviceFlow(), world)
    assert isinstance(outcome, Credential), outcome


def in_loop(work: Callable[[T], Awaitable[None]], given: T, backend: str) -> None:
    """Run an asynchronous sign-in in a new event loop."""
    anyio.run(work, given, backend=backend)
