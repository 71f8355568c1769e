"""One HTTP request, as a dialect writes it and a driver sends it.

Rules of this file: it is loaded by whoever reads or writes for a provider, and loads no effect.
"""

from __future__ import annotations

import attrs

from codex_oauth_core.secret import Secret

__all__ = ["Request", "RequestHeaders", "plain"]


RequestHeaders = tuple[tuple[str, str | Secret[str]], ...]
"""Names and values, in the order in which they are sent. A value may be a `Secret`."""


@attrs.frozen
class Request:
    """One HTTP request. Send it unchanged: follow no redirect, and add no cookie and no credentials. A header
    may be a `Secret`: send `plain_headers()`.
    """

    method: str
    url: str
    headers: RequestHeaders
    body: Secret[bytes]

    def plain_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers with their secrets revealed. Send them, and never log them."""
        return plain(self.headers)


def plain(headers: RequestHeaders) -> tuple[tuple[str, str], ...]:
    """Headers with their secrets revealed."""
    return tuple((name, value.reveal() if isinstance(value, Secret) else value) for name, value in headers)
