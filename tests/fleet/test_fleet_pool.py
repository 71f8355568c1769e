"""Workers that share sign-ins, against a real database and the authority's rules over HTTP.

Rules of this file: a test waits for what the database says, and for no time; the authority counts what was
exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from codex_oauth import (
    AsyncHttpxWorld,
    Credential,
    DeviceFlow,
    TokenSource,
)
from codex_oauth.authority import Approve, Policy
from codex_oauth.clock import now
from codex_oauth.fleet import (
    FleetPool,
    Keys,
    SignInState,
    asign_in_state,
    astart_sign_in,
    cancel_sign_in,
    new_key,
    ownership,
)
from codex_oauth.fleet.sign_ins import unsealed_sign_in
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth_core import SendRequest, SignInError
from tests.fleet.cluster import sql
from tests.fleet.ground import BACKENDS, WAITING, Ground, over, taken, until, working
from tests.fleet.logins import KEYS, store_in

# -- the whole way -------------------------------------------------------------------------------------


@BACKENDS
def test_a_person_signs_in_and_the_login_is_theirs(ground: Ground, backend: str) -> None:
    ended: list[tuple[str, Credential | SignInError]] = []

    def told(name: str, outcome: Credential | SignInError) -> None:
        ended.append((name, outcome))

    async def main() -> None:
        async with AsyncHttpxWorld() as world:
            flow = DeviceFlow(provider=ground.provider)
            begun = await astart_sign_in(ground.dsn, flow, world, keys=KEYS, owner="ada", tenant="t")
        found = await asign_in_state(ground.dsn, begun.name, keys=KEYS)
        assert found is not None
        assert (found.state, found.prompt) == ("pending", begun.prompt)
        async with working(ground, on_end=told):
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


def received(ground: Ground) -> list[int]:
    """How many events each sign-in has received, by what is put down in its row."""
    rows = sql(ground.dsn, "SELECT name, checkpoint FROM codex_oauth_sign_in")
    return [int(unsealed_sign_in(body, KEYS, name)[0]["seq"]) for name, body in rows]


@BACKENDS
@pytest.mark.parametrize("how", ["stop", "cancel"])
@pytest.mark.parametrize("ground", [WAITING], indirect=True)
def test_who_leaves_hands_over(ground: Ground, backend: str, how: str) -> None:
    for number in range(3):
        ground.start(f"owner{number}")

    before = received(ground)

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
    assert min(received(ground)) > max(before)  # others begin where this worker left off
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


@pytest.mark.parametrize("hours", [-1, 1, 24])
def test_a_worker_whose_clock_is_wrong_ends_nobody(ground: Ground, hours: float) -> None:
    ground.start()

    def wrong() -> tuple[float, float]:
        at, wall = now()
        return at, wall + hours * 3600

    async def main() -> None:
        async with working(ground, now=wrong):
            await until(lambda: over(ground))

    anyio.run(main)
    assert ground.state().state == "done"


def test_what_was_taken_without_an_answer_is_driven_all_the_same(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.start()
    take, lost = ownership.Ownership.take, list[Any]()

    def unanswered(self: ownership.Ownership, room: int, *, but: Sequence[str] = ()) -> list[ownership.Taken]:
        found = take(self, room, but=but)
        lost.extend(found)
        return []

    monkeypatch.setattr(ownership.Ownership, "take", unanswered)

    async def main() -> None:
        async with working(ground):
            await until(lambda: over(ground))

    anyio.run(main)
    assert len(lost) == 1
    assert ground.state().state == "done"


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
