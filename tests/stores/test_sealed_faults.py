"""Sealed logins with keyrings that hang, refuse or forget, and processes that need a key at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth import FileStore, SealedFileStore
from codex_oauth.stores.store import Saved, SaveFailed
from codex_oauth_core import ErrorKind, SignInError
from tests.stores.fake_keyrings import (
    SHOWN,
    ForgetfulKeyring,
    HangingKeyring,
    PlaintextKeyring,
    RefusingKeyring,
    SharedKeyring,
    WorkingKeyring,
)
from tests.stores.logins import delete, describe, discard, login, save
from tests.stores.sealed_stores import READ, WRITE, load_error, save_error
from tests.transport.servers import BUSY

SHORT = 0.2


@pytest.fixture
def keyring() -> WorkingKeyring:
    return WorkingKeyring()


@pytest.fixture
def sealed(home: Path, keyring: WorkingKeyring) -> SealedFileStore:
    """A store with a login in it."""
    store = SealedFileStore(home, keyring=keyring)
    save(store.slot("acct_1"), login(1), None)
    return store


@pytest.mark.parametrize("error", [OSError(SHOWN), ValueError(SHOWN), KeyboardInterrupt(SHOWN)])
def test_a_keyring_that_refuses_is_unavailable(
    home: Path, sealed: SealedFileStore, error: BaseException
) -> None:
    store = SealedFileStore(home, keyring=RefusingKeyring(error=error))
    assert load_error(store) == (READ, "keyring_unavailable")
    assert save_error(store, "acct_2") == (WRITE, "keyring_unavailable")
    assert store.names() == ("acct_1",)


def test_a_refused_key_is_in_no_frame_of_the_error(home: Path) -> None:
    store = SealedFileStore(home, keyring=RefusingKeyring(only_writing=True))
    with pytest.raises(SignInError) as failed:
        save(store.slot("acct_1"), login(1), None)
    assert describe(failed.value) == (WRITE, "keyring_unavailable")
    error: BaseException | None = failed.value
    while error is not None:
        assert SHOWN not in str(error)
        frame = error.__traceback__
        while frame is not None:
            assert frame.tb_frame.f_code.co_name != "set_password"
            assert {"new", "key", "password"}.isdisjoint(frame.tb_frame.f_locals)
            frame = frame.tb_next
        error = error.__cause__ or error.__context__
    assert store.names() == ()


def test_a_keyring_that_keeps_nothing_is_unavailable(home: Path) -> None:
    assert save_error(SealedFileStore(home, keyring=ForgetfulKeyring())) == (WRITE, "keyring_unavailable")
    assert not (home / "logins" / "acct_1.json").exists()


def test_a_keyring_that_hangs_is_left_alone_until_it_answers(
    home: Path, keyring: WorkingKeyring, sealed: SealedFileStore
) -> None:
    """S24: every call is bounded, and only one is ever left behind."""
    hanging = HangingKeyring(kept=keyring.kept)
    store = SealedFileStore(home, keyring=hanging, limit=SHORT)
    threads = threading.active_count()
    begun = time.monotonic()
    assert load_error(store) == (READ, "keyring_timeout")
    assert SHORT <= time.monotonic() - begun < BUSY
    begun = time.monotonic()
    assert [load_error(store)[1] for _ in range(20)] == ["keyring_timeout"] * 20
    assert save_error(store, "acct_2") == (WRITE, "keyring_timeout")
    assert time.monotonic() - begun < BUSY
    assert threading.active_count() == threads + 1
    hanging.let_go.set()
    _until(lambda: threading.active_count() == threads)
    assert store.slot("acct_1").load() == login(1)


def test_the_usual_limit_is_three_seconds(home: Path) -> None:
    assert SealedFileStore(home, keyring=WorkingKeyring()).seal.key.limit == 3.0


def test_a_thread_that_cannot_start_is_a_keyring_that_cannot_be_asked(
    home: Path, sealed: SealedFileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F35."""

    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    store = SealedFileStore(home, keyring=sealed.keyring)
    assert load_error(store) == (READ, "keyring_unavailable")


