"""Which proxy a request goes through, by what `urllib` finds in the environment (or the system's settings).

Rules of this file: the standard library alone; this machine itself is never asked for through a proxy; a
proxy's password is a `Secret`, and no error repeats a proxy's URL.
"""

from __future__ import annotations

import base64
import urllib.request
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from codex_oauth.transport.this_machine import is_this_machine
from codex_oauth_core.secret import Secret

__all__ = ["HttpProxy", "UnusableProxyError", "http_proxy_for"]

PORTS: Final = {"http": 80, "https": 443}


class UnusableProxyError(OSError):
    """The settings name a proxy that cannot be used. Its text names the setting, not the value."""


@attrs.frozen
class HttpProxy:
    """A proxy that is spoken to in plain HTTP. `authorization` is empty, or what the proxy wants to see
    (`Basic …`, RFC 7617).
    """

    host: str
    port: int
    authorization: Secret[str]


def http_proxy_for(url: SplitResult) -> HttpProxy | None:
    """The proxy for `url`, or None for a direct connection.

    Reads HTTPS_PROXY or HTTP_PROXY by the URL's scheme, else ALL_PROXY, and NO_PROXY, as `urllib` does
    (where no variable is set it may ask the system, and DNS). Raises `UnusableProxyError`.
    """
    host = url.hostname or ""
    if is_this_machine(host):
        return None
    settings = urllib.request.getproxies()
    name = next((name for name in (url.scheme, "all") if settings.get(name)), None)
    port = url.port or PORTS.get(url.scheme, 0)
    if name is None or any(urllib.request.proxy_bypass(text) for text in (f"{host}:{port}", host)):
        return None
    return _parse(settings[name], f"{name}_proxy".upper())


def _parse(text: str, setting: str) -> HttpProxy:
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        port = url.port or PORTS["http"]
    except ValueError:
        raise UnusableProxyError(f"{setting} is not a URL") from None
    if url.scheme != "http" or not url.hostname:
        raise UnusableProxyError(f"{setting} is not the URL of an http proxy")
    return HttpProxy(url.hostname, port, Secret(_authorization(url)))


def _authorization(url: SplitResult) -> str:
    if not url.username and not url.password:
        return ""
    credentials = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"
