"""The key of a sealed store, in the operating system's keyring.

Rules of this file: the key is made once and never changed; it is made only by who is alone with a store in
which nothing is sealed, and what counts is what the keyring gives back; every visit to the keyring is
bounded; once known, the key stays in memory, and the keyring is not asked again.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeVar

import attrs

from codex_oauth.stores.bounded import Bounded, Unfinished
from codex_oauth.stores.keyrings import Keyring, usable_keyring
from codex_oauth.stores.seal import SealBroken
from codex_oauth_core.secret import Secret

__all__ = ["KEYRING_LIMIT", "KEY_LENGTH", "KeyringKey", "Sealed"]

KEYRING_LIMIT: Final = 3.0
"""Seconds that a visit to the keyring takes at most."""

_T = TypeVar("_T")
KEY_LENGTH: Final = 32  # bytes
_PREFIX: Final = "codex-oauth-key-1:"


class Sealed(Protocol):
    """What a key is for."""

    def alone(self) -> AbstractContextManager[None]:
        """Nobody else makes a key for it meanwhile. Raises SealBroken."""
        ...

    def is_empty(self) -> bool:
        """Whether nothing is sealed that a new key could not open. Raises SealBroken."""
        ...


@attrs.define(eq=False)
class KeyringKey:
    """The key that a keyring keeps under a service and a username, for what is `sealed`.

    Its errors are SealBroken: `no_key` (none is there, or what is there is none), `keyring_unavailable`,
    `keyring_timeout`, `extra_missing`.
    """

    service: str
    username: str
    _sealed: Sealed = attrs.field(repr=False)
    _keyring: Keyring | None = attrs.field(default=None, repr=False)
    limit: float = attrs.field(default=KEYRING_LIMIT, kw_only=True)
    _visits: Bounded = attrs.field(init=False, repr=False)
    _known: Secret[bytes] | None = attrs.field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._visits = Bounded(self.limit, told=(SealBroken,))

    def existing(self) -> Secret[bytes]:
        """The key, which must be there."""
        key = self._known or self._visit(self._read)
        if key is None:
            raise SealBroken("no_key")
        self._known = key
        return key

    def needed(self) -> Secret[bytes]:
        """The key, made where nothing is sealed yet."""
        self._known = self._known or self._visit(self._read_or_make)
        return self._known

    def check(self) -> None:
        """Make sure that `needed` can be expected to work, and make nothing."""
        if self._known is None and self._visit(self._read) is None and not self._sealed.is_empty():
            raise SealBroken("no_key")

    def _visit(self, work: Callable[[Keyring], _T]) -> _T:
        try:
            return self._visits.call(lambda: work(usable_keyring(self._keyring)))
        except Unfinished:
            reason = "keyring_timeout"
        except RuntimeError:  # of the backend, or no thread could be started
            reason = "keyring_unavailable"
        raise SealBroken(reason)

    def _read(self, keyring: Keyring) -> Secret[bytes] | None:
        kept = keyring.get_password(self.service, self.username)
        return None if kept is None else _decoded(Secret(kept))

    def _read_or_make(self, keyring: Keyring) -> Secret[bytes]:
        """On one thread, which keeps the others out until the keyring has answered, however late."""
        return self._read(keyring) or self._made(keyring)

    def _made(self, keyring: Keyring) -> Secret[bytes]:
        with self._sealed.alone():
            key = self._read(keyring)  # somebody else may just have made it
            if key is not None:
                return key
            if not self._sealed.is_empty():
                raise SealBroken("no_key")
            new = Secret(secrets.token_bytes(KEY_LENGTH))
            keyring.set_password(self.service, self.username, _encoded(new).reveal())
            key = self._read(keyring)
        if key is None:  # it keeps nothing
            raise SealBroken("keyring_unavailable")
        return key


def _encoded(key: Secret[bytes]) -> Secret[str]:
    return Secret(_PREFIX + base64.urlsafe_b64encode(key.reveal()).decode("ascii"))


def _decoded(kept: Secret[str]) -> Secret[bytes]:
    """Raises SealBroken (`no_key`) for what is no key: it is somebody's, and stays."""
    text = kept.reveal()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX).encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not text.startswith(_PREFIX) or len(key) != KEY_LENGTH:
        raise SealBroken("no_key")
    return Secret(key)
