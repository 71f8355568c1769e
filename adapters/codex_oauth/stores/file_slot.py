"""One login's file, with its lock beside it.

Rules of this file: reading needs no lock and changes nothing; the lock is taken first, then it is asked
whether somebody without it may still be about to spend the refresh token, then what earlier holders left
behind is dealt with. Nothing is kept in memory between two calls.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.stores.directory import Directory
from codex_oauth.stores.failures import FileProblem, explained, failure, reporting
from codex_oauth.stores.files import stage
from codex_oauth.stores.form import Form
from codex_oauth.stores.held import FileHeld
from codex_oauth.stores.locks import is_held_here, lock_name, take_lock
from codex_oauth.stores.places import Place
from codex_oauth.stores.processes import is_pending
from codex_oauth.stores.remains import rescued_names, settle
from codex_oauth.stores.stored import find, with_rescued
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Record

__all__ = ["FileSlot"]

_RESCUE_TRIES: Final = 8
_WRITE: Final = ErrorKind.AUTH_WRITE_FAILED


@attrs.frozen
class FileSlot:
    """One login's file: `<home>/logins/<account_id>.json`. Get it from `FileStore.slot`."""

    home: Path
    account_id: str
    _place: Place
    _form: Form
    _soft_lock: bool = False

    @property
    def path(self) -> Path:
        """Where the login is, or would be."""
        return self._form.path

    def load(self) -> Record | None:
        """See `Slot.load`."""
        with reporting(ErrorKind.AUTH_READ_FAILED, self.path), self._place.reading() as logins:
            found = find(logins, self._place.name, self._form)
            if not isinstance(found, SignInError):
                found = with_rescued(logins, self._place.name, self._form, found)
        if isinstance(found, SignInError):
            raise found
        return found

    def lock(self) -> FileHeld | None:
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
            found, doubt = self._settled(logins, stored)
            left = frozenset(rescued_names(logins, self._place.name))
            held = FileHeld(logins, self._place.name, self._form, lock, found=found, doubt=doubt, left=left)
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
        raise failure(_WRITE, "missing", self.path)

    @property
    def _lock_name(self) -> str:
        return lock_name(self._place.name, soft=self._soft_lock)

    def _stored(self, logins: Directory) -> Record | SignInError | None:
        """What is stored, or why it cannot be read: a login must be locked to be removed, whatever it is."""
        try:
            return find(logins, self._place.name, self._form)
        except (FileProblem, OSError) as problem:
            return explained(ErrorKind.AUTH_READ_FAILED, self.path, problem)

    def _settled(
        self, logins: Directory, stored: Record | SignInError | None
    ) -> tuple[Record | SignInError | None, SignInError | None]:
        """What is stored when the leftovers have been dealt with; and why they could not be, if so."""
        try:
            return settle(logins, self._place.name, self._form, stored), None
        except SignInError as error:
            return stored, error
        except (FileProblem, OSError) as problem:
            return stored, explained(_WRITE, self.path, problem)


def _is_spoken_for(stored: Record | SignInError | None, *, held_here: bool) -> bool:
    """Whether somebody has marked an intent and may still act on it, although the lock could be taken."""
    intent = stored.intent if isinstance(stored, Record) else None
    return intent is not None and is_pending(intent, held_here=held_here)
