"""What is loaded on first use, on whatever thread that is: under one lock, and no fork falls into it.

Rules of this file: a child that is forked while another thread loads a module would wait for it for ever, so
a fork waits for the loading instead. No other lock of ours is taken under this one, no module of ours takes
it while it is itself being loaded, and nobody takes it for what is loaded: a signal handler that interrupts
its holder may wait for another thread.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock

from codex_oauth_core._lazy import lazy_names as _lazy_names

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

__all__ = ["LOADING", "are_loaded", "hold_over_forks", "lazy_names", "loading"]

LOADING: Final = RLock()
"""Held while a function loads a module."""


class _Nothing:
    """Stands in for the lock where nothing is to be loaded."""

    def __enter__(self) -> bool:
        return True

    def __exit__(self, *exc_info: object) -> None:
        return


_NOTHING: Final = _Nothing()


def loading(*modules: str) -> RLock | _Nothing:
    """The lock where one of these is to be loaded, for a `with` around the import; else nothing."""
    return _NOTHING if are_loaded(*modules) else LOADING


def are_loaded(*modules: str) -> bool:
    """Whether all of these are loaded, and none is being loaded."""
    return all(map(_is_loaded, modules))


def _is_loaded(module: str) -> bool:
    found = sys.modules.get(module)
    return found is not None and not getattr(getattr(found, "__spec__", None), "_initializing", False)


def lazy_names(
    package: str, homes: Mapping[str, tuple[str, ...]], extras: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of `package`, from the names that each module is the home of.
    `extras`: see `codex_oauth_core._lazy`.
    """
    names, load, listed = _lazy_names(package, homes, extras)
    home_of = {
        name: home for each in (homes, extras or {}) for home, theirs in each.items() for name in theirs
    }

    def load_alone(name: str) -> Any:
        with loading(home_of.get(name, package)):
            return load(name)

    return names, load_alone, listed


def _release(lock: RLock) -> None:
    try:
        lock.release()
    except RuntimeError:  # loaded while the fork waited: nobody took it
        return


def hold_over_forks(lock: RLock) -> None:
    """Have every fork wait for `lock`, which is then free in the child."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(
            before=lock.acquire,
            after_in_parent=lambda: _release(lock),
            after_in_child=lambda: _release(lock),
        )


hold_over_forks(LOADING)
