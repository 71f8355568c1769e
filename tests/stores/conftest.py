"""Stores for tests: each in a directory of its own, and without waiting for half-written files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores import login_file
from codex_oauth.stores.file_store import FileSlot
from tests.stores.logins import login, save
from tests.users import NOBODY, place_for_all


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_file, "_REREAD_AFTER", (0.0,))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> FileStore:
    return FileStore(home)


@pytest.fixture
def slot(store: FileStore) -> FileSlot:
    """The place of a login that is stored."""
    slot = store.slot("acct_1")
    save(slot, login(1), None)
    return slot


@pytest.fixture
def plain_user() -> Iterator[tuple[Path, int | None]]:
    """A directory, and the uid to be so that modes mean something (they mean nothing to root)."""
    place = Path(tempfile.mkdtemp(dir=place_for_all()))
    uid = NOBODY if os.geteuid() == 0 else None
    if uid is not None:
        os.chown(place, uid, uid)
    yield place, uid
    for path in [place, *place.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(place)
