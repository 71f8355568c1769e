"""A login's file: how it looks, what is stored, and what interrupted holders of its lock left beside it.

Rules of this file: nothing is written that could not be read again; a content that is no login of this
account is a SignInError, as a value; no frame of a failure shows a token; where the store has a seal,
`Secret` bytes go through it just before they reach a disk, and just after they left it, of temporary and
rescued files, too. Who looks without the lock changes nothing, and gives a file that is being written in
place by another program 200 ms to become whole. Who holds the lock adopts or removes: a copy that may be
worth something and cannot be read stops that with an error, before anything is changed; what is adopted is
on the disk before it takes the login's place; links, other users' files and halves are removed, and never
followed or read.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import attrs

from codex_oauth.stores.failures import FileProblem, advised, shown, store_error
from codex_oauth.stores.files import (
    Directory,
    is_rescued,
    is_temporary,
    move_aside,
    put_in_place,
    read_file,
    remove_name,
)
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.leftovers import best_leftover
from codex_oauth_core.record import LONGEST_RECORD, Record, read_record, write_record
from codex_oauth_core.secret import Secret, without_traceback

__all__ = [
    "NEVER_PUT_ASIDE",
    "SEALED",
    "LoginCodec",
    "Seal",
    "SealBroken",
    "may_be_put_aside",
    "read_copy",
    "read_login",
    "recover",
    "rescued_names",
    "with_rescued",
]


SEALED: Final = b"codex-oauth sealed "
"""How every content begins that a store of this library has sealed, of whatever version."""


class SealBroken(Exception):
    """Bytes could not be sealed or unsealed.

    `reason` is a word for programs: it becomes `details.reason` of a SignInError. `sealed_wrong`, of kind
    `corrupt_auth`: the bytes are not what this seal made. Anything else (`no_key`: the key is not there;
    `key_timeout`: whoever keeps it does not answer), of kind `auth_read_failed` or `auth_write_failed`: the
    bytes may be good, and are left as they are. The text says nothing of a key or of the bytes.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Seal(Protocol):
    """Turns bytes into bytes that only the holder of a key can read, and back. Any thread may call it.

    `unseal(seal(x)) == x`. A call ends within a few seconds: a store's lock may be held meanwhile.
    """

    def seal(self, content: Secret[bytes]) -> Secret[bytes]:
        """`content`, sealed. Twice the same content gives the same length. Raises SealBroken."""
        ...

    def unseal(self, content: Secret[bytes]) -> Secret[bytes]:
        """What was sealed. Raises SealBroken."""
        ...


# -- how it looks --------------------------------------------------------------------------------------


NEVER_PUT_ASIDE: Final = ("schema_too_new", "other_account")
"""Reasons for which not even a new sign-in replaces what is stored."""

_SEALED_GROWTH: Final = 2  # a sealed content may be so many times longer: text for bytes is 4/3


class _LastRead:
    """The bytes that were read last, and their record: whoever locks, marks and saves a login reads the same
    bytes three times. One attribute: other threads may read as well.
    """

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: tuple[Secret[bytes], Record] | None = None

    def __reduce__(self) -> tuple[type[_LastRead], tuple[()]]:
        return _LastRead, ()  # a store that has read something is pickled as one that has not


@attrs.frozen
class LoginCodec:
    """The form of the login that is kept under `key`. `path` is its file, for messages."""

    key: str
    path: Path
    seal: Seal | None = attrs.field(default=None, repr=False)
    _last: _LastRead = attrs.field(factory=_LastRead, init=False, repr=False, eq=False)

    @property
    def longest(self) -> int:
        """Bytes that a file has at most."""
        return LONGEST_RECORD if self.seal is None else LONGEST_RECORD * _SEALED_GROWTH

    def check(self, record: Record) -> None:
        """Raises ValueError for a record of another login."""
        if self.key not in record.credential.identity.names:
            raise ValueError("the record is another login's")

    def write(self, record: Record) -> Secret[bytes]:
        """The content of the file.

        Raises SignInError of kind `auth_write_failed` (`not_storable`, or why it could not be sealed).
        """
        content = without_traceback(lambda: Secret(write_record(record)))
        if without_traceback(lambda: read_record(content.reveal())) != record:
            raise store_error(ErrorKind.AUTH_WRITE_FAILED, "not_storable", self.path)
        sealed = self._sealed(content)
        if len(sealed.reveal()) > self.longest:
            raise store_error(ErrorKind.AUTH_WRITE_FAILED, "not_storable", self.path)
        return sealed

    def _sealed(self, content: Secret[bytes]) -> Secret[bytes]:
        seal = self.seal
        if seal is None:
            return content
        try:
            return without_traceback(lambda: seal.seal(content))
        except SealBroken as broken:
            raise store_error(ErrorKind.AUTH_WRITE_FAILED, broken.reason, self.path) from None

    def read(self, content: Secret[bytes]) -> Record | SignInError:
        """The record in a file of at most `longest` bytes, and one more."""
        opened = self._unsealed(content)
        if isinstance(opened, SignInError):
            return opened
        last = self._last.found
        if last is not None and last[0] == opened:
            return attrs.evolve(last[1], unknown={})  # whoever loads it may change the mapping
        found = without_traceback(lambda: read_record(opened.reveal()))
        if isinstance(found, SignInError):
            return advised(attrs.evolve(found, details={**found.details, "path": shown(self.path)}))
        if self.key not in found.credential.identity.names:  # say, a file system that ignores case
            return store_error(ErrorKind.CORRUPT_AUTH, "other_account", self.path)
        if not found.unknown:
            self._last.found = opened, found
        return found

    def _unsealed(self, content: Secret[bytes]) -> Secret[bytes] | SignInError:
        seal = self.seal
        if seal is None:
            if content.reveal().startswith(SEALED):  # it may be good: it is never put aside
                return store_error(ErrorKind.AUTH_READ_FAILED, "sealed", self.path)
            return content
        if len(content.reveal()) > self.longest:
            return store_error(ErrorKind.CORRUPT_AUTH, "too_big", self.path)
        try:
            return without_traceback(lambda: seal.unseal(content))
        except SealBroken as broken:
            kind = ErrorKind.CORRUPT_AUTH if broken.reason == "sealed_wrong" else ErrorKind.AUTH_READ_FAILED
            return store_error(kind, broken.reason, self.path)


