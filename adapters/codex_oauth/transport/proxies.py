"""Which proxy a request goes through, by what `urllib` finds in the environment (or the system's settings).

Rules of this file: the one reader of proxy settings, of the standard library alone; this machine itself,
however it is spelled, is never asked for through a proxy; a proxy's password is a `Secret`, and no error
repeats a proxy's URL.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import socket
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from codex_oauth.transport.bad_settings import UnusableSettingError
from codex_oauth_core.provider import is_loopback
from codex_oauth_core.secret import Secret
from codex_oauth_core.settings import BadSetting, SettingFault

__all__ = [
    "PORTS",
    "HttpProxy",
    "Proxy",
    "UnusableProxyError",
    "http_proxy_for",
    "is_this_machine",
    "proxy_to",
    "unquoted",
]


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine by any spelling of a loopback, or of the unspecified, address."""
    name = host.rstrip(".").lower()
    if is_loopback(name) or name.endswith(".localhost") or name in ("ip6-localhost", "ip6-loopback"):
        return True
    address = _address(name)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped is not None and (mapped.is_loopback or mapped.is_unspecified)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a name is, also in the short and the numeric forms (`127.1`, `0x7f000001`)."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, UnicodeError, ValueError):
        return None


# -- the settings --------------------------------------------------------------------------------------


PORTS: Final = {"http": 80, "https": 443}
_PROXY_PORTS: Final = {**PORTS, "socks5": 1080, "socks5h": 1080}
_OTHER_NAMES: Final = {"socks": "socks5"}
_SYSTEM: Final = "The system's setting of a proxy"
_AROUND: Final = " \t\r\n\v\f\"'"
_BAD: Final = re.compile(r"[\x00-\x1f\x7f]")
_by_environment: Callable[[str, Mapping[str, str]], object] = cast(
    "Any", urllib.request
).proxy_bypass_environment  # documented nowhere, and not typed
_HOST: Final = re.compile(r"[^\s/\\?#@\"'<>]+")


class UnusableProxyError(UnusableSettingError, ValueError):
    """The settings name a proxy that cannot be used. Its text names the setting, not the value."""


@attrs.frozen
class Proxy:
    """A proxy. As text it is its URL without credentials. `setting` is the variable that names it."""

    scheme: str
    host: str
    port: int
    username: Secret[str]
    password: Secret[str]
    setting: str = attrs.field(default=_SYSTEM, eq=False)

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5 and not HTTP."""
        return self.scheme.startswith("socks")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@attrs.frozen
class HttpProxy:
    """A proxy that is spoken to in plain HTTP. `authorization` is empty, or what the proxy wants to see
    (`Basic …`, RFC 7617). `setting` is the variable that names it.
    """

    host: str
    port: int
    authorization: Secret[str]
    setting: str = attrs.field(default=_SYSTEM, eq=False)


def proxy_to(scheme: str, host: str, port: int | None) -> Proxy | None:
    """The proxy for a server, or None for a direct connection.

    Reads HTTPS_PROXY or HTTP_PROXY by the URL's scheme, else ALL_PROXY, and NO_PROXY, as `urllib` does
    (where no variable is set it may ask the system, and DNS); what stands around a value by mistake, blanks,
    line ends and quotes, is passed over. Raises `UnusableProxyError`.
    """
    if is_this_machine(host):
        return None
    settings = {name: unquoted(value) for name, value in urllib.request.getproxies().items()}
    name = next((name for name in (scheme, "all") if settings.get(name)), None)
    if name is None or _bypassed(host, port or PORTS.get(scheme, 0)):
        return None
    return _parsed(settings[name], _variable(name))


def http_proxy_for(url: SplitResult) -> HttpProxy | None:
    """As `proxy_to`, for who speaks to proxies in plain HTTP only. Raises `UnusableProxyError`."""
    proxy = proxy_to(url.scheme, url.hostname or "", url.port)
    if proxy is None:
        return None
    if proxy.scheme != "http":
        raise UnusableProxyError(BadSetting(proxy.setting, SettingFault.HTTP_ONLY))
    return HttpProxy(proxy.host, proxy.port, Secret(_authorization(proxy)), proxy.setting)


def unquoted(value: str) -> str:
    """A value without the blanks, line ends and quotes that a file of variables left around it."""
    return value.strip(_AROUND)


def _bypassed(host: str, port: int) -> bool:
    names = (f"{host}:{port}", host)
    settings = urllib.request.getproxies_environment()
    if not settings:
        return any(urllib.request.proxy_bypass(name) for name in names)
    settings["no"] = unquoted(settings.get("no", ""))
    return any(_by_environment(name, settings) for name in names)


def _variable(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The variable that says so: lower case before upper case, as `urllib` has it."""
    wanted = f"{name}_proxy"
    spelled = [each for each in environ if each.lower() == wanted and unquoted(environ[each])]
    return min(spelled, key=lambda each: (each != wanted, each), default=_SYSTEM)


def _parsed(text: str, setting: str) -> Proxy:
    """The proxy of a value. Raises `UnusableProxyError`."""
    url = _split(text, setting)
    scheme = _OTHER_NAMES.get(url.scheme, url.scheme)
    if scheme not in _PROXY_PORTS:
        raise UnusableProxyError(BadSetting(setting, SettingFault.UNKNOWN_SCHEME))
    host = _host(url, setting)
    try:
        port = _PROXY_PORTS[scheme] if url.port is None else url.port
    except ValueError:
        port = 0
    if port == 0:
        raise UnusableProxyError(BadSetting(setting, SettingFault.BAD_PORT))
    name, password = unquote(url.username or ""), unquote(url.password or "")
    return Proxy(scheme, host, port, Secret(name), Secret(password), setting)


def _split(text: str, setting: str) -> SplitResult:
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        url.hostname  # noqa: B018  # it is read only now
    except ValueError:
        raise UnusableProxyError(BadSetting(setting, SettingFault.NOT_A_URL)) from None
    if "@" in f"{url.path}{url.query}{url.fragment}":  # else its beginning would be taken for a host
        raise UnusableProxyError(BadSetting(setting, SettingFault.UNENCODED))
    if _BAD.search(text) or ("://" not in text and url.path not in ("", "/")):
        raise UnusableProxyError(BadSetting(setting, SettingFault.NOT_A_URL))
    return url


def _host(url: SplitResult, setting: str) -> str:
    """The host in the letters of DNS."""
    host = url.hostname or ""
    try:
        ascii_host = host if ":" in host else host.encode("ascii" if host.isascii() else "idna").decode()
    except UnicodeError:
        ascii_host = ""
    if not _HOST.fullmatch(ascii_host):
        raise UnusableProxyError(BadSetting(setting, SettingFault.NO_HOST))
    return ascii_host


def _authorization(proxy: Proxy) -> str:
    name, password = proxy.username.reveal(), proxy.password.reveal()
    if not name and not password:
        return ""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"
