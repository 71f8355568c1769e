"""A terminal (or a pipe) read in the background, so that nobody is disturbed: POSIX.

Rules of this file: nothing is read unless it is there, and nothing after `close`; so the next line belongs
to the program around us. Echo and line editing are off while we read (a line of the kernel's ends at 4096
bytes, a pasted URL need not) and are put back in every ending. A terminal that belongs to another job is
not touched: reading it, or changing it, would stop us.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import signal
import socket
import sys
import termios
import threading
from collections.abc import Generator
from typing import Any, Final

__all__ = ["TerminalInput"]

_LFLAG: Final = 3
_CC: Final = 6
_HUNG_UP: Final = 3
_QUIET: Final = termios.ECHO | termios.ECHONL | termios.ICANON

# poll() on Linux: epoll refuses files; select() elsewhere: poll() on macOS refuses terminals
_Selector: Final = selectors.PollSelector if sys.platform == "linux" else selectors.SelectSelector


class TerminalInput:
    """What arrives on `fd`, which is neither closed nor made non-blocking.

    Raises OSError when `fd` is not open. Close it: it holds sockets, and the terminal's modes.
    """

    def __init__(self, fd: int) -> None:
        os.fstat(fd)
        self._fd = fd
        self._lock = threading.RLock()  # reentrant: a signal handler may close while we do
        self._closed = False
        self._found: list[Any] | None = None
        self._empty = 0
        self._resources = contextlib.ExitStack()
        try:
            self._bell, self._hammer = (self._resources.enter_context(end) for end in socket.socketpair())
            self._selector = self._resources.enter_context(_Selector())
            self._selector.register(self._bell, selectors.EVENT_READ)
            self._selector.register(fd, selectors.EVENT_READ)
            atexit.register(self.close)
            self._hush()
        except BaseException:
            self.close()
            raise

    def read(self, seconds: float) -> bytes | None:
        """What arrives within `seconds`; `b""` for silence; None at the end of input or once closed."""
        if self._closed:
            return None
        try:
            if not self._is_ours():
                return self._pause(seconds)
            self._hush()
            ready = {key.fd for key, _ in self._selector.select(seconds)}
        except (OSError, ValueError, KeyError):  # closed meanwhile
            return None
        return self._read_now() if self._fd in ready else b""

    def wake(self) -> None:
        """End the present `read` and every later one. From any thread."""
        self._closed = True
        with contextlib.suppress(OSError):  # closed
            self._hammer.send(b"\0")

    def close(self) -> None:
        """Put the terminal back as it was found, and free everything. From any thread, also twice."""
        with self._lock:
            self._closed = True
            atexit.unregister(self.close)
            self._restore()
            self._resources.close()

    def _read_now(self) -> bytes | None:
        """What is there. A terminal can have been emptied meanwhile (Ctrl-C does that); one that is empty
        again and again has hung up.
        """
        try:
            data = b"" if self._closed else os.read(self._fd, 4096)
        except OSError:  # the terminal hung up
            return None
        self._empty = 0 if data else self._empty + 1
        return None if self._empty >= (_HUNG_UP if os.isatty(self._fd) else 1) else data

    def _pause(self, seconds: float) -> bytes:
        """Wait while the terminal is another job's."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.select(seconds)
        return b""

    def _is_ours(self) -> bool:
        """Whether `fd` is no terminal of another job."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # no terminal, or not the one that controls us: then jobs do not matter
            return True

    def _hush(self) -> None:
        """Turn echo and line editing off; also when the shell has turned them on again (Ctrl-Z, fg)."""
        with self._lock, contextlib.suppress(termios.error), _no_stop():  # error: it hung up
            if self._closed or not os.isatty(self._fd) or not self._is_ours():
                return
            now = termios.tcgetattr(self._fd)
            if now[_LFLAG] & _QUIET:
                self._found = self._found or now
                termios.tcsetattr(self._fd, termios.TCSANOW, _quiet(now))

    def _restore(self) -> None:
        with contextlib.suppress(OSError, termios.error), _no_stop():  # closed, or hung up
            if self._found is not None and self._is_ours():
                termios.tcsetattr(self._fd, termios.TCSANOW, self._found)
        self._found = None


def _quiet(attributes: list[Any]) -> list[Any]:
    characters = list(attributes[_CC])
    characters[termios.VMIN], characters[termios.VTIME] = 0, 0  # a read never blocks
    return [*attributes[:_LFLAG], attributes[_LFLAG] & ~_QUIET, *attributes[_LFLAG + 1 : _CC], characters]


@contextlib.contextmanager
def _no_stop() -> Generator[None]:
    """Let a job that has just lost the terminal change it without being stopped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
