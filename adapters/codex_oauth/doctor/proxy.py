"""Which proxy stands before the server, and which setting says so.

Rules of this file: what wins is what the transport would use; a proxy's URL is shown without user name,
password, path and query.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

import httpx

from codex_oauth.doctor.context import Area, Context, Finding, ok, problem, warn
from codex_oauth.transport.httpx_messages import BadProxyError, Proxy, proxy_for
from codex_oauth.transport.proxies import unquoted

__all__ = ["check"]

_NAME: Final = "proxy"
_AREA: Final = Area.NETWORK
_FORM: Final = "Set it to http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, or unset it."


def check(context: Context) -> Iterator[Finding]:
    """The proxy for the server, and settings that contradict each other."""
    url = httpx.URL(context.provider.issuer)
    try:
        proxy = proxy_for(url)
    except BadProxyError as error:
        yield problem(_NAME, _AREA, f"{error}", _FORM, subject=error.setting.name)
        return
    yield _direct(context, url) if proxy is None else _through(proxy, _winner(context, url))
    yield from _contradictions(context)


def _through(proxy: Proxy, setting: str) -> Finding:
    if proxy.is_socks and find_spec("socksio") is None:
        install = "Install it: pip install 'httpx[socks]'. Or name an HTTP proxy."
        return problem(_NAME, _AREA, f"{proxy} needs the package socksio", install, subject=setting)
    known = proxy.username.reveal() or proxy.password.reveal()
    return ok(_NAME, _AREA, f"{proxy}{', with credentials (not shown)' if known else ''}", setting)


def _direct(context: Context, url: httpx.URL) -> Finding:
    winner = _winner(context, url)
    if winner == _SYSTEM:
        return ok(_NAME, _AREA, f"none for {url.host}: no variable names one")
    return ok(_NAME, _AREA, f"none for {url.host}: it is this machine, or NO_PROXY covers it", winner)


_SYSTEM: Final = "the system's settings"


def _winner(context: Context, url: httpx.URL) -> str:
    """The variable that decides: the scheme's before ALL_PROXY, lower case before upper case."""
    names = (name for kind in (url.scheme, "all") for name in (f"{kind}_proxy", f"{kind}_proxy".upper()))
    return next((name for name in names if unquoted(context.environment.get(name, ""))), _SYSTEM)


def _contradictions(context: Context) -> Iterator[Finding]:
    for kind in ("https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        lower, upper = context.environment.get(kind), context.environment.get(kind.upper())
        if lower and upper and lower != upper:
            text = f"is set and differs from {kind}, which wins"
            yield warn(_NAME, _AREA, text, "Unset one of the two.", subject=kind.upper())
