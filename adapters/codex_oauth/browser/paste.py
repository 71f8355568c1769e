"""A redirect that the person pastes into the terminal, where the browser cannot reach this machine.

Rules of this file: nothing is printed; what was pasted is judged as any redirect is, a wrong paste changes
nothing, and stopping leaves the terminal and its next line to the program around us. A pasted URL may be
wrapped over several lines, so a line break alone ends nothing: a pause after it does. POSIX terminals are
read in `terminal`; a Windows console is polled here, for it cannot be waited for beside a socket.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from codex_oauth.loading import loading
from codex_oauth_core.callback import Accepted, CallbackRule, Reason

__all__ = [
    "EXPLANATIONS",
    "IDLE",
    "WARNING",
    "ConsoleInput",
    "Keyboard",
    "PasteBuffer",
    "PasteSource",
    "Typing",
    "open_typing",
    "pastes",
]


GAP: Final = 0.3
"""Seconds of silence after a line break that end a paste."""

IDLE: Final = 1.0
"""Seconds of silence after which a paste that a terminal has announced, and not finished, ends anyway; and
the longest that one read lasts."""

LONGEST_PASTE: Final = 64 * 1024
"""Bytes kept of one paste: more than any judgement reads."""

_OPENED: Final = b"\x1b[200~"  # bracketed paste: what follows is pasted, line breaks included
_CLOSED: Final = b"\x1b[201~"
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)?")  # what keys and terminals send
_ERASE: Final = "\x7f\x08"
_KILL: Final = "\x15"  # Ctrl-U
_END: Final = "\x04"  # Ctrl-D
_BLANK: Final = " \r\n"


class PasteBuffer:
    """The bytes since the last complete paste, and whether they are one."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Add what has arrived. Of an endless paste the beginning and the end are kept."""
        data = self._data + data
        self._data = data if len(data) <= LONGEST_PASTE else data[: LONGEST_PASTE - 64] + data[-64:]

    @property
    def patience(self) -> float | None:
        """Seconds of silence that complete what is here; None while only more input can."""
        if not self._text().rstrip(" ").endswith(("\r", "\n", _END)):
            return None
        return IDLE if self._data.rfind(_OPENED) > self._data.rfind(_CLOSED) else GAP

    @property
    def at_end(self) -> bool:
        """Whether Ctrl-D was typed on an empty line."""
        text = self._text()
        return _END in text and not text.strip(_BLANK + _END)

    def take(self) -> str:
        """What was pasted, edited as a terminal would have; the buffer is empty afterwards."""
        text, self._data = self._text().replace(_END, ""), b""
        return _edited(text)

    def _text(self) -> str:
        return _ESCAPE.sub("", self._data.decode("utf-8", "replace"))


def _edited(text: str) -> str:
    """The text after Backspace and Ctrl-U."""
    kept: list[str] = []
    for char in text.rpartition(_KILL)[2]:
        if char not in _ERASE:
            kept.append(char)
        elif kept:
            kept.pop()
    return "".join(kept)


def pastes(read: Callable[[float], bytes | None]) -> Iterator[str]:
    """Each complete paste. `read` takes seconds, and returns what arrives within them, `b""` for silence,
    or None at the end of input, which completes what is there.
    """
    buffer = PasteBuffer()
    while (data := read(buffer.patience or IDLE)) is not None:
        buffer.feed(data)
        if buffer.at_end:
            return
        if not data and buffer.patience is not None:
            yield buffer.take()
    yield buffer.take()


# -- the source of a world -----------------------------------------------------------------------------


WARNING: Final = "Paste it nowhere else: whoever has that address can sign in as you."
"""Belongs beside every invitation to paste."""

EXPLANATIONS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.EMPTY: "That was empty. Paste the whole address of the last page.",
        Reason.TOO_LONG: "That is too long for the address of a sign-in. Paste that address alone.",
        Reason.UNREADABLE: "That is no address. Copy the whole address bar of the last page.",
        Reason.OTHER_ADDRESS: "That is another address. Copy the one of the last page, after your approval.",
        Reason.REPEATED: "That has the same part twice. Copy the address again, once.",
        Reason.NO_STATE: "That is not the whole address: its state is missing. Copy the whole address bar.",
        Reason.WRONG_STATE: "That belongs to another sign-in. Use the page of this sign-in.",
        Reason.WRONG_ISSUER: "That comes from another server. Use the page of this sign-in.",
        Reason.TOKEN: "That has a token in it, which no address may have. "
        "Sign in again, and show that address to no one.",
        Reason.NO_CODE: "That is not the whole address: its code is missing. "
        "Approve the sign-in, then copy the whole address bar of the last page.",
    }
)
"""A sentence for each reason to refuse a paste; the wait goes on."""

