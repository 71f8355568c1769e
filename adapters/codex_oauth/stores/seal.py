"""What a store does to a login's bytes just before they reach a disk, and just after they left it.

Rules of this file: a protocol and its one failure; both directions take and give `Secret` bytes; a store that
has a seal writes nothing of a login unsealed, neither a temporary file nor a rescued one.
"""

from __future__ import annotations

from typing import Final, Protocol

from codex_oauth_core.secret import Secret

__all__ = ["SEALED", "Seal", "SealBroken"]

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
