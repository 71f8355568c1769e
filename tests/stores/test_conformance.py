"""What every store does, by the published checks. A new store joins by one row in `MAKERS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth import FileStore, MemoryStore, SealedFileStore
from codex_oauth.stores.store import KeepsRegistrations
from codex_oauth.testing import REGISTRATION_CHECKS, STORE_CHECKS, RegistrationCheck, StoreCheck
from tests.stores.fake_keyrings import WorkingKeyring


def _linked(place: Path) -> FileStore:
    (place / "real").mkdir(mode=0o700)
    (place / "home").symlink_to("real")
    return FileStore(place / "home", follow_symlinks=True)


MAKERS: dict[str, Callable[[Path], KeepsRegistrations]] = {
    "memory": lambda place: MemoryStore(),
    "files": lambda place: FileStore(place / "home"),
    "files-soft-lock": lambda place: FileStore(place / "home", soft_lock=True),
    "files-through-a-link": _linked,
    "sealed": lambda place: SealedFileStore(place / "home", keyring=WorkingKeyring()),
}


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
def test_the_store_passes(
    make: Callable[[Path], KeepsRegistrations], check: StoreCheck, tmp_path: Path
) -> None:
    check(make(tmp_path))


@pytest.mark.parametrize("check", REGISTRATION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
def test_the_store_keeps_registrations(
    make: Callable[[Path], KeepsRegistrations], check: RegistrationCheck, tmp_path: Path
) -> None:
    check(make(tmp_path))
