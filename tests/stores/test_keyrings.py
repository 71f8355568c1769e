"""Which keyring is used where none is named: never one that is not safe, and none that must be started."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import pytest

from codex_oauth import SealedFileStore
from codex_oauth.stores.keyring_key import usable_keyring
from codex_oauth.stores.login_file import SealBroken
from codex_oauth_core import SignInError
from tests.stores.fake_keyrings import PlaintextKeyring, WorkingKeyring
from tests.stores.logins import login, save

on_linux = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="keyrings need no bus there")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whether the library was asked for its keyring; there is a session bus."""
    calls: list[str] = []

    def get_keyring() -> WorkingKeyring:
        calls.append("asked")
        return WorkingKeyring()

    monkeypatch.setattr(keyring, "get_keyring", get_keyring)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return calls


def reason(given: Any = None) -> str:
    with pytest.raises(SealBroken) as broken:
        usable_keyring(given)
    return broken.value.reason


def test_the_librarys_keyring_is_used(asked: list[str]) -> None:
    assert isinstance(usable_keyring(), WorkingKeyring)
    assert asked == ["asked"]


@pytest.mark.parametrize(
    "backend", [keyring.backends.fail.Keyring, keyring.backends.null.Keyring, PlaintextKeyring]
)
def test_no_keyring_and_an_open_one_are_unavailable(
    backend: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reason(backend()) == "keyring_unavailable"
    monkeypatch.setattr(keyring, "get_keyring", backend)
    assert reason() == "keyring_unavailable"


def test_of_a_chain_the_first_usable_keyring_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    backend: Any = keyring.backends.chainer.ChainerBackend
    chain, good = backend(), WorkingKeyring()
    links: list[Any] = [PlaintextKeyring(), good, WorkingKeyring()]
    monkeypatch.setattr(backend, "backends", links)
    assert usable_keyring(chain) is good
    del links[1:]
    assert reason(chain) == "keyring_unavailable"


@on_linux
@pytest.mark.parametrize("address", [None, "", "autolaunch:", "autolaunch:scope=*window-session"])
@pytest.mark.parametrize("runtime", [None, "", "empty", "a-file"])
def test_without_a_session_bus_no_keyring_is_looked_for(
    address: str | None,
    runtime: str | None,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """S24: looking for one could start a daemon."""
    _set(monkeypatch, "DBUS_SESSION_BUS_ADDRESS", address)
    _set(monkeypatch, "XDG_RUNTIME_DIR", str(tmp_path) if runtime in ("empty", "a-file") else runtime)
    if runtime == "a-file":
        (tmp_path / "bus").touch()
    assert reason() == "keyring_unavailable"
    behind_a_bus = type("Keyring", (WorkingKeyring,), {"__module__": "keyring.backends.SecretService"})
    assert reason(behind_a_bus()) == "keyring_unavailable"
    assert asked == []
    assert isinstance(usable_keyring(WorkingKeyring()), WorkingKeyring)  # its owner knows


def _set(monkeypatch: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, value)


@pytest.fixture
def runtime_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as bus:  # a short path
        bus.bind(f"{place}/bus")
        yield Path(place)


@on_linux
def test_the_usual_socket_of_a_session_bus_will_do(
    runtime_directory: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_directory))
    assert isinstance(usable_keyring(), WorkingKeyring)
    assert asked == ["asked"]


@pytest.mark.parametrize("missing", ["keyring", "cryptography.hazmat.primitives.ciphers.aead"])
def test_a_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    store = SealedFileStore(tmp_path / "home")
    with pytest.raises(SignInError) as prepared:
        store.prepare()
    with pytest.raises(SignInError) as saved:
        save(store.slot("acct_1"), login(1), None)
    for failed in (prepared, saved):
        assert failed.value.details["reason"] == "extra_missing"
        assert failed.value.next_actions == ("Install the extra: pip install 'codex-oauth[keyring]'",)


def test_neither_library_is_loaded_before_it_is_needed() -> None:
    code = """
import sys
from codex_oauth.stores.sealed_file_store import SealedFileStore
SealedFileStore("/tmp/nowhere").names()
print([name for name in ("keyring", "cryptography", "filelock") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
