"""Workers whose database goes away, and workers that are killed.

Rules of this file: as in `test_fleet_pool`.
"""

from __future__ import annotations

import random
import signal
import time
from typing import Any

import anyio
import pytest

from codex_oauth import Credential
from codex_oauth.fleet import (
    FleetPool,
    fleet_pool,
    ownership,
)
from codex_oauth.fleet.database import Database
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth_core import ErrorKind, SendRequest, SignInError
from tests.fleet.cluster import Cluster
from tests.fleet.ground import PATIENCE, WAITING, Ground, over, taken, until, wait_until, working
from tests.fleet.logins import KEYS, store_in
from tests.fleet.worker import Worker

# -- trouble with the database -----------------------------------------------------------------------------


@pytest.mark.parametrize("ground", [WAITING], indirect=True)
def test_a_database_that_is_away_for_a_while_costs_nobody_a_sign_in(
    ground: Ground, own_cluster: Cluster
) -> None:
    ground.start()
    troubles: list[SignInError] = []

    async def main() -> None:
        async with working(ground, on_trouble=troubles.append):
            await until(lambda: taken(ground) == 1)
            await anyio.to_thread.run_sync(lambda: own_cluster.stop("immediate"))
            ground.approve()
            await until(lambda: troubles)
            await anyio.to_thread.run_sync(own_cluster.start)
            await until(lambda: over(ground))

    anyio.run(main)
    assert ground.state().state == "done"
    assert ground.exchanges == 1
    assert {each.details["reason"] for each in troubles} == {"database_away"}


def test_an_end_is_written_as_soon_as_the_database_is_there(ground: Ground, own_cluster: Cluster) -> None:
    """What was granted is in memory only, and is not dropped."""
    ground.start()
    real = AsyncHttpxTransport()

    async def main() -> None:
        async def send(effect: SendRequest) -> Any:
            answer = await real(effect)
            if effect.once and not own_cluster_was_stopped:
                await anyio.to_thread.run_sync(lambda: own_cluster.stop("immediate"))
                own_cluster_was_stopped.append(True)
            return answer

        async with working(ground, send=send):
            await until(lambda: own_cluster_was_stopped)
            await anyio.to_thread.run_sync(own_cluster.start)
            await until(lambda: over(ground))
        await real.aclose()

    own_cluster_was_stopped: list[bool] = []
    anyio.run(main)
    assert ground.state().state == "done"
    assert len(store_in(ground.dsn).names()) == 1


@pytest.mark.parametrize("how", ["stop", "cancel"])
@pytest.mark.parametrize("unanswered", [True, False])
def test_a_login_that_may_be_stored_is_not_ended(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, unanswered: bool, how: str
) -> None:
    """The database does not come back before the worker ends."""
    ground.start()
    tried: list[bool] = []

    def away(self: ownership.Ownership, taken: ownership.Taken, outcome: Credential | SignInError) -> bool:
        tried.append(True)
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="database_away", unanswered=unanswered)

    monkeypatch.setattr(ownership.Ownership, "end", away)
    monkeypatch.setattr(fleet_pool, "KEEP_TRYING", 0.0)

    async def main() -> None:
        send = AsyncHttpxTransport()
        pool = FleetPool(ground.dsn, send, keys=KEYS, providers=(ground.provider,))
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(pool.run)
                await until(lambda: tried)
                if how == "stop":
                    pool.stop()
                else:
                    tasks.cancel_scope.cancel()
        await send.aclose()

    anyio.run(main)
    assert len(ground.authority.received("revoke")) == (0 if unanswered else 1)


def test_without_tables_it_says_so(database: str) -> None:
    async def main() -> None:
        with pytest.raises(SignInError) as refused:
            await FleetPool(database, AsyncHttpxTransport(), keys=KEYS).run()
        assert refused.value.details["reason"] == "no_schema"

    anyio.run(main)
    Database.shared(database).close()


def test_no_room_is_no_worker(migrated: str) -> None:
    with pytest.raises(ValueError, match="room"):
        FleetPool(migrated, AsyncHttpxTransport(), keys=KEYS, room=0)


# -- processes -------------------------------------------------------------------------------------------


def killed(ground: Ground, kills: int, people: int, seed: int) -> None:
    """Workers are killed at any moment; every sign-in ends, no code is exchanged twice, what is done is kept."""
    key = KEYS.current
    draw = random.Random(seed)
    for number in range(people):
        ground.start(f"owner{number}")
    workers: list[Worker] = [Worker(ground.dsn, ground.server.url, key).__enter__() for _ in range(2)]
    try:
        for _ in range(kills):
            time.sleep(draw.uniform(0.0, 1.0))
            victim = workers.pop(draw.randrange(len(workers)))
            victim.end(signal.SIGKILL)
            victim.__exit__()
            workers.append(Worker(ground.dsn, ground.server.url, key).__enter__())
        wait_until(lambda: over(ground))
        assert [each.end() for each in workers] == [0] * len(workers)
    finally:
        for each in workers:
            each.__exit__()
    codes = ground.codes()
    assert len(codes) == len(set(codes)), "a code was exchanged twice"
    states = [ground.state(name) for name in ground.names]
    done = [state for state in states if state.state == "done"]
    kept = sum(len(store_in(ground.dsn, f"owner{number}").names()) for number in range(people))
    assert kept == len(done)
    for state in states:
        if state.state == "failed":
            assert state.error is not None
            assert (
                state.error["details"].get("reason") == "put_down" or state.error["kind"] == "approval_lost"
            ), state
    assert len(done) >= people - kills


def test_killed_workers_exchange_no_code_twice(ground: Ground) -> None:
    killed(ground, kills=2, people=8, seed=1)


def test_twelve_kills_and_sixty_sign_ins(ground: Ground) -> None:
    killed(ground, kills=12, people=60, seed=2)


@pytest.mark.parametrize("ground", [WAITING], indirect=True)
def test_sigterm_hands_over_at_once(ground: Ground) -> None:
    for number in range(5):
        ground.start(f"owner{number}")
    with Worker(ground.dsn, ground.server.url, KEYS.current) as worker:
        wait_until(lambda: taken(ground) == 5)
        assert worker.end(signal.SIGTERM) == 0
    assert taken(ground) == 0
    assert ErrorKind.CANCELLED.value not in str([ground.state(name).error for name in ground.names])
