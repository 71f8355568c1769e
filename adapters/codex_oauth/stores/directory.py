"""A directory held open, so that what was checked is what is used.

Rules of this file: a directory is never reached through a link of its own; ours are 0700 from creation,
whatever the umask is, and nothing is written into one that others may change; the process's umask is
not touched. Where the platform has no such modes and descriptors (Windows), paths stand in for them.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final, Self

from codex_oauth.stores.failures import FileProblem, shown
from codex_oauth.stores.plain import DIRECTORY_FLAGS, POSIX

__all__ = ["POSIX", "Directory", "open_directory", "provide_directory", "secure"]

_PRIVATE: Final = 0o700
_ROOT_UID: Final = 0
_NO_SYNC: Final = (errno.EINVAL, errno.ENOTSUP)  # a file system that has no way to sync a directory


class Directory:
    """An open directory: `with` closes it. Names are resolved in it, not in a path."""

    __slots__ = ("fd", "path")

    def __init__(self, path: Path, fd: int | None) -> None:
        self.path = path
        self.fd = fd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.fd is not None:
            os.close(self.fd)

    def at(self, name: str) -> str:
        """What to give to a function of `os` together with `dir_fd=self.fd`."""
        return name if self.fd is not None else os.fspath(self.path / name)

    def problem(self, reason: str, name: str | None = None) -> FileProblem:
        """The problem of one file in here, or of the directory itself."""
        return FileProblem(reason, shown(self.path if name is None else self.path / name))

    def names(self) -> list[str]:
        """The names in here, sorted."""
        return sorted(os.listdir(self.path if self.fd is None else self.fd))  # noqa: PTH208  # by descriptor

    def lstat(self, name: str) -> os.stat_result | None:
        """What `name` is, itself and not what it links to; None if it is not there."""
        try:
            return os.stat(self.at(name), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def sync(self) -> None:
        """Make renames and removals in here survive a crash of the machine."""
        if self.fd is None:
            return
        try:
            os.fsync(self.fd)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise


def open_directory(path: Path, parent: Directory | None = None) -> Directory | None:
    """The directory at `path`, which is directly in `parent` if one is given; None if it is not there.

    Raises FileProblem (`symlink`, `not_a_directory`), OSError.
    """
    where = os.fspath(path) if parent is None else parent.at(path.name)
    parent_fd = None if parent is None else parent.fd
    try:
        found = os.stat(where, dir_fd=parent_fd, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            reason = "symlink" if stat.S_ISLNK(found.st_mode) else "not_a_directory"
            raise FileProblem(reason, shown(path))
        return Directory(path, os.open(where, DIRECTORY_FLAGS, dir_fd=parent_fd) if POSIX else None)
    except FileNotFoundError:
        return None


def provide_directory(path: Path, parent: Directory | None = None) -> Directory:
    """The directory at `path`, created 0700 with its ancestors if it is not there.

    Raises FileProblem (as `open_directory`; `wrong_owner` if it would be created in another user's
    directory), OSError.
    """
    found = open_directory(path, parent)
    if found is not None:
        return found
    if parent is None:
        _create_with_ancestors(path)
    else:
        _create(path, parent)
    created = open_directory(path, parent)
    if created is None:
        raise FileProblem("missing", shown(path))
    return created


def _create_with_ancestors(path: Path) -> None:
    missing = [path]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    if not _belongs_to_us_or_root(missing[-1].parent):
        raise FileProblem("wrong_owner", shown(missing[-1].parent))
    for ancestor in reversed(missing):
        _create(ancestor)


def _belongs_to_us_or_root(path: Path) -> bool:
    # sudo that keeps HOME would leave root's directories in a person's home
    return not POSIX or path.stat().st_uid in (os.geteuid(), _ROOT_UID)


def _create(path: Path, parent: Directory | None = None) -> None:
    where = os.fspath(path) if parent is None else parent.at(path.name)
    parent_fd = None if parent is None else parent.fd
    try:
        os.mkdir(where, _PRIVATE, dir_fd=parent_fd)
    except FileExistsError:  # another process was faster; what it made is checked when it is opened
        return
    _make_private(path, parent)
    if parent is not None:
        parent.sync()
    elif POSIX:
        _sync_entry(path.parent)


def _make_private(path: Path, parent: Directory | None) -> None:
    """Undo what the umask took from a new directory's mode; by its descriptor, as far as it can be opened."""
    try:
        created = open_directory(path, parent)
    except PermissionError:  # a umask that took our own rights
        path.chmod(_PRIVATE)
        return
    if created is not None:
        with created:
            if created.fd is not None:
                os.fchmod(created.fd, _PRIVATE)


def _sync_entry(parent: Path) -> None:
    try:
        fd = os.open(parent, os.O_RDONLY)
    except PermissionError:  # a parent may be writable and not readable
        return
    with Directory(parent, fd) as directory:
        directory.sync()


def secure(directory: Directory, *, tighten: bool = True) -> None:
    """Make sure that only its owner, who is us, can change the directory.

    `tighten` also takes from others the right to look into it. Raises FileProblem (`wrong_owner`,
    `too_open`), OSError.
    """
    if directory.fd is None:
        return
    found = os.fstat(directory.fd)
    if found.st_uid != os.geteuid():
        raise directory.problem("wrong_owner")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise directory.problem("too_open")
    if tighten and stat.S_IMODE(found.st_mode) & 0o077:
        os.fchmod(directory.fd, _PRIVATE)
