"""The lock of one login, among all processes: the kernel's, on a file that is never removed.

Rules of this file: taking it never blocks; the file is ours, private, and reached through no link; the lock
is looked at again before anything is staked on it, because whoever removes its file lets another process
have the lock too; a forked child has no lock, and takes none from its parent. filelock does the locking;
after a fork it closes the child's descriptors without unlocking, so that no child keeps a dead parent's
lock. Whose an intent is, is looked up and nothing is sent to a process: what cannot be found out counts as
alive, because the price of that is a wait, and the price of the opposite is a login. Only a lock that ends
with its process allows to look at all: another store believes every intent for as long as it lives.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codex_oauth.loading import loading
from codex_oauth.stores.failures import shown
from codex_oauth.stores.files import POSIX, Directory, check_file
from codex_oauth_core.record import Intent
from codex_oauth_core.renewal_times import INTENT_LIFE

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = [
    "INTENT_LIFE",
    "LoginLock",
    "draw_owner",
    "is_alive",
    "is_held_here",
    "is_pending",
    "lock_name",
    "our_intent",
    "take_lock",
]


_PRIVATE: Final = 0o600
_NO_LOCKS: Final = frozenset(
    getattr(errno, name)
    for name in ("ENOLCK", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "ESTALE", "EINVAL")
    if hasattr(errno, name)
)
_HELD: Final[dict[int, tuple[int, str]]] = {}
"""The process and the path of every lock that is held; a forked child inherits its parent's rows, which are
not its own. No lock guards it: a fork could copy that in the locked state.
"""

_Identity = tuple[int, int]


class LoginLock:
    """A lock that was taken. `give_back()` once."""

    __slots__ = ("_directory", "_fd", "_identity", "_lock", "_name")

    def __init__(
        self, directory: Directory, name: str, lock: BaseFileLock, identity: _Identity, fd: int | None
    ) -> None:
        self._directory = directory
        self._name = name
        self._lock = lock
        self._identity = identity
        self._fd = fd
        _HELD[id(self)] = (os.getpid(), _path(directory, name))

    def is_intact(self) -> bool:
        """Whether the lock's file still is what is locked. If not, another process may have the lock too."""
        try:
            return _identity(self._directory, self._name) == self._identity
        except OSError:
            return False

    def give_back(self) -> None:
        """Let others have it. In a forked child: nothing, it has none. Never raises."""
        _HELD.pop(id(self), None)
        _let_go(self._lock, self._fd)


def lock_name(name: str, *, soft: bool) -> str:
    """The name of the lock of a login's file. A soft lock has one of its own: it is held as long as it is
    there, and the other one always is.
    """
    return Path(name).stem + (".softlock" if soft else ".lock")


def is_held_here(directory: Directory, name: str) -> bool:
    """Whether this process holds a lock of that path, also one whose file was removed."""
    return (os.getpid(), _path(directory, name)) in list(_HELD.values())


def take_lock(directory: Directory, name: str, *, soft: bool) -> LoginLock | None:
    """The lock `name` in a directory; None if somebody has it.

    Raises FileProblem (`no_locks`, or as `read_file`), OSError.
    """
    with loading("filelock"):
        from filelock import Timeout

    locked: list[tuple[_Identity, int]] = []
    lock = _soft_lock(directory, name) if soft else _kernel_lock(directory, name, locked)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise directory.problem("no_locks", name) from error
        raise
    identity, fd = locked[0] if locked else (_identity(directory, name), None)
    try:
        if identity is not None and identity == _identity(directory, name):
            return LoginLock(directory, name, lock, identity, fd)
    except BaseException:
        _let_go(lock, fd)
        raise
    _let_go(lock, fd)  # removed between opening and locking
    return None


def _let_go(lock: BaseFileLock, fd: int | None) -> None:
    """Let others have a lock. Never raises.

    Where the system refuses to unlock, filelock keeps the descriptor `fd`, and with it the lock, for another
    try. Then the descriptor becomes another file's, which closes the lock's; a number that was merely closed
    could be somebody else's by the time that filelock closes it.
    """
    try:
        lock.release()
    except OSError:
        if fd is not None:
            with contextlib.suppress(OSError):
                _put_in_place(fd)
                lock.release()


