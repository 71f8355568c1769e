"""Which proxy a request goes through, by the environment's (or the system's) settings.

Rules of this file: this machine itself is never asked for through a proxy; a proxy's password is a
`Secret`, and no error repeats a proxy's URL.
"""

from __future__ import annotations

import urllib.request
from typing import Final

import attrs
import httpx

from codex_oauth.transport.this_machine import is_this_machine
from codex_oauth_core.secret import Secret

__all__ = ["BadProxyError", "Proxy", "proxy_for"]

_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class BadProxyError(ValueError):
    """The settings name a proxy that cannot be used. Its text names the setting, not the value."""


@attrs.frozen
class Proxy:
    """A proxy. As text it is its URL without credentials."""

    scheme: str
    host: str
    port: int
    username: Secret[str]
    password: Secret[str]

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5 and not HTTP."""
        return self.scheme.startswith("socks")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def proxy_for(url: httpx.URL) -> Proxy | None:
    """The proxy for `url`, or None for a direct connection.

    Reads HTTPS_PROXY or HTTP_PROXY by the URL's scheme, else ALL_PROXY, and NO_PROXY (either case; on
    Windows and macOS the system's settings where no variable is set, and then it may ask DNS). Raises
    `BadProxyError`.
    """
    host = url.raw_host.decode("ascii")
    if is_this_machine(host):
        return None
    settings = urllib.request.getproxies()
    name = next((name for name in (url.scheme, "all") if settings.get(name)), None)
    if name is None or _bypassed(url, host):
        return None
    return _parse(settings[name], f"{name}_proxy".upper())


def _bypassed(url: httpx.URL, host: str) -> bool:
    port = url.port or _PORTS.get(url.scheme, 0)
    return any(urllib.request.proxy_bypass(name) for name in (f"{host}:{port}", host))


def _parse(text: str, setting: str) -> Proxy:
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
    except (httpx.InvalidURL, ValueError):
        raise BadProxyError(f"{setting} is not a URL") from None
    if url.scheme not in _PORTS or not url.raw_host:
        raise BadProxyError(f"{setting} is not an http, https or socks5 URL")
    port = url.port or _PORTS[url.scheme]
    host = url.raw_host.decode("ascii")
    return Proxy(url.scheme, host, port, Secret(url.username), Secret(url.password))
