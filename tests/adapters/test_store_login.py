"""`finish_sign_in()` and `afinish_sign_in()`: a login that may be stored is never ended by what fails beside it.

Rules of this file: each case is asked of every door, and the interruption is one that no event loop knows. A task
that is cancelled is in test_async_store_login.py.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, MemoryStore
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import SaveFailed, StoreWarning
from codex_oauth.testing import FakeWorld, Reply
from codex_oauth_core import (
    CODEX,
    ErrorKind,
    Event,
    Record,
    Secret,
    SendRequest,
    SignedIn,
    SignInEffect,
    SignInError,
    Wait,
)
from tests.adapters import front_doors
from tests.adapters.front_doors import Door, each_door
from tests.stores.logins import locked, login, save
from tests.support import as_json

OURS: dict[str, Any] = {"issuer": CODEX.issuer, "client_id": CODEX.client_id}
NEW = attrs.evolve(login(2).credential, **OURS)
OLD = attrs.evolve(login(1), credential=attrs.evolve(login(1).credential, **OURS))


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "home")
    save(store.slot(NEW.key), OLD, None)
    store.select(NEW.key)
    return store


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld(lambda request, at, wall: Reply(200))


def adopted(store: FileStore) -> bool:
    """Whether the next holder of the lock finds the new login."""
    with locked(store.slot(NEW.key)) as held:
        found = held.load()
    return found is not None and found.credential == NEW


def impatient(door: Door, world: FakeWorld) -> None:
    """The wait for the lock is virtual, but costs a second: blocking code waits it out, and the others give up."""
    if not door.blocks:
        world.cancel()


@each_door
def test_a_rescued_login_is_not_revoked_where_the_pointer_cannot_be_written(
    door: Door, store: FileStore, world: FakeWorld
) -> None:
    (store.home / "current").unlink()
    (store.home / "current").mkdir()
    impatient(door, world)
    with locked(store.slot(NEW.key)), pytest.raises(SignInError) as raised:
        door.finish_sign_in(NEW, store, CODEX, world)
    assert "revoked" not in raised.value.details
    assert world.requests == []
    assert adopted(store)


@each_door
def test_a_rescued_login_is_not_revoked_by_a_warning_that_is_an_error(
    door: Door, store: FileStore, world: FakeWorld
) -> None:
    with warnings.catch_warnings(), locked(store.slot(NEW.key)):
        warnings.simplefilter("error")
        impatient(door, world)
        with pytest.raises(UserWarning, match="stored beside"):
            door.finish_sign_in(NEW, store, CODEX, world)
    assert world.requests == []
    assert adopted(store)


@each_door
def test_a_login_is_not_revoked_where_nobody_can_tell_whether_it_is_stored(
    door: Door, store: FileStore, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(self: object) -> None:
        raise SignInError.of(ErrorKind.AUTH_READ_FAILED, reason="io_error")

    def unlockable(self: object) -> None:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="io_error")

    monkeypatch.setattr(FileSlot, "load", unreadable)
    monkeypatch.setattr(FileSlot, "lock", unlockable)
    with pytest.raises(SignInError):
        door.finish_sign_in(NEW, store, CODEX, world)
    assert world.requests == []


# -- what interrupts it ----------------------------------------------------------------------------------


class Interruption(BaseException):
    """Such as Ctrl-C."""


def interrupting(*args: object, **kwargs: object) -> None:
    raise Interruption


def interrupted_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Interrupt whoever calls it, when it has done its work."""
    real = getattr(owner, name)

    def and_then(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise Interruption

    monkeypatch.setattr(owner, name, and_then)


def is_free(store: FileStore) -> bool:
    held = store.slot(NEW.key).lock()
    if held is not None:
        held.release()
    return held is not None


@pytest.mark.parametrize("interruption", [Interruption, MemoryError, ValueError])
@pytest.mark.parametrize(
    ("owner", "name"), [(FileSlot, "lock"), (FileLockedLogin, "load"), (FileLockedLogin, "save")], ids=str
)
@each_door
def test_a_login_whose_storing_is_interrupted_is_ended_and_the_lock_is_free(
    door: Door,
    store: FileStore,
    world: FakeWorld,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    interruption: type[BaseException],
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise interruption

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, interrupted)
        with pytest.raises(interruption):
            door.finish_sign_in(NEW, store, CODEX, world)
    assert [request.request.url for request in world.requests] == [CODEX.revocation_endpoint]
    assert is_free(store)
    assert store.slot(NEW.key).load() == OLD


@pytest.mark.parametrize(
    ("owner", "name"),
    [(FileLockedLogin, "save"), (FileLockedLogin, "release"), (FileStore, "select")],
    ids=str,
)
@each_door
def test_a_login_that_was_stored_before_the_interruption_is_not_ended(
    door: Door, store: FileStore, world: FakeWorld, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    with monkeypatch.context() as patched:
        interrupted_after(patched, owner, name)
        with pytest.raises(Interruption):
            door.finish_sign_in(NEW, store, CODEX, world, revoke_old=True)
    assert world.requests == []
    assert is_free(store)
    assert store.slot(NEW.key).load() == Record(NEW)


@each_door
def test_a_login_is_ended_where_the_look_for_it_is_interrupted(
    door: Door, store: FileStore, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    load = FileSlot.load

    def once(self: FileSlot) -> Record | None:
        looks.append(1)
        if len(looks) == 1:
            raise Interruption
        return load(self)

    def full(*args: object, **kwargs: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr(FileLockedLogin, "save", full)
    monkeypatch.setattr(FileSlot, "load", once)
    with pytest.raises(Interruption):
        door.finish_sign_in(NEW, store, CODEX, world)
    assert len(looks) == 2
    assert len(world.requests) == 1


@attrs.define(eq=False)
class InterruptedWorld(FakeWorld):
    """Interrupted by each effect of a kind."""

    kind: type[SendRequest | Wait] = Wait

    def perform(self, effect: SignInEffect) -> Event:
        """Do what the effect asks."""
        event = super().perform(effect)
        if isinstance(effect, self.kind):
            raise Interruption
        return event


@each_door
def test_a_login_is_ended_where_the_wait_for_the_lock_is_interrupted(door: Door, store: FileStore) -> None:
    world = InterruptedWorld(lambda request, at, wall: Reply(200))
    with locked(store.slot(NEW.key)), pytest.raises(Interruption):
        door.finish_sign_in(NEW, store, CODEX, world)
    assert len(world.requests) == 1
    assert not adopted(store)


@pytest.mark.parametrize("kind", [SendRequest, Wait])
@each_door
def test_who_interrupts_its_end_is_not_kept_waiting_for_another(
    door: Door, store: FileStore, monkeypatch: pytest.MonkeyPatch, kind: type[SendRequest | Wait]
) -> None:
    world = InterruptedWorld(lambda request, at, wall: Reply(503), kind=kind)

    def full(*args: object, **kwargs: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr(FileLockedLogin, "save", full)
    with pytest.raises(Interruption):
        door.finish_sign_in(NEW, store, CODEX, world)
    assert len(world.requests) == 1


@each_door
def test_a_copy_of_another_programs_login_is_left_to_that(
    door: Door, store: FileStore, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileLockedLogin, "save", interrupting)
    with pytest.raises(Interruption):
        door.finish_sign_in(NEW, store, None, world)
    assert world.requests == []


# -- what a caller gets ----------------------------------------------------------------------------------


@each_door
def test_who_stored_what_is_told_and_the_warning_names_the_caller(
    door: Door, store: FileStore, world: FakeWorld
) -> None:
    assert door.finish_sign_in(NEW, store, CODEX, world) == SignedIn(Record(NEW), OLD)
    assert store.current() == NEW.key
    world.cancel()
    with locked(store.slot(NEW.key)), pytest.warns(StoreWarning, match="stored beside") as warned:
        assert door.finish_sign_in(NEW, store, CODEX, world) == SignedIn(Record(NEW), rescued=True)
    assert [warning.filename for warning in warned] == [front_doors.__file__]


@pytest.mark.parametrize(("reply", "confirmed"), [(Reply(200), True), (as_json(400, {}), False)])
@each_door
def test_the_one_that_it_replaces_is_ended_if_asked_for(
    door: Door, store: FileStore, reply: Reply, confirmed: bool
) -> None:
    old = attrs.evolve(NEW, refresh_token=Secret("old"))
    door.finish_sign_in(old, store, CODEX, FakeWorld(lambda request, at, wall: Reply(200)))
    world = FakeWorld(lambda request, at, wall: reply)
    signed_in = door.finish_sign_in(NEW, store, CODEX, world, revoke_old=True)
    assert signed_in.replaced_revoked is confirmed
    (request,) = world.requests
    assert json.loads(request.request.body.reveal())["token"] == "old"


@each_door
def test_a_copy_replaces_a_login_that_can_be_renewed_only_by_force(
    door: Door, store: FileStore, world: FakeWorld
) -> None:
    copied = attrs.evolve(NEW, refresh_token=None)
    with pytest.raises(SignInError) as raised:
        door.finish_sign_in(copied, store, None, world)
    assert raised.value.details == {"reason": "renewable_login"}
    assert door.finish_sign_in(copied, store, None, world, force=True) == SignedIn(Record(copied), OLD)


@each_door
def test_a_memory_store_will_do(door: Door, world: FakeWorld) -> None:
    memory = MemoryStore()
    door.finish_sign_in(NEW, memory, CODEX, world)
    assert memory.slot(NEW.key).load() == Record(NEW)
    assert door.end_login(memory, NEW.key, CODEX, world) is True
    assert memory.slot(NEW.key).load() is None


@each_door
def test_only_the_login_that_is_believed_to_be_there_is_ended(
    door: Door, store: FileStore, world: FakeWorld
) -> None:
    with pytest.raises(SignInError) as raised:
        door.end_login(store, NEW.key, CODEX, world, expected=Record(NEW))
    assert raised.value.details == {"reason": "contended"}
    assert (store.slot(NEW.key).load(), world.requests) == (OLD, [])
    assert door.end_login(store, NEW.key, CODEX, world, expected=OLD) is True
    assert store.slot(NEW.key).load() is None
