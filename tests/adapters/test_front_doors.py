"""`login()` and `alogin()`, on asyncio and trio: what is granted is kept or revoked, never forgotten.

Rules of this file: each case is asked of every door. What only one of them can do is elsewhere: see test_alogin.py
for tasks that are cancelled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import attrs
import pytest

from codex_oauth import CODEX, Credential, DevicePrompt, ErrorKind, FileStore, SignInError
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import Conflict, Saved, SaveFailed
from codex_oauth.testing import FakeWorld, Lost, Reply, scripted
from codex_oauth_core import Record, Secret
from codex_oauth_core.effects import Prompt
from codex_oauth_core.providers import provider_of
from tests.adapters.front_doors import DOORS, Door, each_door, each_prompted_door
from tests.stores.logins import save
from tests.support import SIGN_IN, account_token, approved, as_json, code, issued, tokens

OLD = Credential(
    Secret("old-access"),
    Secret("old-refresh"),
    "acct_fake",
    CODEX.issuer,
    CODEX.client_id,
    "2026-01-01T00:00:00Z",
)


def ignore(prompt: Prompt) -> None:
    """Nobody looks."""


def sign_in(
    door: Door, *replies: Reply | Lost, store: FileStore | None = None, workspaces: tuple[str, ...] = ()
) -> tuple[Credential, FakeWorld]:
    world = FakeWorld(scripted(replies))
    return door.login(device=True, on_prompt=ignore, store=store, workspaces=workspaces, world=world), world


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "home")


def kept(door: Door, credential: Credential, store: FileStore) -> None:
    door.finish_sign_in(credential, store, None, FakeWorld(scripted(())))


def stored(store: FileStore) -> Credential | None:
    record = store.slot(OLD.key).load()
    return None if record is None else record.credential


def full(*args: object, **kwargs: object) -> None:
    raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))


@each_door
def test_a_login_is_kept_and_becomes_the_current_one(door: Door, store: FileStore) -> None:
    credential, _ = sign_in(door, *SIGN_IN, store=store)
    assert credential.account_id == "acct_fake"
    assert store.current() == credential.key
    assert store.slot(credential.key).load() == Record(credential)


@each_door
def test_without_a_store_nothing_is_kept(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path))
    _, world = sign_in(door, *SIGN_IN)
    assert list(tmp_path.iterdir()) == []
    assert len(world.requests) == len(SIGN_IN)


@each_prompted_door
def test_the_prompt_is_shown_once(door: Door) -> None:
    shown: list[Prompt] = []
    door.login(device=True, on_prompt=shown.append, world=FakeWorld(scripted(SIGN_IN)))
    assert [type(prompt) for prompt in shown] == [DevicePrompt]


@each_door
def test_a_failed_sign_in_is_raised_and_keeps_the_old_login(door: Door, store: FileStore) -> None:
    kept(door, OLD, store)
    with pytest.raises(SignInError) as raised:
        sign_in(door, issued(), code("access_denied"), store=store)
    assert raised.value.kind is ErrorKind.DENIED
    assert stored(store) == OLD


@each_door
def test_a_new_login_replaces_the_old_one_of_its_account_and_revokes_nothing(
    door: Door, store: FileStore
) -> None:
    kept(door, OLD, store)
    credential, world = sign_in(door, *SIGN_IN, store=store)
    assert stored(store) == credential
    assert not any("revoke" in request.request.url for request in world.requests)


NOT_CONFIRMED = "The server did not confirm that it ended the replaced login."


@each_door
@pytest.mark.parametrize(
    ("asked", "answer", "notes"),
    [
        (0, Lost(), []),
        (1, as_json(200, {}), []),
        (1, as_json(400, {}), [NOT_CONFIRMED]),
        (5, as_json(503, {}), [NOT_CONFIRMED]),
    ],
)
def test_the_old_login_is_ended_if_asked_for_and_a_doubt_is_noted(
    door: Door, store: FileStore, asked: int, answer: Reply | Lost, notes: list[str]
) -> None:
    kept(door, OLD, store)
    noted: list[str] = []
    world = FakeWorld(scripted((*SIGN_IN, *repeat(answer, 9))))
    door.login(
        device=True, on_prompt=ignore, on_note=noted.append, store=store, revoke_old=asked > 0, world=world
    )
    assert noted == notes
    ended = [sent for sent in world.requests if sent.request.url == CODEX.revocation_endpoint]
    assert [json.loads(sent.request.body.reveal())["token"] for sent in ended] == ["old-refresh"] * asked


@each_door
def test_a_second_account_joins_the_first(door: Door, store: FileStore) -> None:
    one, _ = sign_in(door, *SIGN_IN, store=store)
    two, _ = sign_in(door, issued(), approved(), tokens(access_token=account_token("acct_two")), store=store)
    assert store.names() == (one.key, two.key)
    assert store.current() == two.key


@each_door
def test_a_store_that_cannot_be_written_fails_before_anybody_is_asked(door: Door, store: FileStore) -> None:
    store.home.write_text("a file where the directory should be")
    world = FakeWorld(scripted(()))
    with pytest.raises(SignInError) as raised:
        door.login(device=True, on_prompt=ignore, store=store, world=world)
    assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    assert world.performed == []


@each_door
@pytest.mark.parametrize("kind", ["directory", "symlink", "fifo"])
def test_a_pointer_that_cannot_be_replaced_is_known_before_anybody_is_asked(
    door: Door, store: FileStore, kind: str
) -> None:
    store.prepare()
    pointer = store.home / "current"
    make: dict[str, Callable[[], None]] = {
        "directory": pointer.mkdir,
        "symlink": lambda: pointer.symlink_to("x"),
        "fifo": lambda: os.mkfifo(pointer),
    }
    make[kind]()
    world = FakeWorld(scripted(()))
    with pytest.raises(SignInError) as raised:
        door.login(device=True, on_prompt=ignore, store=store, world=world)
    assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    assert world.performed == []


@each_door
@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        (as_json(200, {}), True),
        (as_json(204, {}), True),
        (as_json(400, {}), False),
        (as_json(503, {}), False),
        (Lost(), False),
    ],
)
def test_a_granted_login_that_cannot_be_stored_is_revoked(
    door: Door,
    store: FileStore,
    monkeypatch: pytest.MonkeyPatch,
    answer: Reply | Lost,
    confirmed: bool,
) -> None:
    monkeypatch.setattr(FileLockedLogin, "save", full)
    world = FakeWorld(scripted((*SIGN_IN, *repeat(answer, 9))))
    with pytest.raises(SignInError) as raised:
        door.login(device=True, on_prompt=ignore, store=store, world=world)
    assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    assert raised.value.details == {"reason": "disk_full", "revoked": confirmed}
    last = world.requests[-1]
    assert (last.request.url, last.once) == (CODEX.revocation_endpoint, True)
    assert json.loads(last.request.body.reveal())["token"] == "canary-refresh-token-5566"


@each_door
def test_a_login_that_is_stored_is_not_revoked_whatever_fails_after_it(
    door: Door, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*args: object) -> None:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="denied")

    monkeypatch.setattr(FileStore, "select", lost)
    world = FakeWorld(scripted(SIGN_IN))
    with pytest.raises(SignInError) as raised:
        door.login(device=True, on_prompt=ignore, store=store, world=world)
    assert raised.value.details == {"reason": "denied"}
    assert not any("revoke" in request.request.url for request in world.requests)
    assert store.names() == (OLD.key,)


@pytest.mark.parametrize(
    ("door", "interruption"),
    [
        (door, kind)
        for door in DOORS.values()
        for kind in (KeyboardInterrupt, MemoryError, ValueError)
        if door.blocks or kind is not KeyboardInterrupt  # which ends a whole event loop
    ],
    ids=str,
)
def test_what_is_granted_is_revoked_whatever_interrupts_the_keeping(
    door: Door, store: FileStore, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise interruption

    monkeypatch.setattr(FileLockedLogin, "save", interrupted)
    world = FakeWorld(scripted((*SIGN_IN, as_json(200, {}))))
    with pytest.raises(interruption):
        door.login(device=True, on_prompt=ignore, store=store, world=world)
    assert world.requests[-1].request.url == CODEX.revocation_endpoint


@each_door
def test_a_conflicting_save_is_repeated_because_the_newer_login_wins(door: Door, store: FileStore) -> None:
    kept(door, OLD, store)
    newer = attrs.evolve(OLD, refresh_token=Secret("newer"))
    assert isinstance(save(store.slot(OLD.key), Record(newer), None), Conflict)
    kept(door, newer, store)
    assert stored(store) == newer


@each_door
def test_a_store_that_always_conflicts_is_an_error(
    door: Door, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def conflict(*args: object, **kwargs: object) -> Conflict:
        return Conflict(Record(OLD))

    monkeypatch.setattr(FileLockedLogin, "save", conflict)
    with pytest.raises(SignInError) as raised:
        kept(door, OLD, store)
    assert raised.value.details == {"reason": "contended"}


@each_door
def test_a_corrupt_old_login_is_replaced_by_an_explicit_sign_in(door: Door, store: FileStore) -> None:
    assert isinstance(save(store.slot(OLD.key), Record(OLD), None), Saved)
    store.slot(OLD.key).path.write_bytes(b"\0torn")
    credential, _ = sign_in(door, *SIGN_IN, store=store)
    assert stored(store) == credential


@each_door
def test_workspaces_are_a_collection(door: Door) -> None:
    with pytest.raises(TypeError, match="collection"):
        sign_in(door, *SIGN_IN, workspaces="acct_fake")  # type: ignore[arg-type]


def test_a_credential_is_revoked_only_where_it_came_from() -> None:
    assert provider_of(OLD) == CODEX
    elsewhere = provider_of(attrs.evolve(OLD, issuer="http://127.0.0.1:8123"))
    assert elsewhere is not None
    assert elsewhere.revocation_endpoint == "http://127.0.0.1:8123/oauth/revoke"
    assert provider_of(attrs.evolve(OLD, client_id="another")) == attrs.evolve(CODEX, client_id="another")
    assert provider_of(attrs.evolve(OLD, issuer="http://evil.example")) is None
