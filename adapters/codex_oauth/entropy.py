"""The randomness that the core takes as arguments, drawn from the operating system.

Rules of this file: `os.urandom` is what `secrets` draws from, and loads no `random` (P2).
"""

from __future__ import annotations

import os

from codex_oauth_core.pkce import ENTROPY_BYTES, Pkce, state_from
from codex_oauth_core.secret import Secret

__all__ = ["new_nonce", "new_pkce", "new_state"]


def new_pkce() -> Pkce:
    """A fresh PKCE pair (RFC 7636 §4.1). Use it for one sign-in."""
    return Pkce.from_entropy(os.urandom(ENTROPY_BYTES))


def new_state() -> Secret[str]:
    """A fresh `state` of 256 bits (RFC 6749 §10.12). Use it for one sign-in."""
    return state_from(os.urandom(ENTROPY_BYTES))


def new_nonce() -> Secret[str]:
    """A fresh `nonce` of 256 bits (OpenID Connect Core §15.5.2): use it for one sign-in."""
    return state_from(os.urandom(ENTROPY_BYTES))
