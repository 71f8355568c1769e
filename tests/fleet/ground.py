"""Sign-ins that wait in a database, an authority over HTTP that counts, and workers between them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import attrs
import pytest

from codex_oauth import (
    CODEX,
    DeviceFlow,
    HttpxWorld,
    Provider,
    Secret,
)
from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy
from codex_oauth.fleet import (
    FleetPool,
    Keys,
    SignInState,
    sign_in_state,
    start_sign_in,
)
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from tests.fleet.cluster import sql
from tests.fleet.logins import KEYS

PATIENCE = 60.0
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@attrs.define
class Ground:
    """A database and an authority, and what a test asks of both."""

    dsn: str
    authority: Authority
    server: AuthorityServer
    names: list[str] = attrs.field(factory=list[str])
    user_codes: list[str] = attrs.field(factory=list[str])

    @property
    def provider(self) -> Provider:
        return CODEX.at(self.server.url)

    def start(self, owner: str = "ada", keys: Keys = KEYS, provider: Provider | None = None) -> str:
        """A person begins to sign in."""
        with HttpxWorld() as world:
            flow = DeviceFlow(provider=provider or self.provider)
            begun = start_sign_in(self.dsn, flow, world, keys=keys, owner=owner)
        self.names.append(begun.name)
        self.user_codes.append(begun.prompt.user_code)
        return begun.name

    def approve(self) -> None:
        """Everybody approves."""
        assert all(self.server.decide(code, approve=True) for code in self.user_codes)

    def state(self, name: str | None = None) -> SignInState:
        found = sign_in_state(self.dsn, name or self.names[-1])
        assert found is not None
        return found

    @property
    def exchanges(self) -> int:
        return len(self.authority.received("exchange"))

    def codes(self) -> list[str]:
        """The codes that were exchanged, or tried to be."""
        sent = [request.fields["code"] for request in self.authority.received("exchange")]
        return [code.fingerprint() for code in sent if isinstance(code, Secret)]


@asynccontextmanager
async def working(ground: Ground, **options: Any) -> AsyncGenerator[FleetPool]:
    """A worker, for the length of the block; then it is stopped."""
    send = options.pop("send", None) or AsyncHttpxTransport()
    usual: dict[str, Any] = {"keys": KEYS, "providers": (ground.provider,)}
    pool = FleetPool(ground.dsn, send, **{**usual, **options})
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.run)
            yield pool
            pool.stop()
    finally:
        if isinstance(send, AsyncHttpxTransport):
            await send.aclose()


async def until(fact: Callable[[], object]) -> None:
    """Wait for something that others do."""
    with anyio.fail_after(PATIENCE):
        while not await anyio.to_thread.run_sync(fact):  # noqa: ASYNC110  # others change a database
            await anyio.sleep(0.05)


def wait_until(fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def over(ground: Ground, names: Iterable[str] | None = None) -> bool:
    return all(ground.state(name).state != "pending" for name in names or ground.names)


WAITING = Policy(approve=Approve.ASK, interval=1, strict_pace=False)


def taken(ground: Ground) -> int:
    return len(sql(ground.dsn, "SELECT name FROM codex_oauth_sign_in WHERE worker IS NOT NULL"))
