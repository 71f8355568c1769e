"""Whether a lock holds where the logins are: taken twice, by this process and by another one.

Rules of this file: the lock is one of its own beside the logins, and its file is removed at the end; no
login's lock is touched; the other process is this same Python, and is waited for no longer
than `LOCK_TEST_LIMIT`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from codex_oauth.doctor.context import Area, Context, Finding, ok, problem, skipped, store_of
from codex_oauth.stores.failures import ADVICE, FileProblem, explained
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.files import Directory, open_directory, remove_name
from codex_oauth.stores.locks import LoginLock, take_lock
from codex_oauth.stores.names import LOGINS
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["LOCK_FAILED", "LOCK_GIVEN", "LOCK_REFUSED", "LOCK_TEST_LIMIT", "check", "main"]

LOCK_TEST_LIMIT: Final = 20.0
"""Seconds for the other process to start, try and end."""

LOCK_GIVEN: Final = "given"
LOCK_REFUSED: Final = "refused"
LOCK_FAILED: Final = "failed"
_THIS: Final = "this process"
_OTHER: Final = "another process"
_NAME: Final = "lock"
_AREA: Final = Area.STORAGE
_BROKEN: Final = "Two programs could renew the login at once, which ends it. " + ADVICE["no_locks"]


def check(context: Context) -> Iterator[Finding]:
    """Take a lock, try to take it again, give it back, and try once more."""
    store = store_of(context)
    where = None if isinstance(store, SignInError) else _place(store)
    if where is None:
        yield skipped(_NAME, _AREA, "not tried: there is no directory for logins yet")
        return
    try:
        directory = open_directory(where)
        if directory is None:
            yield skipped(_NAME, _AREA, "not tried: the directory was deleted meanwhile")
            return
        with directory:
            yield _tried(directory, f"doctor-{os.urandom(8).hex()}.lock")
    except (FileProblem, OSError) as trouble:
        error = explained(ErrorKind.AUTH_WRITE_FAILED, where, trouble)
        text = f"cannot be taken: {error.details['reason']}"
        yield problem(_NAME, _AREA, text, *error.next_actions, subject=str(where))


def _place(store: FileStore) -> Path | None:
    places = (store.home / LOGINS, store.home)
    return next((place for place in places if os.path.isdir(place)), None)  # noqa: PTH112  # never raises


def _tried(directory: Directory, name: str) -> Finding:
    subject = str(directory.path)
    try:
        held, after = _attempts(directory, name)
    finally:
        remove_name(directory, name)
    faults = [f"{who} got the lock while it was held" for who, came in held if came == LOCK_GIVEN]
    faults += [f"{who} was refused a lock that nobody held" for who, came in after if came == LOCK_REFUSED]
    if faults:
        return problem(_NAME, _AREA, "; ".join(faults), _BROKEN, subject=subject)
    elsewhere = [came for who, came in (*held, *after) if who == _OTHER and came == LOCK_FAILED]
    against = "this process; no other one could be started" if elsewhere else "this process and another"
    return ok(_NAME, _AREA, f"holds against {against}", subject)


def _attempts(directory: Directory, name: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What came of taking the lock while it was held, and after it was given back, and who tried."""
    first = take_lock(directory, name, soft=False)
    if first is None:
        return [], [(_THIS, LOCK_REFUSED)]
    try:
        held = _by_both(directory, name)
    finally:
        first.give_back()
    return held, _by_both(directory, name)


def _by_both(directory: Directory, name: str) -> list[tuple[str, str]]:
    return [(_THIS, _attempt(directory, name)), (_OTHER, _elsewhere(directory.path, name))]


def _attempt(directory: Directory, name: str) -> str:
    lock: LoginLock | None = take_lock(directory, name, soft=False)
    if lock is None:
        return LOCK_REFUSED
    lock.give_back()
    return LOCK_GIVEN


def _elsewhere(where: Path, name: str) -> str:
    if not sys.executable or getattr(sys, "frozen", False):  # an application would start itself again
        return LOCK_FAILED
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter, and arguments of ours
            [sys.executable, "-P", "-m", __name__, os.fspath(where), name],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LOCK_TEST_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return LOCK_FAILED
    return done.stdout if done.stdout in (LOCK_GIVEN, LOCK_REFUSED) else LOCK_FAILED


def main() -> None:
    """The other process: says whether it got the lock."""
    directory = open_directory(Path(sys.argv[1]))
    assert directory is not None
    with directory:
        sys.stdout.write(_attempt(directory, sys.argv[2]))


if __name__ == "__main__":
    main()