_JOIN: Final = 1.0
"""Seconds that `stop` waits for its thread, which only a host's `on_refused` can delay."""


class Typing(Protocol):
    """Something that is typed into."""

    def read(self, seconds: float) -> bytes | None:
        """What arrives within `seconds`; `b""` for silence; None at the end of input or once woken."""
        ...

    def wake(self) -> None:
        """End the present `read` and every later one. From any thread."""
        ...

    def close(self) -> None:
        """Free everything, and leave the terminal as it was found."""
        ...


class PasteSource:
    """A `CallbackSource` that reads a terminal, or a pipe: by default standard input.

    It reads without echo. `on_refused` gets the reason for each paste that is not the redirect, on a thread
    of the source; `EXPLANATIONS` has a text for each reason. The end of input ends the source, and the
    sign-in goes on.
    """

    def __init__(self, on_refused: Callable[[Reason], None], *, fd: int | None = None) -> None:
        self._on_refused = on_refused
        self._fd = fd
        self._typing: Typing | None = None
        self._thread: threading.Thread | None = None

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Read in the background until a paste is the redirect. Does nothing if there is no input to read, or
        no thread to read it.
        """
        self.stop()
        typing = open_typing(self._fd)
        if typing is None:
            return
        work = (typing, rule, accept)
        thread = threading.Thread(target=self._listen, args=work, name="codex-oauth-paste", daemon=True)
        self._typing, self._thread = typing, thread
        try:
            thread.start()
        except RuntimeError:  # no thread to be had
            self.stop()

    def stop(self) -> None:
        """Stop reading at once, and restore the terminal. The source does not take the terminal's next
        line.
        """
        typing, thread = self._typing, self._thread
        self._typing = self._thread = None
        if typing is None or thread is None:
            return
        typing.wake()
        try:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(_JOIN)
        finally:
            typing.close()

    def _listen(self, typing: Typing, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        try:
            accepted = self._first_accepted(typing, rule)
        finally:
            typing.close()
        if accepted is not None:
            accept(accepted)

    def _first_accepted(self, typing: Typing, rule: CallbackRule) -> Accepted | None:
        for text in pastes(typing.read):
            if self._typing is not typing:  # stopped
                return None
            verdict = rule.judge(text)
            if isinstance(verdict, Accepted):
                return verdict
            if verdict.reason is not Reason.EMPTY:
                self._on_refused(verdict.reason)
        return None


def open_typing(fd: int | None = None) -> Typing | None:
    """The input to read, by default standard input; None where there is none."""
    if sys.platform == "win32":  # there `fd` is not looked at
        return _console()
    with loading("codex_oauth.browser.terminal"):
        from codex_oauth.browser.terminal import TerminalInput

    with contextlib.suppress(OSError, ValueError, AttributeError):  # no standard input, or closed
        return TerminalInput(sys.stdin.fileno() if fd is None else fd)
    return None


def _console() -> Typing | None:
    """The Windows console; None where standard input is something else, which could not be stopped."""
    if sys.platform != "win32":
        return None
    with loading("_thread", "msvcrt"):
        import _thread
        import msvcrt

    keys: Keyboard = msvcrt
    return ConsoleInput(keys, _thread.interrupt_main) if sys.stdin and sys.stdin.isatty() else None


# -- a Windows console ---------------------------------------------------------------------------------


POLL: Final = 0.05
"""Seconds between two looks at the keyboard."""

_SPECIAL: Final = ("\x00", "\xe0")  # arrows and function keys: a second code follows
_INTERRUPT: Final = "\x03"
_CTRL_Z: Final = "\x1a"  # Ctrl-Z ends input on Windows


class Keyboard(Protocol):
    """The part of `msvcrt` that is used."""

    def kbhit(self) -> bool:
        """Whether a key waits."""
        ...

    def getwch(self) -> str:
        """The next key, not shown."""
        ...


class ConsoleInput:
    """What is typed on the console. `interrupt` is called for a Ctrl-C that arrives as a key."""

    def __init__(self, keys: Keyboard, interrupt: Callable[[], None]) -> None:
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
            if key == _CTRL_Z:
                return None
            if key == _INTERRUPT:
                self._interrupt()
            elif key in _SPECIAL:
                self._keys.getwch()
            else:
                typed.append(key)
        return "".join(typed).encode("utf-8", "replace")
