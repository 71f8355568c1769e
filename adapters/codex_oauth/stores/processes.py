"""Whether the process that marked an intent may still act on it.

Rules of this file: nothing is sent to a process, it is only looked at; what cannot be found out counts as
alive, because the price of that is a wait, and the price of the opposite is a login.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

from codex_oauth.stores.failures import shown
from codex_oauth_core.record import Intent

__all__ = ["INTENT_LIFE", "is_alive", "is_pending", "our_intent"]

INTENT_LIFE: Final = 20.0
"""Seconds for which a live process may act on its intent: longer than a lock is ever held."""

_DEAD: Final = frozenset("ZXx")  # zombie, dead: proc_pid_stat(5)
_NO_NAME: Final = "localhost"


def our_intent() -> Intent:
    """The intent of this process, from now."""
    return Intent(os.getpid(), _host(), time.time())


def is_pending(intent: Intent, *, held_here: bool) -> bool:
    """Whether somebody may still act on `intent`. `held_here`: this process holds a lock of its login."""
    if abs(time.time() - intent.at) >= INTENT_LIFE or intent.host != _host():
        return False
    return held_here if intent.pid == os.getpid() else is_alive(intent.pid)


def _host() -> str:
    import socket

    return shown(socket.gethostname()) or _NO_NAME


def is_alive(pid: int) -> bool:
    """Whether a process of this host runs, stopped ones included; a zombie is dead."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return _state(pid) not in _DEAD


def _state(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # no Linux, or gone between two looks: the next look tells
        return ""
    return line.rpartition(b")")[2].decode("ascii", "replace").strip()[:1]


def _is_alive_on_windows(pid: int) -> bool:
    """os.kill would end the process there."""
    if sys.platform != "win32":
        return True
    import ctypes

    synchronize, timed_out = 0x0010_0000, 0x0102
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(synchronize, False, pid & 0xFFFF_FFFF))
    if not handle:
        return ctypes.get_last_error() == 5  # ERROR_ACCESS_DENIED: it is there, and not ours
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == timed_out)
    finally:
        kernel.CloseHandle(handle)
