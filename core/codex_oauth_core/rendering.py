"""What the inverse of a dialect's readers is: from a fact to an answer that means it.

Rules of this file: shapes only. A renderer is pure; it raises ValueError for a fact that no answer can
state. What it writes is its own: the text that a server sent never passes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_oauth_core.events import ResponseReceived

if TYPE_CHECKING:
    from codex_oauth_core.facts import DeviceFact, ExchangeFact, KeysFact, MetadataFact, PollFact
    from codex_oauth_core.secret import Secret

__all__ = ["FAKE_ISSUER", "FAKE_NONCE", "Headers", "Rendered", "Renderers"]

FAKE_ISSUER: Final = "https://issuer.invalid"
FAKE_NONCE: Final = "fake-nonce".ljust(43, "-")
"""The server and the sign-in that what is rendered for a trace is of."""

Headers = tuple[tuple[str, str], ...]


@attrs.frozen
class Rendered:
    """An answer to send. The body is secret, because it may hold tokens."""

    status: int
    headers: Headers
    body: Secret[bytes]

    def received(self, sent_at: float, at: float, wall: float) -> ResponseReceived:
        """The event that this answer causes at a client that began its request at `sent_at`."""
        return ResponseReceived(sent_at, at, wall, self.status, dict(self.headers), self.body)


@attrs.frozen(kw_only=True)
class Renderers:
    """A dialect's functions that write a server's answers in a sign-in, and the dialect's own words. A trace
    is made with these alone.
    """

    name: str
    """The name of the dialect, in a trace."""
    device_authorization: Callable[[DeviceFact], Rendered]
    poll: Callable[[PollFact], Rendered]
    exchange: Callable[[ExchangeFact], Rendered]
    revocation: Callable[[bool], Rendered]
    """Takes whether the server confirms the revocation."""
    token: Callable[[str, float | None, str | None, str | None], Secret[str]]
    """A token that proves nothing. Takes a mark that makes it unique, the Unix time in seconds when it
    expires, and the account and the person that it names; None for one that it leaves out.
    """
    known_code: Callable[[str], str]
    """An error code that this dialect knows: the same one, another with the same meaning, or `other`."""
    denial: Callable[[str], str | None] | None = None
    """A redirect's description from which `why_denied` reads this word; None if there is none."""
    metadata: Callable[[MetadataFact], Rendered] | None = None
    keys: Callable[[KeysFact], Rendered] | None = None
    verify_signature: Callable[[Mapping[str, Any], bytes, bytes], bool] | None = None
    """Checks the signatures of `exchange`, which prove nothing: see `Provider.verify_signature`."""