def test_a_key_that_arrives_late_is_still_the_only_one(home: Path) -> None:
    """Nobody makes a second key while the first one is on its way into the keyring."""
    late = HangingKeyring(hangs_in="set")
    first = SealedFileStore(home, keyring=late, limit=SHORT)
    assert save_error(first) == (WRITE, "keyring_timeout")
    prompt = WorkingKeyring(kept=late.kept, calls=late.calls)
    second = SealedFileStore(home, keyring=prompt, limit=SHORT)
    assert save_error(second, "acct_2") == (WRITE, "keyring_timeout")
    assert late.kept == {}
    late.let_go.set()
    _until(lambda: bool(late.kept))
    _until(lambda: _is_saved(second, "acct_2"))
    _until(lambda: _is_saved(first, "acct_1"))
    assert late.calls.count("set") == 1
    assert second.slot("acct_1").load() == login(9)


def _is_saved(store: SealedFileStore, account_id: str) -> bool:
    try:
        return save(store.slot(account_id), login(9, account_id), None) == Saved()
    except SignInError as error:
        if error.details["reason"] != "keyring_timeout":
            raise
        return False


def _until(true: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 120
    while not true():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


@pytest.mark.parametrize(
    "keyring", [PlaintextKeyring(), type("Other", (PlaintextKeyring,), {"__module__": "keyrings.alt.file"})()]
)
def test_a_keyring_that_anybody_can_read_is_refused(home: Path, keyring: WorkingKeyring) -> None:
    assert save_error(SealedFileStore(home, keyring=keyring)) == (WRITE, "keyring_unavailable")
    assert keyring.calls == []


def test_signing_out_needs_no_key(home: Path, sealed: SealedFileStore) -> None:
    store = SealedFileStore(home, keyring=RefusingKeyring())
    discard(store.slot("acct_1"))
    assert store.names() == ()
    assert [path.name for path in (home / "logins").glob("acct_1.json*")] == []


def test_deleting_by_who_knows_what_is_stored_works_as_ever(sealed: SealedFileStore) -> None:
    delete(sealed.slot("acct_1"), login(1).fingerprint)
    assert sealed.names() == ()


# -- several processes ---------------------------------------------------------------------------------

_SAVER = """
import sys
from pathlib import Path
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.sealed_file_store import SealedFileStore
from tests.stores.fake_keyrings import SharedKeyring
from tests.stores.logins import login, save
place, number = Path(sys.argv[1]), int(sys.argv[2])
store = SealedFileStore(place / "home", keyring=SharedKeyring(place / "keyring"), limit=30.0)
import cryptography.hazmat.primitives.ciphers.aead, filelock
print("ready", flush=True)
sys.stdin.readline()
save(store.slot(f"acct_{number}"), login(number, f"acct_{number}"), None)
"""


def test_processes_that_save_first_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    (tmp_path / "keyring").mkdir()
    command = [sys.executable, "-W", "error", "-c", _SAVER, str(tmp_path)]
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    numbers = range(1, 5)
    savers = [
        subprocess.Popen(
            [*command, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for number in numbers
    ]
    for saver in savers:
        assert saver.stdout is not None
        assert saver.stdout.readline() == "ready\n"
    for saver in savers:
        assert saver.stdin is not None
        saver.stdin.write("\n")
        saver.stdin.flush()
    for saver in savers:
        saver.communicate(timeout=120)
        assert saver.returncode == 0
    store = SealedFileStore(tmp_path / "home", keyring=SharedKeyring(tmp_path / "keyring"))
    for number in numbers:
        assert store.slot(f"acct_{number}").load() == login(number, f"acct_{number}")
    assert (tmp_path / "keyring" / "log").read_text() == "set\n"


def test_a_sealed_login_in_a_plain_store_is_named_and_never_put_aside(
    home: Path, sealed: SealedFileStore
) -> None:
    slot = FileStore(home).slot("acct_1")
    assert load_error(FileStore(home)) == (ErrorKind.AUTH_READ_FAILED, "sealed")
    held = slot.lock()
    assert held is not None
    with held, pytest.raises(SaveFailed):
        held.save(login(2), None, replace_corrupt=True)
    assert sealed.slot("acct_1").load() == login(1)
