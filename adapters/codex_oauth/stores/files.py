"""Files that hold secrets, and their directory: how one is read, replaced and removed.

Rules of this file: a directory is held open, so that what was checked is what is used; it is never reached
through a link of its own, ours are 0700 from creation, and nothing is written into one that others may
change. Only a plain file of our own is read, and nothing is opened that could block or be somewhere else; a
file is complete, private and on the disk before it takes its name, and then its name is made durable; a
failure at any point leaves the old file as it was; content is a `Secret`, because a debugger prints the
variables of every frame that an error passes. Where the platform has no such modes and descriptors
(Windows), paths stand in for them.

    <name>.<16 hex>.tmp        not yet in its place; complete only if it can be read
    <name>.<16 hex>.rescue     complete, and put beside on purpose
    <name>.corrupt-<n>        could not be read, and a new sign-in took its place
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from codex_oauth.stores.failures import FileProblem, shown
from codex_oauth.stores.plain import CLOSED_FLAGS, DIRECTORY_FLAGS, POSIX, is_open_to_others, refused_file
from codex_oauth.stores.store import StoreWarning
from codex_oauth_core.secret import Secret, without_traceback

__all__ = [
    "POSIX",
    "Directory",
    "Staged",
    "belongs_to",
    "check_file",
    "create_temporary",
    "fill",
    "is_rescued",
    "is_temporary",
    "move_aside",
    "open_directory",
    "owner_of_rescued",
    "provide_directory",
    "put_in_place",
    "read_file",
    "remove_file",
    "remove_name",
    "secure",
    "stage",
]


_PRIVATE_DIRECTORY: Final = 0o700
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
        os.mkdir(where, _PRIVATE_DIRECTORY, dir_fd=parent_fd)
    except FileExistsError:  # another process was faster; what it made is checked when it is opened
        return
    _make_directory_private(path, parent)
    if parent is not None:
        parent.sync()
    elif POSIX:
        _sync_entry(path.parent)


def _make_directory_private(path: Path, parent: Directory | None) -> None:
    """Undo what the umask took from a new directory's mode; by its descriptor, as far as it can be opened."""
    try:
        created = open_directory(path, parent)
    except PermissionError:  # a umask that took our own rights
        path.chmod(_PRIVATE_DIRECTORY)
        return
    if created is not None:
        with created:
            if created.fd is not None:
                os.fchmod(created.fd, _PRIVATE_DIRECTORY)


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
        os.fchmod(directory.fd, _PRIVATE_DIRECTORY)


# -- files in it ---------------------------------------------------------------------------------------


_PRIVATE: Final = 0o600
_TEMPORARY: Final = re.compile(r"\.[0-9a-f]{16}\.tmp", re.ASCII)
_RESCUED: Final = re.compile(r"\.[0-9a-f]{16}\.rescue", re.ASCII)
_PATIENCE: float = 0.0 if POSIX else 2.0
"""Seconds to go on trying to replace a file that another program, a virus scanner say, holds open."""


_PIECE: Final = 64 * 1024


def check_file(directory: Directory, name: str, found: os.stat_result) -> None:
    """Refuse what is not a plain file of our own. Raises FileProblem."""
    reason = refused_file(found)
    if reason is not None:
        raise directory.problem(reason, name)


def read_file(directory: Directory, name: str, longest: int) -> Secret[bytes] | None:
    """The content of a file, or None if there is none; of a file longer than `longest` its beginning,
    one byte longer than that.

    A file of ours that others may read or change is made private, with a StoreWarning. Raises
    FileProblem (`symlink`, `not_a_regular_file`, `wrong_owner`, `hard_link`, `too_open`), OSError.
    """
    found = directory.lstat(name)
    if found is None:
        return None
    check_file(directory, name, found)  # opening a device or a pipe may have effects of its own
    try:
        fd = os.open(directory.at(name), os.O_RDONLY | CLOSED_FLAGS, dir_fd=directory.fd)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(fd)
        check_file(directory, name, found)
        loose = is_open_to_others(found)
        if loose:
            _make_private(directory, name, fd)
        # an interrupt comes between two reads, and a debugger prints what a frame has by then
        content = Secret(without_traceback(lambda: _read(fd, longest + 1)))
    finally:
        os.close(fd)
    if loose:
        message = f"{shown(directory.path / name)} was open to other users; its mode is now 0600"
        warnings.warn(message, StoreWarning, stacklevel=2)
    return content


def _read(fd: int, most: int) -> bytes:
    """Up to `most` bytes. (A buffered file would be given room for all of them at once.)"""
    content = b""
    while piece := os.read(fd, min(most - len(content), _PIECE)):
        content += piece
    return content


def _make_private(directory: Directory, name: str, fd: int) -> None:
    try:
        os.fchmod(fd, _PRIVATE)
    except OSError as error:
        raise directory.problem("too_open", name) from error


