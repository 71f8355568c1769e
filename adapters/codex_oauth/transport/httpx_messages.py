"""One request in the terms of httpx and httpcore, for blocking and asynchronous transports.

Rules of this file: nothing here does any I/O; the body is revealed here and nowhere else. Whether this
machine's settings (proxies, certificates) can be used at all is looked at here before a person is asked
for anything.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final

import httpcore
import httpx

from codex_oauth.transport.bad_settings import UnusableSettingError
from codex_oauth.transport.proxies import Proxy, UnusableProxyError, proxy_to
from codex_oauth.transport.tls import tls_context
from codex_oauth.transport.writable import request_target
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.flows.machine import error_of, refusal_of, transient_of
from codex_oauth_core.provider import Provider
from codex_oauth_core.request import Request, RequestHeaders, plain
from codex_oauth_core.settings import BadSetting, SettingFault

__all__ = [
    "NO_AUTH",
    "BadProxyError",
    "Proxy",
    "check_settings",
    "headers_of",
    "proxy_for",
    "tls_for",
    "to_httpcore",
    "to_httpcore_proxy",
    "to_httpx",
    "usable_proxy",
]


BadProxyError = UnusableProxyError


def proxy_for(url: httpx.URL) -> Proxy | None:
    """The proxy for `url`, or None for a direct connection; see `proxy_to`. Raises `BadProxyError`."""
    return proxy_to(url.scheme, url.raw_host.decode("ascii"), url.port)


# -- requests and answers ------------------------------------------------------------------------------


_TARGET: Final = "codex_oauth_target"
"""Our own extension: httpx takes dot segments out of a URL. (httpcore's `target` would be a proxy's, too.)"""

_TIMEOUTS: Final = ("connect", "read", "write", "pool")
NO_AUTH: Final = httpx.Auth()  # else httpx would turn user information in a URL into a header


def to_httpx(
    effect: SendRequest, trace: Any, timeouts: Mapping[str, float] | None = None, *, new_connection: bool
) -> httpx.Request:
    """The request as the core wrote it. `trace` is httpcore's extension; it is told of every step.
    `timeouts` are httpx's, for each step; by default it has none.
    """
    request, url, body = effect.request, _parsed(effect.request.url), effect.request.body.reveal()
    more = [(b"Connection", b"close")] if new_connection else []
    length = [(b"Content-Length", b"%d" % len(body))] if body or request.method == "POST" else []
    made = httpx.Request(
        request.method,
        url,
        headers=[(b"Host", url.netloc), *_headers(request), *more, *length],
        stream=httpx.ByteStream(body),  # with `content` the headers would be built twice
        extensions={
            "timeout": timeouts or dict.fromkeys(_TIMEOUTS),
            "trace": trace,
            _TARGET: request_target(request.url).encode("ascii"),
        },
    )
    made.read()  # as `content` does: whoever looks at requests finds their content
    return made


def _headers(request: Request) -> tuple[tuple[bytes, bytes], ...]:
    try:
        return _encoded(request.headers)
    except TypeError:  # a `Secret` has no hash, so that it is not kept
        return _encoded.__wrapped__(request.headers)


@lru_cache(maxsize=16)  # the same for every request of a kind
def _encoded(headers: RequestHeaders) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in plain(headers))


@lru_cache(maxsize=16)  # endpoints, which hold no secret; to parse one takes longer than to build a request
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


def headers_of(response: httpx.Response) -> dict[str, str]:
    """The headers by name; those of one name are joined. (A plain `dict(headers)` looks each of them up.)"""
    return dict(response.headers.items())


def to_httpcore(request: httpx.Request, content: bytes | httpx.AsyncByteStream) -> httpcore.Request:
    """The same for httpcore, which takes the body in either form."""
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=_target(request)),
        headers=request.headers.raw,
        content=content,
        extensions=request.extensions,
    )


def _target(request: httpx.Request) -> bytes:
    target: bytes = request.extensions.get(_TARGET, request.url.raw_path)
    return target


def usable_proxy(url: httpx.URL) -> Proxy | None:
    """See `proxy_for`; a SOCKS proxy needs its package, too. Raises `BadProxyError`."""
    proxy = proxy_for(url)
    if proxy and proxy.is_socks and find_spec("socksio") is None:
        raise BadProxyError(BadSetting(proxy.setting, SettingFault.SOCKSIO_MISSING))
    return proxy


def tls_for(url: httpx.URL, proxy: Proxy | None) -> ssl.SSLContext | None:
    """The TLS context, if the server or the proxy is spoken to over TLS. Raises `UnusableSettingError`."""
    return tls_context() if "https" in (url.scheme, proxy.scheme if proxy else "") else None


def to_httpcore_proxy(proxy: Proxy) -> httpcore.Proxy:
    """The proxy for httpcore, with its credentials."""
    name, password = proxy.username.reveal().encode(), proxy.password.reveal().encode()
    return httpcore.Proxy(
        httpcore.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/"),
        auth=(name, password) if name or password else None,
        ssl_context=tls_context() if proxy.scheme == "https" else None,
    )


# -- settings of this machine --------------------------------------------------------------------------


def check_settings(provider: Provider) -> None:
    """Raises SignInError, `misconfigured`, if a setting keeps every request to a provider from being sent."""
    try:
        for url in map(httpx.URL, filter(None, (provider.issuer, provider.token_endpoint))):
            tls_for(url, usable_proxy(url))
    except UnusableSettingError as error:
        found = error
    else:
        return
    raise error_of(refusal_of(transient_of(found.failed(0.0))))
