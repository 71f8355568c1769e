"""What the inverse of a dialect's readers is: from a fact to an answer that means it.

Rules of this file: shapes only. A renderer is pure; it raises ValueError for a fact that no answer can
state. What it writes is its own: the text that a server sent never passes through it.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import DeviceFact, ExchangeFact, PollFact
from codex_oauth_core.secret import Secret

__all__ = ["Headers", "Rendered", "Renderers"]

Headers = tuple[tuple[str, str], ...]


@attrs.frozen
class Rendered:
    """An answer to send. The body is secret, because it may hold tokens."""

    status: int
    headers: Headers
    body: Secret[bytes]

    def received(self, sent_at: float, at: float, wall: float) -> ResponseReceived:
        """The event of this answer at the client that began its request at `sent_at`."""
        return ResponseReceived(sent_at, at, wall, self.status, dict(self.headers), self.body)


@attrs.frozen(kw_only=True)
class Renderers:
    """A dialect's answers in a sign-in, and its own words: all that a trace can be made of."""

    name: str
    """Names the dialect, in a trace."""
    device_authorization: Callable[[DeviceFact], Rendered]
    poll: Callable[[PollFact], Rendered]
    exchange: Callable[[ExchangeFact], Rendered]
    revocation: Callable[[bool], Rendered]
    """Takes whether the server confirms."""
    token: Callable[[str, float | None, str | None, str | None], Secret[str]]
    """A token that proves nothing. Takes a mark that tells it from others, the Unix time at which it
    expires, and the account and the person that it names; None for what it does not say.
    """
    known_code: Callable[[str], str]
    """An error code in this dialect's own words: the same, another of the same meaning, or `other`."""
    denial: Callable[[str], str | None] | None = None
    """A redirect's description from which `why_denied` reads this word; None where it reads none."""
