"""A redirect that the person pastes into the terminal, where the browser cannot reach this machine.

Rules of this file: nothing is printed; what was pasted is judged as any redirect is, a wrong paste changes
nothing, and stopping leaves the terminal and its next line to the program around us.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from codex_oauth.browser.pasted import pastes
from codex_oauth.loading import loading
from codex_oauth_core.callback import Accepted, CallbackRule, Reason

__all__ = ["EXPLANATIONS", "WARNING", "PasteSource", "Typing"]

WARNING: Final = (
    "Paste that address here and nowhere else: to anyone who has it, it is your sign-in. "
    "Nobody who asks you for it means well."
)
"""Belongs beside every invitation to paste."""

EXPLANATIONS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.EMPTY: "That was empty. Paste the whole address of the last page.",
        Reason.TOO_LONG: "That is too long to be the address of the sign-in. Paste that address alone.",
        Reason.UNREADABLE: "That cannot be read as an address. Copy the whole address bar of the last page.",
        Reason.OTHER_ADDRESS: "That is another address. Copy the one of the last page, after you approved.",
        Reason.REPEATED: "That holds the same thing twice. Copy the address again, once.",
        Reason.NO_STATE: "That is not the whole address: its state is missing. Copy the whole address bar.",
        Reason.WRONG_STATE: "That belongs to another sign-in. Use the page that this sign-in has opened.",
        Reason.WRONG_ISSUER: "That comes from another authorization server. "
        "Use the page that this sign-in has opened.",
        Reason.NO_CODE: "That is a part of the address: its code is missing. "
        "Approve the sign-in, then copy the whole address bar of the page that follows.",
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

    Echo is off while it reads. `on_refused` gets the reason of each paste that is not the redirect, on a
    thread of the source; `EXPLANATIONS` has words for it. The end of input ends the source and nothing else.
    """

    def __init__(self, on_refused: Callable[[Reason], None], *, fd: int | None = None) -> None:
        self._on_refused = on_refused
        self._fd = fd
        self._typing: Typing | None = None
        self._thread: threading.Thread | None = None

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Read in the background until a paste is the redirect. Does nothing without an input to read, or
        without a thread to read it.
        """
        self.stop()
        typing = _open(self._fd)
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
        """Stop reading, at once; the terminal is as it was found, and its next line is not ours."""
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


def _open(fd: int | None) -> Typing | None:
    """The input to read; None where there is none."""
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
    with loading("_thread", "msvcrt", "codex_oauth.browser.console"):
        import _thread
        import msvcrt

        from codex_oauth.browser.console import ConsoleInput, Keys

    keys: Keys = msvcrt
    return ConsoleInput(keys, _thread.interrupt_main) if sys.stdin and sys.stdin.isatty() else None
