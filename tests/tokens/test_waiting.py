"""Many callers of one source: threads, and tasks of asyncio and trio. One renewal serves them all."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import Any

import anyio
import pytest

from codex_oauth.authority import Fault
from codex_oauth.tokens.flight import Job
from codex_oauth.worlds import lazy_world
from codex_oauth_core import ErrorKind, SignInError
from tests.tokens.rig import LIFETIME, PATIENCE, Rig, eventually, renewals, rig, when_sent

BACKENDS = ["asyncio", "trio"]
OVER = Fault(endpoint="refresh", status=401, body={"error": {"code": "refresh_token_reused"}})


def expired() -> Rig:
    """A login whose access token is dead, and an authority that does not answer yet."""
    made = rig()
    made.make_due(-1)
    made.gate.clear()
    return made


@pytest.mark.parametrize("rejected", [False, True])
def test_f6_fifty_threads_share_one_renewal(rejected: bool) -> None:
    made = rig()
    source = made.source()
    old = source.token()
    if not rejected:
        made.make_due(-1)
    made.gate.clear()
    got: list[str] = []
    ready = threading.Barrier(50)

    def ask() -> None:
        ready.wait()
        got.append(source.rejected(old) if rejected else source.token())

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(renewals()) == 1)
    made.gate.set()
    for thread in threads:
        thread.join()
    assert got == [made.stored_token] * 50
    assert old not in got
    assert made.refreshes == 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rejected", [False, True])
def test_f6_two_hundred_tasks_of_which_half_are_cancelled(backend: str, rejected: bool) -> None:
    made = rig()
    source = made.source()
    old = source.token()
    if not rejected:
        made.make_due(-1)
    made.gate.clear()
    got: list[str] = []
    gave_up: list[int] = []

    async def ask(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            got.append(await (source.arejected(old) if rejected else source.atoken()))
        if scope.cancelled_caught:
            gave_up.append(number)

    async def main() -> None:
        scopes = [anyio.CancelScope() for _ in range(200)]
        before = threading.active_count()
        async with anyio.create_task_group() as tasks:
            for number, scope in enumerate(scopes):
                tasks.start_soon(ask, number, scope)
            for _ in range(20):
                await anyio.sleep(0.002)  # the loop is free
            assert threading.active_count() <= before + 1  # nobody holds a thread to wait
            for scope in scopes[::2]:
                scope.cancel()
            for _ in range(5):
                await anyio.sleep(0.002)
            made.gate.set()

    anyio.run(main, backend=backend)
    assert got == [made.stored_token] * 100
    assert sorted(gave_up) == list(range(0, 200, 2))
    assert made.refreshes == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_renewal_goes_on_when_all_who_wait_are_cancelled_and_their_loop_is_gone(backend: str) -> None:
    made = expired()
    source = made.source()

    async def main() -> None:
        with anyio.move_on_after(0.05):
            await source.atoken()

    anyio.run(main, backend=backend)
    made.gate.set()
    assert source.token() == made.stored_token
    assert made.refreshes == 1


def test_a_task_that_asyncio_itself_cancels_leaves_the_renewal_alone() -> None:
    made = expired()
    source = made.source()

    async def main() -> str:
        doomed, patient = asyncio.create_task(source.atoken()), asyncio.create_task(source.atoken())
        await asyncio.sleep(0.02)
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        made.gate.set()
        return await patient

    assert asyncio.run(main()) == made.stored_token
    assert made.refreshes == 1


def test_threads_and_both_event_loops_share_one_renewal() -> None:
    made = expired()
    source = made.source()
    got: list[str] = []

    async def ask() -> None:
        got.append(await source.atoken())

    callers = [
        threading.Thread(target=lambda: anyio.run(ask, backend="asyncio")),
        threading.Thread(target=lambda: anyio.run(ask, backend="trio")),
        threading.Thread(target=lambda: got.append(source.token())),
    ]
    for caller in callers:
        caller.start()
    time.sleep(0.05)
    made.gate.set()
    for caller in callers:
        caller.join()
    assert got == [made.stored_token] * 3
    assert made.refreshes == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_asynchronous_method_does_what_its_twin_does(backend: str) -> None:
    made = rig()

    async def main() -> None:
        async with made.source() as source:
            old = await source.atoken()
            assert old == made.stored_token
            assert await source.aheaders("https://chatgpt.com/") == source.headers("https://chatgpt.com/")
            new = await source.arejected(old)
            assert new == made.stored_token != old
            assert (await source.acredential()).access_token.reveal() == new

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_error_reaches_every_task_as_one_of_its_own(backend: str) -> None:
    made = rig(OVER)
    made.make_due(-1)
    source = made.source()
    errors: list[SignInError] = []

    async def ask() -> None:
        try:
            await source.atoken()
        except SignInError as error:
            errors.append(error)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)

    anyio.run(main, backend=backend)
    assert [error.kind for error in errors] == [ErrorKind.LOGIN_REQUIRED] * 20
    assert len({id(error) for error in errors}) == 20
    assert made.refreshes == 1


def test_an_advisory_renewal_makes_no_task_wait() -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.make_due(LIFETIME * 0.09)
    made.gate.clear()

    async def main() -> list[str]:
        with anyio.fail_after(PATIENCE):
            return [await source.atoken() for _ in range(100)]

    assert anyio.run(main) == [old] * 100
    made.gate.set()
    eventually(lambda: source.token() == made.stored_token != old)


# -- interrupts ----------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_waiting_and_not_the_renewal() -> None:
    made = expired()
    source = made.source()
    interrupting = when_sent(made, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        source.token()
    interrupting.join()
    assert made.sent
    assert made.refreshes == 0
    finishing = threading.Timer(0.05, made.gate.set)
    finishing.start()
    source.close()  # what the command line does then
    assert made.refreshes == 1
    assert source.token() == made.stored_token
    finishing.join()


def test_ctrl_c_right_after_the_thread_began_leaves_it_to_be_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = expired()
    source = made.source()
    start = Job[Any].start

    def interrupted(job: Job[Any]) -> bool:
        assert start(job)
        eventually(lambda: made.sent)
        raise KeyboardInterrupt

    monkeypatch.setattr(Job, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        source.token()
    finishing = threading.Timer(0.05, made.gate.set)
    finishing.start()
    source.close()
    assert made.refreshes == 1
    finishing.join()


def test_ctrl_c_ends_the_waiting_where_locks_do_not_hear_it() -> None:
    """As on Windows: the signal is noticed, and wakes nobody. So the wait is cut into slices."""
    made = expired()
    source = made.source()
    begun = time.monotonic()
    unheard = when_sent(made, lambda: signal.raise_signal(signal.SIGINT))  # in a thread of its own
    with pytest.raises(KeyboardInterrupt):
        source.token()
    assert time.monotonic() - begun < PATIENCE / 2
    unheard.join()
    made.gate.set()
    source.close()


def test_close_ends_a_renewal_that_has_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the lock that somebody else has."""
    made = expired()
    made.gate.set()
    source = made.source(make_world=lambda: _RealTime(made))
    account_id = made.store.current()
    assert account_id is not None
    held = made.store.slot(account_id).lock()
    assert held is not None
    errors: list[SignInError] = []

    def ask() -> None:
        try:
            source.token()
        except SignInError as error:
            errors.append(error)

    with held:
        caller = threading.Thread(target=ask)
        caller.start()
        eventually(lambda: bool(made.world.waits))
        source.close()
        caller.join()
    assert [error.kind for error in errors] == [ErrorKind.CANCELLED]
    assert made.refreshes == 0


class _RealTime:
    """The rig's world, but a wait takes a moment."""

    def __init__(self, made: Rig) -> None:
        self._made = made

    def __getattr__(self, name: str) -> object:
        return getattr(self._made.world, name)

    def perform(self, effect: object) -> object:
        time.sleep(0.002)
        before = self._made.world.at
        event = self._made.world.perform(effect)  # type: ignore[arg-type]  # whatever is asked
        self._made.world.at = min(self._made.world.at, before + 0.001)
        return event

    def __enter__(self) -> object:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None


def test_the_usual_world_is_over_httpx_and_tells_the_source_s_time() -> None:
    from codex_oauth.worlds.httpx_world import HttpxWorld

    world = lazy_world.UsualWorld(lambda: (1.0, 2.0))()
    assert isinstance(world, HttpxWorld)
    assert world.now() == (1.0, 2.0)
