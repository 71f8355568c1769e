"""Space on a disk that is kept for one write, so that the write cannot fail for want of it.

Rules of this file: the space is really allocated, not a hole, and the file's name and descriptor are there
too; it is a temporary file like any other, so that whoever finds it left over removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Final

from codex_oauth.stores.directory import Directory
from codex_oauth.stores.files import Staged, create_temporary, fill, remove_name
from codex_oauth_core.secret import Secret

__all__ = ["Reserved", "reserve_space"]

_CANNOT_ALLOCATE: Final = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
_BLOCK: Final = 64 * 1024


class Reserved:
    """A temporary file that takes up `size` bytes."""

    __slots__ = ("_directory", "_fd", "_name", "_temporary", "size")

    def __init__(self, directory: Directory, name: str, temporary: str, fd: int, size: int) -> None:
        self._directory = directory
        self._name = name
        self._temporary = temporary
        self._fd: int | None = fd
        self.size = size

    def fill(self, content: Secret[bytes]) -> Staged | None:
        """Write `content` into the space; None if it does not fit, or if the file was removed meanwhile. The
        reservation is used up if this returns a file. Raises OSError.
        """
        fd, length = self._fd, len(content.reveal())
        if fd is None or length > self.size or os.fstat(fd).st_nlink == 0:
            return None
        os.ftruncate(fd, length)  # first: a half that is followed by zeros is not mistaken for a whole
        os.lseek(fd, 0, os.SEEK_SET)
        self._fd = None
        staged = Staged(self._directory, self._name, self._temporary)
        try:
            fill(fd, content)
        except BaseException as error:
            staged.__exit__(type(error))
            raise
        return staged

    def forget(self) -> None:
        """Close the descriptor and leave the file, which belongs to the parent of a fork. Never raises."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)

    def drop(self) -> None:
        """Give the space back, unless it was used. Never raises: what cannot be removed is a leftover."""
        if self._fd is not None:
            self.forget()
            with contextlib.suppress(OSError):
                remove_name(self._directory, self._temporary)


def reserve_space(directory: Directory, name: str, size: int) -> Reserved:
    """`size` bytes for the file `name`, on the disk. Raises OSError."""
    temporary, fd = create_temporary(directory, name)
    reserved = Reserved(directory, name, temporary, fd, size)
    try:
        _allocate(fd, size)
        os.fsync(fd)
    except BaseException:
        reserved.drop()
        raise
    return reserved


def _allocate(fd: int, size: int) -> None:
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is not None:
        try:
            allocate(fd, 0, size)
            return
        except OSError as error:
            if error.errno not in _CANNOT_ALLOCATE:
                raise
    rest = size
    while rest:
        rest -= os.write(fd, bytes(min(rest, _BLOCK)))
