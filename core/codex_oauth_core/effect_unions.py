"""All effects as one type, and those of a sign-in: what a driver matches over.

Rules of this file: types need it, and a flow that runs does not. So flows name it for type checkers alone,
and a sign-in loads no class that only a store needs (P1 of docs/performance.md).
"""

from __future__ import annotations

from codex_oauth_core.effects import Finished, SendRequest, Wait
from codex_oauth_core.storage import Register, StorageEffect

__all__ = ["Effect", "SignInEffect"]

SignInEffect = SendRequest | Wait | Register
"""The effects of a sign-in. A driver that keeps no registrations answers `Register` with `Registered`."""

Effect = SendRequest | Wait | StorageEffect | Finished
