"""Logins as files: one JSON document for each, in a directory that only its owner can look into.

Rules of this file: a store is its home and how it is used; how files are read and written is `files`'s.
Reading needs no lock and changes nothing; the lock is taken first, then it is asked whether somebody
without it may still be about to spend the refresh token, then what earlier holders left behind is dealt
with. Nothing is kept in memory between two calls.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.stores.failures import FileProblem, explained, reporting, store_error
from codex_oauth.stores.file_checks import SafePath, directory_place, file_place
from codex_oauth.stores.files import Directory, is_temporary, owner_of_rescued, read_file, remove_file, stage
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.locks import is_held_here, is_pending, lock_name, take_lock
from codex_oauth.stores.login_file import (
    LoginCodec,
    Seal,
    may_be_put_aside,
    read_login,
    recover,
    rescued_names,
    with_rescued,
)
from codex_oauth.stores.names import CURRENT, LOGINS, LONGEST_POINTER, key_in, login_name
from codex_oauth.stores.paths import default_home, usable_home
from codex_oauth.stores.registrations import HomeFiles
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Record
from codex_oauth_core.registration import Registration
from codex_oauth_core.secret import Secret

__all__ = ["FileSlot", "FileStore"]


_RESCUE_TRIES: Final = 8
_WRITE: Final = ErrorKind.AUTH_WRITE_FAILED


@attrs.frozen
class FileSlot:
    """One login's file: `<home>/logins/<key>.json`. Get it from `FileStore.slot`."""

    home: Path
    key: str
    _place: SafePath
    _form: LoginCodec
    _soft_lock: bool = False

    @property
    def account_id(self) -> str:
        """The former name of `key`, for one release."""
        return self.key

    @property
    def path(self) -> Path:
        """Where the login is, or would be."""
        return self._form.path

    def load(self) -> Record | None:
        """See `Slot.load`."""
        with reporting(ErrorKind.AUTH_READ_FAILED, self.path), self._place.reading() as logins:
            found = read_login(logins, self._place.name, self._form)
            if not isinstance(found, SignInError):
                found = with_rescued(logins, self._place.name, self._form, found)
            elif may_be_put_aside(found):  # as whoever locks it next will do
                beside = with_rescued(logins, self._place.name, self._form, None)
                found = beside if isinstance(beside, Record) else found
        if isinstance(found, SignInError):
            raise found
        return found

    def lock(self) -> FileLockedLogin | None:
        """See `Slot.lock`."""
        with reporting(_WRITE, self.path), ExitStack() as undo:
            logins = undo.enter_context(self._place.writable())
            held_here = is_held_here(logins, self._lock_name)
            lock = take_lock(logins, self._lock_name, soft=self._soft_lock)
            if lock is None:
                return None
            undo.callback(lock.give_back)
            stored = self._stored(logins)
            if _is_spoken_for(stored, held_here=held_here):
                return None
            left = frozenset(rescued_names(logins, self._place.name))  # what comes later is nobody's leftover
            found, doubt = self._settled(logins, stored)
            held = FileLockedLogin(
                logins, self._place.name, self._form, lock, found=found, doubt=doubt, left=left
            )
            undo.pop_all()
        return held

    def rescue(self, record: Record) -> None:
        """See `Slot.rescue`."""
        self._form.check(record)
        content = self._form.write(record)
        with reporting(_WRITE, self.path), self._place.writable() as logins:
            for _ in range(_RESCUE_TRIES):
                with stage(logins, self._place.name, content) as staged:
                    try:
                        staged.rescue()
                        return
                    except FileNotFoundError:  # the holder of the lock took it for a leftover
                        continue
        raise store_error(_WRITE, "missing", self.path)

    @property
    def _lock_name(self) -> str:
        return lock_name(self._place.name, soft=self._soft_lock)

    def _stored(self, logins: Directory) -> Record | SignInError | None:
        """What is stored, or why it cannot be read: a login must be locked to be removed, whatever it is."""
        try:
            return read_login(logins, self._place.name, self._form)
        except (FileProblem, OSError) as problem:
            return explained(ErrorKind.AUTH_READ_FAILED, self.path, problem)

    def _settled(
        self, logins: Directory, stored: Record | SignInError | None
    ) -> tuple[Record | SignInError | None, SignInError | None]:
        """What is stored when the leftovers have been dealt with; and why they could not be, if so."""
        try:
            return recover(logins, self._place.name, self._form, stored), None
        except SignInError as error:
            return stored, error
        except (FileProblem, OSError) as problem:
            return stored, explained(_WRITE, self.path, problem)


def _is_spoken_for(stored: Record | SignInError | None, *, held_here: bool) -> bool:
    """Whether somebody has marked an intent and may still act on it, although the lock could be taken."""
    intent = stored.intent if isinstance(stored, Record) else None
    return intent is not None and is_pending(intent, held_here=held_here)


