"""Workers that share sign-ins, against a real database and the authority's rules over HTTP.

Rules of this file: a test waits for what the database says, and for no time; the authority counts what was
exchanged.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import attrs
import pytest

from codex_oauth import CODEX, AsyncHttpxWorld, Credential, DeviceFlow, HttpxWorld, Provider, TokenSource
from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy, serve
from codex_oauth.fleet import (
    FleetPool,
    Keys,
    SignInState,
    asign_in_state,
    astart_sign_in,
    cancel_sign_in,
    new_key,
    ownership,
    sign_in_state,
    start_sign_in,
)
from codex_oauth.fleet.database import Database
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth_core import ErrorKind, SendRequest, SignInError
from tests.fleet.cluster import Cluster, sql
from tests.fleet.logins import KEYS, store_in
from tests.fleet.worker import Worker

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
        return [request.fields["code"].fingerprint() for request in self.authority.received("exchange")]


@pytest.fixture
def ground(migrated: str, request: pytest.FixtureRequest) -> Generator[Ground]:
    policy = getattr(request, "param", Policy(approve=Approve.AUTO, interval=1, strict_pace=False))
    authority = Authority(policy=policy)
    with serve(authority) as server:
        yield Ground(migrated, authority, server)


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


# -- the whole way -------------------------------------------------------------------------------------


@BACKENDS
def test_a_person_signs_in_and_the_login_is_theirs(ground: Ground, backend: str) -> None:
    ended: list[tuple[str, Credential | SignInError]] = []

    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            flow = DeviceFlow(provider=ground.provider)
            begun = await astart_sign_in(ground.dsn, flow, world, keys=KEYS, owner="ada", tenant="t")
        found = await asign_in_state(ground.dsn, begun.name, keys=KEYS)
        assert found is not None
        assert (found.state, found.prompt) == ("pending", begun.prompt)
        async with working(ground, on_end=lambda name, outcome: ended.append((name, outcome))):
            await until(lambda: ended)
        assert ended[0][0] == begun.name
        after = await asign_in_state(ground.dsn, begun.name)
        assert after is not None
        assert isinstance(ended[0][1], Credential)
        assert (after.state, after.key) == ("done", ended[0][1].key)

    anyio.run(main, backend=backend)
    store = store_in(ground.dsn, "ada", tenant="t")
    assert store.current() is not None
    assert sql(ground.dsn, "SELECT id FROM codex_oauth_rescued") == []  # it was put in its place
    with TokenSource(store, provider=ground.provider) as source:
        old = source.token()
        assert source.rejected(old) != old
    assert store_in(ground.dsn, "ada").names() == ()
    assert ground.exchanges == 1


@pytest.mark.parametrize(
    "ground", [Policy(approve=Approve.DENY, interval=1, strict_pace=False)], indirect=True
)
def test_who_denies_is_told(ground: Ground) -> None:
    async def main() -> None:
        ground.start()
        async with working(ground):
            await until(lambda: over(ground))

    anyio.run(main)
    state = ground.state()
    assert state.error is not None
    assert (state.state, state.error["kind"]) == ("failed", "denied")
    assert store_in(ground.dsn).names() == ()


def test_two_workers_share_many_and_exchange_each_once(ground: Ground) -> None:
    for number in range(24):
        ground.start(f"owner{number}")

    async def main() -> None:
        async with working(ground, room=15, max_requests=8), working(ground, room=15, max_requests=8):
            await until(lambda: over(ground))

    anyio.run(main)
    assert all(ground.state(name).state == "done" for name in ground.names)
    codes = ground.codes()
    assert len(codes) == len(set(codes)) == 24
    assert all(len(store_in(ground.dsn, f"owner{number}").names()) == 1 for number in range(24))


# -- leaving -------------------------------------------------------------------------------------------

WAITING = Policy(approve=Approve.ASK, interval=1, strict_pace=False)


def taken(ground: Ground) -> int:
    return len(sql(ground.dsn, "SELECT name FROM codex_oauth_sign_in WHERE worker IS NOT NULL"))


@BACKENDS
@pytest.mark.parametrize("how", ["stop", "cancel"])
@pytest.mark.parametrize("ground", [WAITING], indirect=True)
def test_who_leaves_hands_over(ground: Ground, backend: str, how: str) -> None:
    for number in range(3):
        ground.start(f"owner{number}")

    async def first() -> None:
        send = AsyncHttpxTransport()
        pool = FleetPool(ground.dsn, send, keys=KEYS, providers=(ground.provider,))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.run)
            await until(lambda: taken(ground) == 3)
            await until(lambda: len(ground.authority.received("poll")) >= 3)
            if how == "stop":
                pool.stop()
            else:
                tasks.cancel_scope.cancel()
        await send.aclose()

    anyio.run(first, backend=backend)
    assert sql(ground.dsn, "SELECT DISTINCT state, worker FROM codex_oauth_sign_in") == [("pending", None)]
    assert sql(ground.dsn, "SELECT id FROM codex_oauth_worker WHERE alive_until > clock_timestamp()") == []
    ground.approve()

    async def second() -> None:
        async with working(ground):
            await until(lambda: over(ground))

    anyio.run(second, backend=backend)
    assert [ground.state(name).state for name in ground.names] == ["done"] * 3
    assert ground.exchanges == 3


def test_an_exchange_in_flight_is_finished_and_kept(ground: Ground) -> None:
    ground.start()
    real = AsyncHttpxTransport()

    async def main() -> None:
        leaving = anyio.Event()

        async def send(effect: SendRequest) -> Any:
            if effect.once:
                leaving.set()
                await anyio.sleep(0.3)
            return await real(effect)

        pool = FleetPool(ground.dsn, send, keys=KEYS, providers=(ground.provider,))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.run)
            await leaving.wait()
            pool.stop()
        await real.aclose()

    anyio.run(main)
    assert ground.state().state == "done"
    assert ground.exchanges == 1


# -- another's, by now -----------------------------------------------------------------------------------


def lost_in_exchange(ground: Ground, change: str) -> tuple[SignInState, int]:
    """A worker that loses its sign-in while the code is being exchanged: its state, and the revocations."""
    ground.start()
    real = AsyncHttpxTransport()

    async def main() -> None:
        granted = anyio.Event()

        async def send(effect: SendRequest) -> Any:
            answer = await real(effect)
            if effect.once and not granted.is_set():
                granted.set()
                await anyio.to_thread.run_sync(lambda: sql(ground.dsn, change))
            return answer

        pool = FleetPool(ground.dsn, send, keys=KEYS, providers=(ground.provider,))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.run)
            await granted.wait()
            await until(lambda: ground.authority.received("revoke"))
            pool.stop()
        await real.aclose()

    anyio.run(main)
    return ground.state(), len(ground.authority.received("revoke"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE codex_oauth_sign_in SET worker = 'another'",
        "UPDATE codex_oauth_sign_in SET deadline = clock_timestamp()",
    ],
)
def test_what_is_nobodys_is_revoked_and_kept_by_nobody(ground: Ground, change: str) -> None:
    """C17."""
    state, revoked = lost_in_exchange(ground, change)
    assert revoked == 1
    assert state.state != "done"
    assert store_in(ground.dsn).names() == ()
    assert (
        ground.authority.refresh_tokens_alive() == 0
        if hasattr(ground.authority, "refresh_tokens_alive")
        else True
    )


def test_a_code_is_not_sent_by_who_lost_the_sign_in(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """C15, C16: it was stopped while it polled, and another has it by now."""
    ground.start()
    fence = ownership.Ownership.may_exchange

    def late(self: ownership.Ownership, name: str) -> bool:
        sql(ground.dsn, "UPDATE codex_oauth_sign_in SET worker = 'another'")
        return fence(self, name)

    monkeypatch.setattr(ownership.Ownership, "may_exchange", late)

    async def main() -> None:
        async with working(ground) as pool:
            await until(lambda: sql(ground.dsn, "SELECT 1 FROM codex_oauth_sign_in WHERE worker = 'another'"))
            await until(lambda: len(pool) == 0)

    anyio.run(main)
    assert ground.exchanges == 0
    assert ground.state().state == "pending"


def test_a_sign_in_that_was_in_its_exchange_is_not_exchanged_again(ground: Ground) -> None:
    ground.start()
    sql(
        ground.dsn,
        "INSERT INTO codex_oauth_worker VALUES ('dead', 'host', 1, clock_timestamp() - interval '1 s')",
    )
    sql(ground.dsn, "UPDATE codex_oauth_sign_in SET worker = 'dead', exchanging = true")

    async def main() -> None:
        async with working(ground):
            await until(lambda: over(ground))

    anyio.run(main)
    state = ground.state()
    assert state.error is not None
    assert (state.error["kind"], state.error["details"]["reason"]) == ("token_request_failed", "put_down")
    assert state.error["details"]["uncertain"] is True
    assert ground.exchanges == 0


@pytest.mark.parametrize("ground", [WAITING], indirect=True)
def test_a_worker_whose_lease_ran_out_begins_anew(ground: Ground) -> None:
    ground.start()

    async def main() -> None:
        async with working(ground):
            await until(lambda: taken(ground) == 1)
            ((first,),) = sql(ground.dsn, "SELECT worker FROM codex_oauth_sign_in")
            sql(ground.dsn, "UPDATE codex_oauth_worker SET alive_until = clock_timestamp() - interval '1 s'")
            await until(
                lambda: sql(ground.dsn, "SELECT worker FROM codex_oauth_sign_in WHERE worker <> %s", first)
            )
            ground.approve()
            await until(lambda: over(ground))

    anyio.run(main)
    assert ground.state().state == "done"
    assert ground.exchanges == 1


@pytest.mark.parametrize("ground", [WAITING], indirect=True)
def test_who_gives_up_is_not_polled_for_any_more(ground: Ground) -> None:
    ground.start()

    async def main() -> None:
        async with working(ground) as pool:
            await until(lambda: len(pool) == 1)
            assert cancel_sign_in(ground.dsn, ground.names[0])
            await until(lambda: len(pool) == 0)

    anyio.run(main)
    state = ground.state()
    assert state.error is not None
    assert state.error["kind"] == "cancelled"


# -- what it cannot drive --------------------------------------------------------------------------------


def test_what_was_sealed_with_another_key_is_left_to_others(ground: Ground) -> None:
    theirs = ground.start(keys=Keys(new_key()))
    ours = ground.start("bert")

    async def main() -> None:
        async with working(ground):
            await until(lambda: ground.state(ours).state == "done")
            await until(lambda: taken(ground) == 0)

    anyio.run(main)
    assert ground.state(theirs).state == "pending"


def test_what_is_another_providers_is_left_to_others(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.start()
    let_go: list[str] = []
    really = ownership.Ownership.let_go

    def noted(self: ownership.Ownership, names: Sequence[str]) -> None:
        really(self, names)
        let_go.extend(names)

    monkeypatch.setattr(ownership.Ownership, "let_go", noted)

    async def main() -> None:
        async with working(ground, providers=()):
            await until(lambda: let_go)

    anyio.run(main)
    assert (taken(ground), ground.state().state) == (0, "pending")


@pytest.mark.parametrize("body", ["nonsense", ""])
def test_what_is_damaged_is_ended(ground: Ground, body: str) -> None:
    ground.start()
    sql(ground.dsn, "UPDATE codex_oauth_sign_in SET checkpoint = %s", body.encode())

    async def main() -> None:
        async with working(ground):
            await until(lambda: over(ground))

    anyio.run(main)
    assert ground.state().state == "failed"


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
                own_cluster_was_stopped.append(True)
                await anyio.to_thread.run_sync(lambda: own_cluster.stop("immediate"))
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
