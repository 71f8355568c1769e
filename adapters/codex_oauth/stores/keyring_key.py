"""The key of a sealed store, in the operating system's keyring, and what it seals.

Rules of this file: the key is made once and never changed; it is made only by who is alone with a store in
which nothing is sealed, and what counts is what the keyring gives back; every visit to the keyring is
bounded; once known, the key stays in memory. A keyring that keeps its secrets readable, or nothing at all,
is none; nothing here starts a D-Bus daemon. The seal is AES-256-GCM (NIST SP 800-38D), with a new nonce for
every write; all that is not encrypted is authenticated; which key sealed is told by eight bytes of a hash
of it, so that another key is not taken for damage.

    codex-oauth sealed 1, newline | key: 8 bytes | nonce: 12 bytes | the content, encrypted | tag: 16 bytes

Whose login it is needs no place beside the content: the record says it, and every reader compares it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

import attrs

from codex_oauth.loading import loading
from codex_oauth.stores.file_checks import Bounded, Unfinished
from codex_oauth.stores.login_file import SEALED, SealBroken
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = [
    "KEYRING_LIMIT",
    "SEAL_KEY_LENGTH",
    "Keyring",
    "KeyringKey",
    "KeyringSeal",
    "Sealed",
    "usable_keyring",
]


_NO_KEYRINGS: Final = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
_BEHIND_A_BUS: Final = (
    "keyring.backends.SecretService",
    "keyring.backends.kwallet",
    "keyring.backends.libsecret",
)


class Keyring(Protocol):
    """What is used of a backend of the `keyring` library."""

    def get_password(self, service: str, username: str) -> str | None:
        """The secret that is kept under these names."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret under these names."""
        ...


def usable_keyring(given: Keyring | None = None) -> Keyring:
    """The keyring to use: `given`, or the one that the `keyring` library finds.

    Raises SealBroken: `extra_missing`, `keyring_unavailable`; whatever a backend raises.
    """
    if given is None and _needs_a_bus() and not _has_a_bus():
        raise SealBroken("keyring_unavailable")
    usable = _first_usable(_found() if given is None else given)
    if usable is None:
        raise SealBroken("keyring_unavailable")
    return usable


def _found() -> Keyring:
    try:
        with loading("keyring"):
            import keyring
    except ImportError:
        raise SealBroken("extra_missing") from None
    return cast("Keyring", keyring.get_keyring())  # its parameters have other names


def _first_usable(keyring: Keyring) -> Keyring | None:
    """The keyring itself; of one that asks several in turn, the first that may be used."""
    module = type(keyring).__module__
    if module == "keyring.backends.chainer":
        chain = cast("list[Keyring]", getattr(keyring, "backends", []))
        return next((each for each in chain if _first_usable(each) is not None), None)
    if _is_of(keyring, _BEHIND_A_BUS) and not _has_a_bus():
        return None
    is_none = _is_of(keyring, _NO_KEYRINGS) or "plaintext" in type(keyring).__name__.lower()
    return None if is_none else keyring


def _is_of(keyring: Keyring, modules: tuple[str, ...]) -> bool:
    """Whether its class, or one that it is derived from, is of one of these modules or packages."""
    return any(
        base.__module__ == module or base.__module__.startswith(f"{module}.")
        for base in type(keyring).__mro__
        for module in modules
    )


def _needs_a_bus() -> bool:
    return sys.platform not in ("win32", "darwin")


def _has_a_bus() -> bool:
    """Whether a session bus is there to be reached. `autolaunch:` is an order to start one."""
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    if address:
        return not address.startswith("autolaunch:")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    try:
        return bool(runtime) and stat.S_ISSOCK(Path(runtime, "bus").stat().st_mode)
    except OSError:
        return False


# -- the key -------------------------------------------------------------------------------------------


KEYRING_LIMIT: Final = 3.0
"""Seconds that a visit to the keyring takes at most."""

_T = TypeVar("_T")
SEAL_KEY_LENGTH: Final = 32  # bytes
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
            new = Secret(secrets.token_bytes(SEAL_KEY_LENGTH))
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
    if not text.startswith(_PREFIX) or len(key) != SEAL_KEY_LENGTH:
        raise SealBroken("no_key")
    return Secret(key)


# -- the seal ------------------------------------------------------------------------------------------


_HEAD: Final = SEALED + b"1\n"
_WHICH: Final = 8
_NONCE: Final = 12
_TAG: Final = 16
_OPEN: Final = len(_HEAD) + _WHICH  # bytes that are authenticated and not encrypted


@attrs.frozen
class KeyringSeal:
    """See `Seal`. Raises SealBroken as `KeyringKey` does, with `sealed_wrong` for what was not sealed so or
    was damaged, and `seal_too_new` for what a newer release sealed.
    """

    key: KeyringKey

    def check(self) -> None:
        """Make sure that `seal` can be expected to work. Raises SealBroken."""
        _cipher(Secret(bytes(SEAL_KEY_LENGTH)))
        self.key.check()

    def seal(self, content: Secret[bytes]) -> Secret[bytes]:
        """See `Seal.seal`."""
        key = self.key.needed()
        head, nonce = _HEAD + _which(key), os.urandom(_NONCE)
        return Secret(head + nonce + _cipher(key).encrypt(nonce, content.reveal(), head))

    def unseal(self, content: Secret[bytes]) -> Secret[bytes]:
        """See `Seal.unseal`. What is not sealed is told without asking for the key."""
        sealed = content.reveal()
        if not sealed.startswith(_HEAD):
            raise SealBroken("seal_too_new" if sealed.startswith(SEALED) else "sealed_wrong")
        if len(sealed) < _OPEN + _NONCE + _TAG:
            raise SealBroken("sealed_wrong")
        key = self.key.existing()
        if sealed[len(_HEAD) : _OPEN] != _which(key):
            raise SealBroken("no_key")
        return _opened(key, sealed)


def _opened(key: Secret[bytes], sealed: bytes) -> Secret[bytes]:
    with loading("cryptography.exceptions"):
        from cryptography.exceptions import InvalidTag

    nonce, rest = sealed[_OPEN : _OPEN + _NONCE], sealed[_OPEN + _NONCE :]
    try:
        return Secret(_cipher(key).decrypt(nonce, rest, sealed[:_OPEN]))
    except InvalidTag:
        raise SealBroken("sealed_wrong") from None


def _which(key: Secret[bytes]) -> bytes:
    return hashlib.sha256(b"codex-oauth: which key\0" + key.reveal()).digest()[:_WHICH]


def _cipher(key: Secret[bytes]) -> AESGCM:
    try:
        with loading("cryptography.hazmat.primitives.ciphers.aead"):
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise SealBroken("extra_missing") from None
    return AESGCM(key.reveal())
