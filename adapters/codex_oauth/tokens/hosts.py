"""Which URLs may be sent an access token.

Rules of this file: exact hosts only, by https, or by http on a loopback address that was listed (`wss` counts
as `https`, and `ws` as `http`: a web socket begins as a request of theirs, RFC 6455 §3); a URL that
two parsers could read in two ways is refused; an error names the host, escaped, and nothing else of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import attrs

from codex_oauth_core.codex import CODEX
from codex_oauth_core.provider import is_loopback

__all__ = ["DEFAULT_HOSTS", "HostNotAllowed", "Hosts", "shared_hosts"]

DEFAULT_HOSTS: Final = CODEX.hosts

_HOST: Final = r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
_ENTRY: Final = re.compile(_HOST, re.ASCII)
_URL: Final = re.compile(rf"(?P<scheme>https?|wss?)://{_HOST}(?=[/?#]|\Z)", re.ASCII | re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"[^/?#]*//(?P<authority>[^/?#]*)")
_COUNTS_AS: Final = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
_USUAL_PORT: Final = {"https": 443, "http": 80}
_LONGEST_SHOWN: Final = 100
_AFTER_SLASHES: Final = len("https://")
_MOST_SEEN: Final = 64


class HostNotAllowed(ValueError):
    """The token must not be sent to this URL. `host` is its host, escaped, as far as it can be read. A
    `TokenSource` says which hosts may have its token: those of the login's provider, or its `hosts=`.
    """

    def __init__(self, host: str) -> None:
        super().__init__(
            f"No token is sent to {host}. A token is sent by https or wss only, and only to the hosts of the "
            "login's provider; name other hosts where the source is made: TokenSource(store, hosts=[...])."
        )
        self.host = host


@attrs.frozen
class _Entry:
    """A listed host; without a port it is the usual one, and on a loopback address any."""

    host: str
    port: int | None

    def fits(self, scheme: str, host: str, port: int) -> bool:
        loopback = is_loopback(host)
        if host != self.host or (scheme == "http" and not loopback):
            return False
        return (self.port is None and loopback) or port == (self.port or _USUAL_PORT[scheme])


def _entries(names: Iterable[str]) -> tuple[_Entry, ...]:
    if isinstance(names, str):
        raise TypeError("hosts is a collection of hosts, not one string")
    return tuple(_entry(name) for name in names)


def _entry(name: str) -> _Entry:
    found = _ENTRY.fullmatch(name) or _ENTRY.fullmatch(f"[{name}]")
    if found is None or found["host"].endswith("."):
        raise ValueError(f"hosts: {name!a} is not HOST or HOST:PORT in plain ASCII")
    return _Entry(_bare(found["host"]), None if found["port"] is None else int(found["port"]))


def _bare(host: str) -> str:
    return host.strip("[]").lower()


@attrs.frozen
class Hosts:
    """The hosts that may have the token: `HOST` or `HOST:PORT`. ValueError for anything else, such as a URL
    or a pattern.
    """

    _allowed: tuple[_Entry, ...] = attrs.field(converter=_entries)
    _seen: set[str] = attrs.field(factory=set[str], init=False, repr=False, eq=False)
    """Beginnings of URLs, up to the path, that were allowed before: every request asks."""

    def check(self, url: str) -> None:
        """Raise HostNotAllowed unless a token may be sent to `url`."""
        beginning = url[: url.find("/", _AFTER_SLASHES) + 1]
        if beginning in self._seen:
            return
        found = _URL.match(url)
        if found is None or not self._allow(found):
            raise HostNotAllowed(_shown(url))
        if found[0] + "/" == beginning and len(self._seen) < _MOST_SEEN:
            self._seen.add(beginning)

    def _allow(self, found: re.Match[str]) -> bool:
        scheme, host = _COUNTS_AS[found["scheme"].lower()], _bare(found["host"])
        port = _USUAL_PORT[scheme] if found["port"] is None else int(found["port"])
        return any(entry.fits(scheme, host, port) for entry in self._allowed)


@lru_cache(maxsize=64)
def shared_hosts(*of: tuple[str, ...]) -> Hosts:
    """`Hosts` of several providers', one for all who ask: a program may hold thousands of logins."""
    return Hosts(name for names in of for name in names)


def _shown(url: str) -> str:
    found = _AUTHORITY.match(url)
    host = "" if found is None else found["authority"].rpartition("@")[2]
    return ascii(host[:_LONGEST_SHOWN]) if host else "a URL without a host"
