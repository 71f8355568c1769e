"""All checks, in the order in which they are told.

Rules of this file: rows only, and the one place that keeps a check's bug from hiding what the others found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from codex_oauth.doctor import (
    certificates,
    disk,
    environment,
    keyring,
    leftovers,
    locking,
    logins,
    place,
    ports,
    proxy,
    server,
    shared,
    versions,
)
from codex_oauth.doctor.context import Area, Context, Finding, problem
from codex_oauth.project import ISSUES_URL
from codex_oauth.stores.failures import shown
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["CHECKS", "Check", "examine"]

Check = Callable[[Context], Iterable[Finding]]

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("versions", versions.check),
    ("environment", environment.check),
    ("proxy", proxy.check),
    ("certificates", certificates.check),
    ("server", server.check),
    ("ports", ports.check),
    ("place", place.check),  # before anything reads a login, which puts some of it right
    ("disk", disk.check),
    ("locking", locking.check),
    ("leftovers", leftovers.check),
    ("logins", logins.check),
    ("shared", shared.check),
    ("keyring", keyring.check),
)
"""The checks by their names."""

_BUG: Final = f"This is a bug in codex-oauth. Please report it: {ISSUES_URL}"
_RIGHTS: Final = "Check the rights of this user, and try again: codex-oauth doctor"
_STORAGE: Final = (ErrorKind.CORRUPT_AUTH, ErrorKind.AUTH_READ_FAILED, ErrorKind.AUTH_WRITE_FAILED)


def examine(context: Context, checks: Iterable[tuple[str, Check]] = CHECKS) -> Iterator[Finding]:
    """All findings. A check that fails is one, too, and says why; the others go on."""
    for name, check in checks:
        try:
            yield from check(context)
        except SignInError as error:
            yield problem(name, _area(error), f"this check failed: {error.message}", *error.next_actions)
        except OSError as error:
            yield _by_the_system(name, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, the other checks are worth having
            yield problem(name, Area.ITSELF, f"this check failed with {type(error).__name__}", _BUG)


def _area(error: SignInError) -> Area:
    return Area.STORAGE if error.kind in _STORAGE else Area.ITSELF


def _by_the_system(name: str, error: OSError) -> Finding:
    """What the system does not let this program look at is no bug."""
    why = error.strerror or type(error).__name__
    path = error.filename if isinstance(error.filename, str) else None
    return problem(name, Area.ITSELF, f"this check failed: {why}", _RIGHTS, subject=path and shown(path))
