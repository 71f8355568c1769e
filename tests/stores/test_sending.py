"""R0: a request that was reserved for goes out soon, under the very same lock, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth import FileStore, MemoryStore, Store, StoringWorld, run
from codex_oauth.stores import locked_login as held_module
from codex_oauth.stores import memory_store
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.store import Slot
from codex_oauth.testing import FakeWorld, Reply
from codex_oauth.testing.checking import locked, put
from codex_oauth_core import CODEX, Finished, Renewal, Renewed, Revocation, Revoked, SendRequest, Started
from codex_oauth_core.record import Intent
from codex_oauth_core.renewal_times import SEND_BY
from tests.core.storing import EXPIRED
from tests.stores.logins import login
from tests.support import T0, W0, tokens

ODD = 8_640_123.456


def lock_file(slot: FileSlot) -> Path:
    return slot.path.with_suffix(".lock")


class Clock:
    """The stores' clock, which a test sets."""

    def __init__(self) -> None:
        self.at = ODD

    def now(self) -> tuple[float, float]:
        return self.at, W0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (held_module, memory_store):
        monkeypatch.setattr(module, "now", made.now)
    return made


@pytest.fixture(params=["files", "soft", "memory"])
def any_slot(request: pytest.FixtureRequest, tmp_path: object) -> Slot:
    stores: dict[str, Callable[[], Store]] = {
        "files": lambda: FileStore(f"{tmp_path}/home"),
        "soft": lambda: FileStore(f"{tmp_path}/home", soft_lock=True),
        "memory": MemoryStore,
    }
    return put(stores[request.param](), login(1))


@pytest.mark.parametrize(
    ("later", "may"), [(0.0, True), (4.999, True), (SEND_BY, True), (5.001, False), (1e6, False)]
)
def test_c2_it_may_go_out_within_five_seconds_of_when_the_reservation_was_asked_for(
    any_slot: Slot, clock: Clock, later: float, may: bool
) -> None:
    with locked(any_slot) as held:
        held.reserve(login(1))
        clock.at = ODD + later
        assert held.sending() is may


def test_c2_the_time_that_the_reservation_takes_counts(
    slot: FileSlot, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def slow(fd: int) -> None:
        clock.at += 3.0
        fsync(fd)

    with locked(slot) as held:
        monkeypatch.setattr(os, "fsync", slow)
        held.reserve(login(1))
        assert clock.at > ODD + SEND_BY
        assert not held.sending()


def test_each_reservation_has_its_own_time(any_slot: Slot, clock: Clock) -> None:
    with locked(any_slot) as held:
        held.reserve(login(1))
        clock.at += 100
        held.reserve(login(1))
        assert held.sending()


def test_f9_it_may_not_go_out_after_somebody_removed_the_lock(slot: FileSlot, clock: Clock) -> None:
    with locked(slot) as held:
        held.reserve(login(1))
        lock_file(slot).unlink()
        assert not held.sending()
        lock_file(slot).touch(mode=0o600)
        assert not held.sending()


def test_f7_it_may_not_go_out_in_a_forked_child(any_slot: Slot, clock: Clock) -> None:
    with locked(any_slot) as held:
        held.reserve(login(1))
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            os.write(write, b"%d" % held.sending())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 1) == b"0"
        assert held.sending()


# -- in a world -----------------------------------------------------------------------------------------


def test_f8_who_is_stopped_between_reserve_and_send_sends_nothing_and_begins_again(
    clock: Clock, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "home")
    slot = store.slot(EXPIRED.credential.key)
    with locked(slot) as held:
        held.save(EXPIRED, None)
    net = FakeWorld(lambda request, at, wall: tokens(), at=T0, wall=W0)
    effects: list[str] = []
    intents: list[Intent | None] = []
    flow = Renewal()
    with net, StoringWorld(net, store, slot.key) as world:
        effect = flow.receive(Started(*world.now()))
        while not isinstance(effect, Finished):
            if isinstance(effect, SendRequest) and "SendRequest" not in effects:
                clock.at += 6.0  # SIGSTOP, or the machine is suspended
            effects.append(type(effect).__name__)
            effect = flow.receive(world.perform(effect))
            stored = slot.load()
            intents.append(None if stored is None else stored.intent)
    assert isinstance(effect.outcome, Renewed)
    first = ["Load", "Lock", "Reserve", "SendRequest", "Release", "Wait"]
    assert effects == [*first, "Load", "Lock", "Reserve", "SendRequest", "Save", "Release"]
    assert len(net.requests) == 1
    assert [intent is not None for intent in intents[:5]] == [False, False, True, True, False]


def test_without_the_lock_a_request_is_not_held_up(clock: Clock, tmp_path: Path) -> None:
    net = FakeWorld(lambda request, at, wall: Reply(200), at=T0, wall=W0)
    flow = Revocation(provider=CODEX, credential=EXPIRED.credential)
    with net, StoringWorld(net, FileStore(tmp_path / "home"), EXPIRED.credential.key) as world:
        assert run(flow, world) == Revoked(confirmed=True)
