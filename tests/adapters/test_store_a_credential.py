"""`store_login()` and `astore_login()`: a credential that somebody has in hand becomes the login of a store.

Rules of this file: each case is asked of every door. What befalls a login on its way into the store is in
test_store_login.py; here is what these two add.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import (
    CODEX,
    Credential,
    DeviceFlow,
    FileStore,
    MemoryStore,
    SignInError,
    TokenSource,
    astore_login,
    run,
    store_login,
)
from codex_oauth import login as sign_in
from codex_oauth.authority import Approve, Authority, Policy, serve
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import SaveFailed, StoreWarning
from codex_oauth.testing import FakeWorld, Reply, answered_by
from codex_oauth_core import ErrorKind, Record, Secret
from tests.adapters.front_doors import Door, each_door
from tests.asynchronous.running import run as run_in_loop
from tests.stores.logins import locked, login, save

OURS: dict[str, Any] = {"issuer": CODEX.issuer, "client_id": CODEX.client_id}
NEW = attrs.evolve(login(2).credential, **OURS)
OLD = attrs.evolve(login(1), credential=attrs.evolve(login(1).credential, **OURS))
OTHER = attrs.evolve(NEW, account_id="acct_other", user_id="user_other", refresh_token=Secret("rt-other"))


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld(lambda request, at, wall: Reply(200))


def current(store: FileStore | MemoryStore) -> Record | None:
    key = store.current()
    return None if key is None else store.slot(key).load()


@each_door
def test_what_a_flow_granted_is_the_login_in_use(door: Door) -> None:
    authority = Authority(policy=Policy(approve="auto"))
    fake, store = FakeWorld(answered_by(authority)), MemoryStore()
    granted = run(DeviceFlow(), fake)
    assert isinstance(granted, Credential)
    before = len(authority.requests)
    signed_in = door.store_login(store, granted, fake)
    assert (signed_in.record.credential, signed_in.replaced, signed_in.replaced_revoked) == (
        granted,
        None,
        None,
    )
    assert len(authority.requests) == before
    with TokenSource(store, make_world=lambda: fake, now=fake.now) as tokens:
        assert tokens.token() == granted.access_token.reveal()


@each_door
def test_other_logins_stay_and_are_not_current(door: Door, world: FakeWorld) -> None:
    store = MemoryStore()
    door.store_login(store, OTHER, world)
    door.store_login(store, NEW, world)
    assert store.current() == NEW.key
    assert set(store.names()) == {NEW.key, OTHER.key}
    assert world.requests == []


@pytest.mark.parametrize("revoke_old", [True, False])
@each_door
def test_the_login_that_is_replaced_is_told_and_ended_where_that_is_asked_for(
    door: Door, revoke_old: bool, world: FakeWorld, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "home")
    save(store.slot(NEW.key), OLD, None)
    signed_in = door.store_login(store, Record(NEW), world, revoke_old=revoke_old)
    assert signed_in.replaced is not None
    assert signed_in.replaced.credential == OLD.credential
    assert signed_in.replaced_revoked is (True if revoke_old else None)
    assert [sent.request.url for sent in world.requests] == [CODEX.revocation_endpoint] * revoke_old
    found = current(store)
    assert found is not None
    assert found.credential == NEW


@each_door
def test_the_same_credential_again_changes_nothing(door: Door, world: FakeWorld, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    door.store_login(store, NEW, world)
    before = current(store)
    door.store_login(store, NEW, world, revoke_old=True)
    assert before is not None
    assert current(store) is not None
    assert current(store).credential == before.credential == NEW  # type: ignore[union-attr]
    assert world.requests == []


@each_door
def test_what_cannot_be_stored_is_ended_where_it_was_granted(
    door: Door, world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(held: object, *args: object, **options: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr(FileLockedLogin, "save", full)
    elsewhere = attrs.evolve(NEW, issuer="https://login.example")
    with pytest.raises(SignInError) as failed:
        door.store_login(FileStore(tmp_path / "home"), elsewhere, world)
    assert (failed.value.kind, failed.value.details["revoked"]) == (ErrorKind.AUTH_WRITE_FAILED, True)
    assert [sent.request.url for sent in world.requests] == ["https://login.example/oauth/revoke"]


@each_door
def test_what_may_be_stored_is_not_ended(door: Door, world: FakeWorld, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file where the directory must be", encoding="utf-8")
    with pytest.raises(SignInError) as failed:
        door.store_login(FileStore(home), NEW, world)
    assert "revoked" not in failed.value.details
    assert world.requests == []


@each_door
def test_a_login_that_is_locked_elsewhere_is_kept_beside(
    door: Door, world: FakeWorld, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "home")
    save(store.slot(NEW.key), OLD, None)
    world.cancel()  # whoever waits gives up
    with locked(store.slot(NEW.key)), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        signed_in = door.store_login(store, NEW, world)
    assert signed_in.rescued
    (warning,) = (each for each in warned if each.category is StoreWarning)
    if door.blocks:
        assert warning.filename.endswith("front_doors.py")  # who called, and not the library
    found = current(store)
    assert found is not None
    assert found.credential == NEW
    assert world.requests == []


class _Earlier:
    """A store as an earlier release wanted it."""

    def accounts(self) -> tuple[str, ...]:
        return ()


@each_door
def test_a_store_of_an_earlier_release_is_a_type_error_and_the_login_lives_on(
    door: Door, world: FakeWorld
) -> None:
    with pytest.raises(TypeError, match="earlier release"):
        door.store_login(_Earlier(), NEW, world)  # type: ignore[arg-type]
    assert world.requests == []


def test_nothing_of_http_is_loaded_where_nothing_is_sent() -> None:
    code = (
        "import sys\n"
        "from codex_oauth import Credential, MemoryStore, Secret, store_login\n"
        "store = MemoryStore()\n"
        "store_login(store, Credential(Secret('a'), Secret('r'), 'acct', 'https://auth.openai.com', 'app', '2027-01-15T08:00:00Z'))\n"
        "assert store.current(), store.names()\n"
        "print(sorted({'httpx', 'anyio', 'httpcore'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.fixture
def granted() -> Iterator[tuple[Credential, Credential]]:
    """Two logins of one person, at a server over HTTP that would end them."""
    with serve(Authority(policy=Policy(approve=Approve.AUTO, interval=1))) as server:
        provider = CODEX.at(server.url)
        first, second = (sign_in(device=True, provider=provider, on_prompt=_unseen) for _ in range(2))
        yield first, second


def _unseen(prompt: object) -> None:
    """Nobody needs to see it."""


@pytest.mark.parametrize("backend", [None, "asyncio", "trio"])
def test_without_a_world_of_ones_own_the_old_login_is_ended_over_http(
    backend: str | None, granted: tuple[Credential, Credential]
) -> None:
    store = MemoryStore()
    if backend is None:
        _, signed_in = (store_login(store, credential, revoke_old=True) for credential in granted)
    else:
        ways = (partial(astore_login, store, credential, revoke_old=True) for credential in granted)
        _, signed_in = (run_in_loop(way, backend) for way in ways)
    assert signed_in.replaced is not None
    assert (signed_in.replaced.credential, signed_in.replaced_revoked) == (granted[0], True)
