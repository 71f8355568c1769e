"""Renewals that the database did not take, sealed, on a disk of this host.

Rules of this file: a file for each login, private to its owner, whole before it has its name; its first line
says whose it is, and the rest is what the database would have stored. It is written before the database is
asked, where a directory is given, and removed when the database has it; who locks the login next on this host
adopts it as what was rescued.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Final

from codex_oauth.fleet.rows import LoginRow
from codex_oauth.stores.failures import FileProblem
from codex_oauth.stores.file_checks import file_place
from codex_oauth.stores.files import read_file, remove_file, stage
from codex_oauth_core.errors import SignInError
from codex_oauth_core.record import LONGEST_RECORD, Record
from codex_oauth_core.secret import Secret

__all__ = ["Spool"]

_LONGEST: Final = LONGEST_RECORD + 1024
_LONGEST_NAME: Final = 1024 * 1024


class Spool:
    """The directory `path`, which is made when something is put there."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def write(self, row: LoginRow, body: bytes) -> None:
        """Keep what is to be stored in a row. Never raises: the database is asked all the same."""
        content = Secret(_whose(row) + b"\n" + body)
        with contextlib.suppress(FileProblem, OSError):
            place = file_place(self.path, _name(row), follow=False)
            with place.writable() as directory, stage(directory, place.name, content) as staged:
                staged.commit()

    def read(self, row: LoginRow) -> Record | SignInError | None:
        """What is kept of a row; None if there is nothing, or nothing that can be read."""
        with contextlib.suppress(FileProblem, OSError):
            place = file_place(self.path, _name(row), follow=False)
            whose = _whose(row) + b"\n"
            with place.reading() as directory:
                longest = _LONGEST + len(whose)
                content = None if directory is None else read_file(directory, place.name, longest)
            if content is not None and content.reveal().startswith(whose):
                return row.opened(content.reveal()[len(whose) :])
        return None

    def waiting(self) -> list[tuple[str, str, str]]:
        """Of which logins something is kept: tenant, owner and key of each. Never raises."""
        found = list[tuple[str, str, str]]()
        with contextlib.suppress(OSError):
            for name in sorted(each.name for each in self.path.iterdir()):
                if name.endswith(_ENDING) and (whose := self._whose_is(name)) is not None:
                    found.append(whose)
        return found

    def _whose_is(self, name: str) -> tuple[str, str, str] | None:
        with contextlib.suppress(FileProblem, OSError, ValueError):
            place = file_place(self.path, name, follow=False)
            with place.reading() as directory:
                longest = _LONGEST + _LONGEST_NAME
                content = None if directory is None else read_file(directory, place.name, longest)
            if content is not None:
                tenant, owner, key = map(str, json.loads(content.reveal().partition(b"\n")[0]))
                return tenant, owner, key
        return None

    def remove(self, row: LoginRow) -> None:
        """Forget it: the database has it, or something newer. Never raises."""
        with contextlib.suppress(FileProblem, OSError):
            place = file_place(self.path, _name(row), follow=False)
            with place.reading() as directory:
                if directory is not None:
                    remove_file(directory, place.name)


_ENDING: Final = ".sealed"


def _name(row: LoginRow) -> str:
    return hashlib.sha256(_whose(row)).hexdigest() + _ENDING


def _whose(row: LoginRow) -> bytes:
    return json.dumps([row.tenant, row.owner, row.key]).encode()
