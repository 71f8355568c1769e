"""What carries one HTTP request for a world. A port to another HTTP library is one such callable.

Rules of this file: a transport performs one request at a time, a `once` request on a connection of its own,
and retries nothing. One that keeps connections for others closes them with `aclose()`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from codex_oauth_core.effects import SendRequest
from codex_oauth_core.events import Cancelled, RequestFailed, ResponseReceived
from codex_oauth_core.short_repr import Named

__all__ = ["KEPT_ALIVE", "AsyncSendOutcome", "AsyncTransport", "SendOutcome", "Transport", "never"]


KEPT_ALIVE: Final = 3.0
"""Seconds for which an idle connection is used again. Servers drop it after 5, and polls come every 5; one
that dies under a request leaves open whether the server has seen it."""

SendOutcome = ResponseReceived | RequestFailed | Cancelled


class Transport(Protocol):
    """Sends one request unchanged: a new connection, no redirects, no cookies, no retry."""

    def __call__(self, effect: SendRequest, stopped: Callable[[], bool]) -> SendOutcome:
        """Send `effect.request`, in at most `effect.timeout` seconds for the whole exchange.

        It answers `Cancelled` within 0.5 s after `stopped()` became true. For a `once` request a world passes
        a `stopped` that never becomes true. A failure of the network is `RequestFailed`. Raises ValueError
        for a request that cannot be written as HTTP, which is a bug.
        """
        ...


@Named
def never() -> bool:
    """`stopped` for a request that nothing may cut."""
    return False


# -- with await ----------------------------------------------------------------------------------------


AsyncSendOutcome = ResponseReceived | RequestFailed


class AsyncTransport(Protocol):
    """Sends one request unchanged: no redirects, no cookies, no retry."""

    async def __call__(self, effect: SendRequest) -> AsyncSendOutcome:
        """Send `effect.request`, in at most `effect.timeout` seconds for the whole exchange.

        A failure of the network is `RequestFailed`. A cancellation interrupts the request and is raised; the
        world makes sure that none interrupts a `once` request. Raises ValueError for a request that cannot be
        written as HTTP, which is a bug.
        """
        ...