# -- the store -----------------------------------------------------------------------------------------


_USUAL_SIZE: Final = 16 * 1024  # bytes; three tokens of a few kilobytes


def _home(home: str | os.PathLike[str] | None) -> Path:
    return default_home() if home is None else usable_home(home)


@attrs.frozen
class FileStore:
    """The logins under one directory, `home`: by default `CODEX_OAUTH_HOME`, else the user's state directory.
    It creates nothing before the first lock.

    `soft_lock` is for file systems without locks: the existence of a file locks a login. All programs that
    use the home must then set it, and a person must remove a lock that another machine left behind.
    `follow_symlinks` is for homes and files that are links, as managers of configuration files make them.
    `seal` encrypts the content of a login's file. Raises SignInError of kind `auth_read_failed` if there is
    no usable home.
    """

    home: Path = attrs.field(default=None, converter=_home)
    soft_lock: bool = attrs.field(default=False, kw_only=True)
    follow_symlinks: bool = attrs.field(default=False, kw_only=True)
    seal: Seal | None = attrs.field(default=None, kw_only=True, repr=False)

    def names(self) -> tuple[str, ...]:
        """See `Store.names`."""
        place = directory_place(self.home, LOGINS, follow=self.follow_symlinks)
        with reporting(ErrorKind.AUTH_READ_FAILED, self.home / LOGINS), place.reading() as logins:
            names = [] if logins is None else logins.names()
        stored = {key for name in names if (key := key_in(name)) is not None}
        owners = {key_in(owner_of_rescued(name) or "") for name in names}
        rescued = {key for key in owners if key is not None and key not in stored}
        return tuple(sorted(stored | {key for key in rescued if self._has_rescued(key)}))

    def accounts(self) -> tuple[str, ...]:
        """The former name of `names()`, for one release."""
        return self.names()

    def _has_rescued(self, key: str) -> bool:
        try:
            return self.slot(key).load() is not None
        except SignInError:
            return True  # something is there, and is told by whoever loads it

    def current(self) -> str | None:
        """See `Store.current`. A pointer that cannot be read counts as no current login."""
        before: str | None = None
        while (key := self._pointed_to()) is not None and key != before:
            if key in self.names():
                return key
            before = key  # gone; or moved by another process, which has selected its new place before
        return None

    def _pointed_to(self) -> str | None:
        path = self.home / CURRENT
        with reporting(ErrorKind.AUTH_READ_FAILED, path), self._pointer.reading() as home:
            line = None if home is None else read_file(home, self._pointer.name, LONGEST_POINTER)
        if line is None or len(line.reveal()) > LONGEST_POINTER:
            return None
        return line.reveal().decode("ascii", "replace").strip()

    def select(self, key: str | None) -> None:
        """See `Store.select`."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / CURRENT):
            if key is None:
                self._deselect()
            else:
                self._point_to(key)

    @property
    def _pointer(self) -> SafePath:
        return file_place(self.home, CURRENT, follow=self.follow_symlinks)

    def _deselect(self) -> None:
        with self._pointer.reading() as home:
            if home is not None:
                remove_file(home, self._pointer.name, is_temporary)  # a home may hold other people's files

    def _point_to(self, key: str) -> None:
        login_name(key)
        with (
            self._pointer.writable() as home,
            stage(home, self._pointer.name, Secret(f"{key}\n".encode())) as staged,
        ):
            staged.commit()

    def prepare(self) -> None:
        """See `Store.prepare`. It writes and removes files in the way that a login needs them."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / CURRENT), self._pointer.writable() as home:
            read_file(home, self._pointer.name, LONGEST_POINTER)  # must be a file that can be replaced
            with stage(home, self._pointer.name, Secret(bytes(LONGEST_POINTER))):
                pass
        place = file_place(self.home, LOGINS, login_name("prepare"), follow=self.follow_symlinks)
        with (
            reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / LOGINS),
            place.writable() as logins,
            stage(logins, place.name, Secret(bytes(_USUAL_SIZE))),
        ):
            pass

    def registrations(self) -> tuple[Registration, ...]:
        """See `KeepsRegistrations.registrations`."""
        return self._beside.registrations()

    def register(self, registration: Registration) -> None:
        """See `KeepsRegistrations.register`."""
        self._beside.register(registration)

    def host_id(self) -> str:
        """See `KeepsRegistrations.host_id`. It is in a file of its own: do not copy that file to another
        machine.
        """
        return self._beside.host_id()

    @property
    def _beside(self) -> HomeFiles:
        return HomeFiles(self.home, self.soft_lock, self.follow_symlinks)

    def slot(self, key: str) -> FileSlot:
        """See `Store.slot`."""
        name = login_name(key)
        place = file_place(self.home, LOGINS, name, follow=self.follow_symlinks)
        form = LoginCodec(key, self.home / LOGINS / name, self.seal)
        return FileSlot(self.home, key, place, form, self.soft_lock)
