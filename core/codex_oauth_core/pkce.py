"""PKCE and `state` from entropy that the caller draws (RFC 7636, RFC 6749 §10.12).

Rules of this file: nothing here is random. `secrets.token_bytes` belongs to the adapters.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import attrs

from codex_oauth_core.secret import Secret

__all__ = ["ENTROPY_BYTES", "Pkce", "base64url", "s256", "state_from"]

ENTROPY_BYTES: Final = 32
"""Bytes of entropy for a verifier and for a state: 256 bits, 43 characters."""

_LONGEST: Final = 96  # bytes that fill the longest verifier, 128 characters (RFC 7636 §4.1)


@attrs.frozen
class Pkce:
    """A code verifier and its S256 challenge. There is no `plain` method here (RFC 7636 §4.2)."""

    code_verifier: Secret[str]
    code_challenge: str
    code_challenge_method: str = "S256"

    @classmethod
    def from_entropy(cls, entropy: bytes) -> Pkce:
        """The pair made from 32 to 96 random bytes.

        Raises ValueError for fewer or more bytes: the verifier would not have 43 to 128 characters.
        """
        if not ENTROPY_BYTES <= len(entropy) <= _LONGEST:
            raise ValueError(f"a verifier takes {ENTROPY_BYTES} to {_LONGEST} bytes of entropy")
        verifier = base64url(entropy)
        return cls(Secret(verifier), s256(verifier))


def s256(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 §4.2)."""
    return base64url(hashlib.sha256(verifier.encode("ascii", "replace")).digest())


def state_from(entropy: bytes) -> Secret[str]:
    """A `state` value made of at least 32 random bytes. Raises ValueError for fewer."""
    if len(entropy) < ENTROPY_BYTES:
        raise ValueError(f"a state takes at least {ENTROPY_BYTES} bytes of entropy")
    return Secret(base64url(entropy))


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7636 appendix A)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
