"""P5, one half: a device flow over httpx with answers in the process, as ours does it and as written by hand.

Rules of this file: every sign-in has a client of its own over `httpx.MockTransport`, so that no socket and no
TLS context is in any figure; nobody sleeps.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import anyio
import anyio.lowlevel
import httpx

from codex_oauth import AsyncHttpxWorld, Credential, HttpxWorld, arun, run
from codex_oauth.testing import VirtualClock
from codex_oauth_core import CODEX, DeviceFlow
from tests.support import PENDING, approved, issued, tokens

T = TypeVar("T")

_LIMIT: Final = 30.0

__all__ = ["by_hand", "by_hand_async", "by_hand_limited", "in_loop", "ours", "ours_async"]


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


def _start() -> bytes:
    return json.dumps({"client_id": CODEX.client_id}).encode()


def _poll(device: dict[str, str]) -> dict[str, str]:
    return {"device_auth_id": device["device_auth_id"], "user_code": device["user_code"]}


def _exchange(granted: dict[str, str]) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": CODEX.client_id,
        "code": granted["authorization_code"],
        "code_verifier": granted["code_verifier"],
        "redirect_uri": f"{CODEX.issuer}/deviceauth/callback",
    }


_USERCODE = f"{CODEX.issuer}/api/accounts/deviceauth/usercode"
_POLL = f"{CODEX.issuer}/api/accounts/deviceauth/token"
_TOKEN = f"{CODEX.issuer}/oauth/token"


def by_hand(polls: int) -> None:
    """The loop of twenty lines that somebody would write with httpx."""
    with httpx.Client(transport=server(polls)) as client:
        device = client.post(_USERCODE, content=_start()).json()
        while True:
            answer = client.post(_POLL, json=_poll(device))
            if answer.status_code == 200:
                break
            assert answer.json()["error"]["code"] == "deviceauth_authorization_pending"
        found = client.post(_TOKEN, data=_exchange(answer.json())).json()
    assert found["access_token"]


async def by_hand_async(polls: int) -> None:
    """The same with `AsyncClient`. Its pauses take no time, and let others go on, as ours do."""
    async with httpx.AsyncClient(transport=server(polls)) as client:
        device = (await client.post(_USERCODE, content=_start())).json()
        while True:
            answer = await client.post(_POLL, json=_poll(device))
            if answer.status_code == 200:
                break
            assert answer.json()["error"]["code"] == "deviceauth_authorization_pending"
            await anyio.lowlevel.checkpoint()
        found = (await client.post(_TOKEN, data=_exchange(answer.json()))).json()
    assert found["access_token"]


async def by_hand_limited(polls: int) -> None:
    """The same, with a time limit for each request, and a scope that somebody may cancel it by."""

    async def post(client: httpx.AsyncClient, url: str, **body: Any) -> httpx.Response:
        with anyio.CancelScope() as scope, anyio.move_on_after(_LIMIT):
            cancellable.append(scope)
            try:
                return await client.post(url, **body)
            finally:
                cancellable.pop()
        raise TimeoutError

    cancellable: list[anyio.CancelScope] = []
    async with httpx.AsyncClient(transport=server(polls)) as client:
        device = (await post(client, _USERCODE, content=_start())).json()
        while True:
            answer = await post(client, _POLL, json=_poll(device))
            if answer.status_code == 200:
                break
            assert answer.json()["error"]["code"] == "deviceauth_authorization_pending"
            await anyio.lowlevel.checkpoint()
        found = (await post(client, _TOKEN, data=_exchange(answer.json()))).json()
    assert found["access_token"]


def in_loop(work: Callable[[T], Awaitable[None]], given: T, backend: str) -> None:
    """Run an asynchronous sign-in in a new event loop."""
    anyio.run(work, given, backend=backend)
