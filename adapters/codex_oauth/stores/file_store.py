"""Logins as files: one JSON document for each, in a directory that only its owner can look into.

Rules of this file: what is in a file is `record`'s concern, how it gets there is `files`'s; here is the
order of a compare-and-set, and which failure means what. Nothing is kept in memory between two calls.
Until logins can be locked, two saves in the same instant may both succeed: the later one stays.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.stores.directory import Directory, open_directory, provide_directory, secure
from codex_oauth.stores.failures import advised, failure, reporting, shown
from codex_oauth.stores.files import is_temporary, move_aside, read_file, remove_file, stage
from codex_oauth.stores.paths import CURRENT, LOGINS, account_in, default_home, login_name, usable_home
from codex_oauth.stores.store import Conflict, Deleted, Saved
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import LONGEST_RECORD, Record, read_record, write_record
from codex_oauth_core.secret import Secret, unseen

__all__ = ["FileSlot", "FileStore"]

_REREAD_AFTER: tuple[float, ...] = (0.02, 0.06, 0.12)
"""Seconds before each new look at a file that is no JSON: another program may be writing it in place."""

_NEVER_PUT_ASIDE: Final = ("schema_too_new", "other_account")
_LONGEST_POINTER: Final = 256
_USUAL_SIZE: Final = 16 * 1024  # bytes; three tokens of a few kilobytes


def _home(home: str | os.PathLike[str] | None) -> Path:
    return default_home() if home is None else usable_home(home)


@attrs.frozen
class FileStore:
    """The logins under one directory, `home`: by default `CODEX_OAUTH_HOME`, else the user's state
    directory. Nothing is created before the first save.

    Raises SignInError of kind `auth_read_failed` if there is no usable home.
    """

    home: Path = attrs.field(default=None, converter=_home)

    def accounts(self) -> tuple[str, ...]:
        """See `Store.accounts`."""
        with (
            reporting(ErrorKind.AUTH_READ_FAILED, self.home / LOGINS),
            _reading(self.home, LOGINS) as logins,
        ):
            names = [] if logins is None else logins.names()
            return tuple(account for name in names if (account := account_in(name)) is not None)

    def current(self) -> str | None:
        """See `Store.current`. A pointer that cannot be understood counts as none."""
        path = self.home / CURRENT
        with reporting(ErrorKind.AUTH_READ_FAILED, path), _reading(self.home) as home:
            line = None if home is None else read_file(home, CURRENT, _LONGEST_POINTER)
        if line is None or len(line.reveal()) > _LONGEST_POINTER:
            return None
        account_id = line.reveal().decode("ascii", "replace").strip()
        return account_id if account_id in self.accounts() else None

    def select(self, account_id: str | None) -> None:
        """See `Store.select`."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / CURRENT):
            if account_id is None:
                self._deselect()
            else:
                self._point_to(account_id)

    def _deselect(self) -> None:
        with _reading(self.home) as home:
            if home is not None:
                remove_file(home, CURRENT, is_temporary)  # a home may hold other people's files

    def _point_to(self, account_id: str) -> None:
        login_name(account_id)
        with (
            _writing(self.home) as home,
            stage(home, CURRENT, Secret(f"{account_id}\n".encode())) as staged,
        ):
            staged.commit()

    def prepare(self) -> None:
        """See `Store.prepare`. It writes and removes files as a login needs them."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / CURRENT), _writing(self.home) as home:
            read_file(home, CURRENT, _LONGEST_POINTER)  # what is there must be a file that can be replaced
            with stage(home, CURRENT, Secret(bytes(_LONGEST_POINTER))):
                pass
        with (
            reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / LOGINS),
            _writing(self.home, LOGINS) as logins,
            stage(logins, login_name("prepare"), Secret(bytes(_USUAL_SIZE))),
        ):
            pass

    def slot(self, account_id: str) -> FileSlot:
        """See `Store.slot`."""
        return FileSlot(self.home, account_id, login_name(account_id))


@attrs.frozen
class FileSlot:
    """One login's file: `<home>/logins/<account_id>.json`. Get it from `FileStore.slot`."""

    home: Path
    account_id: str
    _name: str

    @property
    def path(self) -> Path:
        """Where the login is, or would be."""
        return self.home / LOGINS / self._name

    def load(self) -> Record | None:
        """See `Slot.load`."""
        with reporting(ErrorKind.AUTH_READ_FAILED, self.path), _reading(self.home, LOGINS) as logins:
            found = self._find(logins)
        if isinstance(found, SignInError):
            raise found
        return found

    def save(
        self, record: Record, expected: str | None, *, replace_corrupt: bool = False
    ) -> Saved | Conflict:
        """See `Slot.save`. What is stored is compared just before it is replaced, without a lock."""
        content = self._serialised(record)
        with (
            reporting(ErrorKind.AUTH_WRITE_FAILED, self.path),
            _writing(self.home, LOGINS) as logins,
            stage(logins, self._name, content) as staged,
        ):
            found = self._find(logins)
            if isinstance(found, SignInError):
                if not replace_corrupt or found.details["reason"] in _NEVER_PUT_ASIDE:
                    raise found
                move_aside(logins, self._name)
            elif _fingerprint(found) != expected:
                return Conflict(found)
            staged.commit()
        return Saved()

    def delete(self, expected: str | None) -> Deleted | Conflict:
        """See `Slot.delete`."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.path), _reading(self.home, LOGINS) as logins:
            found = self._find(logins)
            if isinstance(found, SignInError):
                raise found
            if _fingerprint(found) != expected:
                return Conflict(found)
            if logins is not None:
                remove_file(logins, self._name)
        return Deleted()

    def discard(self) -> Deleted:
        """See `Slot.discard`."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.path), _reading(self.home, LOGINS) as logins:
            if logins is not None:
                remove_file(logins, self._name)
        return Deleted()

    def _serialised(self, record: Record) -> Secret[bytes]:
        """The content of the file; nothing is written that could not be read again."""
        if record.credential.account_id != self.account_id:
            raise ValueError("the record is another account's")
        content = unseen(lambda: Secret(write_record(record)))
        again = unseen(lambda: read_record(content.reveal()))
        if again != record:
            raise failure(ErrorKind.AUTH_WRITE_FAILED, "not_storable", self.path)
        return content

    def _find(self, logins: Directory | None) -> Record | SignInError | None:
        """What is stored. A file that is no JSON is looked at again: it may be half written."""
        found = self._look(logins)
        for pause in _REREAD_AFTER:
            if not isinstance(found, SignInError) or found.details["reason"] != "not_json":
                break
            time.sleep(pause)
            found = self._look(logins)
        return found

    def _look(self, logins: Directory | None) -> Record | SignInError | None:
        content = None if logins is None else read_file(logins, self._name, LONGEST_RECORD)
        if content is None:
            return None
        found = unseen(lambda: read_record(content.reveal()))
        if isinstance(found, SignInError):
            return advised(attrs.evolve(found, details={**found.details, "path": shown(self.path)}))
        if found.credential.account_id != self.account_id:  # say, a file system that ignores case
            return failure(ErrorKind.CORRUPT_AUTH, "other_account", self.path)
        return found


