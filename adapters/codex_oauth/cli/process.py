"""What the command does to its own process, and a library never may."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable
from typing import Final

__all__ = ["give_streams", "leave_no_core", "show_warnings"]

_PR_SET_DUMPABLE: Final = 4


def give_streams() -> None:
    """Stand in for a stderr that was closed: what is for people must not land on stdout."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # for as long as the process lives


def show_warnings(show: Callable[[str], None]) -> None:
    """Say warnings in a line, without the place in the code."""

    def say(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
        show(f"codex-oauth: {message}.")

    warnings.showwarning = say


def leave_no_core() -> None:
    """Make sure that a crash writes no memory, which may hold tokens, to a disk. Best effort."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # a core that is piped to a program knows no limit
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
