"""Storing and ending logins asynchronously: a store that blocks, a lock that is busy, a task that is cancelled.

Rules of this file: what every front door does is in tests/adapters/test_store_login.py.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from anyio.lowlevel import checkpoint

from codex_oauth import AnyioWorld, AsyncStoringWorld, FileStore, Store, afinish_sign_in, arun
from codex_oauth.clock import now
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import SaveFailed, StoreWarning
from codex_oauth.testing import FakeWorld, Reply
from codex_oauth.transport.protocol import AsyncSendOutcome
from codex_oauth_core import (
    CODEX,
    ErrorKind,
    Record,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInError,
    StoreAnswered,
    StoreLogin,
)
from codex_oauth_core.storage import Load, Lock, Locked, Reserve, Save
from tests.asynchronous.running import WAYS, CutAt, Way, each_backend, run
from tests.stores.logins import locked, login, save
from tests.transport.servers import at_most, post

OURS: dict[str, Any] = {"issuer": CODEX.issuer, "client_id": CODEX.client_id}
NEW = attrs.evolve(login(2).credential, **OURS)
OLD = attrs.evolve(login(1), credential=attrs.evolve(login(1).credential, **OURS))


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "home")
    save(store.slot(NEW.key), OLD, None)
    store.select(NEW.key)
    return store


class Network:
    """Answers the same to everything, after a while."""

    def __init__(self, takes: float = 0.0, status: int = 200) -> None:
        self.sent: list[SendRequest] = []
        self.answered = 0
        self._takes = takes
        self._status = status

    async def __call__(self, effect: SendRequest) -> AsyncSendOutcome:
        self.sent.append(effect)
        await anyio.sleep(self._takes)
        self.answered += 1
        at, wall = now()
        answer = FakeWorld(lambda request, at, wall: Reply(self._status), at=at, wall=wall).perform(effect)
        assert isinstance(answer, ResponseReceived | RequestFailed)
        return answer


def stored(store: Store) -> Record | None:
    return store.slot(NEW.key).load()


def adopted(store: FileStore) -> bool:
    """Whether the next holder of the lock finds the new login."""
    with locked(store.slot(NEW.key)) as held:
        found = held.load()
    return found is not None and found.credential == NEW


@each_backend
def test_a_cancelled_task_does_not_wait_for_the_lock_and_keeps_the_login_beside(
    store: FileStore, backend: str
) -> None:
    async def main() -> None:
        async with AnyioWorld(Network()) as world:
            with anyio.move_on_after(0.1) as scope:
                await afinish_sign_in(NEW, store, CODEX, world)
            assert scope.cancelled_caught

    with (
        locked(store.slot(NEW.key)),
        pytest.warns(StoreWarning, match="stored beside") as warned,
        at_most(3),
    ):
        run(main, backend)
    assert adopted(store)
    assert [warning.filename for warning in warned] == [__file__]


@each_backend
def test_a_login_that_cannot_be_kept_is_revoked_even_for_a_cancelled_task(
    store: FileStore, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr(FileLockedLogin, "save", full)
    network = Network(takes=0.05)

    async def main() -> None:
        async with AnyioWorld(network) as world:
            with anyio.CancelScope() as scope:
                scope.cancel()
                with pytest.raises(SignInError) as raised:
                    await afinish_sign_in(NEW, store, CODEX, world)
                assert raised.value.details == {"reason": "disk_full", "revoked": True}

    run(main, backend)
    assert network.answered == 1


@each_backend
def test_what_interrupts_its_end_goes_on_and_the_server_is_not_asked_again(
    store: FileStore, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr(FileLockedLogin, "save", full)
    asked: list[SendRequest] = []

    async def broken(effect: SendRequest) -> AsyncSendOutcome:
        asked.append(effect)
        raise MemoryError

    async def main() -> None:
        async with AnyioWorld(broken) as world:
            with pytest.raises(MemoryError):
                await afinish_sign_in(NEW, store, CODEX, world)

    run(main, backend)
    assert len(asked) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_cancelled_task_asks_the_server_once_to_end_a_login_and_does_not_wait(
    store: FileStore, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for the lock; then the login could not be kept beside either, and the server was busy."""

    def full(*args: object, **kwargs: object) -> None:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full")

    monkeypatch.setattr(FileSlot, "rescue", full)
    network = Network(status=503)

    async def call() -> None:
        async with AnyioWorld(network) as world:
            await afinish_sign_in(NEW, store, CODEX, world)

    cut = CutAt(call, 8, way)
    with locked(store.slot(NEW.key)), at_most(3):
        run(cut.run, way.split()[0])
    assert cut.cancelled
    assert network.answered == 1
    assert stored(store) == OLD