def _put_in_place(fd: int) -> None:
    null = os.open(os.devnull, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    try:
        os.dup2(null, fd, inheritable=False)
    finally:
        os.close(null)


def _kernel_lock(directory: Directory, name: str, locked: list[tuple[_Identity, int]]) -> BaseFileLock:
    with loading("filelock"):
        from filelock import FileLock, has_fcntl

    if POSIX and not has_fcntl:  # FileLock is a soft one there
        raise directory.problem("no_locks", name)
    _provide(directory, name)

    def see(fd: int) -> None:
        found = os.fstat(fd)
        check_file(directory, name, found)
        locked.append(((found.st_dev, found.st_ino), fd))

    return FileLock(
        _path(directory, name),
        mode=_PRIVATE,
        thread_local=False,
        fallback_to_soft=False,
        preserve_lock_file=True,
        on_acquired=see,
    )


def _soft_lock(directory: Directory, name: str) -> BaseFileLock:
    with loading("filelock"):
        from filelock import SoftFileLock

    return SoftFileLock(_path(directory, name), mode=_PRIVATE, thread_local=False)


def _provide(directory: Directory, name: str) -> None:
    """Make sure that the lock's file is there, is a plain one of ours, and can be opened by us alone."""
    found = directory.lstat(name)
    if found is None:
        _create(directory, name)
        return
    check_file(directory, name, found)
    if POSIX and stat.S_IMODE(found.st_mode) != _PRIVATE:  # a umask, and a crash before it was undone
        os.chmod(directory.at(name), _PRIVATE, dir_fd=directory.fd)


def _create(directory: Directory, name: str) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        fd = os.open(directory.at(name), flags, _PRIVATE, dir_fd=directory.fd)
    except FileExistsError:  # another process was faster
        return
    try:
        if POSIX:
            os.fchmod(fd, _PRIVATE)
    finally:
        os.close(fd)


def _path(directory: Directory, name: str) -> str:
    """The one path of a lock, for all spellings. Raises FileProblem if the directory was moved."""
    real = os.path.realpath(directory.path)
    if directory.fd is not None and not os.path.samestat(os.lstat(real), os.fstat(directory.fd)):
        raise directory.problem("missing")
    return os.path.join(real, name)  # noqa: PTH118  # of a text


def _identity(directory: Directory, name: str) -> _Identity | None:
    found = directory.lstat(name)
    return None if found is None else (found.st_dev, found.st_ino)


# -- whose an intent is --------------------------------------------------------------------------------


_DEAD: Final = frozenset("ZXx")  # zombie, dead: proc_pid_stat(5)
_NO_NAME: Final = "localhost"


class _Self:
    """What the owners that this process draws begin with. It is drawn anew after a fork."""

    pid = 0
    name = ""


def _our_name() -> str:
    if _Self.pid != os.getpid():
        _Self.pid, _Self.name = os.getpid(), os.urandom(8).hex()
    return _Self.name


def draw_owner() -> str:
    """A fresh owner for one hold of a lock. No other hold of any process has the same owner."""
    return f"{_our_name()}-{os.urandom(8).hex()}"


def our_intent(owner: str | None = None) -> Intent:
    """An intent of this process that begins now. `owner`: the owner of the hold that marks it; by default a
    fresh one.
    """
    return Intent(os.getpid(), _host(), time.time(), owner or draw_owner())


def is_pending(intent: Intent, *, held_here: bool = False) -> bool:
    """Whether a holder may still act on `intent`, in a store that has locks which end with their process.
    `held_here`: this process holds a lock of that login.
    """
    if abs(time.time() - intent.at) >= INTENT_LIFE:
        return False
    if intent.host != _host():
        return True
    if intent.pid != os.getpid():
        return is_alive(intent.pid)
    # one with our number that we did not mark is in a container of its own, or was before this one began
    return held_here if not intent.owner or intent.owner.startswith(f"{_our_name()}-") else True


def _host() -> str:
    with loading("socket"):
        import socket

    return shown(socket.gethostname()) or _NO_NAME


def is_alive(pid: int) -> bool:
    """Whether a process of this host runs, stopped ones included; a zombie is dead."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return _state(pid) not in _DEAD


def _state(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # no Linux, or gone between two looks: the next look tells
        return ""
    return line.rpartition(b")")[2].decode("ascii", "replace").strip()[:1]


def _is_alive_on_windows(pid: int) -> bool:
    """os.kill would end the process there."""
    if sys.platform != "win32":
        return True
    with loading("ctypes"):
        import ctypes

    synchronize, timed_out = 0x0010_0000, 0x0102
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(synchronize, False, pid & 0xFFFF_FFFF))
    if not handle:
        return ctypes.get_last_error() == 5  # ERROR_ACCESS_DENIED: it is there, and not ours
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == timed_out)
    finally:
        kernel.CloseHandle(handle)
