"""Waking a thread that waits on sockets: one end of a socket pair is among them, the other is struck."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["Bell"]


class Bell:
    """Readable from `ring()` on until `clear()`. Rung from any thread, and from a signal handler."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant, for the signal handler
        self._bell, self._hammer = socket.socketpair()
        self._bell.setblocking(False)
        self._hammer.setblocking(False)

    def fileno(self) -> int:
        """What to wait on."""
        return self._bell.fileno()

    def ring(self) -> None:
        """Wake whoever waits. Does nothing once it is closed."""
        with self._lock, contextlib.suppress(OSError):  # OSError: closed, or rung very often
            self._hammer.send(b"\0")

    def clear(self) -> None:
        """Forget what was rung so far. Look at what the ringing was about after this, not before."""
        with contextlib.suppress(OSError):
            while self._bell.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        with self._lock:
            self._bell.close()
            self._hammer.close()
