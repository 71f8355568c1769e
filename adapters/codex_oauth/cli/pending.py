"""Sign-ins that were started and are to be finished by another process: one file for each.

Rules of this file: a file is ours alone (0600) and holds secrets; one process has a sign-in at a time, by a
lock that ends with it; a sign-in that is over leaves nothing behind.

    <home>/pending/<id>.json    a checkpoint, and when it expires
    <home>/pending/<id>.lock    held while somebody finishes it
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import attrs

from codex_oauth.stores.failures import reporting, shown
from codex_oauth.stores.file_checks import directory_place, file_place
from codex_oauth.stores.files import Directory, is_temporary, read_file, remove_name, stage
from codex_oauth.stores.locks import take_lock
from codex_oauth.stores.names import CUT_OFF, PENDING
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.secret import Secret

__all__ = ["PENDING", "Claimed", "Kept", "PendingSignIns"]

_ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_SUFFIX: Final = ".json"
_LOCK: Final = ".lock"
_VERSION: Final = 1
_LONGEST: Final = 256 * 1024
_START: Final = ("Start a sign-in: codex-oauth login start --device",)


@attrs.frozen
class Kept:
    """What a file holds: a flow's checkpoint, and when it expires, in Unix seconds."""

    checkpoint: Mapping[str, Any] = attrs.field(repr=False)
    expires_at: float


@attrs.frozen
class Claimed:
    """A pending sign-in that this process alone has."""

    directory: Directory
    id: str

    def load(self) -> Kept:
        """What is kept. Raises SignInError: `corrupt_auth`, `auth_read_failed`, `expired` if it is gone."""
        with reporting(ErrorKind.AUTH_READ_FAILED, self.path):
            content = read_file(self.directory, self.id + _SUFFIX, _LONGEST)
        if content is None:
            raise _unknown()
        kept = _read(content)
        if kept is None:
            raise self.damaged("unreadable")
        return kept

    def save(self, kept: Kept) -> None:
        """Keep this, in place of what is kept. Raises SignInError."""
        content = {"schema_version": _VERSION, "expires_at": kept.expires_at, "checkpoint": kept.checkpoint}
        with (
            reporting(ErrorKind.AUTH_WRITE_FAILED, self.path),
            stage(self.directory, self.id + _SUFFIX, Secret(json.dumps(content).encode())) as staged,
        ):
            staged.commit()

    def discard(self) -> None:
        """Forget it: it is over. Raises SignInError."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.path):
            for name in self.directory.names():
                if is_temporary(name, self.id + _SUFFIX):
                    remove_name(self.directory, name)
            for suffix in (_SUFFIX, _LOCK):
                remove_name(self.directory, self.id + suffix)
            self.directory.sync()

    def damaged(self, reason: str) -> SignInError:
        """The error for what cannot be read. `reason` is a word for programs."""
        text = "The pending sign-in cannot be read."
        error = SignInError.of(ErrorKind.CORRUPT_AUTH, text, reason=reason, path=shown(self.path))
        return attrs.evolve(error, next_actions=_START)

    @property
    def path(self) -> Path:
        """Its file."""
        return self.directory.path / (self.id + _SUFFIX)


@attrs.frozen
class PendingSignIns:
    """The pending sign-ins of one home."""

    home: Path

    def add(self, kept: Kept) -> str:
        """Keep a new one, and return its id. Raises SignInError."""
        made = os.urandom(8).hex()
        path = self.home / PENDING / (made + _SUFFIX)
        with reporting(ErrorKind.AUTH_WRITE_FAILED, path):
            directory = file_place(self.home, PENDING, path.name, follow=False).writable()
        with directory:
            Claimed(directory, made).save(kept)
        return made

    @contextmanager
    def claimed(self, wanted: str) -> Generator[Claimed]:
        """The pending sign-in of that id, for this process alone within the block.

        Raises SignInError: `expired` (`details.reason`: `unknown_id`) if there is none; `network`
        (`lock_busy`) while another process has it; storage errors.
        """
        path = self.home / PENDING / f"{wanted}{_SUFFIX}"
        if not _ID.fullmatch(wanted) or path.name not in self._names():
            raise _unknown()
        with reporting(ErrorKind.AUTH_WRITE_FAILED, path):
            directory = file_place(self.home, PENDING, path.name, follow=False).writable()
        with directory:
            with reporting(ErrorKind.AUTH_WRITE_FAILED, path):
                lock = take_lock(directory, wanted + _LOCK, soft=False)
            if lock is None:
                raise _busy()
            try:
                claimed = Claimed(directory, wanted)
                if directory.lstat(path.name) is None:  # over, just now
                    claimed.discard()
                    raise _unknown()
                yield claimed
            finally:
                lock.give_back()

    def sweep(self, wall: float) -> None:
        """Forget what has expired at the Unix time `wall`, or cannot be read, unless somebody has it. What
        cannot be removed stays.
        """
        with contextlib.suppress(SignInError):
            names = self._names()
            for wanted in {name.removesuffix(_SUFFIX).removesuffix(_LOCK) for name in names}:
                if _ID.fullmatch(wanted):
                    with contextlib.suppress(SignInError):
                        self._forget_if_over(wanted, wall)
            for name in names:
                if _is_temporary(name):
                    with contextlib.suppress(SignInError):
                        self._forget_if_cut_off(name, wall)

    def _forget_if_over(self, wanted: str, wall: float) -> None:
        name = wanted + _SUFFIX
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / PENDING):
            directory = file_place(self.home, PENDING, name, follow=False).writable()
            with directory:
                if not _is_over(directory, name, wall):  # looked at first: a lock would keep others out
                    return
                if (lock := take_lock(directory, wanted + _LOCK, soft=False)) is None:
                    return
                try:
                    if _is_over(directory, name, wall):
                        Claimed(directory, wanted).discard()
                finally:
                    lock.give_back()

    def _forget_if_cut_off(self, name: str, wall: float) -> None:
        """Of a start that was killed: it may hold what the server issued. Nobody has a lock to write it."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / PENDING):
            directory = file_place(self.home, PENDING, name, follow=False).writable()
            with directory:
                found = directory.lstat(name)
                if found is not None and abs(wall - found.st_mtime) >= CUT_OFF:
                    remove_name(directory, name)

    def _names(self) -> list[str]:
        place = directory_place(self.home, PENDING, follow=False)
        with reporting(ErrorKind.AUTH_READ_FAILED, self.home / PENDING), place.reading() as directory:
            return [] if directory is None else directory.names()


