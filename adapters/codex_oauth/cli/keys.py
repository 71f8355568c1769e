"""What a person can press while a sign-in waits: Enter opens the page, `c` copies the code or the address.

Rules of this file: keys are read only from a terminal that is ours; echo is off meanwhile, and the terminal
is as it was when the sign-in is over; what is pasted or is no key of ours does nothing. A key that fails ends
nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from codex_oauth.browser.paste import IDLE, Typing, open_typing

__all__ = ["COPY", "OPEN", "PressedKeys", "can_be_pressed"]

OPEN: Final = "\r"
COPY: Final = "c"

_SAME: Final[Mapping[str, str]] = {"\n": OPEN, "C": COPY}
_JOIN: Final = 3.0
"""Seconds that the end waits for a key's work, such as a clipboard that hangs."""


def can_be_pressed() -> bool:
    """Whether a person is at the keyboard, and sees what is said."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


class PressedKeys:
    """Listens in the background, from `start` to `stop`."""

    def __init__(self, actions: Mapping[str, Callable[[], None]]) -> None:
        self._actions = actions
        self._typing: Typing | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; twice does no harm. Without a terminal, or a thread to be had, nothing happens."""
        if self._typing is not None or (typing := open_typing()) is None:
            return
        thread = threading.Thread(target=self._listen, args=(typing,), name="codex-oauth keys", daemon=True)
        self._typing, self._thread = typing, thread
        try:
            thread.start()
        except RuntimeError:
            self.stop()

    def stop(self) -> None:
        """Listen no more, and leave the terminal as it was."""
        typing, thread = self._typing, self._thread
        self._typing = self._thread = None
        if typing is None:
            return
        typing.wake()
        try:
            if thread is not None and thread.is_alive():
                thread.join(_JOIN)
        finally:
            typing.close()

    def _listen(self, typing: Typing) -> None:
        while (data := typing.read(IDLE)) is not None:
            if len(data) == 1:  # several at once are a paste, or an arrow
                key = data.decode("ascii", "replace")
                action = self._actions.get(_SAME.get(key, key))
                if action is not None:
                    with suppress(Exception):  # the next key may do better
                        action()
