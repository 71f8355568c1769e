"""The operating system's keyring: which one may keep a key, and which may not.

Rules of this file: a keyring that keeps its secrets readable, or nothing at all, is none; nothing here
starts a D-Bus daemon: where no session bus runs, a keyring behind one is not even looked for.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Final, Protocol, cast

from codex_oauth.loading import loading
from codex_oauth.stores.seal import SealBroken

__all__ = ["Keyring", "usable_keyring"]

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
