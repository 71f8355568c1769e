"""A Windows console read in the background: it is polled, for it cannot be waited for beside a socket.

Rules of this file: a key is taken only when one is there, and none after `close`; what is typed is not
shown. It is written against the few functions of `msvcrt` it uses, so that it runs, and is tested, anywhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["ConsoleInput", "Keys"]

POLL: Final = 0.05
"""Seconds between two looks at the keyboard."""

_SPECIAL: Final = ("\x00", "\xe0")  # arrows and function keys: a second code follows
_INTERRUPT: Final = "\x03"
_END: Final = "\x1a"  # Ctrl-Z ends input on Windows


class Keys(Protocol):
    """The part of `msvcrt` that is used."""

    def kbhit(self) -> bool:
        """Whether a key waits."""
        ...

    def getwch(self) -> str:
        """The next key, not shown."""
        ...


class ConsoleInput:
    """What is typed on the console. `interrupt` is called for a Ctrl-C that arrives as a key."""

    def __init__(self, keys: Keys, interrupt: Callable[[], None]) -> None:
        self._keys = keys
        self._interrupt = interrupt
        self._closed = threading.Event()

    def read(self, seconds: float) -> bytes | None:
        """What is typed within `seconds`; `b""` for silence; None at the end of input or once closed."""
        until = time.monotonic() + seconds
        while not self._closed.is_set():
            if self._keys.kbhit():
                return self._waiting()
            if time.monotonic() >= until:
                return b""
            self._closed.wait(POLL)
        return None

    def wake(self) -> None:
        """End the present `read` and every later one. From any thread."""
        self._closed.set()

    close = wake

    def _waiting(self) -> bytes | None:
        """The keys that wait already."""
        typed: list[str] = []
        while not self._closed.is_set() and self._keys.kbhit():
            key = self._keys.getwch()
            if key == _END:
                return None
            if key == _INTERRUPT:
                self._interrupt()
            elif key in _SPECIAL:
                self._keys.getwch()
            else:
                typed.append(key)
        return "".join(typed).encode("utf-8", "replace")
