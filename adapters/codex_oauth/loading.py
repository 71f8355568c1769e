"""What is loaded on first use, on whatever thread that is: under one lock, and no fork falls into it.

Rules of this file: a child that is forked while another thread loads a module would wait for it for ever, so
a fork waits for the loading instead. No other lock of ours is taken under this one, and no module of ours
takes it while it is itself being loaded.
"""

from __future__ import annotations

import os
from _thread import RLock

from codex_oauth_core._lazy import lazy_names as _lazy_names

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

__all__ = ["LOADING", "hold_over_forks", "lazy_names"]

LOADING: Final = RLock()
"""Held while a module is loaded by a function: `with LOADING: from httpx import Client`."""


def lazy_names(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of `package`, from the names that each module is the home of."""
    names, load, listed = _lazy_names(package, homes)

    def load_alone(name: str) -> Any:
        with LOADING:
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
