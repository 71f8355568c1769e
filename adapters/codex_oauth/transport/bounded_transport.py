"""An `httpx` transport for one request with a hard time limit (httpx's own limits count each read anew).

Rules of this file: one pool for one request, so no connection is ever reused; TLS and proxies are ours
and take no options.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpcore
import httpx

from codex_oauth.transport.backend import BoundedBackend
from codex_oauth.transport.deadline import Deadline
from codex_oauth.transport.exchange import tls_for, to_httpcore, to_httpcore_proxy, usable_proxy
from codex_oauth.transport.progress import Progress, Stage
from codex_oauth.transport.resolve import in_worker

__all__ = ["BoundedTransport"]


class BoundedTransport(httpx.BaseTransport):
    """Carries one request within `deadline`, and tells `progress` how far it came.

    Raises httpcore's exceptions as they are, and what `Deadline.slice` raises.
    """

    def __init__(self, deadline: Deadline, progress: Progress) -> None:
        self._deadline = deadline
        self._progress = progress
        self._closing = contextlib.ExitStack()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; the answer's body is still to be read."""
        self._progress.stage = Stage.CONNECTING
        answer = self._pool(request.url).handle_request(to_httpcore(request, request.read()))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._closing.close()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy = in_worker(lambda: usable_proxy(url), self._deadline)
        self._progress.through(proxy.setting if proxy else None)
        pool = httpcore.ConnectionPool(
            ssl_context=tls_for(url, proxy),
            proxy=to_httpcore_proxy(proxy) if proxy else None,
            network_backend=self._closing.enter_context(BoundedBackend(self._deadline)),
        )
        return self._closing.enter_context(pool)


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
