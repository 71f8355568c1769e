"""F15 to F17, R7: what other programs do with the login while its renewal is out."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path

import attrs
import pytest

from codex_oauth.stores.file_store import FileStore
from codex_oauth.worlds.httpx_world import HttpxWorld
from codex_oauth.worlds.storing import StoringWorld
from codex_oauth.worlds.world import run
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.deposit import Deposit
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.revocation import Revocation
from codex_oauth_core.outcomes import Adopted, Deposited, Renewed, Revoked
from codex_oauth_core.record import Record, write_record
from codex_oauth_core.secret import Secret
from tests.faults.child import due, only_login
from tests.faults.runs import ACCOUNT, NEW, OLD, Peer, answer, granting, login, put
from tests.faults.signing_in import signed_in
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
        with HttpxWorld() as web, StoringWorld(web, self.store, ACCOUNT) as world:
            outcome = run(Renewal(provider=CODEX.at(self.peer.issuer)), world)
        for thread in self.others:
            thread.join()
        return outcome

    def deposit(self, lock_limit: float = 20.0) -> object:
        """Store a new sign-in, as another process does."""
        with HttpxWorld() as web, StoringWorld(web, self.store, ACCOUNT) as world:
            return run(Deposit(record=self.newer(), lock_limit=lock_limit), world)

    def revoke(self) -> object:
        """Log out, as another process does."""
        with HttpxWorld() as web, StoringWorld(web, self.store, ACCOUNT) as world:
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
    def file(self) -> Path:
        """Where the login is."""
        return self.store.slot(ACCOUNT).path

    def stored(self) -> Record | None:
        """What the next holder of the lock finds."""
        held = self.store.slot(ACCOUNT).lock()
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
    assert isinstance(deposited, Deposited)
    assert not deposited.rescued
    assert scene.stored() == deposited.record
    assert scene.peer.sent == 1


# F16
def test_a_sign_in_that_does_not_wait_is_found_by_whoever_locks_next(scene: Scene) -> None:
    scene.meanwhile = lambda it: it.begin(lambda: it.deposit(lock_limit=0.05))
    assert isinstance(scene.renew(), Renewed)
    (deposited,) = scene.results
    assert isinstance(deposited, Deposited)
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
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.LOGIN_REQUIRED
    assert scene.stored() is None
    assert OLD not in str(list(scene.file.parent.iterdir()))


# F15
def test_another_program_that_rotated_the_same_login_is_named_as_the_likely_reason(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    with signed_in(store) as server:
        token = only_login(store).credential.refresh_token
        assert token is not None
        _as_another_program(server.url, token.reveal())
        account_id = due(store).credential.account_id
        outcomes: list[object] = []
        for _ in range(3):
            with HttpxWorld() as web, StoringWorld(web, store, account_id) as world:
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
