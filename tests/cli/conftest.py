"""A home of the test's own, with a store of ours and a login of the Codex CLI in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.cli.output import Loudness, speak
from tests.cli.transfers import write


@pytest.fixture(autouse=True)
def as_loud_as_usual() -> None:
    """What a command of an earlier test was told by `--quiet` or `--verbose` is forgotten."""
    speak(Loudness.USUAL)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CODEX_HOME", raising=False)
    return tmp_path


@pytest.fixture
def store(own_home: Path) -> FileStore:
    return FileStore(own_home / "ours")


@pytest.fixture
def theirs(own_home: Path) -> Path:
    """The Codex CLI's file, in its usual place."""
    path = own_home / ".codex" / "auth.json"
    path.parent.mkdir(mode=0o755)
    return write(path)