class Staged:
    """A complete file under a temporary name. `with` removes it unless it was committed or rescued."""

    __slots__ = ("_directory", "_name", "_temporary")

    def __init__(self, directory: Directory, name: str, temporary: str) -> None:
        self._directory = directory
        self._name = name
        self._temporary: str | None = temporary

    @property
    def is_pending(self) -> bool:
        """Whether it still has its temporary name."""
        return self._temporary is not None

    def exists(self) -> bool:
        """Whether the file is still there under its temporary name."""
        try:
            return self._temporary is not None and self._directory.lstat(self._temporary) is not None
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        if self._temporary is None:
            return
        try:
            remove_name(self._directory, self._temporary)
        except OSError:
            if exc_type is None:  # else the first failure is the one to tell
                raise

    def commit(self) -> None:
        """Give the file its name, in place of the one that has it, and make that durable. Once only.

        Raises OSError. If only the last step fails, the file has its name.
        """
        self._rename(self._name)

    def rescue(self) -> None:
        """Give the file a name by which it is found as rescued, and make that durable. Raises OSError."""
        self._rename(f"{self._name}.{os.urandom(8).hex()}.rescue")

    def _rename(self, name: str) -> None:
        assert self._temporary is not None
        _replace(self._directory, self._temporary, name)
        self._temporary = None
        self._directory.sync()


def create_temporary(directory: Directory, name: str) -> tuple[str, int]:
    """An empty private file under a temporary name for the file `name`: that name and an open
    descriptor. Raises OSError.
    """
    temporary = f"{name}.{os.urandom(8).hex()}.tmp"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | CLOSED_FLAGS
    fd = os.open(directory.at(temporary), flags, _PRIVATE, dir_fd=directory.fd)
    try:
        if POSIX:
            os.fchmod(fd, _PRIVATE)  # before there is content; open's mode is cut by the umask
    except BaseException:
        os.close(fd)
        with contextlib.suppress(OSError):
            remove_name(directory, temporary)
        raise
    return temporary, fd


def stage(directory: Directory, name: str, content: Secret[bytes]) -> Staged:
    """Write `content` under a temporary name beside `name`, private and on the disk. Raises OSError."""
    temporary, fd = create_temporary(directory, name)
    staged = Staged(directory, name, temporary)
    try:
        fill(fd, content)
    except BaseException as error:
        staged.__exit__(type(error))
        raise
    return staged


def fill(fd: int, content: Secret[bytes]) -> None:
    """Write all of `content` to the disk, and close the descriptor. Raises OSError."""
    try:
        rest = memoryview(content.reveal())
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def put_in_place(directory: Directory, copy: str, name: str) -> None:
    """Let a complete copy take the place of the file `name`, durably: its content is on the disk first.

    Raises OSError.
    """
    flags = (os.O_RDONLY if POSIX else os.O_RDWR) | CLOSED_FLAGS
    fd = os.open(directory.at(copy), flags, dir_fd=directory.fd)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    _replace(directory, copy, name)
    directory.sync()


def _replace(directory: Directory, old: str, new: str) -> None:
    give_up_at = time.monotonic() + _PATIENCE
    while True:
        try:
            return os.replace(
                directory.at(old), directory.at(new), src_dir_fd=directory.fd, dst_dir_fd=directory.fd
            )
        except PermissionError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.05)


def remove_name(directory: Directory, name: str) -> None:
    """Remove one name, whatever it is; nothing if it is gone. Raises OSError."""
    try:
        os.unlink(directory.at(name), dir_fd=directory.fd)
    except FileNotFoundError:
        return


def move_aside(directory: Directory, name: str) -> str:
    """Rename a file to `<name>.corrupt-<n>`, the first that is free, and return that. Raises OSError."""
    taken = set(directory.names())
    number = 1
    while (aside := f"{name}.corrupt-{number}") in taken:
        number += 1
    _replace(directory, name, aside)
    return aside


def is_temporary(found: str, name: str) -> bool:
    """Whether a file is a temporary one of the file `name`, by exactly the names that `stage` gives."""
    return found.startswith(name) and _TEMPORARY.fullmatch(found, len(name)) is not None


def is_rescued(found: str, name: str) -> bool:
    """Whether a file is a rescued one of the file `name`."""
    return found.startswith(name) and _RESCUED.fullmatch(found, len(name)) is not None


def owner_of_rescued(found: str) -> str | None:
    """The name of the file that a rescued one belongs to; None if it is no rescued one."""
    name = found.rsplit(".", 2)[0]
    return name if is_rescued(found, name) else None


def belongs_to(found: str, name: str) -> bool:
    """Whether a file in a directory of ours alone is a copy of the file `name`, of whatever kind."""
    return found.startswith(f"{name}.")


def remove_file(directory: Directory, name: str, goes_too: Callable[[str, str], bool] = belongs_to) -> None:
    """Remove a file, whatever it is, and all that `goes_too`: temporary, rescued and corrupt copies.

    The file goes last, so that an interrupted removal can be seen and repeated. Raises OSError.
    """
    for found in directory.names():
        if goes_too(found, name):
            remove_name(directory, found)
    remove_name(directory, name)
    directory.sync()
