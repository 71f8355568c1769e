"""Whose an intent is, and whether the process that marked it may still act on it.

Rules of this file: nothing is sent to a process, it is only looked at; what cannot be found out counts as
alive, because the price of that is a wait, and the price of the opposite is a login. Only a lock that ends
with its process allows to look at all: another store believes every intent for as long as it lives.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

from codex_oauth.loading import loading
from codex_oauth.stores.failures import shown
from codex_oauth_core.record import Intent
from codex_oauth_core.renewal_times import INTENT_LIFE

__all__ = ["INTENT_LIFE", "draw_owner", "is_alive", "is_pending", "our_intent"]

_DEAD: Final = frozenset("ZXx")  # zombie, dead: proc_pid_stat(5)
_NO_NAME: Final = "localhost"


class _Self:
    """What the owners that this process draws begin with. It is drawn anew after a fork."""

    pid = 0
    name = ""


def _our_name() -> str:
    if _Self.pid != os.getpid():
        _Self.pid, _Self.name = os.getpid(), os.urandom(8).hex()
    return _Self.name


def draw_owner() -> str:
    """The owner of one hold of a lock: no other hold of any process has the same."""
    return f"{_our_name()}-{os.urandom(8).hex()}"


def our_intent(owner: str | None = None) -> Intent:
    """The intent of this process, from now. `owner`: of the hold that marks it; by default one is drawn."""
    return Intent(os.getpid(), _host(), time.time(), owner or draw_owner())


def is_pending(intent: Intent, *, held_here: bool) -> bool:
    """Whether somebody may still act on `intent`, where locks end with their process. `held_here`: this
    process holds a lock of that login.
    """
    if abs(time.time() - intent.at) >= INTENT_LIFE:
        return False
    if intent.host != _host():
        return True
    if intent.pid != os.getpid():
        return is_alive(intent.pid)
    # one with our number that we did not mark is in a container of its own, or was before this one began
    return held_here if not intent.owner or intent.owner.startswith(f"{_our_name()}-") else True


def _host() -> str:
    with loading("socket"):
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
    with loading("ctypes"):
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
