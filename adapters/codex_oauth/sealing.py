r"""What may leave memory: checkpoints and logins, sealed with a key of yours, for a cookie or a database.

Rules of this file: AES-256-GCM (NIST SP 800-38D) with a new nonce for every seal; all that is not encrypted
is authenticated, and so is whose it is; the key is told by eight bytes of a hash of it, so that another key
is not taken for damage. Needs the package `cryptography`, of the extras `keyring` and `postgres`.

    codex-oauth checkpoint 1\n | 8 bytes: which key | 12 bytes: nonce | the content, encrypted | 16 bytes: tag

A login has its own first word, so that neither is ever taken for the other.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_oauth.loading import loading
from codex_oauth_core.checkpoints.codec import CheckpointError
from codex_oauth_core.reading.strict_json import NotStrictJsonError, read_object
from codex_oauth_core.secret import Secret, without_traceback

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["Keys", "SealError", "Sealing", "new_key", "reseal_checkpoint", "seal", "unseal"]

KEY_LENGTH: Final = 32
LONGEST: Final = 1024 * 1024
"""Bytes of something sealed that are looked at; it has a few kilobytes."""

_WHICH: Final = 8
_NONCE: Final = 12
_TAG: Final = 16


def new_key() -> Secret[bytes]:
    """A fresh key. Store what `reveal()` returns where the application stores its other keys."""
    return Secret(secrets.token_bytes(KEY_LENGTH))


class SealError(ValueError):
    """Something cannot be sealed or opened. `reason`: `not_sealed` (never sealed, or something else),
    `too_new` (a newer release sealed it), `other_key` (none of these keys sealed it), `sealed_wrong`
    (damaged, or of somebody else), `extra_missing` (without `cryptography`).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Keys:
    """The key that seals, and the earlier keys that still unseal: `Keys(new, old)`.

    A key has 32 bytes, as `new_key()` makes it; ValueError for any other length.
    """

    __slots__ = ("_by_id", "current")

    def __init__(self, current: Secret[bytes], *older: Secret[bytes]) -> None:
        keys = (current, *older)
        if any(len(key.reveal()) != KEY_LENGTH for key in keys):
            raise ValueError(f"a key has {KEY_LENGTH} bytes, as new_key() makes it")
        self.current = current
        self._by_id = {_which(key): key for key in reversed(keys)}

    def __repr__(self) -> str:
        return f"<Keys, {self.current_id} seals, {len(self._by_id)} open>"

    @property
    def current_id(self) -> str:
        """The id of the key that seals: 16 hexadecimal digits, which reveal nothing of the key."""
        return _which(self.current).hex()

    def has(self, key_id: str) -> bool:
        """Whether the key with this `key_id` is one of these. Its form is that of `current_id`."""
        return any(which.hex() == key_id for which in self._by_id)

    def key(self, which: bytes) -> Secret[bytes]:
        """The key with the id `which`. Raises SealError: `other_key`."""
        try:
            return self._by_id[which]
        except KeyError:
            raise SealError("other_key") from None


