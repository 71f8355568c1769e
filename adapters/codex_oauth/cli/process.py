"""What the command does to its own process, and a library never may."""

from __future__ import annotations

import contextlib
import sys
from typing import Final

__all__ = ["leave_no_core"]

_PR_SET_DUMPABLE: Final = 4


def leave_no_core() -> None:
    """Make sure that a crash writes no memory, which may hold tokens, to a disk. Best effort."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # a core that is piped to a program knows no limit
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
