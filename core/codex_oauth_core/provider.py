"""A provider as data, and the dialect it speaks.

Rules of this file: everything that differs from one authorization server to another is a field here;
the flows contain no endpoint, no field name and no status code.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

import attrs

from codex_oauth_core._version import __version__
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.effects import Request
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import DeviceFact, ExchangeFact, PollFact, RefreshFact, RevocationFact
from codex_oauth_core.rendering import Renderers
from codex_oauth_core.secret import Secret

__all__ = ["Dialect", "Provider", "is_loopback"]

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
USER_AGENT: Final = f"codex-oauth/{__version__}"


def _nobody(_token: Secret[str]) -> None:
    return None


@attrs.frozen(kw_only=True)
class Dialect:
    """Pure functions that build each request and read each answer into facts.

    A reader never raises, whatever the answer is.
    """

    device_authorization_request: Callable[[Provider], Request]
    read_device_authorization: Callable[[Provider, ResponseReceived], DeviceFact]
    poll_request: Callable[[Provider, DeviceAuthorization], Request]
    read_poll: Callable[[ResponseReceived], PollFact]
    exchange_request: Callable[[Provider, Secret[str], Secret[str], str], Request]
    """Takes provider, code, code verifier and redirect URI."""
    read_exchange: Callable[[ResponseReceived], ExchangeFact]
    refresh_request: Callable[[Provider, Secret[str]], Request]
    read_refresh: Callable[[ResponseReceived], RefreshFact]
    login_over_message: Callable[[str], str | None]
    """Takes the error code that ended a login; a fixed text for people, None for the usual one."""
    revocation_request: Callable[[Provider, Secret[str], str], Request]
    """Takes provider, token and token type hint."""
    read_revocation: Callable[[ResponseReceived], RevocationFact]
    authorize_url: Callable[[Provider, str, Secret[str], str, Sequence[str]], Secret[str]]
    """Takes provider, redirect URI, state, code challenge and allowed workspaces."""
    account_of: Callable[[Secret[str]], str | None] = _nobody
    """Takes an access or id token; the account that it names, None if it names none."""
    why_denied: Callable[[str, Secret[str]], str | None] | None = None
    """Takes a redirect's error code and its description; a fixed word for `details.reason`, None for nothing
    more exact than the code.
    """
    render: Renderers | None = None
    """The inverse of the readers. Without it a sign-in in this dialect leaves no trace."""


def _checked_issuer(issuer: str) -> str:
    """The issuer without a trailing slash. Raises ValueError unless it is `https`, or loopback `http`."""
    if "?" in issuer:
        raise ValueError("an issuer has no query")
    return _checked_url(issuer).rstrip("/")


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if any(ord(char) <= 0x20 or ord(char) >= 0x7F for char in url) or "\\" in url:
        raise ValueError("an issuer or endpoint is plain ASCII without spaces")
    if not _is_host(parts) or parts.port == 0 or any(mark in url for mark in "@#"):
        raise ValueError("an issuer or endpoint is https://HOST[:PORT][/PATH], without user or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("an issuer or endpoint is https, or http on a loopback address")
    return url


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if "[" not in parts.netloc:
        return _NAME.fullmatch(host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine: `localhost` or a loopback address (RFC 8252 §8.3)."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@attrs.frozen(kw_only=True)
class Provider:
    """An authorization server, and this client as it knows it.

    Raises ValueError for an issuer that is neither `https` nor loopback `http`.
    """

    issuer: str = attrs.field(converter=_checked_issuer)
    client_id: str
    scopes: tuple[str, ...]
    authorization_endpoint: str = attrs.field(converter=_checked_url)
    token_endpoint: str = attrs.field(converter=_checked_url)
    revocation_endpoint: str = attrs.field(converter=_checked_url)
    device_authorization_endpoint: str = attrs.field(converter=_checked_url)
    device_token_endpoint: str = attrs.field(converter=_checked_url)
    verification_uri: str = attrs.field(converter=_checked_url)
    device_redirect_uri: str = attrs.field(converter=_checked_url)
    redirect_host: str = "localhost"
    redirect_ports: tuple[int, ...] = ()
    redirect_path: str = "/"
    state_suffixes: tuple[str, ...] = ()
    authorize_parameters: tuple[tuple[str, str], ...] = ()
    originator: str = "codex-oauth"
    """Names the application that embeds this library; never another client."""
    dialect: Dialect = attrs.field(repr=False)
    headers: tuple[tuple[str, str], ...] = (
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", USER_AGENT),
    )

    def at(self, issuer: str) -> Provider:
        """This provider with the same paths on another issuer. Raises ValueError as the class does."""
        new = _checked_issuer(issuer)

        def move(url: str) -> str:
            ours = url == self.issuer or url.startswith(f"{self.issuer}/")
            return new + url.removeprefix(self.issuer) if ours else url

        return attrs.evolve(
            self,
            issuer=new,
            authorization_endpoint=move(self.authorization_endpoint),
            token_endpoint=move(self.token_endpoint),
            revocation_endpoint=move(self.revocation_endpoint),
            device_authorization_endpoint=move(self.device_authorization_endpoint),
            device_token_endpoint=move(self.device_token_endpoint),
            verification_uri=move(self.verification_uri),
            device_redirect_uri=move(self.device_redirect_uri),
        )

    def redirect_uri(self, port: int | None = None, host: str | None = None) -> str:
        """The redirect URI of the browser flow (RFC 8252 §7.3), by default on the first registered port."""
        return f"http://{host or self.redirect_host}:{port or self.redirect_ports[0]}{self.redirect_path}"
