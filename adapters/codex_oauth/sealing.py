r"""Checkpoints that may leave memory: sealed with a key of yours, for a cookie or a database.

Rules of this file: AES-256-GCM (NIST SP 800-38D) with a new nonce for every seal; all that is not encrypted
is authenticated, and so is whose checkpoint it is; the key is told by eight bytes of a hash of it, so that
another key is not taken for damage. Needs the package `cryptography`, of the extra `keyring`.

    codex-oauth checkpoint 1\n | 8 bytes: which key | 12 bytes: nonce | the content, encrypted | 16 bytes: tag
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.loading import loading
from codex_oauth_core.checkpoints.codec import CheckpointError
from codex_oauth_core.reading.strict_json import NotStrictJsonError, read_object
from codex_oauth_core.secret import Secret, without_traceback

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["new_key", "seal", "unseal"]

KEY_LENGTH: Final = 32
LONGEST: Final = 1024 * 1024
"""Bytes of a sealed checkpoint that are looked at; one has a few kilobytes."""

_SEALED: Final = b"codex-oauth checkpoint "
_HEAD: Final = _SEALED + b"1\n"
_WHICH: Final = 8
_NONCE: Final = 12
_TAG: Final = 16
_OPEN: Final = len(_HEAD) + _WHICH  # bytes that are authenticated and not encrypted


def new_key() -> Secret[bytes]:
    """A fresh key. Keep `reveal()` of it where the application keeps its other keys."""
    return Secret(secrets.token_bytes(KEY_LENGTH))


def seal(mapping: Mapping[str, Any], key: Secret[bytes], *, belongs_to: str = "") -> bytes:
    """A checkpoint as bytes that only the holder of the key can read or make.

    `belongs_to`, a session's id say, is not in them, but must be given again to unseal them: nobody can put
    one session's checkpoint in another's place. Raises ValueError for a key that is not of 32 bytes, and
    CheckpointError (`extra_missing`) without `cryptography`.
    """
    cipher, head = _cipher(key), _HEAD + _which(key)
    nonce = secrets.token_bytes(_NONCE)
    content = json.dumps(mapping, separators=(",", ":"), allow_nan=False).encode()
    return head + nonce + cipher.encrypt(nonce, content, head + belongs_to.encode())


def unseal(data: bytes, key: Secret[bytes], *, belongs_to: str = "") -> dict[str, Any]:
    """The checkpoint that was sealed, for `restore()`.

    Raises CheckpointError: `not_a_checkpoint` (it was never sealed here), `too_new` (a newer release sealed
    it), `other_key` (try the key that was used before), `sealed_wrong` (damaged, or of somebody else), and as
    `seal` does.
    """
    return without_traceback(lambda: _unsealed(data, key, belongs_to))


def _unsealed(data: bytes, key: Secret[bytes], belongs_to: str) -> dict[str, Any]:
    cipher = _cipher(key)
    with loading("cryptography.exceptions"):
        from cryptography.exceptions import InvalidTag

    if not data.startswith(_HEAD):
        raise CheckpointError("too_new" if data.startswith(_SEALED) else "not_a_checkpoint")
    if not _OPEN + _NONCE + _TAG <= len(data) <= LONGEST:
        raise CheckpointError("sealed_wrong")
    if data[len(_HEAD) : _OPEN] != _which(key):
        raise CheckpointError("other_key")
    nonce, rest = data[_OPEN : _OPEN + _NONCE], data[_OPEN + _NONCE :]
    try:
        return read_object(cipher.decrypt(nonce, rest, data[:_OPEN] + belongs_to.encode()), LONGEST)
    except (InvalidTag, NotStrictJsonError):
        raise CheckpointError("sealed_wrong") from None


def _which(key: Secret[bytes]) -> bytes:
    return hashlib.sha256(b"codex-oauth: which checkpoint key\0" + key.reveal()).digest()[:_WHICH]


def _cipher(key: Secret[bytes]) -> AESGCM:
    if len(key.reveal()) != KEY_LENGTH:
        raise ValueError(f"a key has {KEY_LENGTH} bytes, as new_key() makes it")
    try:
        with loading("cryptography.hazmat.primitives.ciphers.aead"):
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise CheckpointError("extra_missing") from None
    return AESGCM(key.reveal())
