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
    "HOST_ID",
    "LOGINS",
    "LONGEST_POINTER",
    "PENDING_DIRECTORY",
    "REGISTRATIONS",
    "client_id_in",
    "key_in",
    "login_name",
    "registration_name",
]

HOME_VARIABLE: Final = "CODEX_OAUTH_HOME"
LOGINS: Final = "logins"
CURRENT: Final = "current"
PENDING_DIRECTORY: Final = "pending"
REGISTRATIONS: Final = "registrations"
HOST_ID: Final = "host-id"
CUT_OFF: Final = 600.0
"""Seconds after which nobody writes a temporary file any more that no lock guards: its writer was cut off."""
LONGEST_POINTER: Final = 256
"""Bytes of `current` that are read at most."""

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_SUFFIX: Final = ".json"


def login_name(key: str) -> str:
    """The name of a login's file. Raises ValueError for what is no key."""
    if not _is_word(key, 128):
        raise ValueError("a login's key is 1 to 128 letters, digits, `_` and `-`")
    return key + _SUFFIX


def key_in(name: str) -> str | None:
    """The key in the name of a login's file; None for the name of anything else."""
    stem = name.removesuffix(_SUFFIX)
    return stem if stem != name and _is_word(stem, 128) else None


def registration_name(client_id: str) -> str:
    """The name of a registration's file. Raises ValueError for what is no client id that a file can have."""
    if not _is_word(client_id, 200):
        raise ValueError("a registration's client id is 1 to 200 letters, digits, `_` and `-`")
    return client_id + _SUFFIX


def client_id_in(name: str) -> str | None:
    """The client id in the name of a registration's file; None for the name of anything else."""
    stem = name.removesuffix(_SUFFIX)
    return stem if stem != name and _is_word(stem, 200) else None


def _is_word(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and not text.strip(_LETTERS)
