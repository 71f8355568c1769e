"""`alogin()` in a task that is cancelled: it leaves at once, but for what is at stake.

Rules of this file: what every front door does is in tests/adapters/test_front_doors.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from codex_oauth import AsyncHttpxWorld, FileStore, alogin
from codex_oauth.authority import Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth_core import CODEX
from codex_oauth_core.effects import Prompt
from tests.adapters.browsing import free_port
from tests.adapters.virtual_time import SkippingClock
from tests.asynchronous.running import each_backend, run
from tests.transport.servers import no_new_sockets

POLICY = Policy(approve="auto", interval=1, strict_pace=False, any_redirect_port=True)


def ignore(prompt: Prompt) -> None:
    """Nobody looks."""


def skipping(clock: SkippingClock) -> Callable[[Any], AsyncHttpxWorld]:
    return lambda sources: AsyncHttpxWorld(now=clock.now, on_wait=clock.skip, callbacks=sources)


@each_backend
def test_waiting_for_the_browser_is_cancelled_at_once_and_frees_the_port(backend: str) -> None:
    port = free_port()

    async def main(server: AuthorityServer) -> None:
        for _ in range(2):
            with anyio.move_on_after(0.1) as scope:
                await alogin(
                    on_prompt=ignore,
                    device=False,
                    provider=CODEX.at(server.url),
                    open_browser=False,
                    ports=(port,),
                )
            assert scope.cancelled_caught

    with no_new_sockets(), serve(Authority(policy=POLICY)) as server:
        run(lambda: main(server), backend)


@each_backend
def test_a_prompt_that_takes_for_ever_is_cancelled_at_once(backend: str) -> None:
    async def on_prompt(prompt: Prompt) -> None:
        await anyio.sleep_forever()

    async def main(server: AuthorityServer) -> None:
        with anyio.move_on_after(0.3) as scope:
            await alogin(on_prompt=on_prompt, device=True, provider=CODEX.at(server.url))
        assert scope.cancelled_caught

    with serve(Authority(policy=POLICY)) as server:
        run(lambda: main(server), backend)


@each_backend
@pytest.mark.parametrize("stored", [True, False])
def test_what_an_exchange_grants_to_a_cancelled_task_is_stored_or_revoked(
    stored: bool, backend: str, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "home") if stored else None
    clock = SkippingClock()
    authority = Authority(policy=POLICY, faults=(Fault(endpoint="exchange", delay=0.3),))

    async def main(server: AuthorityServer) -> None:
        async with anyio.create_task_group() as tasks:

            async def cancel_in_the_exchange() -> None:
                while not authority.received("exchange"):  # noqa: ASYNC110  # on another thread
                    await anyio.sleep(0.005)
                tasks.cancel_scope.cancel()

            tasks.start_soon(cancel_in_the_exchange)
            await alogin(
                on_prompt=ignore,
                device=True,
                provider=CODEX.at(server.url),
                store=store,
                make_world=skipping(clock),
            )
            raise AssertionError("it was cancelled")

    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        run(lambda: main(server), backend)
    if store is None:
        assert [request.status for request in authority.received("revoke")] == [200]
    else:
        assert authority.received("revoke") == []
        key = store.current()
        assert key is not None
        record = store.slot(key).load()
        assert record is not None
        assert record.credential.account_id == POLICY.account.account_id
