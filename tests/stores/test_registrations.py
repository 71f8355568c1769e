"""Registrations and the name of the machine as files of a home: private, whole, made once, and handed to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from codex_oauth import FileStore, SealedFileStore
from codex_oauth.stores.registrations import host_id
from codex_oauth.stores.store import StoreWarning, keeps_registrations
from codex_oauth.testing.registration_checks import registered
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.fake_keyrings import WorkingKeyring
from tests.stores.logins import describe, tree

READ, WRITE, CORRUPT = ErrorKind.AUTH_READ_FAILED, ErrorKind.AUTH_WRITE_FAILED, ErrorKind.CORRUPT_AUTH
PROCESSES = 6


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "home")


# -- registrations -------------------------------------------------------------------------------------


def test_a_registration_is_a_private_file_of_its_own(store: FileStore) -> None:
    before = os.umask(0)
    try:
        store.register(registered())
    finally:
        os.umask(before)
    assert tree(store.home) == {"registrations": 0o700, "registrations/oaiapp_1.json": 0o600}


def test_another_process_finds_what_was_registered(store: FileStore) -> None:
    store.register(registered())
    assert FileStore(store.home).registrations() == (registered(),)


def test_a_sealed_store_keeps_registrations_as_they_are(tmp_path: Path) -> None:
    store = SealedFileStore(tmp_path / "home", keyring=WorkingKeyring())
    store.register(registered())
    assert FileStore(tmp_path / "home").registrations() == store.registrations() == (registered(),)


def test_looking_makes_nothing(store: FileStore) -> None:
    assert store.registrations() == ()
    assert not store.home.exists()


def test_a_file_of_something_else_is_no_registration(store: FileStore) -> None:
    store.register(registered())
    for name in ("notes.txt", "oaiapp 1.json", "oaiapp_1.json.0123456789abcdef.tmp"):
        (store.home / "registrations" / name).write_text("{}")
    assert store.registrations() == (registered(),)


def test_what_cannot_be_read_is_told_with_its_path(store: FileStore) -> None:
    store.register(registered())
    path = store.home / "registrations" / "oaiapp_1.json"
    path.write_text("{")
    with pytest.raises(SignInError) as caught:
        store.registrations()
    assert caught.value.kind is CORRUPT
    assert caught.value.details["path"] == str(path)


def test_a_registration_under_another_name_is_refused(store: FileStore) -> None:
    store.register(registered())
    (store.home / "registrations" / "oaiapp_1.json").rename(store.home / "registrations" / "oaiapp_2.json")
    with pytest.raises(SignInError) as caught:
        store.registrations()
    assert describe(caught.value) == (CORRUPT, "other_client")


def test_a_link_is_not_followed(store: FileStore, tmp_path: Path) -> None:
    store.register(registered())
    path = store.home / "registrations" / "oaiapp_1.json"
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(SignInError) as caught:
        store.registrations()
    assert describe(caught.value) == (READ, "symlink")


def test_a_failure_leaves_the_old_registration(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.register(registered())
    before = (store.home / "registrations" / "oaiapp_1.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "prose")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SignInError) as caught:
        store.register(registered(2))
    assert describe(caught.value) == (WRITE, "disk_full")
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in (store.home / "registrations").iterdir()} == {
        "oaiapp_1.json": before
    }


def test_a_store_of_an_earlier_release_keeps_none() -> None:
    class Earlier:
        def names(self) -> tuple[str, ...]:
            return ()

    assert not keeps_registrations(Earlier())  # type: ignore[arg-type]  # it is no store at all
    assert keeps_registrations(FileStore("/somewhere"))


# -- the name of the machine ---------------------------------------------------------------------------


def test_the_name_is_on_the_disk_and_private(store: FileStore) -> None:
    name = store.host_id()
    assert (store.home / "host-id").read_text() == f"{name}\n"
    assert tree(store.home) == {"host-id": 0o600}  # and its lock
    assert name.startswith("urn:uuid:")
    assert name[23] == "4"


def test_the_name_tells_nothing_of_the_person_or_the_machine(store: FileStore, tmp_path: Path) -> None:
    names = {store.host_id(), FileStore(tmp_path / "other").host_id()}
    assert len(names) == 2


@pytest.mark.parametrize("soft", [False, True])
def test_processes_that_ask_at_once_agree(store: FileStore, *, soft: bool) -> None:
    code = f"""
import sys
from codex_oauth import FileStore
sys.stdin.readline()
print(FileStore({str(store.home)!r}, soft_lock={soft}).host_id())
"""
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for process in asking:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = {process.communicate(timeout=60)[0] for process in asking}
    assert said == {f"{FileStore(store.home, soft_lock=soft).host_id()}\n"}


@pytest.mark.parametrize(
    "name",
    [
        "urn:ietf:params:oauth:jwk-thumbprint:sha-256:abc",
        "did:key:z6Mk",
        "urn:uuid:" + "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    ],
)
def test_a_name_of_ones_own_is_kept(store: FileStore, name: str) -> None:
    store.host_id()
    (store.home / "host-id").write_text(name)
    assert store.host_id() == name


@pytest.mark.parametrize("damage", ["", "annas-laptop", "urn:uuid:x", "did:key:a b", "x" * 2000])
def test_what_is_no_name_is_made_anew_once(store: FileStore, damage: str) -> None:
    first = store.host_id()
    (store.home / "host-id").write_text(damage)
    made = store.host_id()
    assert made not in (first, damage)
    assert store.host_id() == made


def test_a_name_that_others_may_change_is_made_private(store: FileStore) -> None:
    name = store.host_id()
    (store.home / "host-id").chmod(0o666)
    with pytest.warns(StoreWarning):
        assert store.host_id() == name


def test_who_holds_the_lock_for_ever_is_named(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_oauth.stores.registrations._PATIENCE", 0.1)
    store.home.mkdir(mode=0o700)
    (store.home / "host-id.softlock").write_text("1")
    with pytest.raises(SignInError) as caught:
        attrs.evolve(store, soft_lock=True).host_id()
    assert describe(caught.value) == (WRITE, "host_id_locked")


def test_a_home_with_nothing_but_these_is_ours_alone(store: FileStore) -> None:
    store.host_id()
    store.register(registered())
    store.home.chmod(0o755)
    store.register(registered(2, "oaiapp_2"))
    assert store.home.stat().st_mode & 0o777 == 0o700


def test_without_a_store_the_usual_home_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path / "usual"))
    assert host_id() == FileStore().host_id() == host_id(tmp_path / "usual")
