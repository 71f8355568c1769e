"""Which proxy a request of httpx goes through: see `proxy_settings`, which reads the settings."""

from __future__ import annotations

import httpx

from codex_oauth.transport.proxy_settings import Proxy, UnusableProxyError, proxy_to

__all__ = ["BadProxyError", "Proxy", "proxy_for"]

BadProxyError = UnusableProxyError


def proxy_for(url: httpx.URL) -> Proxy | None:
    """The proxy for `url`, or None for a direct connection; see `proxy_to`. Raises `BadProxyError`."""
    return proxy_to(url.scheme, url.raw_host.decode("ascii"), url.port)
