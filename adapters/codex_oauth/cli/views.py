"""What a person, or a program, sees while a sign-in waits.

Rules of this file: a view only shows; it decides nothing. The code and the page stand alone on their
lines. `LineView` only appends, for pipes and screen readers; `LiveView` redraws one line of a terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Final, Protocol, assert_never

from codex_oauth.cli.output import emit, hint
from codex_oauth.cli.text import clock, left, printable
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt, Wait, Why
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.reading.http_time import rfc3339

__all__ = ["JsonView", "LineView", "LiveView", "View", "choose_view"]

_PHISHING: Final = "Only go on if you started this sign-in yourself just now."
HEARTBEAT: Final = 30.0
"""Seconds between two lines that say that it still waits."""

_CAUSES: Final[Mapping[ErrorKind | None, str]] = {
    ErrorKind.NETWORK: "no usable answer came from the server",
    ErrorKind.TLS_UNTRUSTED: "the server's certificate is not trusted",
    ErrorKind.BLOCKED: "a web page came instead of an answer",
    ErrorKind.RATE_LIMITED: "the server asks for fewer requests",
    ErrorKind.INVALID_RESPONSE: "the server's answer could not be used",
}
_STATES: Final[Mapping[Why, str]] = {
    Why.PENDING: "Waiting for your approval",
    Why.SLOW_DOWN: "Waiting for your approval (the server asked for a slower pace)",
    Why.RATE_LIMITED: "Waiting (the server asks for fewer requests)",
    Why.QUEUED: "Waiting for another sign-in",
    Why.CALLBACK: "Waiting for the browser",
}


class View(Protocol):
    """Shows what happens."""

    def prompt(self, prompt: Prompt) -> None:
        """A new prompt came."""

    def note(self, note: str) -> None:
        """Something is to be explained, in a line."""

    def wait(self, wait: Wait) -> None:
        """A wait begins."""

    def tick(self, wait: Wait, at: float) -> None:
        """About a second of a wait has passed."""

    def close(self) -> None:
        """The sign-in is over."""


def choose_view(*, as_json: bool) -> View:
    """The view for this stderr: live on a terminal that can redraw a line, else line by line."""
    import os

    if as_json:
        return JsonView()
    redraws = sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
    return LiveView() if redraws and not os.environ.get("ACCESSIBLE") else LineView()


def status_of(wait: Wait) -> str:
    """What is happening, in a few words."""
    if wait.why is Why.RETRY:
        return f"Trying again: {_CAUSES.get(wait.cause, 'no answer')}"
    return _STATES[wait.why]


class LineView:
    """Appends lines to stderr, and one heartbeat each half minute."""

    def __init__(self) -> None:
        self._said: str | None = None
        self._next_beat = 0.0
        self._expires_at = 0.0

    def prompt(self, prompt: Prompt) -> None:
        self._expires_at = prompt.expires_at
        for line in prompt_lines(prompt):
            hint(line)

    def note(self, note: str) -> None:
        hint(printable(note))

    def wait(self, wait: Wait) -> None:
        status = status_of(wait)
        if status != self._said:
            self._said = status
            hint(f"{status}.")

    def tick(self, wait: Wait, at: float) -> None:
        if at < self._next_beat or wait.prompt is None:
            return
        if self._next_beat:
            hint(f"{status_of(wait)}; {left(self._expires_at - time.time())} left.")
        self._next_beat = at + HEARTBEAT

    def close(self) -> None:
        """Nothing: what was said stays."""


class LiveView(LineView):
    """Redraws one line with the time left."""

    def wait(self, wait: Wait) -> None:
        """Nothing: the next tick shows it."""

    def tick(self, wait: Wait, at: float) -> None:
        rest = f"{clock(self._expires_at - time.time())}  " if wait.prompt else ""
        self._draw(f"{rest}{status_of(wait)}")

    def note(self, note: str) -> None:
        self._draw("")
        super().note(note)

    def close(self) -> None:
        self._draw("")

    def _draw(self, line: str) -> None:
        import shutil

        fitting = line[: max(10, shutil.get_terminal_size().columns - 1)]
        print(f"\r\x1b[2K{fitting}", end="", file=sys.stderr, flush=True)


class JsonView:
    """One JSON document a line on stdout (NDJSON)."""

    def __init__(self) -> None:
        self._said: tuple[Why, ErrorKind | None] | None = None

    def prompt(self, prompt: Prompt) -> None:
        shared = {"expires_at": rfc3339(prompt.expires_at), "issuer": prompt.issuer}
        match prompt:
            case DevicePrompt():
                page, code = prompt.verification_uri, prompt.user_code
                emit({"event": "device_code", "verification_uri": page, "user_code": code, **shared})
            case BrowserPrompt():
                emit({"event": "browser_url", "url": prompt.authorize_url.reveal(), **shared})
            case _:
                assert_never(prompt)

    def note(self, note: str) -> None:
        emit({"event": "note", "text": note})

    def wait(self, wait: Wait) -> None:
        if (wait.why, wait.cause) != self._said:
            self._said = (wait.why, wait.cause)
            emit({"event": "waiting", "why": wait.why.value, "cause": wait.cause and wait.cause.value})

    def tick(self, wait: Wait, at: float) -> None:
        """Nothing: a program counts down by itself."""

    def close(self) -> None:
        """Nothing: what was said stays."""


def prompt_lines(prompt: Prompt) -> list[str]:
    """What a person must see to sign in (RFC 8628 §3.3 and §5.4; RFC 8252 §4.1)."""
    elsewhere = [] if prompt.issuer == CODEX.issuer else [f"This signs in at {prompt.issuer}.", ""]
    start = ["Sign in with ChatGPT (Codex)", "", *elsewhere]
    match prompt:
        case DevicePrompt():
            page, code = f"    {prompt.verification_uri}", f"    {prompt.user_code}"
            steps = ["Open this page on any device:", "", page, "", "and enter this code:", "", code, ""]
            end = f"The code expires in {left(prompt.expires_at - time.time() + 1)}."
            return [*start, *steps, f"{_PHISHING} Never share the code.", end, ""]
        case BrowserPrompt():
            page = f"    {prompt.authorize_url.reveal()}"
            return [*start, "Open this page in a browser on this machine:", "", page, "", _PHISHING, ""]
        case _:
            assert_never(prompt)
