"""The HTTP clients that people use, each as one function: some calls with our auth, and what came of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from types import ModuleType
from typing import Any

import anyio
import attrs
import httpx
import httpx2
import pytest
import requests

from codex_oauth import TokenAuth, TokenRequestsAuth, TokenSource

__all__ = ["CALLERS", "Call", "Caller"]

OWN = {"Authorization": "Bearer canary-of-the-client"}


@attrs.frozen
class Call:
    """One request. `streamed`: its body comes from a generator."""

    url: str
    body: bytes | None = None
    streamed: bool = False

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    def pieces(self) -> Generator[bytes]:
        assert self.body is not None
        yield self.body

    async def apieces(self) -> AsyncGenerator[bytes]:
        assert self.body is not None
        yield self.body


Caller = Callable[[TokenSource, Sequence[Call]], list[tuple[int, bytes]]]


def _blocking(library: ModuleType) -> Caller:
    def ask(source: TokenSource, calls: Sequence[Call]) -> list[tuple[int, bytes]]:
        options: dict[str, Any] = {"headers": OWN, "follow_redirects": True, "trust_env": False}
        got: list[tuple[int, bytes]] = []
        auth = TokenAuth(source)
        with library.Client(auth=auth, event_hooks=auth.event_hooks(), **options) as client:
            for call in calls:
                content = call.pieces() if call.streamed else call.body
                response = client.request(call.method, call.url, content=content)
                got.append((response.status_code, response.content))
        return got

    return ask


def _asynchronous(library: ModuleType, backend: str) -> Caller:
    async def main(source: TokenSource, calls: Sequence[Call]) -> list[tuple[int, bytes]]:
        options: dict[str, Any] = {"headers": OWN, "follow_redirects": True, "trust_env": False}
        got: list[tuple[int, bytes]] = []
        auth = TokenAuth(source)
        async with library.AsyncClient(auth=auth, event_hooks=auth.async_event_hooks(), **options) as client:
            for call in calls:
                content = call.apieces() if call.streamed else call.body
                response = await client.request(call.method, call.url, content=content)
                got.append((response.status_code, response.content))
        return got

    return lambda source, calls: anyio.run(main, source, calls, backend=backend)


def _requests(source: TokenSource, calls: Sequence[Call]) -> list[tuple[int, bytes]]:
    got: list[tuple[int, bytes]] = []
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(OWN)
        session.auth = TokenRequestsAuth(source)
        for call in calls:
            data = call.pieces() if call.streamed else call.body
            with session.request(call.method, call.url, data=data, timeout=20) as response:
                got.append((response.status_code, response.content))
    return got


CALLERS = [
    pytest.param(_blocking(httpx), id="httpx"),
    pytest.param(_asynchronous(httpx, "asyncio"), id="httpx-asyncio"),
    pytest.param(_asynchronous(httpx, "trio"), id="httpx-trio"),
    pytest.param(_blocking(httpx2), id="httpx2"),
    pytest.param(_asynchronous(httpx2, "asyncio"), id="httpx2-asyncio"),
    pytest.param(_asynchronous(httpx2, "trio"), id="httpx2-trio"),
    pytest.param(_requests, id="requests"),
]