# -- the world with a store ----------------------------------------------------------------------------


@each_backend
def test_a_busy_lock_is_waited_for(store: FileStore, backend: str) -> None:
    async def main() -> None:
        held = store.slot(NEW.key).lock()
        assert held is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_release_later, held)
            async with AnyioWorld(Network()) as web, AsyncStoringWorld(web, store, NEW.key) as world:
                await arun(StoreLogin(record=Record(NEW)), world)

    run(main, backend)
    assert stored(store) == Record(NEW)


async def _release_later(held: FileLockedLogin) -> None:
    await anyio.sleep(0.1)
    held.release()


@each_backend
def test_the_lock_is_given_back_however_the_block_ends(store: FileStore, backend: str) -> None:
    async def cancelled() -> None:
        async with AnyioWorld(Network()) as web, AsyncStoringWorld(web, store, NEW.key) as world:
            event = await world.perform(Lock())
            assert isinstance(event, StoreAnswered)
            assert isinstance(event.answer, Locked)
            assert store.slot(NEW.key).lock() is None
            await anyio.sleep_forever()

    async def main() -> None:
        with anyio.move_on_after(0.1):
            await cancelled()
        async with AnyioWorld(Network()) as web:
            with pytest.raises(LookupError):
                await _broken(web, store)

    run(main, backend)
    with locked(store.slot(NEW.key)):
        pass


async def _broken(web: AnyioWorld, store: FileStore) -> None:
    async with AsyncStoringWorld(web, store, NEW.key) as world:
        await world.perform(Lock())
        raise LookupError


@each_backend
def test_after_a_request_whose_answer_was_not_stored_the_intent_stays(store: FileStore, backend: str) -> None:
    async def main() -> None:
        record = stored(store)
        assert record is not None
        async with AnyioWorld(Network()) as web, AsyncStoringWorld(web, store, NEW.key) as world:
            for effect in (Lock(), Load(), Reserve(record), post("https://auth.example/", once=True)):
                await world.perform(effect)

    run(main, backend)
    record = stored(store)
    assert record is not None
    assert record.intent is not None


@each_backend
def test_a_cancelled_task_sends_nothing_under_the_lock_and_takes_the_intent_back(
    store: FileStore, backend: str
) -> None:
    network = Network()

    async def main() -> None:
        record = stored(store)
        assert record is not None
        async with AnyioWorld(network) as web:
            with anyio.CancelScope() as scope:
                async with AsyncStoringWorld(web, store, NEW.key) as world:
                    for effect in (Lock(), Load(), Reserve(record)):
                        await world.perform(effect)
                    scope.cancel()
                    await world.perform(post("https://auth.example/", once=True))
            assert scope.cancelled_caught

    run(main, backend)
    record = stored(store)
    assert record is not None
    assert (network.sent, record.intent) == ([], None)


@each_backend
def test_a_storage_effect_is_not_cut_and_others_run_meanwhile(
    store: FileStore, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    save_it = FileLockedLogin.save

    def slow(self: FileLockedLogin, *args: object, **options: object) -> object:
        begun.set()
        time.sleep(0.15)
        return save_it(self, *args, **options)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(FileLockedLogin, "save", slow)

    async def main() -> None:
        turns = 0
        async with anyio.create_task_group() as tasks:

            async def cancel() -> None:
                nonlocal turns
                while not begun.is_set():  # set by another thread
                    await anyio.sleep(0.005)
                    turns += 1
                tasks.cancel_scope.cancel()

            tasks.start_soon(cancel)
            async with AnyioWorld(Network()) as web, AsyncStoringWorld(web, store, NEW.key) as world:
                await world.perform(Lock())
                record = stored(store)
                assert record is not None
                await world.perform(Save(Record(NEW), record.fingerprint))
            await checkpoint()
            raise AssertionError("it was cancelled")
        assert turns > 0

    run(main, backend)
    assert stored(store) == Record(NEW)


@each_backend
def test_what_is_no_key_is_an_error_at_once(store: FileStore, backend: str) -> None:
    async def main() -> None:
        async with AnyioWorld(Network()) as web:
            with pytest.raises(ValueError, match="key"):
                AsyncStoringWorld(web, store, "../x")

    run(main, backend)
