"""`login()`: what is granted is kept or revoked, never forgotten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import attrs
import pytest

from codex_oauth import (
    CODEX,
    Credential,
    DevicePrompt,
    ErrorKind,
    FileStore,
    SignInError,
    finish_sign_in,
    login,
)
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import Conflict, Saved, SaveFailed
from codex_oauth.testing import FakeWorld, Lost, Reply, scripted
from codex_oauth_core import Record, Secret
from codex_oauth_core.codex import provider_of
from codex_oauth_core.effects import Prompt
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
    *replies: Reply | Lost, store: FileStore | None = None, workspaces: tuple[str, ...] = ()
) -> tuple[Credential, FakeWorld]:
    world = FakeWorld(scripted(replies))
    return login(
        device=True, on_prompt=ignore, store=store, workspaces=workspaces, make_world=lambda _: world
    ), world


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "home")


def kept(credential: Credential, store: FileStore) -> None:
    with FakeWorld(scripted(())) as world:
        finish_sign_in(credential, store, None, world)


def test_a_login_is_kept_and_becomes_the_current_one(store: FileStore) -> None:
    credential, _ = sign_in(*SIGN_IN, store=store)
    assert store.current() == credential.account_id == "acct_fake"
    record = store.slot("acct_fake").load()
    assert record == Record(credential)


def test_without_a_store_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path))
    sign_in(*SIGN_IN)
    assert list(tmp_path.iterdir()) == []


def test_the_prompt_is_shown_once() -> None:
    shown: list[Prompt] = []
    login(device=True, on_prompt=shown.append, make_world=lambda _: FakeWorld(scripted(SIGN_IN)))
    assert [type(prompt) for prompt in shown] == [DevicePrompt]


def test_a_failed_sign_in_is_raised_and_keeps_the_old_login(store: FileStore) -> None:
    kept(OLD, store)
    with pytest.raises(SignInError) as raised:
        sign_in(issued(), code("access_denied"), store=store)
    assert raised.value.kind is ErrorKind.DENIED
    record = store.slot("acct_fake").load()
    assert record is not None
    assert record.credential == OLD


def test_a_new_login_replaces_the_old_one_of_its_account_and_revokes_nothing(store: FileStore) -> None:
    kept(OLD, store)
    credential, world = sign_in(*SIGN_IN, store=store)
    record = store.slot("acct_fake").load()
    assert record is not None
    assert record.credential == credential
    assert not any("revoke" in request.request.url for request in world.requests)


@pytest.mark.parametrize(
    ("revoke_old", "answers", "notes"),
    [
        (False, (), []),
        (True, (as_json(200, {}),), []),
        (
            True,
            (as_json(400, {}),),
            ["The server did not confirm that it ended the login that was replaced."],
        ),
    ],
)
def test_the_old_login_is_ended_if_asked_for_and_a_doubt_is_noted(
    store: FileStore, revoke_old: bool, answers: tuple[Reply, ...], notes: list[str]
) -> None:
    kept(OLD, store)
    noted: list[str] = []
    world = FakeWorld(scripted((*SIGN_IN, *answers)))
    login(
        device=True,
        on_prompt=ignore,
        on_note=noted.append,
        store=store,
        revoke_old=revoke_old,
        make_world=lambda _: world,
    )
    assert noted == notes
    ended = [sent for sent in world.requests if sent.request.url == CODEX.revocation_endpoint]
    assert [json.loads(sent.request.body.reveal())["token"] for sent in ended] == ["old-refresh"] * revoke_old


def test_a_second_account_joins_the_first(store: FileStore) -> None:
    sign_in(*SIGN_IN, store=store)
    sign_in(issued(), approved(), tokens(access_token=account_token("acct_two")), store=store)
    assert store.accounts() == ("acct_fake", "acct_two")
    assert store.current() == "acct_two"


def test_a_store_that_cannot_be_written_fails_before_anybody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the directory should be")
    world = FakeWorld(scripted(()))
    with pytest.raises(SignInError) as raised:
        login(device=True, on_prompt=ignore, store=FileStore(tmp_path / "home"), make_world=lambda _: world)
    assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    assert world.performed == []


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
    store: FileStore, monkeypatch: pytest.MonkeyPatch, answer: Reply | Lost, confirmed: bool
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr(FileLockedLogin, "save", full)
    world = FakeWorld(scripted((*SIGN_IN, *repeat(answer, 9))))
    with pytest.raises(SignInError) as raised:
        login(device=True, on_prompt=ignore, store=store, make_world=lambda _: world)
    assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    assert raised.value.details == {"reason": "disk_full", "revoked": confirmed}
    last = world.requests[-1]
    assert (last.request.url, last.once) == (CODEX.revocation_endpoint, True)
    assert json.loads(last.request.body.reveal())["token"] == "canary-refresh-token-5566"


def test_a_login_that_is_stored_is_not_revoked_whatever_fails_after_it(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*args: object) -> None:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="denied")

    monkeypatch.setattr(FileStore, "select", lost)
    world = FakeWorld(scripted(SIGN_IN))
    with pytest.raises(SignInError) as raised:
        login(device=True, on_prompt=ignore, store=store, make_world=lambda _: world)
    assert raised.value.details == {"reason": "denied"}
    assert not any("revoke" in request.request.url for request in world.requests)
    assert store.accounts() == ("acct_fake",)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError, ValueError])
def test_what_is_granted_is_revoked_whatever_interrupts_the_keeping(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise interruption

    monkeypatch.setattr(FileLockedLogin, "save", interrupted)
    world = FakeWorld(scripted((*SIGN_IN, as_json(200, {}))))
    with pytest.raises(interruption):
        login(device=True, on_prompt=ignore, store=store, make_world=lambda _: world)
    assert world.requests[-1].request.url == CODEX.revocation_endpoint


@pytest.mark.parametrize("kind", ["directory", "symlink", "fifo"])
def test_a_pointer_that_cannot_be_replaced_is_known_before_anybody_is_asked(
    store: FileStore, kind: str
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
        login(device=True, on_prompt=ignore, store=store, make_world=lambda _: world)
    assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    assert world.performed == []


def test_a_conflicting_save_is_repeated_because_the_newer_login_wins(store: FileStore) -> None:
    kept(OLD, store)
    newer = attrs.evolve(OLD, refresh_token=Secret("newer"))
    assert isinstance(save(store.slot("acct_fake"), Record(newer), None), Conflict)
    kept(newer, store)
    record = store.slot("acct_fake").load()
    assert record is not None
    assert record.credential == newer


def test_a_store_that_always_conflicts_is_an_error(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:

    def conflict(*args: object, **kwargs: object) -> Conflict:
        return Conflict(Record(OLD))

    monkeypatch.setattr(FileLockedLogin, "save", conflict)
    with pytest.raises(SignInError) as raised:
        kept(OLD, store)
    assert raised.value.details == {"reason": "contended"}


def test_a_corrupt_old_login_is_replaced_by_an_explicit_sign_in(store: FileStore) -> None:
    assert isinstance(save(store.slot("acct_fake"), Record(OLD), None), Saved)
    store.slot("acct_fake").path.write_bytes(b"\0torn")
    credential, _ = sign_in(*SIGN_IN, store=store)
    record = store.slot("acct_fake").load()
    assert record is not None
    assert record.credential == credential


def test_a_credential_is_revoked_only_where_it_came_from() -> None:
    assert provider_of(OLD) == CODEX
    elsewhere = provider_of(attrs.evolve(OLD, issuer="http://127.0.0.1:8123"))
    assert elsewhere is not None
    assert elsewhere.revocation_endpoint == "http://127.0.0.1:8123/oauth/revoke"
    assert provider_of(attrs.evolve(OLD, client_id="another")) == attrs.evolve(CODEX, client_id="another")
    assert provider_of(attrs.evolve(OLD, issuer="http://evil.example")) is None


def test_workspaces_are_a_collection() -> None:
    with pytest.raises(TypeError, match="collection"):
        sign_in(*SIGN_IN, workspaces="acct_fake")  # type: ignore[arg-type]