def may_be_put_aside(found: SignInError) -> bool:
    """Whether a new sign-in may take the place of what could not be read."""
    return found.kind is ErrorKind.CORRUPT_AUTH and found.details["reason"] not in NEVER_PUT_ASIDE


# -- what holders of the lock left ---------------------------------------------------------------------


def recover(
    directory: Directory, name: str, form: LoginCodec, stored: Record | SignInError | None
) -> Record | SignInError | None:
    """Put the best of the copies of the login `name` in its place, and remove the others. What is stored.

    Where what is stored cannot be read, only a rescued sign-in is put in its place, and nothing is removed
    otherwise: it may be all that there is. Where nothing is stored, a renewal stays, also one that could only
    be left under its temporary name: what it was exchanged for may come back. Raises SignInError,
    FileProblem, OSError.
    """
    names = [each for each in directory.names() if is_temporary(each, name) or is_rescued(each, name)]
    unreadable = isinstance(stored, SignInError)
    if not names or (isinstance(stored, SignInError) and not may_be_put_aside(stored)):
        return stored
    copies = {each: _must_be_read(directory, each, form) for each in names}
    best = _best(None if isinstance(stored, SignInError) else stored, copies, name)
    if unreadable and best is None:
        return stored
    if unreadable:
        move_aside(directory, name)
    if best is not None:
        put_in_place(directory, best, name)
    kept = {best}
    if stored is None and best is None:
        kept |= {each for each, copy in copies.items() if copy is not None and copy.parent is not None}
    _remove(directory, (each for each in names if each not in kept))
    return stored if best is None else copies[best]


def rescued_names(directory: Directory, name: str) -> list[str]:
    """What was kept beside the login `name`, by its holders and by those who could not get the lock."""
    return [each for each in directory.names() if is_rescued(each, name)]


def _best(stored: Record | None, copies: dict[str, Record | None], name: str) -> str | None:
    whole = {each: record for each, record in copies.items() if record is not None}
    rescued = [record for each, record in whole.items() if is_rescued(each, name)]
    strays = [record for each, record in whole.items() if not is_rescued(each, name)]
    best = best_leftover(stored, rescued, strays)
    return None if best is None else next(each for each, record in whole.items() if record is best)


def _must_be_read(directory: Directory, name: str, form: LoginCodec) -> Record | None:
    found = read_copy(directory, name, form)
    if isinstance(found, SignInError):
        raise found
    return found


def read_copy(directory: Directory, name: str, form: LoginCodec) -> Record | SignInError | None:
    """The record in a copy; None if it is worthless: half written, damaged, another account's, no plain
    file of our own, or gone. A SignInError if it may be worth something all the same: a newer release
    wrote it, or it is sealed and the key is not there. Raises OSError.
    """
    try:
        content = read_file(directory, name, form.longest)
    except FileProblem:
        return None
    except OSError:
        if _is_empty(directory, name):  # its writer ended before it could make it readable
            return None
        raise
    found = None if content is None else form.read(content)
    return None if isinstance(found, SignInError) and _is_worthless(found) else found


def _is_empty(directory: Directory, name: str) -> bool:
    found = directory.lstat(name)
    return found is None or found.st_size == 0


def _is_worthless(found: SignInError) -> bool:
    return found.kind is ErrorKind.CORRUPT_AUTH and found.details["reason"] != "schema_too_new"


def _remove(directory: Directory, names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(OSError):  # the next holder tries again
            remove_name(directory, name)


# -- what is stored ------------------------------------------------------------------------------------


_REREAD_AFTER: tuple[float, ...] = (0.02, 0.06, 0.12)
"""Seconds before each new look at a file that is no JSON: another program may be writing it in place."""

_MAY_BECOME_WHOLE: Final = ("not_json", "sealed_wrong")


def read_login(directory: Directory | None, name: str, form: LoginCodec) -> Record | SignInError | None:
    """The stored login, why it cannot be read as one, or None. Raises FileProblem, OSError."""
    found = _look(directory, name, form)
    for pause in _REREAD_AFTER:
        if not isinstance(found, SignInError) or found.details["reason"] not in _MAY_BECOME_WHOLE:
            break
        time.sleep(pause)
        found = _look(directory, name, form)
    return found


def _look(directory: Directory | None, name: str, form: LoginCodec) -> Record | SignInError | None:
    content = None if directory is None else read_file(directory, name, form.longest)
    return None if content is None else form.read(content)


def with_rescued(
    directory: Directory | None, name: str, form: LoginCodec, stored: Record | None
) -> Record | SignInError | None:
    """What is stored, or what was rescued beside it and takes its place; where what is stored is of no use,
    why there may be something that cannot be read. Raises OSError.
    """
    if directory is None:
        return stored
    rescued: list[Record] = []
    for each in directory.names():
        if is_rescued(each, name):
            found = read_copy(directory, each, form)
            if isinstance(found, Record):
                rescued.append(found)
            elif found is not None and (stored is None or not stored.is_renewable):
                return found
    return best_leftover(stored, rescued) or stored
