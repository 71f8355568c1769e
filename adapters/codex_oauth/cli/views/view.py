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
from codex_oauth_core.flows.no_answer import sentence

__all__ = [
    "FINISHING",
    "NO_OFFERS",
    "Offers",
    "Part",
    "View",
    "parts_of",
    "prompt_lines",
    "role_of",
    "short_status",
    "status_of",
]


@attrs.frozen(kw_only=True)
class Offers:
    """What is done, or can be done, beside a prompt. `opens`: the page is being opened here. `keys`: what the
    person can press, in a sentence. `pastes`: how to paste the address of the last page, in lines.
    """

    opens: bool = False
    keys: str = ""
    pastes: tuple[str, ...] = ()


NO_OFFERS: Final = Offers()


class View(Protocol):
    """Shows what happens. No failure of a terminal ends a sign-in: nothing here raises OSError."""

    def prompt(self, prompt: Prompt, offers: Offers = NO_OFFERS) -> None:
        """A new prompt came."""

    def whole_page(self) -> None:
        """The page could not be opened: its whole address is needed, if it was shortened."""

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
_YOURSELF: Final = "Only go on if you started this sign-in yourself."
_NEVER_SHARE: Final = "Never share this code. No one from {} or this program will ask for it."
_BRIEF: Final = "Only go on if you started this sign-in. Never share this code."

_CAUSES: Final[Mapping[ErrorKind | None, str]] = {
    ErrorKind.NETWORK: "the server did not answer",
    ErrorKind.TLS_UNTRUSTED: "the certificate of the server is not trusted",
    ErrorKind.BLOCKED: "a web page came in place of an answer",
    ErrorKind.RATE_LIMITED: "the server asks for fewer requests",
    ErrorKind.INVALID_RESPONSE: "the answer of the server could not be used",
}
"""What is said where it is not known which host it was."""

_STATES: Final[Mapping[Why, str]] = {
    Why.PENDING: "Waiting for your approval",
    Why.SLOW_DOWN: "Waiting for your approval (the server asks for fewer requests)",
    Why.RATE_LIMITED: "The server asks for fewer requests",
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

Role = Literal["title", "text", "page", "code", "care", "limit", "gap"]


@attrs.frozen
class Part:
    """A paragraph of a prompt."""

    role: Role
    text: str = ""


def status_of(wait: Wait, at: float | None = None) -> str:
    """What is happening, in a few words; at the instant `at`, if that is given, with what is left of it."""
    if wait.why is Why.RETRY:
        clause = wait.trouble or _CAUSES.get(wait.cause, "the server did not answer")
        trouble = sentence(clause).removesuffix(".")
        return trouble if at is None else f"{trouble}; next try in {_until(wait, at)}"
    if wait.why is Why.QUEUED:
        return _queued(wait)
    if wait.why is Why.RATE_LIMITED and at is not None:
        return f"{_STATES[wait.why]}; next try in {_until(wait, at)}"
    return _STATES[wait.why]


def _until(wait: Wait, at: float) -> str:
    return f"{max(1, math.ceil(wait.until - at))} s"


def _queued(wait: Wait) -> str:
    """Whom the lock of a login is waited for, and for how long."""
    holder = wait.holder
    known = holder is not None and f"process {holder.pid} on {printable(holder.host, 80)}"
    who = known or "another program"
    if wait.give_up_at is None:
        return f"Waiting for {who}, which uses this login"
    minutes = max(1, math.ceil((wait.give_up_at - wait.until) / 60))
    limit = f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"Waiting for {who}, which uses this login, for at most {limit}"


def short_status(wait: Wait) -> str:
    """The same in at most twelve characters."""
    return _SHORT.get(wait.why, "Waiting")


def role_of(wait: Wait) -> str:
    """What kind of news it is, for a colour."""
    return _ROLES.get(wait.why, "waiting")


def parts_of(prompt: Prompt, offers: Offers = NO_OFFERS, *, brief: bool = False) -> list[Part]:
    """What a person must see to sign in (RFC 8628 §3.3 and §5.4; RFC 8252 §4.1). `brief`: in few lines."""
    gap, title = Part("gap"), Part("title", prompt.title or CODEX.texts.title)
    usual = prompt.issuer == CODEX.issuer
    start = [title] if brief else [title, gap]
    if not usual:
        start += [Part("text", f"This signs in at {prompt.issuer}."), *([] if brief else [gap])]
    lasts = left(prompt.expires_at - time.time() + 1)
    keys = [Part("text", offers.keys)] if offers.keys and not brief else []
    match prompt:
        case DevicePrompt():
            page, code = Part("page", prompt.verification_uri), Part("code", prompt.user_code)
            opens, enters = (
                Part("text", "Open this page on any device:"),
                Part("text", "and enter this code:"),
            )
            shown = [*start, opens, page, enters, code]
            if brief:
                return [*shown, Part("care", _BRIEF)]
            company = CODEX.texts.company if usual else "the sign-in server"
            care = [Part("care", _YOURSELF), Part("care", _NEVER_SHARE.format(company))]
            return [*shown, gap, *care, Part("limit", f"The code expires in {lasts}."), *keys, gap]
        case BrowserPrompt():
            opening = "Opening your browser. If nothing opens:" if offers.opens else _OPEN
            here, url = Part("text", opening), Part("page", prompt.authorize_url.reveal())
            end = [Part("care", _YOURSELF), Part("limit", f"This waits for {lasts}."), *keys]
            paste = [gap, *(Part("text", line) for line in offers.pastes)] if offers.pastes else []
            return [*start, here, url, gap, *end, *paste, gap]
        case _:
            assert_never(prompt)


_OPEN: Final = "Open this page in your browser:"


def prompt_lines(prompt: Prompt) -> list[str]:
    """The same as plain lines."""
    return [f"    {part.text}" if part.role in ("page", "code") else part.text for part in parts_of(prompt)]
