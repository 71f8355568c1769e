"""A process that stands still while its peer does not: within one process, for checks of a world.

Rules of this file: all threads stop, because one that holds the interpreter sleeps in C; where that is not to
be had (Windows, a Python without a global lock) nothing stops, and a check finds nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from typing import Any

__all__ = ["sent_at_a_standstill"]


def sent_at_a_standstill(sock: socket.socket, data: bytes, seconds: float) -> None:
    """Send `data`, and let no other thread run for so many seconds, from before it is out."""
    libc = _libc()
    if libc is None:
        sock.sendall(data)
        return
    interval = sys.getswitchinterval()
    sys.setswitchinterval(10 * seconds)  # nobody asks this thread to let go between two calls
    try:
        libc.send(sock.fileno(), data, len(data), 0)
        libc.usleep(int(seconds * 500_000))
        libc.usleep(int(seconds * 500_000))
    finally:
        sys.setswitchinterval(interval)


def _libc() -> Any:
    """The C library, called without letting go of the interpreter."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.PyDLL(None)
        libc.send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
        libc.send.restype = ctypes.c_ssize_t
        libc.usleep.argtypes = (ctypes.c_uint32,)
        return libc if os.name == "posix" else None
    return None
