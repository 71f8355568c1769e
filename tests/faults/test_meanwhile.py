"""F15 to F17, R7: what other programs do with the login while its renewal is out."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, HttpxWorld, StoringWorld, run
from codex_oauth.stores.login_file import SEALED
from codex_oauth_core import (
    CODEX,
    Adopted,
    ErrorKind,
    LoginStored,
    NotRenewed,
    Record,
    Renewal,
    Renewed,
    Revocation,
    Revoked,
    Secret,
    SignInError,
    StoreLogin,
    Wait,
    Why,
)
from codex_oauth_core.record import write_record
from tests.faults.child import due, only_login
from tests.faults.runs import NEW, Peer, answer, granting, login, place_at, put
from tests.faults.signing_in import signed_in
from tests.stores.logins import locked
from tests.transport.servers import Script, no_new_sockets

HANDSHAKE = 0.15
"""Seconds for another thread to come as far as it can while the lock is held."""


@attrs.define
class Scene:
    """A due login, and the server that renews it."""

    store: FileStore
    peer: Peer
    meanwhile: Callable[[Scene], object] | None = None
    """What happens once, while the request is out."""
    others: list[threading.Thread] = attrs.field(factory=list[threading.Thread])
    results: list[object] = attrs.field(factory=list[object])

    def begin(self, work: Callable[[], object]) -> None:
        """Do something in another thread while the renewal is out; it may end after it."""
        thread = threading.Thread(target=lambda: self.results.append(work()))
        self.others.append(thread)
        thread.start()
        time.sleep(HANDSHAKE)

    def renew(self) -> object:
        """Renew the login; how that ended, once everybody else has ended too."""
        with HttpxWorld() as web, StoringWorld(web, self.store, self.place) as world:
            outcome = run(Renewal(provider=CODEX.at(self.peer.issuer)), world)
        for thread in self.others:
            thread.join()
        return outcome

    def deposit(self, lock_limit: float = 20.0) -> object:
        """Store a new sign-in, as another process does."""
        with HttpxWorld() as web, StoringWorld(web, self.store, self.place) as world:
            return run(StoreLogin(record=self.newer(), lock_limit=lock_limit), world)

    def revoke(self) -> object:
        """Log out, as another process does."""
        with HttpxWorld() as web, StoringWorld(web, self.store, self.place) as world:
            return run(Revocation(provider=CODEX.at(self.peer.issuer)), world)

    def newer(self) -> Record:
        """A sign-in that is newer than what is stored."""
        record = login(self.peer.issuer, time.time(), 864_000.0)
        fresh = attrs.evolve(
            record.credential,
            refresh_token=Secret("rt-canary-sign-in"),
            obtained_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        return Record(fresh)

    @property
    def place(self) -> str:
        """The name under which the login is kept."""
        return place_at(self.peer.issuer)

    @property
    def file(self) -> Path:
        """Where the login is."""
        return self.store.slot(self.place).path

    def stored(self) -> Record | None:
        """What the next holder of the lock finds."""
        held = self.store.slot(self.place).lock()
        assert held is not None
        with held:
            return held.load()


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Generator[Scene]:
    store = FileStore(tmp_path / "home")
    answers: Script = getattr(request, "param", granting())
    made: list[Scene] = []

    def script(sock: socket.socket) -> None:
        happens, made[0].meanwhile = made[0].meanwhile, None
        if happens is not None:
            happens(made[0])
        answers(sock)

    with no_new_sockets(), Peer(script) as peer:
        made.append(Scene(store, peer))
        put(store, login(peer.issuer, time.time(), -1.0))
        yield made[0]


# F16
def test_a_sign_in_during_a_renewal_waits_for_it_and_stays(scene: Scene) -> None:
    scene.meanwhile = lambda it: it.begin(it.deposit)
    assert isinstance(scene.renew(), Renewed)
    (deposited,) = scene.results
    assert isinstance(deposited, LoginStored)
    assert not deposited.rescued
    assert scene.stored() == deposited.record
    assert scene.peer.sent == 1


# F16
def test_a_sign_in_that_does_not_wait_is_found_by_whoever_locks_next(scene: Scene) -> None:
    scene.meanwhile = lambda it: it.begin(lambda: it.deposit(lock_limit=0.05))
    assert isinstance(scene.renew(), Renewed)
    (deposited,) = scene.results
    assert isinstance(deposited, LoginStored)
    assert deposited.rescued
    assert scene.stored() == deposited.record


def _overwritten(scene: Scene) -> None:
    scene.file.write_bytes(write_record(scene.newer()))


# F16
def test_a_login_that_was_written_without_the_lock_wins_over_the_renewal(scene: Scene) -> None:
    scene.meanwhile = _overwritten
    outcome = scene.renew()
    assert isinstance(outcome, Adopted)
    assert scene.stored() == outcome.record
    assert outcome.record.credential.refresh_token == Secret("rt-canary-sign-in")


# F16, R7
@pytest.mark.parametrize("scene", [answer(401, {"error": "invalid_grant"})], indirect=True)
def test_the_end_of_the_old_login_says_nothing_of_a_newer_one(scene: Scene) -> None:
    scene.meanwhile = _overwritten
    outcome = scene.renew()
    assert isinstance(outcome, Adopted)
    stored = scene.stored()
    assert stored is not None
    assert stored.dead_code is None


# F17
def test_a_logout_during_a_renewal_waits_for_it_and_ends_what_came_of_it(scene: Scene) -> None:
    scene.meanwhile = lambda it: it.begin(it.revoke)
    assert isinstance(scene.renew(), Renewed)
    assert scene.results == [Revoked(confirmed=True)]
    assert scene.stored() is None
    assert scene.peer.count(NEW) == 1  # what was revoked is the new refresh token
    assert scene.peer.sent == 1


# F17
def test_a_login_that_was_removed_without_the_lock_does_not_come_back(scene: Scene) -> None:
    scene.meanwhile = lambda it: it.file.unlink()
    outcome = scene.renew()
    assert isinstance(outcome, Renewed)
    assert outcome.unsaved is not None
    assert outcome.unsaved.details["reason"] == "missing"
    assert scene.stored() is None
    assert isinstance(scene.revoke(), Revoked)
    assert [path.suffix for path in scene.file.parent.iterdir()] == [".lock"]


Undo = Callable[[], object]


def _hard_linked(file: Path) -> Undo:
    copy = file.parent.parent / "backup"
    os.link(file, copy)
    return copy.unlink


def _moved(file: Path) -> Undo:
    aside = file.parent.parent / "aside"
    file.rename(aside)
    return lambda: aside.rename(file)


def _replaced(file: Path, make: Callable[[Path], object]) -> Undo:
    back = _moved(file)
    make(file)

    def undo() -> None:
        if file.is_dir():
            file.rmdir()
        else:
            file.unlink()
        back()

    return undo


def _rewritten(file: Path, content: bytes) -> Undo:
    before = file.read_bytes()
    file.write_bytes(content)
    return lambda: file.write_bytes(before)


def _given_away(file: Path) -> Undo:
    os.chown(file, 12_345, -1)
    return lambda: os.chown(file, os.getuid(), -1)


UNREADABLE: dict[str, Callable[[Path], Undo]] = {
    "a hard link of it, by a backup": _hard_linked,
    "a symbolic link to itself": lambda file: _replaced(file, lambda it: it.symlink_to(it)),
    "a symbolic link to where it went": lambda file: _replaced(
        file, lambda it: it.symlink_to(file.parent.parent / "aside")
    ),
    "a pipe": lambda file: _replaced(file, os.mkfifo),
    "a directory": lambda file: _replaced(file, Path.mkdir),
    "a newer release's": lambda file: _rewritten(file, b'{"schema_version": 2}'),
    "sealed by another program": lambda file: _rewritten(file, SEALED + b"x"),
    "nothing": _moved,
    **({"another owner": _given_away} if os.getuid() == 0 else {}),
}
"""What stands for a moment in the place of a login, and how it goes again."""


# R11
@pytest.mark.parametrize("spoil", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_login_that_cannot_be_read_for_a_moment_is_not_lost(
    scene: Scene, spoil: Callable[[Path], Undo]
) -> None:
    undo: list[Undo] = []
    scene.meanwhile = lambda it: undo.append(spoil(it.file))
    outcome = scene.renew()
    assert isinstance(outcome, Renewed)  # from memory, with a warning
    assert outcome.unsaved is not None
    assert outcome.record.credential.refresh_token == Secret(NEW)
    undo[0]()
    again = scene.renew()  # as another process does
    assert isinstance(again, NotRenewed)
    assert again.record == outcome.record
    with locked(scene.store.slot(scene.place)) as held:
        assert held.load() == outcome.record
    assert scene.peer.sent == 1


DISK_CALLS = ("write", "fsync", "replace", "ftruncate")


@attrs.define(eq=False)
class Disk:
    """Every write to a disk fails with `code`, from when it breaks until a renewal has waited twice."""

    code: int
    broken: bool = False
    waits: list[Wait] = attrs.field(factory=list[Wait])

    def wait(self, wait: Wait) -> None:
        self.waits.append(wait)
        self.broken = len(self.waits) < 2

    def failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if self.broken:
                raise OSError(self.code, "prose")
            return real(*args, **options)

        return call

    def opening(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, **options: Any) -> int:
            if self.broken and flags & os.O_CREAT:
                raise OSError(self.code, "prose")
            return real(path, flags, *args, **options)

        return call


# R6a
@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "ENOMEM", "EMFILE"])
def test_a_disk_that_fails_for_a_moment_after_the_spend_loses_no_login(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    disk = Disk(getattr(errno, name))
    for call in DISK_CALLS:
        monkeypatch.setattr(os, call, disk.failing(getattr(os, call)))
    monkeypatch.setattr(os, "open", disk.opening(os.open))
    scene.meanwhile = lambda _: setattr(disk, "broken", True)
    with HttpxWorld(on_wait=disk.wait) as web, StoringWorld(web, scene.store, scene.place) as world:
        outcome = run(Renewal(provider=CODEX.at(scene.peer.issuer)), world)
    assert [wait.why for wait in disk.waits] == [Why.SAVING] * 2
    assert isinstance(outcome, Renewed)
    assert outcome.unsaved is None
    assert scene.stored() == outcome.record
    assert scene.peer.sent == 1


TORN: dict[str, Callable[[Path], bytes]] = {
    "cut": lambda file: file.read_bytes()[:100],
    "empty": lambda _: b"",
    "junk": lambda _: b"\0" * 4096,
}


@pytest.mark.parametrize("tear", TORN.values(), ids=TORN.keys())
def test_a_login_that_was_torn_meanwhile_is_replaced(scene: Scene, tear: Callable[[Path], bytes]) -> None:
    scene.meanwhile = lambda it: it.file.write_bytes(tear(it.file))
    outcome = scene.renew()
    assert isinstance(outcome, Renewed)
    assert outcome.unsaved is None
    assert scene.stored() == outcome.record
    assert scene.file.with_name(f"{scene.file.name}.corrupt-1").exists()


# F15
def test_another_program_that_rotated_the_same_login_is_named_as_the_likely_reason(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    with signed_in(store) as server:
        token = only_login(store).credential.refresh_token
        assert token is not None
        _as_another_program(server.url, token.reveal())
        place = due(store).credential.key
        outcomes: list[object] = []
        for _ in range(3):
            with HttpxWorld() as web, StoringWorld(web, store, place) as world:
                outcomes.append(run(Renewal(provider=CODEX.at(server.url)), world))
        statuses = [request.status for request in server.authority.received("refresh")]
    assert statuses == [200, 401]
    for outcome in outcomes:
        assert isinstance(outcome, SignInError)
        assert (outcome.kind, outcome.details["code"]) == (ErrorKind.LOGIN_REQUIRED, "refresh_token_reused")
        assert "another program" in outcome.message
    assert only_login(store).credential.refresh_token == token


def _as_another_program(issuer: str, token: str) -> None:
    """A refresh, as the Codex CLI does it."""
    fields = {"client_id": CODEX.client_id, "grant_type": "refresh_token", "refresh_token": token}
    request = urllib.request.Request(  # loopback
        f"{issuer}/oauth/token", json.dumps(fields).encode(), {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as found:
        assert found.status == 200
