"""A seal between a login and its file: nothing reaches the disk unsealed, and every failure has a name."""

from __future__ import annotations

import errno
from pathlib import Path

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.stores.failures import ADVICE
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.login_file import SealBroken
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth.testing import STORE_CHECKS, StoreCheck
from codex_oauth_core import ErrorKind, Secret, SignInError
from codex_oauth_core.record import LONGEST_RECORD
from tests.stores.logins import delete, describe, discard, failing, locked, login, names, renewed, save


@attrs.define
class Mask:
    """A seal for tests: it hides the content behind one byte, and the byte may be lost."""

    key: int | None = 0x5A
    growth: int = 0

    def seal(self, content: Secret[bytes]) -> Secret[bytes]:
        return Secret(b"sealed:" + self._masked(content.reveal()) + bytes(self.growth))

    def unseal(self, content: Secret[bytes]) -> Secret[bytes]:
        masked = content.reveal().rstrip(b"\0") if self.growth else content.reveal()
        opened = self._masked(masked.removeprefix(b"sealed:"))
        if not masked.startswith(b"sealed:") or not opened.startswith(b"{") or not opened.endswith(b"}\n"):
            raise SealBroken("sealed_wrong")
        return Secret(opened)

    def _masked(self, content: bytes) -> bytes:
        if self.key is None:
            raise SealBroken("no_key")
        return bytes(byte ^ self.key for byte in content)


@pytest.fixture
def mask() -> Mask:
    return Mask()


@pytest.fixture
def sealed(home: Path, mask: Mask) -> FileSlot:
    slot = FileStore(home, seal=mask).slot("acct_1")
    save(slot, login(1), None)
    return slot


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_a_store_with_a_seal_is_a_store(home: Path, mask: Mask, check: StoreCheck) -> None:
    check(FileStore(home, seal=mask))


