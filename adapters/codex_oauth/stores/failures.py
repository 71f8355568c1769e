"""Why a file could not be read or written, in words that people and programs can act on.

Rules of this file: every reason is a word for programs (`details.reason`) with one row of advice for
people; paths are escaped before they are shown; no content of a file enters an error.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from shlex import quote
from typing import Final

import attrs

from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["ADVICE", "FileProblem", "advice_at", "advised", "explained", "reporting", "shown", "store_error"]


class FileProblem(Exception):  # never leaves the stores: it becomes a SignInError
    """A file or directory that is not as it must be. `reason` is a key of `ADVICE`."""

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path


_SET_HOME: Final = "Set CODEX_OAUTH_HOME to the absolute path of a directory of your own."
_INSPECT: Final = "Look at the path: codex-oauth uses only plain files of its own there."
_RIGHTS: Final = "Check the owner and the permissions of the path."

ADVICE: Final[Mapping[str, str]] = {
    "not_a_regular_file": _INSPECT,
    "not_a_directory": "Name a directory: with CODEX_OAUTH_HOME, or with --store.",
    "symlink": "Replace the symbolic link by what it points to, or set CODEX_OAUTH_HOME to that directory.",
    "hard_link": "Remove the other hard links of the file.",
    "wrong_owner": "Run as the user that owns the path, or set CODEX_OAUTH_HOME to another directory.",
    "too_open": "Take away the rights of other users: chmod go-rwx PATH",
    "denied": _RIGHTS,
    "disk_full": "Make room on the disk, or raise the quota.",
    "read_only": "Set CODEX_OAUTH_HOME to a directory that can be written.",
    "busy_mount": "Mount the directory, not the single file.",
    "name_too_long": _SET_HOME,
    "missing": "Try again: another program removed a file meanwhile.",
    "too_many_open_files": "Close other files or programs, or raise the limit of open files.",
    "out_of_memory": "Close other programs, and try again.",
    "io_error": "Check the disk or the network drive.",
    "os_error": _RIGHTS,
    "relative_home": _SET_HOME,
    "no_home": _SET_HOME,
    "root_home": _SET_HOME,
    "unusable_path": _SET_HOME,
    "no_current_directory": "Change to a directory that exists, or name the store by an absolute path.",
    "not_storable": "Update codex-oauth.",
    "schema_too_new": "Update codex-oauth, or sign out and sign in again.",
    "other_account": "Sign out of that account, and sign in again.",
    "other_client": "Remove the file: it is another registration than its name says.",
    "host_id_locked": "Remove the lock of the file if no such program runs, and try again.",
    "no_locks": "Set CODEX_OAUTH_HOME to a directory on a local disk, or open the store with soft_lock=True.",
    "lock_lost": "Try again. No program may remove the lock files of codex-oauth.",
    "changed": "Try again: the stored login has changed meanwhile.",
    "sealed": "Open this store with its seal, as the program that sealed it does, or name another directory.",
    "no_key": "Restore the store's key in the keyring, or sign out and sign in again.",
    "keyring_timeout": "Unlock the keyring that holds the store's key, and try again.",
    "keyring_unavailable": "Unlock the keyring of this computer, or keep the login in a FileStore.",
    "extra_missing": "Install the extra: pip install 'codex-oauth[keyring]'",
    "seal_too_new": "Update codex-oauth.",
    "other_seal_key": "Give the key that sealed it, after the one that seals now: Keys(new, old).",
    "postgres_missing": "Install the extra: pip install 'codex-oauth[postgres]'",
    "unanswered": "Look again in ten seconds: it is not known yet whether the login was stored.",
    "database_away": "Start the database, or check the host and the port of the DSN; then try again.",
    "database_busy": "Try again. If it happens again, check the load and the locks of the database.",
    "database_denied": "Check the rights of the user of the DSN: docs/fleet.md",
    "database_full": "Make room on the disk of the database.",
    "database_read_only": "Name the primary server: this one is a standby, or read-only.",
    "database": "See the log of the database: it refused a statement of codex-oauth.",
    "no_database": "Check the name of the database in the DSN.",
    "no_schema": "Make the tables: codex-oauth fleet migrate",
    "old_schema": "Update the tables: codex-oauth fleet migrate",
    "new_schema": "Update codex-oauth: a newer release made the tables.",
    "changed_migration": "Use the release that made the tables: the files of this one differ.",
    "unusable_dsn": "Check the DSN: postgresql://USER@HOST/DATABASE, or host=... dbname=...",
    "sealed_wrong": "Sign in again: the stored login was sealed with another key, or damaged.",
}

_NO_PLACE: Final[Mapping[str, str]] = {
    "relative_home": "The path of the directory of the logins is relative.",
    "no_home": "This user has no home directory, and no other directory was given.",
    "root_home": "The directory of the logins would be the root of the file system.",
    "unusable_path": "The path of the directory of the logins cannot be used.",
    "no_current_directory": (
        "The path of the directory of the logins is relative, and there is no current directory."
    ),
}
"""Messages of a store that has no place: nothing was read, and nothing written."""

_BY_ERRNO: Final[Mapping[int, str]] = {
    getattr(errno, name): reason
    for reason, names in {
        "disk_full": ("ENOSPC", "EDQUOT", "EFBIG"),
        "read_only": ("EROFS",),
        "denied": ("EACCES", "EPERM"),
        "busy_mount": ("EBUSY", "EXDEV"),
        "name_too_long": ("ENAMETOOLONG",),
        "symlink": ("ELOOP", "EMLINK"),  # EMLINK: FreeBSD's answer to O_NOFOLLOW
        "not_a_directory": ("ENOTDIR",),
        "not_a_regular_file": ("EISDIR", "ENXIO", "ENODEV"),
        "too_many_open_files": ("EMFILE", "ENFILE"),
        "out_of_memory": ("ENOMEM",),
        "io_error": ("EIO", "ESTALE"),
        "missing": ("ENOENT",),
    }.items()
    for name in names
    if hasattr(errno, name)
}

_LONGEST_SHOWN: Final = 1024


def shown(path: str | os.PathLike[str]) -> str:
    """A path for display: what does not print (control, bidi, undecodable bytes) is escaped."""
    text = os.fspath(path)
    safe = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text[:_LONGEST_SHOWN]
    )
    return safe if len(text) <= _LONGEST_SHOWN else safe + "..."


def store_error(
    kind: ErrorKind, reason: str, path: str | os.PathLike[str], code: int | None = None
) -> SignInError:
    """The error of one reason at one path. `code` is the errno, told by its name in `details.errno`."""
    name = None if code is None else errno.errorcode.get(code, "unknown")
    error = SignInError.of(kind, _NO_PLACE.get(reason), reason=reason, path=shown(path), errno=name)
    return advised(error)


def advised(error: SignInError) -> SignInError:
    """The error with the advice for its `details.reason`, where there is a better one than its kind's."""
    reason, path = str(error.details.get("reason")), error.details.get("path")
    if reason not in ADVICE:
        return error
    return attrs.evolve(error, next_actions=(advice_at(reason, None if path is None else str(path)),))


def advice_at(reason: str, path: str | None) -> str:
    """What to do about a path, as a command that can be pasted where there is one."""
    return ADVICE[reason] if path is None else ADVICE[reason].replace("PATH", quote(path))


def explained(kind: ErrorKind, path: str | os.PathLike[str], problem: FileProblem | OSError) -> SignInError:
    """What a failure of a file means, as an error of `kind`. `path` is what the operation was about."""
    if isinstance(problem, FileProblem):
        return store_error(kind, problem.reason, problem.path)
    code = problem.errno or 0
    return store_error(kind, _BY_ERRNO.get(code, "os_error"), path, code)


@contextmanager
def reporting(kind: ErrorKind, path: str | os.PathLike[str]) -> Generator[None, None, None]:
    """Turn every failure of a file inside into a SignInError of `kind`. `path` is what it is about."""
    try:
        yield
    except FileProblem as problem:
        raise explained(kind, path, problem) from None
    except OSError as error:
        raise explained(kind, path, error) from error
