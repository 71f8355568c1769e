"""What files and variables of a store are called.

Rules of this file: names only, and cheap to load; nothing is looked up here.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "CURRENT",
    "CUT_OFF",
    "HOME_VARIABLE",
    "LOGINS",
    "LONGEST_POINTER",
    "PENDING_DIRECTORY",
    "key_in",
    "login_name",
]

HOME_VARIABLE: Final = "CODEX_OAUTH_HOME"
LOGINS: Final = "logins"
CURRENT: Final = "current"
PENDING_DIRECTORY: Final = "pending"
CUT_OFF: Final = 600.0
"""Seconds after which nobody writes a temporary file any more that no lock guards: its writer was cut off."""
LONGEST_POINTER: Final = 256
"""Bytes of `current` that are read at most."""

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_SUFFIX: Final = ".json"


def login_name(key: str) -> str:
    """The name of a login's file. Raises ValueError for what is no key."""
    if not _is_key(key):
        raise ValueError("a login's key is 1 to 128 letters, digits, `_` and `-`")
    return key + _SUFFIX


def key_in(name: str) -> str | None:
    """The key in the name of a login's file; None for the name of anything else."""
    stem = name.removesuffix(_SUFFIX)
    return stem if stem != name and _is_key(stem) else None


def _is_key(text: str) -> bool:
    return 0 < len(text) <= 128 and not text.strip(_LETTERS)
