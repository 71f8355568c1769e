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
from codex_oauth.doctor.case import Case
from codex_oauth.doctor.finding import Area, Finding, problem

__all__ = ["CHECKS", "Check", "examine"]

Check = Callable[[Case], Iterable[Finding]]

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

_BUG: Final = "This is a bug in codex-oauth, please report it."


def examine(case: Case, checks: Iterable[tuple[str, Check]] = CHECKS) -> Iterator[Finding]:
    """All findings. A check that fails in an unexpected way is one, too."""
    for name, check in checks:
        try:
            yield from check(case)
        except Exception as error:  # noqa: BLE001  # whatever it is, the other checks are worth having
            yield problem(name, Area.ITSELF, f"the check ended with {type(error).__name__}", _BUG)