@attrs.frozen
class Sealing:
    """Seals one kind of thing, `word`: what was sealed as one kind is never opened as another."""

    word: str

    @property
    def _any(self) -> bytes:
        return f"codex-oauth {self.word} ".encode()

    @property
    def _head(self) -> bytes:
        return self._any + b"1\n"

    def seal(self, content: Secret[bytes], keys: Keys, belongs_to: str) -> bytes:
        """The content as bytes that only a holder of the key can read or make. `belongs_to` is not in them,
        and must be given again to open them. Raises SealError: `extra_missing`.
        """
        cipher, head = _cipher(keys.current), self._head + _which(keys.current)
        nonce = secrets.token_bytes(_NONCE)
        return head + nonce + cipher.encrypt(nonce, content.reveal(), head + belongs_to.encode())

    def open(self, data: bytes, keys: Keys, belongs_to: str) -> Secret[bytes]:
        """The content that was sealed. Raises SealError."""
        return without_traceback(lambda: self._opened(data, keys, belongs_to))

    def _opened(self, data: bytes, keys: Keys, belongs_to: str) -> Secret[bytes]:
        head, opened = self._head, len(self._head) + _WHICH
        if not data.startswith(head):
            raise SealError("too_new" if data.startswith(self._any) else "not_sealed")
        if not opened + _NONCE + _TAG <= len(data) <= LONGEST:
            raise SealError("sealed_wrong")
        cipher = _cipher(keys.key(data[len(head) : opened]))
        with loading("cryptography.exceptions"):
            from cryptography.exceptions import InvalidTag

        nonce, rest = data[opened : opened + _NONCE], data[opened + _NONCE :]
        try:
            return Secret(cipher.decrypt(nonce, rest, data[:opened] + belongs_to.encode()))
        except InvalidTag:
            raise SealError("sealed_wrong") from None


# -- checkpoints ---------------------------------------------------------------------------------------


_CHECKPOINTS: Final = Sealing("checkpoint")


def seal(mapping: Mapping[str, Any], key: Secret[bytes] | Keys, *, belongs_to: str = "") -> bytes:
    """A checkpoint as bytes that only the holder of the key can read or make.

    `belongs_to`, such as a session's id, is not in the bytes, but `unseal()` needs the same value: so nobody
    can use one session's checkpoint for another. Raises ValueError for a key that does not have 32 bytes, and
    CheckpointError (`extra_missing`) without `cryptography`.
    """
    content = Secret(json.dumps(mapping, separators=(",", ":"), allow_nan=False).encode())
    try:
        return _CHECKPOINTS.seal(content, _keys(key), belongs_to)
    except SealError as error:
        raise CheckpointError(error.reason) from None


def unseal(data: bytes, key: Secret[bytes] | Keys, *, belongs_to: str = "") -> dict[str, Any]:
    """The checkpoint in the sealed bytes. Give it to `restore()` next.

    Raises CheckpointError: `not_a_checkpoint` (`seal()` did not make the bytes), `too_new` (a newer release
    made them), `other_key` (try an earlier key), `sealed_wrong` (they are damaged, or have another
    `belongs_to`). Also raises what `seal` raises.
    """
    return without_traceback(lambda: _unsealed(data, _keys(key), belongs_to))


def _unsealed(data: bytes, keys: Keys, belongs_to: str) -> dict[str, Any]:
    try:
        return read_object(_CHECKPOINTS.open(data, keys, belongs_to).reveal(), LONGEST)
    except SealError as error:
        raise CheckpointError(_AS_CHECKPOINT.get(error.reason, error.reason)) from None
    except NotStrictJsonError:
        raise CheckpointError("sealed_wrong") from None


def reseal_checkpoint(data: bytes, keys: Keys, *, belongs_to: str = "") -> bytes:
    """A sealed checkpoint, sealed anew with the key that seals now. Raises CheckpointError, as `unseal`."""
    try:
        return _CHECKPOINTS.seal(_CHECKPOINTS.open(data, keys, belongs_to), keys, belongs_to)
    except SealError as error:
        raise CheckpointError(_AS_CHECKPOINT.get(error.reason, error.reason)) from None


_AS_CHECKPOINT: Final = {"not_sealed": "not_a_checkpoint"}


def _keys(key: Secret[bytes] | Keys) -> Keys:
    return key if isinstance(key, Keys) else Keys(key)


# -- the cipher ----------------------------------------------------------------------------------------


def _which(key: Secret[bytes]) -> bytes:
    return hashlib.sha256(b"codex-oauth: which checkpoint key\0" + key.reveal()).digest()[:_WHICH]


def _cipher(key: Secret[bytes]) -> AESGCM:
    try:
        with loading("cryptography.hazmat.primitives.ciphers.aead"):
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise SealError("extra_missing") from None
    return AESGCM(key.reveal())