def test_nothing_of_a_login_is_written_unsealed(sealed: FileSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed.rescue(login(7))
    with locked(sealed) as held:
        held.reserve(login(7))
        with failing(monkeypatch, "replace", OSError(errno.EIO, "prose")), pytest.raises(SaveFailed):
            held.save(renewed(login(7), 8), login(7).fingerprint)
    written = [path.read_bytes() for path in sealed.home.rglob("*") if path.is_file()]
    assert len(written) >= 3
    assert not [content for content in written if b"canary" in content or b"acct_1" in content]
    with locked(sealed) as held:
        assert held.load() == renewed(login(7), 8)


def test_a_store_shows_nothing_of_its_seal(home: Path) -> None:
    store = FileStore(home, seal=Mask(key=77))
    shown = f"{store!r} {store.slot('acct_1')!r}".replace(str(home), "")  # which may have any number in it
    assert "77" not in shown


def test_without_the_key_nothing_is_read_replaced_or_lost(sealed: FileSlot, mask: Mask) -> None:
    sealed.path.with_name("acct_1.json.0123456789abcdef.tmp").write_bytes(b"sealed:")
    before = sealed.path.read_bytes()
    mask.key = None
    with pytest.raises(SignInError) as caught:
        sealed.load()
    assert describe(caught.value) == (ErrorKind.AUTH_READ_FAILED, "no_key")
    assert caught.value.next_actions == (ADVICE["no_key"],)
    for replace_corrupt in (False, True):
        with pytest.raises(SignInError) as caught:
            save(sealed, login(2), login(1).fingerprint, replace_corrupt)
        assert describe(caught.value) == (ErrorKind.AUTH_WRITE_FAILED, "no_key")
    with pytest.raises(SignInError) as caught:
        delete(sealed, login(1).fingerprint)
    assert describe(caught.value)[1] == "no_key"
    with pytest.raises(SignInError) as caught:
        sealed.rescue(login(2))
    assert describe(caught.value) == (ErrorKind.AUTH_WRITE_FAILED, "no_key")
    assert sealed.path.read_bytes() == before
    assert len(names(sealed.path.parent)) == 2  # what cannot be judged is not removed


def test_a_sign_out_needs_no_key(sealed: FileSlot, mask: Mask) -> None:
    mask.key = None
    assert discard(sealed) == Deleted()
    assert names(sealed.path.parent) == set()


def test_a_copy_that_cannot_be_unsealed_just_now_stops_a_renewal(sealed: FileSlot, mask: Mask) -> None:
    with locked(sealed) as held:
        sealed.rescue(login(5))
        key, mask.key = mask.key, None
        held.release()
    mask.key = key
    unseal = mask.unseal
    asked: list[int] = []

    class Halting:
        def seal(self, content: Secret[bytes]) -> Secret[bytes]:
            return mask.seal(content)

        def unseal(self, content: Secret[bytes]) -> Secret[bytes]:
            asked.append(1)
            if len(asked) == 2:  # the stored one is first
                raise SealBroken("key_timeout")
            return unseal(content)

    slot = FileStore(sealed.home, seal=Halting()).slot("acct_1")
    with locked(slot) as held, pytest.raises(SignInError) as caught:
        held.reserve(login(1))
    assert describe(caught.value) == (ErrorKind.AUTH_READ_FAILED, "key_timeout")
    with locked(sealed) as held:
        assert held.load() == login(5)


def test_another_key_is_a_damaged_login_that_a_new_sign_in_puts_aside(sealed: FileSlot, mask: Mask) -> None:
    mask.key = 0x11
    with pytest.raises(SignInError) as caught:
        sealed.load()
    assert describe(caught.value) == (ErrorKind.CORRUPT_AUTH, "sealed_wrong")
    assert save(sealed, login(2), None, replace_corrupt=True) == Saved()
    assert sealed.load() == login(2)
    assert sealed.path.with_name("acct_1.json.corrupt-1").exists()


def test_a_plain_login_is_not_taken_for_a_sealed_one_nor_the_other_way_round(
    sealed: FileSlot, home: Path, mask: Mask
) -> None:
    plain = FileStore(home).slot("acct_1")
    with pytest.raises(SignInError) as caught:
        plain.load()
    assert describe(caught.value) == (ErrorKind.CORRUPT_AUTH, "not_json")
    discard(plain)
    save(plain, login(1), None)
    with pytest.raises(SignInError) as caught:
        sealed.load()
    assert describe(caught.value) == (ErrorKind.CORRUPT_AUTH, "sealed_wrong")


def test_a_key_that_is_lost_after_the_spend_is_told(sealed: FileSlot, mask: Mask) -> None:
    with locked(sealed) as held:
        held.reserve(login(1))
        mask.key = None
        with pytest.raises(SaveFailed) as caught:
            held.save(renewed(login(1), 2), login(1).fingerprint)
    assert describe(caught.value.error) == (ErrorKind.AUTH_WRITE_FAILED, "no_key")
    assert not caught.value.rescued


def test_a_sealed_login_may_be_longer_but_not_without_end(home: Path) -> None:
    slot = FileStore(home, seal=Mask(growth=LONGEST_RECORD)).slot("acct_1")
    assert save(slot, login(1), None) == Saved()
    assert slot.load() == login(1)
    endless = FileStore(home, seal=Mask(growth=2 * LONGEST_RECORD)).slot("acct_1")
    with pytest.raises(SignInError) as caught:
        save(endless, login(2), login(1).fingerprint)
    assert describe(caught.value) == (ErrorKind.AUTH_WRITE_FAILED, "not_storable")
    slot.path.write_bytes(b"sealed:" + bytes(3 * LONGEST_RECORD))
    with pytest.raises(SignInError) as caught:
        slot.load()
    assert describe(caught.value) == (ErrorKind.CORRUPT_AUTH, "too_big")


def test_a_conflict_is_seen_through_a_seal(sealed: FileSlot) -> None:
    assert save(sealed, login(2), None) == Conflict(login(1))
