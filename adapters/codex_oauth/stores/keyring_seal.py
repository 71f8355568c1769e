r"""The seal of a login: AES-256-GCM (NIST SP 800-38D) with a key that is kept elsewhere.

Rules of this file: a new nonce for every write; all that is not encrypted is authenticated; which key
sealed is told by eight bytes of a hash of it, so that another key is not taken for damage.

    codex-oauth sealed 1\n | 8 bytes: which key | 12 bytes: nonce | the content, encrypted | 16 bytes: tag

Whose login it is needs no place beside the content: the record says it, and every reader compares it.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

import attrs

from codex_oauth.loading import loading
from codex_oauth.stores.keyring_key import KEY_LENGTH, KeyringKey
from codex_oauth.stores.seal import SEALED, SealBroken
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["KeyringSeal"]

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
        _cipher(Secret(bytes(KEY_LENGTH)))
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
