"""Logins as files that are worth nothing without the operating system's keyring.

Rules of this file: `FileStore` does everything, and sees a seal; here is where the key lives, and when a
new one may be made. Of a home without its key nothing is overwritten.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.stores.failures import FileProblem, explained, store_error
from codex_oauth.stores.file_checks import SafePath, directory_place
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.files import Directory, read_file
from codex_oauth.stores.keyring_key import KEYRING_LIMIT, Keyring, KeyringKey, KeyringSeal
from codex_oauth.stores.locks import LoginLock, lock_name, take_lock
from codex_oauth.stores.login_file import SEALED, SealBroken
from codex_oauth.stores.paths import LOGINS, key_in
from codex_oauth_core.errors import ErrorKind

__all__ = ["SealedFileStore"]

_LOCKED_FILE: Final = ".key.json"  # no login's: a key has no dot
_LOGIN: Final = ".json"
_POLL: Final = 0.02  # seconds between two looks at a lock


@attrs.frozen
class SealedFiles:
    """The files of a home that a key is for. See `Sealed`."""

    home: Path
    follow_symlinks: bool
    soft_lock: bool
    patience: float

    @property
    def place(self) -> SafePath:
        """The directory of the logins."""
        return directory_place(self.home, LOGINS, follow=self.follow_symlinks)

    @contextmanager
    def alone(self) -> Generator[None, None, None]:
        """See `Sealed.alone`: under a lock of its own, which all logins of the home share."""
        with ExitStack() as undo:
            with _as_broken(self.home):  # and not what is raised by who is alone
                logins = undo.enter_context(self.place.writable())
                undo.callback(self._lock(logins).give_back)
            yield

    def _lock(self, logins: Directory) -> LoginLock:
        name = lock_name(_LOCKED_FILE, soft=self.soft_lock)
        give_up_at = time.monotonic() + self.patience
        while (lock := take_lock(logins, name, soft=self.soft_lock)) is None:
            if time.monotonic() >= give_up_at:
                raise SealBroken("keyring_timeout")  # its holder waits for the keyring
            time.sleep(_POLL)
        return lock

    def is_empty(self) -> bool:
        """See `Sealed.is_empty`."""
        with _as_broken(self.home), self.place.reading() as logins:
            return logins is None or not any(_is_sealed(logins, name) for name in logins.names())


def _is_sealed(logins: Directory, name: str) -> bool:
    """Whether a file is a sealed login, or a copy of one. One that cannot be read may be."""
    if key_in(name.partition(_LOGIN)[0] + _LOGIN) is None:
        return False
    try:
        content = read_file(logins, name, len(SEALED))
    except (FileProblem, OSError):
        return True
    return content is not None and content.reveal().startswith(SEALED)


@contextmanager
def _as_broken(path: Path) -> Generator[None, None, None]:
    """Turn every failure of a file inside into a SealBroken."""
    try:
        yield
    except (FileProblem, OSError) as problem:
        reason = explained(ErrorKind.AUTH_WRITE_FAILED, path, problem).details["reason"]
        raise SealBroken(str(reason)) from None


def _username(home: Path) -> str:
    """What the key of a home is called, whatever way leads to it."""
    return "store-" + hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:16]


def _seal(store: SealedFileStore) -> KeyringSeal:
    files = SealedFiles(store.home, store.follow_symlinks, store.soft_lock, store.limit)
    key = KeyringKey(store.service, _username(store.home), files, store.keyring, limit=store.limit)
    return KeyringSeal(key)


@attrs.frozen
class SealedFileStore(FileStore):
    """A `FileStore` that encrypts its logins. The operating system's keyring keeps the random key under
    `service`, so a backup or a copy of the home holds no usable token. It needs the extra `keyring`.

    The first save makes the key, and no later save makes another while a sealed login exists. Without its key
    a login stays as it is, and reading it raises SignInError of kind `auth_read_failed` with `details.reason`
    `no_key`. Other reasons: `keyring_timeout` (no answer within `limit` seconds: the keyring may be asking
    its owner to unlock it), `keyring_unavailable` (there is no keyring, it refuses, or it stores secrets in
    plain text) and `extra_missing`. `keyring` is a backend of the `keyring` library; by default the one that
    this library finds.
    """

    service: str = attrs.field(default="codex-oauth", kw_only=True)
    keyring: Keyring | None = attrs.field(default=None, kw_only=True, repr=False)
    limit: float = attrs.field(default=KEYRING_LIMIT, kw_only=True)
    seal: KeyringSeal = attrs.field(
        default=attrs.Factory(_seal, takes_self=True), init=False, repr=False, eq=False
    )

    def prepare(self) -> None:
        """See `Store.prepare`. It asks the keyring, and puts nothing into it."""
        super().prepare()
        try:
            self.seal.check()
        except SealBroken as broken:
            raise store_error(ErrorKind.AUTH_WRITE_FAILED, broken.reason, self.home) from None
