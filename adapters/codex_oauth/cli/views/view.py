"""What a view is, and what the views say, in words: the prompt part by part, and what is happening.

Rules of this file: a view shows what happens in a sign-in, and decides nothing. The page and the code are
each a part of their own, plain ASCII, for a line of their own; whoever signs in is told not to do it for
somebody else (RFC 8628 §5.4).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Final, Literal, Protocol, assert_never

import attrs

from codex_oauth.cli.output import left, printable
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind

__all__ = ["FINISHING", "Part", "View", "parts_of", "prompt_lines", "role_of", "short_status", "status_of"]


class View(Protocol):
    """Shows what happens. No failure of a terminal ends a sign-in: nothing here raises OSError."""

    def prompt(self, prompt: Prompt) -> None:
        """A new prompt came."""

    def note(self, note: str) -> None:
        """Something is to be explained, in a line."""

    def warn(self, text: str) -> None:
        """Something went wrong that the person must know, though the sign-in goes on."""

    def detail(self, text: str) -> None:
        """Something for those who asked for every detail."""

    def sending(self, effect: SendRequest) -> None:
        """A request begins."""

    def wait(self, wait: Wait) -> None:
        """A wait begins."""

    def tick(self, wait: Wait, at: float) -> None:
        """About a second of a wait has passed."""

    def done(self) -> None:
        """The sign-in succeeded."""

    def close(self) -> None:
        """The sign-in is over, however it ended."""


# -- words ---------------------------------------------------------------------------------------------


FINISHING: Final = "Finishing the sign-in"
_PHISHING: Final = "Only go on if you started this sign-in yourself just now."

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
    Why.SAVING: "Trying again to store the login",
    Why.CALLBACK: "Waiting for the browser",
}
_SHORT: Final[Mapping[Why, str]] = {
    Why.SLOW_DOWN: "Slowed down",
    Why.RATE_LIMITED: "Slowed down",
    Why.RETRY: "Trying again",
}
_ROLES: Final[Mapping[Why, str]] = {
    Why.SLOW_DOWN: "slower",
    Why.RATE_LIMITED: "slower",
    Why.RETRY: "trouble",
}

Role = Literal["title", "text", "page", "code", "care", "gap"]


@attrs.frozen
class Part:
    """A paragraph of a prompt."""

    role: Role
    text: str = ""


def status_of(wait: Wait) -> str:
    """What is happening, in a few words."""
    if wait.why is Why.RETRY:
        return f"Trying again: {_CAUSES.get(wait.cause, 'no answer')}"
    if wait.why is Why.QUEUED:
        return _queued(wait)
    return _STATES[wait.why]


def _queued(wait: Wait) -> str:
    """Whom the lock of a login is waited for, and for how long."""
    holder = wait.holder
    known = holder is not None and f"process {holder.pid} on {printable(holder.host, 80)}"
    who = known or "another program"
    if wait.give_up_at is None:
        return f"Waiting for {who}, which uses this login"
    minutes = max(1, math.ceil((wait.give_up_at - wait.until) / 60))
    limit = f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"Waiting for {who}, which uses this login: at most {limit}, or until Ctrl-C"


def short_status(wait: Wait) -> str:
    """The same in at most twelve characters."""
    return _SHORT.get(wait.why, "Waiting")


def role_of(wait: Wait) -> str:
    """What kind of news it is, for a colour."""
    return _ROLES.get(wait.why, "waiting")


def parts_of(prompt: Prompt) -> list[Part]:
    """What a person must see to sign in (RFC 8628 §3.3 and §5.4; RFC 8252 §4.1)."""
    gap, title = Part("gap"), Part("title", prompt.title or CODEX.texts.title)
    there = Part("text", f"This signs in at {prompt.issuer}.")
    start = [title, gap, *([] if prompt.issuer == CODEX.issuer else [there, gap])]
    match prompt:
        case DevicePrompt():
            page, code = Part("page", prompt.verification_uri), Part("code", prompt.user_code)
            opens, enters = (
                Part("text", "Open this page on any device:"),
                Part("text", "and enter this code:"),
            )
            care = Part("care", f"{_PHISHING} Never share the code.")
            end = Part("care", f"The code expires in {left(prompt.expires_at - time.time() + 1)}.")
            return [*start, opens, gap, page, gap, enters, gap, code, gap, care, end, gap]
        case BrowserPrompt():
            here = Part("text", "Open this page in your browser:")
            url = Part("page", prompt.authorize_url.reveal())
            end = Part("care", f"This waits for {left(prompt.expires_at - time.time() + 1)}.")
            return [*start, here, gap, url, gap, Part("care", _PHISHING), end, gap]
        case _:
            assert_never(prompt)


def prompt_lines(prompt: Prompt) -> list[str]:
    """The same as plain lines."""
    return [f"    {part.text}" if part.role in ("page", "code") else part.text for part in parts_of(prompt)]
