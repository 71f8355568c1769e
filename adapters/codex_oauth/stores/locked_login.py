"""A login whose lock is held: what may be done with its files, and in which order.

Rules of this file: before a refresh token is spent, everything is on the disk that its answer needs: the
space is really allocated, not a hole. After it, a complete copy of the answer is never removed, only put in
its place or beside, unless another login can be read there, or somebody has signed out; whatever the holder
does, giving the lock back leaves the next one a login that can be judged. Another process (a forked child
too) that inherited this object holds nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import attrs

from codex_oauth.clock import now
from codex_oauth.stores.failures import FileProblem, explained, reporting, store_error
from codex_oauth.stores.files import (
    Directory,
    Staged,
    create_temporary,
    fill,
    move_aside,
    remove_file,
    remove_name,
    stage,
)
from codex_oauth.stores.locks import LoginLock, draw_owner, our_intent
from codex_oauth.stores.login_file import LoginCodec, may_be_put_aside, read_copy, read_login, rescued_names
from codex_oauth.stores.store import Conflict, Deleted, Saved, SaveFailed
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.leftovers import best_leftover, is_worth_keeping
from codex_oauth_core.record import Record
from codex_oauth_core.renewal_times import SEND_BY
from codex_oauth_core.secret import Secret

__all__ = ["FileLockedLogin", "Reserved", "reserve_space"]


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


# -- the locked login ----------------------------------------------------------------------------------


_LEAST_SPACE: Final = 16 * 1024  # bytes; three tokens of a few kilobytes
_WRITE: Final = ErrorKind.AUTH_WRITE_FAILED


class FileLockedLogin:
    """See `Held`. Get it from `FileSlot.lock`.

    `found`: what was stored when the leftovers of earlier holders were dealt with, or why that is unknown.
    `doubt`: why they could not be; then nothing is reserved. `left`: the names of what was kept beside when
    the lock was taken.
    """

    __slots__ = (
        "_directory",
        "_doubt",
        "_form",
        "_found",
        "_free",
        "_left",
        "_lock",
        "_marked",
        "_name",
        "_owner",
        "_pid",
        "_reserved",
        "_reserving_since",
        "_untouched",
    )

    def __init__(
        self,
        directory: Directory,
        name: str,
        form: LoginCodec,
        lock: LoginLock,
        *,
        found: Record | SignInError | None,
        doubt: SignInError | None,
        left: frozenset[str],
    ) -> None:
        self._directory = directory
        self._name = name
        self._form = form
        self._lock = lock
        self._pid = os.getpid()
        self._free = False
        self._reserved: Reserved | None = None
        self._marked: Record | None = None
        self._owner = draw_owner()
        self._reserving_since: float | None = None
        self._found = found
        self._untouched = True
        self._doubt = doubt
        self._left = left

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is not None:
            self._marked = None  # nobody says whether the refresh token was sent: the doubt stays
        self.release()

    @property
    def _path(self) -> Path:
        return self._form.path

    def _must_hold(self, kind: ErrorKind = _WRITE) -> None:
        if self._free or self._pid != os.getpid():  # given back, or the parent's of a forked process
            raise store_error(kind, "lock_lost", self._path)

    def _find(self) -> Record | SignInError | None:
        return read_login(self._directory, self._name, self._form)

    def load(self) -> Record | None:
        """See `Held.load`."""
        self._must_hold(ErrorKind.AUTH_READ_FAILED)
        found = self._found
        if not self._untouched:
            with reporting(ErrorKind.AUTH_READ_FAILED, self._path):
                found = self._find()
        if isinstance(found, SignInError):
            raise found
        return found

    # before the refresh token is spent

    def reserve(self, record: Record) -> None:
        """See `Held.reserve`."""
        self._reserving_since = None
        asked_at, _ = now()
        self._must_hold()
        self._form.check(record)
        if self._doubt is not None:
            raise self._doubt
        with reporting(_WRITE, self._path):
            self._must_be_stored(record)
            marked = attrs.evolve(record, intent=our_intent(self._owner))
            content = self._form.write(marked)
            self._take_space(max(_LEAST_SPACE, 2 * len(content.reveal())))
            self._mark(marked, content)
        self._must_have_the_lock()
        self._reserving_since = asked_at

    def sending(self) -> bool:
        """See `Held.sending`. Nobody without the lock changes a file of ours: the lock is all there is to
        look at.
        """
        since = self._reserving_since
        if since is None or self._free or self._pid != os.getpid():
            return False
        return now()[0] - since <= SEND_BY and self._lock.is_intact()

    def _must_have_the_lock(self) -> None:
        if not self._lock.is_intact():
            raise store_error(_WRITE, "lock_lost", self._path)

    def _must_be_stored(self, record: Record) -> None:
        found = self._find()
        if isinstance(found, SignInError):
            raise found
        if _fingerprint(found) != record.fingerprint:
            raise store_error(_WRITE, "changed", self._path)

    def _take_space(self, size: int) -> None:
        self._drop_space()
        self._reserved = reserve_space(self._directory, self._name, size)

    def _mark(self, marked: Record, content: Secret[bytes]) -> None:
        with stage(self._directory, self._name, content) as staged:
            self._must_have_the_lock()  # as late as can be: a login that another holder stored must stay
            self._marked, self._untouched = marked, False
            staged.commit()

    # after it

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        """See `Held.save`."""
        self._form.check(record)
        marked, self._marked = self._marked, None  # whatever fails now, the refresh token may be spent
        self._untouched = False
        staged = self._staged(record)
        answer = self._compared(staged, record, expected, replace_corrupt)
        if isinstance(answer, Conflict):
            self._marked = marked
        if answer is not None:
            _discard(staged)
            return answer
        if not self._lock.is_intact():  # another holder may have stored something since it was compared
            raise self._failed(staged, store_error(_WRITE, "lock_lost", self._path), record, expected)
        try:
            staged.commit()
        except OSError as error:
            raise self._failed(staged, explained(_WRITE, self._path, error), record, expected) from error
        return Saved()

    def _staged(self, record: Record) -> Staged:
        """The record's content, on the disk, in the space that was reserved, or else in new space."""
        try:
            self._must_hold()
            content = self._form.write(record)
            with reporting(_WRITE, self._path):
                return self._in_reserved(content) or stage(self._directory, self._name, content)
        except SignInError as error:
            raise SaveFailed(error) from error.__cause__

    def _in_reserved(self, content: Secret[bytes]) -> Staged | None:
        try:
            return None if self._reserved is None else self._reserved.fill(content)
        except OSError:
            return None

    def _compared(
        self, staged: Staged, record: Record, expected: str | None, replace_corrupt: bool
    ) -> Saved | Conflict | None:
        """What there is to say without putting the copy in its place: something else is stored, or the very
        record. Raises SaveFailed where nobody can tell: the copy of a renewal is then kept beside.
        """
        renewal = _is_renewal(record, expected)
        try:
            found = self._find()
            if isinstance(found, SignInError) and (replace_corrupt or renewal) and may_be_put_aside(found):
                move_aside(self._directory, self._name)
                return None
            if found == record:  # saved before, and the answer to that was lost, or its last step failed
                self._directory.sync()
                return Saved()
        except FileProblem as problem:
            found = explained(_WRITE, self._path, problem)
        except OSError as error:  # a good login may be there all the same
            raise self._failed(staged, explained(_WRITE, self._path, error), record, expected) from error
        if found is None and renewal and self._lock.is_intact():
            # who signs out has the lock, and that is ours: the file was taken away, and may come back
            found = store_error(_WRITE, "missing", self._path)
        if isinstance(found, SignInError) and renewal:
            raise self._failed(staged, found, record, expected)
        if isinstance(found, SignInError):
            _discard(staged)
            raise SaveFailed(found)
        return None if _fingerprint(found) == expected else Conflict(found)

    def _failed(
        self,
        staged: Staged,
        error: SignInError,
        record: Record,
        expected: str | None,
    ) -> SaveFailed:
        """The failure to put a complete copy in its place, after trying to put it beside."""
        if not staged.is_pending:  # it has its name, and a crash of the machine may take that back
            return SaveFailed(error, rescued=True)
        if not is_worth_keeping(record, expected):
            _discard(staged)
            return SaveFailed(error)
        return SaveFailed(error, rescued=_put_beside(staged, record))

    # the end

    def delete(self, expected: str | None, *, even_corrupt: bool = False) -> Deleted | Conflict:
        """See `Held.delete`."""
        self._must_hold()
        self._must_have_the_lock()
        with reporting(_WRITE, self._path):
            found = self._readable(even_corrupt)
            if isinstance(found, SignInError):
                if not even_corrupt:
                    raise found
            elif _fingerprint(found) != expected:
                return Conflict(found)
            newer = self._rescued_since()
            if newer is not None:
                return Conflict(newer)
            self._drop_space()
            self._untouched = False
            remove_file(self._directory, self._name)
        self._marked = None
        return Deleted()

    def _rescued_since(self) -> Record | None:
        """A sign-in that was kept beside since the lock was taken: nobody has asked to end that one."""
        names = [name for name in rescued_names(self._directory, self._name) if name not in self._left]
        copies = [read_copy(self._directory, name, self._form) for name in names]
        return best_leftover(None, [copy for copy in copies if isinstance(copy, Record)])

    def _readable(self, even_corrupt: bool) -> Record | SignInError | None:
        try:
            return self._find()
        except (FileProblem, OSError) as problem:
            if even_corrupt:
                return explained(_WRITE, self._path, problem)
            raise

    def release(self) -> None:
        """See `Held.release`."""
        if self._free:
            return
        self._free = True
        try:
            if self._pid == os.getpid():
                self._take_intent_back()
                self._drop_space()
            elif self._reserved is not None:
                self._reserved.forget()
        finally:
            self._lock.give_back()
            self._directory.__exit__()

    def _take_intent_back(self) -> None:
        """Store what was stored before `reserve`, if only the intent was added, and the lock still is one."""
        marked, self._marked = self._marked, None
        if marked is None or not self._lock.is_intact():
            return
        with contextlib.suppress(OSError, FileProblem, SignInError):
            content = self._form.write(attrs.evolve(marked, intent=None))
            with self._in_reserved(content) or stage(self._directory, self._name, content) as staged:
                if self._find() == marked:
                    staged.commit()

    def _drop_space(self) -> None:
        reserved, self._reserved = self._reserved, None
        if reserved is not None:
            reserved.drop()


def _is_renewal(record: Record, expected: str | None) -> bool:
    """Whether a record was exchanged for what is believed to be stored."""
    return record.parent is not None and record.parent == expected


def _fingerprint(record: Record | None) -> str | None:
    return None if record is None else record.fingerprint


def _put_beside(staged: Staged, record: Record) -> bool:
    """Whether the next holder will find the complete copy: a renewal also under its temporary name."""
    with contextlib.suppress(OSError):
        staged.rescue()
    if not staged.is_pending:
        return True
    if record.parent is not None and staged.exists():
        return True
    _discard(staged)
    return False


def _discard(staged: Staged) -> None:
    with contextlib.suppress(OSError):  # the next holder tries again
        staged.__exit__(None)
