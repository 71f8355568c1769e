"""The file of another program that a login is read from or written to: the Codex CLI's `auth.json`.

Rules of this file: to copy from it, it is read as it is, and nothing about it is changed; to replace it, it
must be a plain file of our own: a link stays, and the file that it leads to is replaced; every failure is a
SignInError about that path.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.stores.failures import FileProblem, reporting, shown, store_error
from codex_oauth.stores.files import (
    Directory,
    check_file,
    is_temporary,
    open_directory,
    read_file,
    remove_name,
)
from codex_oauth_core.codex.auth_json import LONGEST_AUTH_JSON
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.secret import Secret

__all__ = [
    "about",
    "check_target",
    "codex_auth_path",
    "directory_of",
    "modified_at",
    "read_anywhere",
    "read_here",
    "remove_temporaries",
    "target_of",
]

_NAME: Final = "auth.json"
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_PLAIN: Final = "Name a plain file of your own, in a directory that you can write."
_ADVICE: Final = {
    "symlink": "Name the file itself, not a symbolic link to it.",
    "missing": "Create the directory of the file first.",
    "no_locks": "Put the file on a local disk: no file can be locked where it is.",
    **dict.fromkeys(
        ("not_a_regular_file", "not_a_directory", "wrong_owner", "read_only", "name_too_long"), _PLAIN
    ),
}


def codex_auth_path() -> Path:
    """Where the Codex CLI keeps its login: `auth.json` in `CODEX_HOME` (empty counts as unset), else in
    `~/.codex`. Raises SignInError of kind `auth_read_failed` where there is no home.
    """
    chosen = os.environ.get("CODEX_HOME")
    if chosen:
        return Path(chosen, _NAME)
    person = os.path.expanduser("~")  # noqa: PTH111  # Path.expanduser() raises where there is no home
    if not Path(person).is_absolute():
        raise store_error(ErrorKind.AUTH_READ_FAILED, "no_home", person)
    return Path(person, ".codex", _NAME)


def read_anywhere(where: Path) -> Secret[bytes]:
    """The content of a file, one byte more than the longest at most. A link to it is followed."""
    with about(where, ErrorKind.AUTH_READ_FAILED):
        try:
            _check_plain(where, where.stat())  # opening a device or a pipe may have effects of its own
            fd = os.open(where, _FLAGS)
        except FileNotFoundError:
            raise _nothing_at(where) from None
        with open(fd, "rb") as file:  # noqa: PTH123  # by descriptor
            _check_plain(where, os.fstat(fd))
            return Secret(file.read(LONGEST_AUTH_JSON + 1))


def _check_plain(where: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise FileProblem("not_a_regular_file", shown(where))


def modified_at(where: Path) -> float | None:
    """When a file, or what a link leads to, was written, in Unix seconds; None if that cannot be told."""
    try:
        return where.stat().st_mtime
    except OSError:
        return None


def target_of(where: Path) -> Path:
    """The file itself: what a link at `where` leads to."""
    return Path(os.path.realpath(where))


def read_here(directory: Directory, where: Path) -> Secret[bytes]:
    """The content of a file that is to be replaced: no link, and our own. It is made private if it is not."""
    with about(where, ErrorKind.AUTH_READ_FAILED):
        content = read_file(directory, where.name, LONGEST_AUTH_JSON)
    if content is None:
        raise _nothing_at(where)
    return content


def _nothing_at(where: Path) -> SignInError:
    text = f"The Codex CLI has no file with a login at {shown(where)}. It may keep its login in the keyring."
    error = SignInError.of(ErrorKind.LOGIN_REQUIRED, text, reason="missing", path=shown(where))
    return attrs.evolve(error, next_actions=("Sign in: codex-oauth login",))


def check_target(directory: Directory, where: Path, *, force: bool) -> None:
    """Make sure that `where` is free, or, with `force`, a plain file of our own. Raises FileProblem,
    SignInError (`details.reason`: `exists`).
    """
    found = directory.lstat(where.name)
    if found is None:
        return
    if not force:
        text = f"{shown(where)} exists already."
        error = SignInError.of(ErrorKind.AUTH_WRITE_FAILED, text, reason="exists", path=shown(where))
        raise attrs.evolve(error, next_actions=("Name another file, or add --force to replace it.",))
    check_file(directory, where.name, found)


def remove_temporaries(directory: Directory, where: Path, *, older_than: float = 0.0) -> None:
    """Remove what an earlier replacement of `where` left beside it when it was cut off: plain files of our
    own with exactly the names that `stage` gives, and `older_than` that many seconds. What cannot be removed
    stays.
    """
    with contextlib.suppress(OSError):
        for name in directory.names():
            if is_temporary(name, where.name):
                _remove_own(directory, name, older_than)


def _remove_own(directory: Directory, name: str, older_than: float) -> None:
    with contextlib.suppress(FileProblem, OSError):
        found = directory.lstat(name)
        if found is not None and abs(time.time() - found.st_mtime) >= older_than:
            check_file(directory, name, found)
            remove_name(directory, name)


@contextmanager
def directory_of(where: Path) -> Generator[Directory]:
    """The directory of a file, held open. A link may lead to it, but not to the file. Raises FileProblem,
    OSError.
    """
    directory = open_directory(Path(os.path.realpath(where.parent)))
    if directory is None:
        raise FileProblem("missing", shown(where))
    with directory:
        yield directory


@contextmanager
def about(where: Path, kind: ErrorKind) -> Generator[None]:
    """Turn a failure of the file into a SignInError of `kind`, with advice for another program's file."""
    try:
        yield
    except (FileProblem, OSError) as problem:
        raise _told(where, kind, problem) from None


def _told(where: Path, kind: ErrorKind, problem: FileProblem | OSError) -> SignInError:
    try:
        with reporting(kind, where):
            raise problem
    except SignInError as error:
        advice = _ADVICE.get(str(error.details.get("reason")))
        return error if advice is None else attrs.evolve(error, next_actions=(advice,))
