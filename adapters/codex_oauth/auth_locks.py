"""The locks under which the Codex CLI replaces its `auth.json`, so that a login is taken from it between two
of its own writes.

Rules of this file: they are the kernel's, on files beside it that stay; always in the same order; waiting for
them is bounded; the Codex CLI holds them for a moment, so they are never held here over a wait for anything.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.auth_file import directory_of
from codex_oauth.stores.directory import Directory
from codex_oauth.stores.failures import shown
from codex_oauth.stores.locks import LoginLock, take_lock
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["LOCK_LIMIT", "locked"]

LOCK_LIMIT: float = 10.0
"""Seconds to wait for the locks, in all."""

_STEP: Final = 0.05
_HOME_LOCK: Final = "auth.lock"


@contextmanager
def locked(where: Path, target: Path) -> Generator[None]:
    """Hold the locks of the `auth.json` at `where`, which is the file `target` or a link to it.

    Raises SignInError: `network` (`details.reason`: `lock_busy`); FileProblem (`no_locks`, or as a file that
    is to be replaced), OSError.
    """
    give_up_at = time.monotonic() + LOCK_LIMIT
    beside = (where.with_name(_HOME_LOCK), target.with_name(f"{target.name}.lock"))
    paths = dict.fromkeys(Path(os.path.realpath(path.parent), path.name) for path in beside)
    with ExitStack() as closing:
        for path in paths:
            directory = closing.enter_context(directory_of(path))
            closing.callback(_taken(directory, path, give_up_at).give_back)
        yield


def _taken(directory: Directory, path: Path, give_up_at: float) -> LoginLock:
    while True:
        lock = take_lock(directory, path.name, soft=False)
        if lock is not None:
            return lock
        if time.monotonic() >= give_up_at:
            raise _busy(path)
        time.sleep(_STEP)


def _busy(path: Path) -> SignInError:
    text = "Another program, probably the Codex CLI, has held the lock of its login for too long."
    error = SignInError.of(ErrorKind.NETWORK, text, reason="lock_busy", path=shown(path))
    return attrs.evolve(error, next_actions=("End all running sessions of the Codex CLI, and try again.",))
