"""What interrupted holders of a lock have left beside a login: read, judged, adopted or removed.

Rules of this file: called by the holder of the lock only; a copy that may be worth something and cannot be
read stops it with an error, before anything is changed; what is adopted is on the disk before it takes the
login's place; links, other users' files and halves are removed, and never followed or read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from codex_oauth.stores.directory import Directory
from codex_oauth.stores.failures import FileProblem
from codex_oauth.stores.files import (
    is_rescued,
    is_temporary,
    move_aside,
    put_in_place,
    read_file,
    remove_name,
)
from codex_oauth.stores.form import Form, may_be_put_aside
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.leftovers import best_leftover
from codex_oauth_core.record import Record

__all__ = ["read_copy", "rescued_names", "settle"]


def settle(
    directory: Directory, name: str, form: Form, stored: Record | SignInError | None
) -> Record | SignInError | None:
    """Put the best of the copies of the login `name` in its place, and remove the others. What is stored.

    Where what is stored cannot be read, only a rescued sign-in is put in its place, and nothing is removed
    otherwise: it may be all that there is. Where nothing is stored, a renewal stays, also one that could only
    be left under its temporary name: what it was exchanged for may come back. Raises SignInError,
    FileProblem, OSError.
    """
    names = [each for each in directory.names() if is_temporary(each, name) or is_rescued(each, name)]
    unreadable = isinstance(stored, SignInError)
    if not names or (isinstance(stored, SignInError) and not may_be_put_aside(stored)):
        return stored
    copies = {each: _must_be_read(directory, each, form) for each in names}
    best = _best(None if isinstance(stored, SignInError) else stored, copies, name)
    if unreadable and best is None:
        return stored
    if unreadable:
        move_aside(directory, name)
    if best is not None:
        put_in_place(directory, best, name)
    kept = {best}
    if stored is None and best is None:
        kept |= {each for each, copy in copies.items() if copy is not None and copy.parent is not None}
    _remove(directory, (each for each in names if each not in kept))
    return stored if best is None else copies[best]


def rescued_names(directory: Directory, name: str) -> list[str]:
    """What was kept beside the login `name`, by its holders and by those who could not get the lock."""
    return [each for each in directory.names() if is_rescued(each, name)]


def _best(stored: Record | None, copies: dict[str, Record | None], name: str) -> str | None:
    whole = {each: record for each, record in copies.items() if record is not None}
    rescued = [record for each, record in whole.items() if is_rescued(each, name)]
    strays = [record for each, record in whole.items() if not is_rescued(each, name)]
    best = best_leftover(stored, rescued, strays)
    return None if best is None else next(each for each, record in whole.items() if record is best)


def _must_be_read(directory: Directory, name: str, form: Form) -> Record | None:
    found = read_copy(directory, name, form)
    if isinstance(found, SignInError):
        raise found
    return found


def read_copy(directory: Directory, name: str, form: Form) -> Record | SignInError | None:
    """The record in a copy; None if it is worthless: half written, damaged, another account's, no plain
    file of our own, or gone. A SignInError if it may be worth something all the same: a newer release
    wrote it, or it is sealed and the key is not there. Raises OSError.
    """
    try:
        content = read_file(directory, name, form.longest)
    except FileProblem:
        return None
    except OSError:
        if _is_empty(directory, name):  # its writer ended before it could make it readable
            return None
        raise
    found = None if content is None else form.read(content)
    return None if isinstance(found, SignInError) and _is_worthless(found) else found


def _is_empty(directory: Directory, name: str) -> bool:
    found = directory.lstat(name)
    return found is None or found.st_size == 0


def _is_worthless(found: SignInError) -> bool:
    return found.kind is ErrorKind.CORRUPT_AUTH and found.details["reason"] != "schema_too_new"


def _remove(directory: Directory, names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(OSError):  # the next holder tries again
            remove_name(directory, name)
