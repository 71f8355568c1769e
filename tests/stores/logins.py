"""Fake logins, and children in which a process-wide setting can be changed or a process killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth_core import Credential, ErrorKind, Record, Secret, SignInError
from tests.users import NOBODY

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away and make devices")


def given_away(path: Path) -> None:
    """Make another user the owner."""
    os.chown(path, NOBODY, NOBODY)


def login(number: int = 1, account_id: str = "acct_1", **fields: Any) -> Record:
    """A record whose tokens hold `number`."""
    credential = Credential(
        access_token=Secret(f"canary-access-{number}"),
        refresh_token=Secret(f"canary-refresh-{number}"),
        account_id=account_id,
        issuer="https://auth.example",
        client_id="app_1",
        obtained_at="2027-01-15T08:00:07Z",
    )
    return attrs.evolve(Record(credential), **fields)


def describe(error: SignInError) -> tuple[ErrorKind, Any]:
    """What a test says about an error; the error must show no secret, and name a path."""
    assert "canary" not in f"{error!r} {error} {error.to_dict()}"
    assert error.details["path"]
    return error.kind, error.details["reason"]


def locked(slot: FileSlot) -> FileLockedLogin:
    """The lock, which must be free."""
    held = slot.lock()
    assert held is not None
    return held


def save(
    slot: FileSlot, record: Record, expected: str | None, replace_corrupt: bool = False
) -> Saved | Conflict:
    """Save under the lock. A failure is the error that a flow is told."""
    with locked(slot) as held:
        try:
            return held.save(record, expected, replace_corrupt=replace_corrupt)
        except SaveFailed as failed:
            raise failed.error from failed.__cause__


def delete(slot: FileSlot, expected: str | None) -> Deleted | Conflict:
    """Delete under the lock."""
    with locked(slot) as held:
        return held.delete(expected)


def discard(slot: FileSlot) -> Deleted | Conflict:
    """Delete under the lock, whatever is stored, as a person's sign-out does."""
    with locked(slot) as held:
        expected: str | None = None
        with contextlib.suppress(SignInError):
            stored = held.load()
            expected = None if stored is None else stored.fingerprint
        return held.delete(expected, even_corrupt=True)


def renewed(record: Record, number: int, **fields: Any) -> Record:
    """What a renewal made of `record`."""
    token = record.credential.refresh_token
    assert token is not None
    account_id = record.credential.account_id or "acct_1"
    after = login(number, account_id, generation=record.generation + 1, parent=token.fingerprint())
    return attrs.evolve(after, **fields)


def tree(root: Path) -> dict[str, int]:
    """Every path under `root` but the locks', which stay for ever, with its mode."""
    return {
        os.fspath(path.relative_to(root)): path.lstat().st_mode & 0o7777
        for path in sorted(root.rglob("*"))
        if path.suffix != ".lock"
    }


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException) -> Generator[None]:
    """Let a function of `os` fail where it is about a file's content or its new name."""
    real = getattr(os, step)

    def fail(*args: Any, **options: Any) -> Any:
        if step == "open" and not args[1] & os.O_CREAT:
            return real(*args, **options)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        yield


def names(place: Path) -> set[str]:
    """What is directly in `place`, but for locks, which stay for ever."""
    return {path.name for path in place.iterdir() if path.suffix != ".lock"}


PRELUDE = """
import encodings.idna, filelock, os, platformdirs, socket, sys, traceback
from pathlib import Path
from codex_oauth.stores import file_store, files, paths
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.errors import SignInError
from tests.stores.logins import delete, describe, discard, locked, login, renewed, save, tree
from tests.users import become
uid, umask = int(sys.argv[1]), int(sys.argv[2])
become(uid if uid >= 0 else None)
if umask >= 0:
    os.umask(umask)
"""


def child(
    code: str,
    *,
    uid: int | None = None,
    umask: int | None = None,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
    before: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new interpreter, as another user or with another umask if asked; `before` is the
    command that starts it. An environment variable of None is removed.
    """
    changed = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})}
    arguments = [str(-1 if uid is None else uid), str(-1 if umask is None else umask)]
    return subprocess.run(
        [*before, sys.executable, "-W", "error", "-c", PRELUDE + code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env={name: value for name, value in changed.items() if value is not None},
    )
