"""What is stored of a login, looked at without a lock.

Rules of this file: nothing is changed; a file that is being written in place by another program gets 200 ms
to become whole; a directory that is not there holds nothing.
"""

from __future__ import annotations

import time
from typing import Final

from codex_oauth.stores.directory import Directory
from codex_oauth.stores.files import is_rescued, read_file
from codex_oauth.stores.form import Form
from codex_oauth.stores.remains import read_copy
from codex_oauth_core.errors import SignInError
from codex_oauth_core.leftovers import best_leftover
from codex_oauth_core.record import Record

__all__ = ["find", "with_rescued"]

_REREAD_AFTER: tuple[float, ...] = (0.02, 0.06, 0.12)
"""Seconds before each new look at a file that is no JSON: another program may be writing it in place."""

_MAY_BECOME_WHOLE: Final = ("not_json", "sealed_wrong")


def find(directory: Directory | None, name: str, form: Form) -> Record | SignInError | None:
    """The stored login, why it cannot be read as one, or None. Raises FileProblem, OSError."""
    found = _look(directory, name, form)
    for pause in _REREAD_AFTER:
        if not isinstance(found, SignInError) or found.details["reason"] not in _MAY_BECOME_WHOLE:
            break
        time.sleep(pause)
        found = _look(directory, name, form)
    return found


def _look(directory: Directory | None, name: str, form: Form) -> Record | SignInError | None:
    content = None if directory is None else read_file(directory, name, form.longest)
    return None if content is None else form.read(content)


def with_rescued(
    directory: Directory | None, name: str, form: Form, stored: Record | None
) -> Record | SignInError | None:
    """What is stored, or what was rescued beside it and takes its place; where what is stored is of no use,
    why there may be something that cannot be read. Raises OSError.
    """
    if directory is None:
        return stored
    rescued: list[Record] = []
    for each in directory.names():
        if is_rescued(each, name):
            found = read_copy(directory, each, form)
            if isinstance(found, Record):
                rescued.append(found)
            elif found is not None and (stored is None or not stored.is_renewable):
                return found
    return best_leftover(stored, rescued) or stored
