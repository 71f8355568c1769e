"""What carries one HTTP request for an asynchronous world. A port to another library is one such callable.

Rules of this file: a transport performs a `once` request on a connection of its own, and retries nothing.
"""

from __future__ import annotations

from typing import Protocol

from codex_oauth_core.effects import SendRequest
from codex_oauth_core.events import RequestFailed, ResponseReceived

__all__ = ["AsyncAnswer", "AsyncTransport"]

AsyncAnswer = ResponseReceived | RequestFailed


class AsyncTransport(Protocol):
    """Sends one request as it is: no redirects, no cookies, no retry."""

    async def __call__(self, effect: SendRequest) -> AsyncAnswer:
        """Send `effect.request` within `effect.timeout` seconds, everything included.

        A failure of the network is `RequestFailed`. A cancellation cuts it, and is raised: the world sees to
        it that none reaches a `once` request. Raises ValueError for a request that cannot be written as HTTP
        at all, which is a bug.
        """
        ...
