"""R6a: what was renewed and cannot be stored is not forgotten, and its lock is not given away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from codex_oauth.stores.memory_store import MemoryHeld
from codex_oauth.stores.store import SaveFailed
from codex_oauth.tokens import flight
from codex_oauth_core import ErrorKind, SignInError
from tests.tokens.rig import PATIENCE, Rig, eventually, renewals, rig

DEAD = -1.0
TRIES = 11
"""Saves within the 30 s before the callers are answered: after 0.25, 0.5, 1, 2, 4 s, and then each 5 s."""
_save = MemoryHeld.save


@attrs.define(eq=False)
class Disk:
    """A disk that takes no save while it is `broken`; after `TRIES` of them a try waits for the gate."""

    broken: bool = True
    tries: int = 0
    gate: threading.Event = attrs.field(factory=threading.Event)

    def save(self, held: MemoryHeld, *args: Any, **options: Any) -> Any:
        self.tries += 1
        if self.tries > TRIES:
            assert self.gate.wait(PATIENCE)
        if self.broken:
            held._before = None  # as every save that fails: the intent stays
            raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="io_error"))
        return _save(held, *args, **options)

    def mend(self) -> None:
        self.broken = False
        self.gate.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk()

    def save(held: MemoryHeld, *args: Any, **options: Any) -> Any:
        return made.save(held, *args, **options)

    monkeypatch.setattr(MemoryHeld, "save", save)
    yield made
    made.mend()
    eventually(lambda: not renewals())


def due(disk: Disk) -> Rig:
    disk.broken = False
    made = rig()
    disk.broken, disk.tries = True, 0
    made.make_due(DEAD)
    return made


def is_locked(made: Rig) -> bool:
    held = made.store.slot(made.stored.credential.key).lock()
    if held is not None:
        held.release()
    return held is None


def test_r6a_the_disk_fails_for_a_moment_and_the_callers_notice_nothing(disk: Disk) -> None:
    made = due(disk)
    source, began = made.source(), made.world.at

    def save_at_the_third(held: MemoryHeld, *args: Any, **options: Any) -> Any:
        disk.broken = disk.tries < 2
        return disk.save(held, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryHeld, "save", save_at_the_third)
        token = source.token()
    assert (token, disk.tries, made.refreshes) == (made.stored_token, 3, 1)
    assert 0.75 <= made.world.at - began < 30
    assert made.notes == []


def test_r6a_after_30_s_the_callers_are_answered_and_saving_goes_on_under_the_lock(disk: Disk) -> None:
    made = due(disk)
    source, began, old = made.source(), made.world.at, made.stored_token
    token = source.token()
    assert token != old == made.stored_token
    assert 30 <= made.world.at - began < 30 + 15  # the wait for the next try may have begun
    assert source.token() == token
    assert is_locked(made)
    assert len(made.notes) == 1
    disk.mend()
    eventually(lambda: made.stored_token == token)
    eventually(lambda: not is_locked(made))
    assert (source.token(), made.refreshes) == (token, 1)


def test_r6a_nothing_else_is_renewed_as_long_as_it_is_not_stored(disk: Disk) -> None:
    made = due(disk)
    source = made.source()
    token = source.token()
    made.pass_time(1_000_000)
    for _ in range(3):
        with pytest.raises(SignInError) as raised:
            source.token()
        assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    with pytest.raises(SignInError):
        source.rejected(token)
    assert made.refreshes == 1
    disk.mend()
    eventually(lambda: not renewals())
    assert source.token() not in (token, "")
    assert made.refreshes == 2


def test_r6a_close_tries_once_more_and_gives_the_lock_back(disk: Disk) -> None:
    made = due(disk)
    source = made.source()
    token = source.token()
    disk.mend()
    source.close()
    assert made.stored_token == token
    assert not is_locked(made)
    assert source.token() == token


def test_r6a_a_close_that_cannot_store_it_leaves_the_doubt(disk: Disk) -> None:
    made = due(disk)
    source = made.source()
    token = source.token()
    threading.Timer(0.05, disk.gate.set).start()  # the next try fails as well
    source.close()
    assert not renewals()
    assert made.stored.intent is not None
    assert source.token() == token
    assert made.refreshes == 1


def test_r6a_without_a_thread_it_is_stored_before_anything_else_at_the_next_call(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight, "_THREADS", False)
    made = due(disk)
    source = made.source()
    token = source.token()
    assert made.stored_token != token
    disk.mend()
    made.pass_time(3.0)
    assert source.token() == token
    assert (made.stored_token, made.refreshes) == (token, 1)


def test_r6a_without_a_thread_it_is_stored_before_the_next_renewal(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight, "_THREADS", False)
    made = due(disk)
    source = made.source()
    token = source.token()
    disk.mend()
    made.pass_time(1_000_000)
    assert source.token() not in (token, "")
    assert made.refreshes == 2
    assert made.stored.generation == 2
