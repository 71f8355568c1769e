"""Copying the code, or the page's address, for the person: only on request, and never a token.

Rules of this file: nothing here ends a sign-in or holds it for more than two seconds; the text goes in by
standard input, for an argument list is visible to others; over SSH the machine's own clipboard is not the
person's, so their terminal is asked (OSC 52).
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from codex_oauth.cli.views.terminal import Terminal

from codex_oauth.browser.choose import reaches_windows

__all__ = ["copy", "tools"]

COPY_LIMIT: Final = 2.0
"""Seconds that all programs together may take."""

_LONGEST: Final = 4096
"""Characters; some terminals drop a longer sequence, and some hang up on it."""

CopyCommand = tuple[str, ...]


def copy(
    text: str,
    what: str,
    terminal: Terminal,
    environ: Mapping[str, str] | None = None,
    platform: str = sys.platform,
) -> str:
    """Copy `text`; what was done, in a line about `what` ("the code"). Never raises."""
    environ = os.environ if environ is None else environ
    until = time.monotonic() + COPY_LIMIT
    for command in tools(environ, platform):
        if _gave(command, text, environ, until):
            return f"Copied {what} to the clipboard with {command[0]}."
    if _asked(text, terminal):
        return f"Asked your terminal to copy {what} to its clipboard."
    return f"Could not copy {what}: no clipboard was found."


def tools(
    environ: Mapping[str, str], platform: str, exists: Callable[[str], bool] = os.path.exists
) -> Iterator[CopyCommand]:
    """The programs that reach the person's clipboard, by the environment, the best first."""
    remote = any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))
    if platform == "darwin":
        yield from () if remote else (("pbcopy",),)
        return
    if platform == "win32" or (reaches_windows(platform, exists) and not remote):
        yield from () if remote else (("clip.exe",),)
    if environ.get("WAYLAND_DISPLAY") and not remote:
        yield ("wl-copy",)
    if environ.get("DISPLAY"):  # over SSH it is the person's own, forwarded
        yield ("xclip", "-selection", "clipboard")
        yield ("xsel", "--clipboard", "--input")


def _gave(command: CopyCommand, text: str, environ: Mapping[str, str], until: float) -> bool:
    """Whether a program took the text in time. One that does not end is ended."""
    import subprocess

    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None or (seconds := until - time.monotonic()) <= 0:
        return False
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and the text is no argument
            [program, *command[1:]],
            input=text.encode(),
            stdout=subprocess.DEVNULL,  # a pipe would be held open by what stays to keep the selection
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            start_new_session=True,
            env=dict(environ),
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _asked(text: str, terminal: Terminal) -> bool:
    """Whether the terminal was asked: it does not answer, and may not do it."""
    if not terminal.escapes or len(text) > _LONGEST:
        return False
    sequence = f"\x1b]52;c;{base64.b64encode(text.encode()).decode('ascii')}\x07"
    with contextlib.suppress(OSError, ValueError):
        terminal.stream.write(sequence)
        terminal.stream.flush()
        return True
    return False