def _fingerprint(record: Record | None) -> str | None:
    return None if record is None else record.fingerprint


@contextmanager
def _reading(*names: str | Path) -> Generator[Directory | None, None, None]:
    """The directory that is reached by these names, one inside the other; None if it is not there."""
    with ExitStack() as opened:
        directory: Directory | None = None
        for path in _paths(names):
            directory = open_directory(path, directory)
            if directory is None:
                break
            opened.enter_context(directory)
        yield directory


@contextmanager
def _writing(*names: str | Path) -> Generator[Directory, None, None]:
    """The directory that is reached by these names, created where it is missing; nobody else may write
    to any of them.
    """
    with ExitStack() as opened:
        home, *inside = _paths(names)
        directory = opened.enter_context(provide_directory(home))
        secure(directory, tighten=_is_ours_alone(directory))
        for path in inside:
            directory = opened.enter_context(provide_directory(path, directory))
            secure(directory)
        yield directory


def _paths(names: tuple[str | Path, ...]) -> list[Path]:
    return [Path(*names[:count]) for count in range(1, len(names) + 1)]


def _is_ours_alone(home: Directory) -> bool:
    """Whether nothing but a store is in a home: a directory that serves more keeps its mode."""
    return all(name in (LOGINS, CURRENT) or is_temporary(name, CURRENT) for name in home.names())
