"""What the command does to its own process, and a library never may."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["ENDING", "allow_cores", "give_streams", "interrupted_once", "leave_no_core", "show_warnings"]

_PR_SET_DUMPABLE: Final = 4
ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals with which people and systems ask a program to end."""


@contextmanager
def interrupted_once(say: Callable[[], None]) -> Generator[None]:
    """Within the block the first of Ctrl-C, SIGTERM and a closed terminal is a KeyboardInterrupt, after
    `say()`; all that follow are passed over until the process ends, or an impatient person would cut the
    thread that the interpreter waits for at its end. A signal that was ignored before is ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:  # no SIG_IGN: a signal that is noticed already would complain about that
            return
        interrupted = True
        say()
        raise KeyboardInterrupt

    heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in () if interrupted else before.items():
            signal.signal(number, handler)


def give_streams() -> None:
    """Stand in for a stderr that was closed: what is for people must not land on stdout."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # for as long as the process lives


def show_warnings(show: Callable[[str], None]) -> None:
    """Say warnings in a line, without the place in the code."""

    def say(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
        show(f"codex-oauth: {message}.")

    warnings.showwarning = say


_cores: Final[list[int]] = []  # the limits that were there before


def allow_cores() -> None:
    """Undo `leave_no_core`, for another program that this process becomes. Best effort."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        if _cores:
            resource.setrlimit(resource.RLIMIT_CORE, (_cores[0], resource.getrlimit(resource.RLIMIT_CORE)[1]))


def leave_no_core() -> None:
    """Make sure that a crash writes no memory, which may hold tokens, to a disk. Best effort."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _cores.append(resource.getrlimit(resource.RLIMIT_CORE)[0])
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":  # a core that is piped to a program knows no limit
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
