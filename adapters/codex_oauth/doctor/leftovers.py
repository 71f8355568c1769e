"""What was left beside the logins, and wherever else something is written that may hold a secret: by writers
that were cut off, and by logins that could not be read.

Rules of this file: names are read and nothing else; all of it may hold tokens, so nothing is removed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.auth_file import codex_auth_path
from codex_oauth.doctor.context import Area, Context, Finding, ok, skipped, store_of, warn
from codex_oauth.stores.files import is_temporary
from codex_oauth.stores.names import CURRENT, LOGINS, PENDING_DIRECTORY, key_in
from codex_oauth_core.errors import SignInError

__all__ = ["check"]

_NAME: Final = "leftover"
_AREA: Final = Area.STORAGE
_MOST: Final = 10
"""How many are named."""


@attrs.frozen
class _Kind:
    """A kind of leftover, by its name."""

    form: re.Pattern[str]
    what: str
    advice: str


_TEMPORARY: Final = re.compile(r".+\.[0-9a-f]{16}\.tmp", re.ASCII)
_STARTED: Final = _Kind(
    _TEMPORARY,
    "a sign-in that was interrupted at its start",
    "After ten minutes the next start removes it: codex-oauth login start",
)
_POINTER: Final = _Kind(
    _TEMPORARY, "an interrupted change of the account in use", "It holds no token. Delete it if it stays."
)
_EXPORTED: Final = _Kind(
    _TEMPORARY,
    "an interrupted export or move of a login, which may hold tokens",
    "Delete it if it is older than ten minutes. The next export to this place does so, too.",
)
_KINDS: Final = (
    _Kind(
        re.compile(r".+\.[0-9a-f]{16}\.rescue", re.ASCII),
        "a login that could not be stored in its place",
        "The next renewal puts it in its place: codex-oauth refresh",
    ),
    _Kind(
        _TEMPORARY,
        "a write that is under way, or was interrupted",
        "If it stays, the next renewal uses or removes it: codex-oauth refresh",
    ),
    _Kind(
        re.compile(r".+\.corrupt-\d+", re.ASCII),
        "a stored login that could not be read",
        "Delete it if you do not need it. It may hold tokens.",
    ),
    _Kind(
        re.compile(r".+\.softlock", re.ASCII),
        "a lock of a program that uses soft locks",
        "Delete it if no such program runs any more.",
    ),
)
_STRANGE: Final = _Kind(re.compile(""), "no file of codex-oauth", "Move it elsewhere if it is yours.")


def check(context: Context) -> Iterator[Finding]:
    """Each leftover."""
    store = store_of(context)
    if isinstance(store, SignInError):
        yield skipped(_NAME, _AREA, "not looked for: there is no directory for logins")
        return
    logins = store.home / LOGINS
    try:
        found = [path for path in _paths(logins) if not _belongs(path)]
        elsewhere = list(_elsewhere(store.home))
    except OSError as error:
        yield skipped(_NAME, _AREA, f"not looked for: {error.strerror}", error.filename or str(logins))
        return
    yield from (_told(path) for path in found[:_MOST])
    if len(found) > _MOST:
        yield warn(_NAME, _AREA, f"and {len(found) - _MOST} more", subject=str(logins))
    yield from (warn(_NAME, _AREA, kind.what, kind.advice, subject=str(path)) for path, kind in elsewhere)
    if not found and not elsewhere:
        yield ok(_NAME, _AREA, "none")


def _paths(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _elsewhere(home: Path) -> Iterator[tuple[Path, _Kind]]:
    """Temporary files beside what is written outside the directory of the logins."""
    for path in _paths(home / PENDING_DIRECTORY):
        if _TEMPORARY.fullmatch(path.name):
            yield path, _STARTED
    for path in _paths(home):
        if is_temporary(path.name, CURRENT):
            yield path, _POINTER
    try:
        exported = codex_auth_path()
    except SignInError:  # there is no home, and nothing was written there
        return
    for path in _paths(exported.parent):
        if is_temporary(path.name, exported.name):
            yield path, _EXPORTED


def _belongs(path: Path) -> bool:
    """Whether it is a login, or a login's lock."""
    return key_in(path.name) is not None or (
        key_in(f"{path.stem}.json") is not None and path.suffix == ".lock"
    )


def _told(path: Path) -> Finding:
    kind = next((kind for kind in _KINDS if kind.form.fullmatch(path.name)), _STRANGE)
    return warn(_NAME, _AREA, kind.what, kind.advice, subject=str(path))
