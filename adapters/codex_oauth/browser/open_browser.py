"""Opening a page in the person's browser.

Rules of this file: by argument list and never through a shell; nobody waits for a browser, and none can
hold or end a sign-in: failing is a value. The child has a session of its own and no part of the terminal.
The URL bears `state`, and an argument list is visible to other users of a machine. No file that redirects
stands in for it: browsers in a sandbox (snap, flatpak, Windows' from WSL) see no file of ours, an opener
may give the file to an editor, and neither can be noticed here. So whoever signs in is told the account. A
URL that is not surely harmless is refused: other programs read it by rules of their own (CVE-2025-6514,
CVE-2026-4519).
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, assert_never
from urllib.parse import SplitResult, urlsplit

import attrs

from codex_oauth.browser.choose import (
    GRAPHICAL,
    DefaultHandler,
    Opener,
    Program,
    is_elevated,
    openers,
    runs_setuid,
)
from codex_oauth.loading import loading
from codex_oauth_core.provider import is_loopback
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    import subprocess

__all__ = ["LONGEST_URL", "NotOpened", "Opened", "open_url", "refused_url"]


LONGEST_URL: Final = 8 * 1024
"""Characters; no authorization server takes a longer request line."""

_URL: Final = re.compile(
    r"https?://"
    r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:[/?](?:[A-Za-z0-9._~:/?&=+-]|%[0-9A-Fa-f]{2})*)?",
    re.ASCII,
)
"""A URL as `urlencode` writes it: no user, no fragment, no quotes, spaces or control characters."""

_PLACEHOLDER: Final = "%action"  # well-formed as percent encoding, and special to launchers of browsers
_PORTS: Final = {"https": 443, "http": 80}


def refused_url(url: str, origin: str | None = None) -> str | None:
    """Why `url` is not opened, as a clause without any part of it; None if it may be.

    It is `https`, or `http` on a loopback address; and on `origin` (a URL, of which scheme, host and port
    count), where that is given.
    """
    if len(url) > LONGEST_URL:
        return "its address is too long"
    if not _URL.fullmatch(url) or _PLACEHOLDER in url.lower():
        return "its address holds characters that are not handed to other programs"
    try:
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            return "its address is neither https nor on this machine"
        elsewhere = _origin(parts) != _origin(parts if origin is None else urlsplit(origin))
    except ValueError:
        return "its address is not a URL"
    return "its address is not the provider's" if elsewhere else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port (RFC 6454 §4). Raises ValueError for a port that is none."""
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    if port == 0:
        raise ValueError("port 0 is no port")
    return parts.scheme, parts.hostname, port


# -- opening the page ----------------------------------------------------------------------------------


BROWSER_PATIENCE: Final = 0.8
"""Seconds that `open_url` takes at most."""

BROWSER_GRACE: Final = 0.25
"""Seconds after which a program that still runs counts as good."""

LATE: Final = 5.0
"""Seconds after which a program that fails is not made up for by the next one: the page was there."""


@attrs.frozen
class Opened:
    """A program has been started, and has not failed so far; whether a page appears is not known."""

    program: str


@attrs.frozen
class NotOpened:
    """No page appears. `reason` is a clause without any part of the URL."""

    reason: str


OpenOutcome = Opened | NotOpened


def open_url(
    url: Secret[str] | str,
    *,
    origin: str | None = None,
    environ: Mapping[str, str] | None = None,
    platform: str = sys.platform,
) -> Opened | NotOpened:
    """Open `url` in a browser with windows, and come back within a second. Never raises.

    The URL must be `https`, or `http` on a loopback address, and on `origin` where that is given. Programs
    that fail at once give way to the next. Nothing is started under sudo.
    """
    environ = os.environ if environ is None else environ
    text = url.reveal() if isinstance(url, Secret) else url
    if (reason := refused_url(text, origin)) is not None:
        return NotOpened(reason)
    if is_elevated(environ, setuid=runs_setuid()):
        return NotOpened("no browser is started under sudo")
    return _in_background(lambda report: _try_in_turn(openers(environ, platform), text, environ, report))


def _in_background(work: Callable[[Callable[[OpenOutcome], None]], None]) -> OpenOutcome:
    """The first thing that `work` reports, if it comes in time; `work` goes on, and reaps what it started."""
    with loading("queue"):
        from queue import Empty, SimpleQueue

    reports: SimpleQueue[OpenOutcome] = SimpleQueue()
    try:
        threading.Thread(target=work, args=(reports.put,), name="codex-oauth-browser", daemon=True).start()
        return reports.get(timeout=BROWSER_PATIENCE)
    except Empty:
        return NotOpened("no browser has started so far")
    except RuntimeError:  # no thread to be had
        return NotOpened("this process cannot start another thread")


def _try_in_turn(
    candidates: Iterable[Opener], url: str, environ: Mapping[str, str], report: Callable[[OpenOutcome], None]
) -> None:
    failed = NotOpened("no graphical browser was found")
    for opener in candidates:
        if _opens(opener, url, environ, report):
            return
        failed = NotOpened("the browser could not be started")
    report(failed)


def _opens(
    opener: Opener, url: str, environ: Mapping[str, str], report: Callable[[OpenOutcome], None]
) -> bool:
    match opener:
        case Program():
            child = _start(opener.command(url), environ)
            return child is not None and _outlives(child, lambda: report(Opened(opener.argv[0])))
        case DefaultHandler():
            return _hand_to_windows(url, report)
        case _:
            assert_never(opener)


def _start(command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """The running program, in a session of its own (Ctrl-C is not for it) and without our terminal."""
    with loading("subprocess"):
        import subprocess

    # xdg-open takes BROWSER, and without it text browsers
    ours = {**environ, "BROWSER": os.pathsep.join(GRAPHICAL)}
    null, posix = subprocess.DEVNULL, os.name == "posix"
    with contextlib.suppress(OSError, ValueError):  # ValueError: NUL in the environment
        return subprocess.Popen(  # noqa: S603  # an argument list, of a checked URL
            command,
            env=ours,
            stdin=null,
            stdout=null,
            stderr=null,
            start_new_session=posix,
            cwd="/" if posix else None,
        )
    return None


def _outlives(child: subprocess.Popen[bytes], good: Callable[[], None]) -> bool:
    """Wait for the child's end, however long, so that it leaves no zombie; whether it did not fail early.
    `good` is called as soon as it looks well.
    """
    with loading("subprocess"):
        import subprocess

    begun = time.monotonic()
    try:
        status = child.wait(BROWSER_GRACE)
    except subprocess.TimeoutExpired:
        good()
        status = child.wait()
    if status == 0:
        good()
    return status == 0 or time.monotonic() - begun > LATE


def _hand_to_windows(url: str, report: Callable[[OpenOutcome], None]) -> bool:
    if sys.platform != "win32":
        return False
    with contextlib.suppress(OSError):
        os.startfile(url)  # noqa: S606  # no shell: the scheme's registered handler gets a checked URL
        report(Opened("the default browser"))
        return True
    return False