def _read(content: Secret[bytes]) -> Kept | None:
    """What a file holds; None if it cannot be read."""
    try:
        found: object = json.loads(content.reveal())
    except (ValueError, RecursionError):
        return None
    fields = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    checkpoint, expires_at = fields.get("checkpoint"), fields.get("expires_at")
    if fields.get("schema_version") != _VERSION or not isinstance(checkpoint, dict):
        return None
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        return None
    return Kept(cast("dict[str, Any]", checkpoint), expires_at)


def _is_temporary(name: str) -> bool:
    """Whether it is a temporary file of a pending sign-in."""
    kept = name[:16] + _SUFFIX
    return _ID.fullmatch(name[:16]) is not None and is_temporary(name, kept)


def _is_over(directory: Directory, name: str, wall: float) -> bool:
    content = read_file(directory, name, _LONGEST)
    kept = None if content is None else _read(content)
    return kept is None or not wall < kept.expires_at


def _unknown() -> SignInError:
    text = "No sign-in is pending under this id: it is over, has expired, or was started elsewhere."
    return attrs.evolve(SignInError.of(ErrorKind.EXPIRED, text, reason="unknown_id"), next_actions=_START)


def _busy() -> SignInError:
    text = "Another process is finishing this sign-in."
    error = SignInError.of(ErrorKind.NETWORK, text, reason="lock_busy")
    return attrs.evolve(error, next_actions=("Let it finish, or end it and try again.",))
