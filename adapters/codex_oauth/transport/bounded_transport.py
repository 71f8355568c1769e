"""An `httpx` transport for one request with a hard time limit (httpx's own limits count each read anew).

Rules of this file: one pool for one request, so no connection is ever reused; TLS and proxies are ours
and take no options.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

import httpcore
import httpx

from codex_oauth.transport.backend import BoundedBackend
from codex_oauth.transport.deadline import Deadline
from codex_oauth.transport.progress import Progress, Stage
from codex_oauth.transport.proxies import BadProxyError, Proxy, proxy_for
from codex_oauth.transport.resolve import in_worker
from codex_oauth.transport.tls import tls_context

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
        url = request.url
        answer = self._pool(url).handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._closing.close()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy = self._proxy(url)
        secure = "https" in (url.scheme, proxy.scheme if proxy else "")
        pool = httpcore.ConnectionPool(
            ssl_context=tls_context() if secure else None,
            proxy=_for_httpcore(proxy) if proxy else None,
            network_backend=self._closing.enter_context(BoundedBackend(self._deadline)),
        )
        return self._closing.enter_context(pool)

    def _proxy(self, url: httpx.URL) -> Proxy | None:
        try:
            proxy = in_worker(lambda: proxy_for(url), self._deadline)
        except BadProxyError as error:
            raise httpcore.ProxyError(str(error)) from None
        if proxy and proxy.is_socks and find_spec("socksio") is None:
            raise httpcore.ProxyError("a SOCKS proxy needs the package socksio")
        self._progress.proxied = proxy is not None
        return proxy


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _for_httpcore(proxy: Proxy) -> httpcore.Proxy:
    name, password = proxy.username.reveal().encode(), proxy.password.reveal().encode()
    return httpcore.Proxy(
        httpcore.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/"),
        auth=(name, password) if name or password else None,
        ssl_context=tls_context() if proxy.scheme == "https" else None,
    )
