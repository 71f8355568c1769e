"""A provider as data, and the dialect it speaks.

Rules of this file: everything that differs from one authorization server to another is a field here;
the flows contain no endpoint, no field name and no status code.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from codex_oauth_core._version import __version__
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.facts import (
    DeviceFact,
    ExchangeFact,
    KeysFact,
    MetadataFact,
    PollFact,
    PublicKey,
    RefreshFact,
    Refusal,
    RevocationFact,
    TryAgain,
)
from codex_oauth_core.identity import Profile
from codex_oauth_core.secret import Secret
from codex_oauth_core.short_repr import Named
from codex_oauth_core.texts import NO_TEXTS, Texts

if TYPE_CHECKING:
    from codex_oauth_core.credential import Credential, DeviceAuthorization
    from codex_oauth_core.events import ResponseReceived
    from codex_oauth_core.model_api import ModelApi
    from codex_oauth_core.rendering import Renderers
    from codex_oauth_core.request import Request, RequestHeaders

__all__ = [
    "AuthorizationRequest",
    "CodeInHand",
    "Dialect",
    "Provider",
    "Required",
    "is_loopback",
    "is_page",
    "use_is_off",
]

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PLAIN: Final = re.compile(r"[!-\[\]-~]*")
"""Visible ASCII without a backslash."""
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
USER_AGENT: Final = f"codex-oauth/{__version__}"


@Named
def _nobody(_access: Secret[str] | None, _id_token: Secret[str] | None) -> tuple[None, None]:
    return None, None


@Named
def _nameless(_credential: Credential) -> Profile:
    return Profile()


@unique
class Required(StrEnum):
    """What a sign-in must grant. The value is `details.reason` of the error if it was not granted."""

    ACCESS_TOKEN = "access_token"  # noqa: S105  # what it is called
    REFRESH_TOKEN = "refresh_token"  # noqa: S105
    ACCOUNT = "account"
    SCOPE = "scope"
    """Every requested scope. A scope that the server does not name counts as granted (RFC 6749 §5.1)."""


@attrs.frozen(kw_only=True)
class AuthorizationRequest:
    """The parameters of the page that starts a browser sign-in (RFC 6749 §4.1.1, RFC 7636 §4.3).

    `nonce` is set if the provider wants one (OpenID Connect Core §3.1.2.1). `workspaces` are the accounts
    that may sign in; without them, any account may. `id_token_hint` (an earlier ID token) and `login_hint`
    (an e-mail address) say who is about to sign in; never show a URL that has an `id_token_hint`. `prompt` is
    what the server must ask the person again, such as `consent`.
    """

    redirect_uri: str
    state: Secret[str]
    code_challenge: str
    nonce: Secret[str] | None = None
    workspaces: tuple[str, ...] = ()
    id_token_hint: Secret[str] | None = None
    login_hint: str | None = attrs.field(default=None, repr=False)
    prompt: str | None = None


@attrs.frozen(kw_only=True)
class CodeInHand:
    """An authorization code, and everything that its exchange needs.

    `query` is the query string of the redirect that brought the code; None in a device flow. `client_id` is
    the client id in it, if it was read already. `nonce` is the one that the sign-in began with. `keys` are
    the keys that may have signed the ID token.
    """

    authorization_code: Secret[str]
    code_verifier: Secret[str]
    redirect_uri: str
    query: Secret[str] | None = None
    nonce: Secret[str] | None = None
    keys: tuple[PublicKey, ...] = ()
    client_id: str | None = None


@Named
def _bearer(_provider: Provider, credential: Credential) -> RequestHeaders:
    """RFC 6750 §2.1."""
    return (("Authorization", Secret(f"Bearer {credential.access_token.reveal()}")),)


@Named
def _no_request(_provider: Provider, *_: object) -> None:
    return None


@Named
def _no_answer(_provider: Provider, response: ResponseReceived) -> Refusal:
    return Refusal(ErrorKind.INVALID_RESPONSE, status=response.status)


@Named
def _not_confirmed(_provider: Provider, _response: ResponseReceived) -> RevocationFact:
    return False


@Named
def _no_exchange(_provider: Provider, _code: CodeInHand, response: ResponseReceived) -> Refusal:
    return Refusal(ErrorKind.INVALID_RESPONSE, status=response.status)


@Named
def _no_keys(_provider: Provider, response: ResponseReceived) -> TryAgain:
    return TryAgain(ErrorKind.INVALID_RESPONSE, status=response.status)


@Named
def _nothing(_provider: Provider, *_: object) -> None:
    return None


@Named
def _no_message(_code: str) -> None:
    return None


@attrs.frozen(kw_only=True)
class Dialect:
    """Pure functions that build each request and read each answer into facts.

    A builder returns None for a step that this provider does not offer: then nothing is sent, and the flow
    ends with an error that says so. A dialect leaves out the fields of steps that it never offers. A reader
    never raises, whatever the answer is; it gets the provider, and the values that the answer is checked
    against. docs/dialects.md shows a whole dialect.
    """

    device_authorization_request: Callable[[Provider], Request | None] = _no_request
    """RFC 8628 §3.1. None if the provider lacks the device flow, or one of its steps."""
    read_device_authorization: Callable[[Provider, ResponseReceived], DeviceFact] = _no_answer
    poll_request: Callable[[Provider, DeviceAuthorization], Request | None] = _no_request
    read_poll: Callable[[Provider, ResponseReceived], PollFact] = _no_answer
    authorize_url: Callable[[Provider, AuthorizationRequest], Secret[str] | None] = _no_request
    """The page to open (RFC 6749 §4.1.1). None if the provider lacks the browser flow, or one of its
    steps.
    """
    why_not: Callable[[Provider], Refusal | None] = _nothing
    """What the provider lacks for a browser sign-in; None if it lacks nothing."""
    metadata_request: Callable[[Provider], Request | None] = _no_request
    read_metadata: Callable[[Provider, ResponseReceived], MetadataFact] = _no_answer
    """The server's metadata. An answer that is not a `ServerMetadata` is ignored, and the provider's own
    values count.
    """
    keys_request: Callable[[Provider], Request | None] = _no_request
    """The flow sends it before it shows a page, if the provider needs signatures, and again for an unknown
    key.
    """
    read_keys: Callable[[Provider, ResponseReceived], KeysFact] = _no_keys
    issued_client_id: Callable[[Provider, CodeInHand], str | Refusal | None] = _nothing
    """The client id that a redirect newly issues; the flow keeps it before it exchanges the code. None if it
    issues none. A `Refusal` ends the sign-in before anything is kept or sent.
    """
    exchange_request: Callable[[Provider, CodeInHand], Request | Refusal | None] = _no_request
    """A `Refusal` ends the sign-in before anything is sent, for example if the redirect lacks a parameter."""
    read_exchange: Callable[[Provider, CodeInHand, ResponseReceived], ExchangeFact] = _no_exchange
    refresh_request: Callable[[Provider, Secret[str]], Request | None] = _no_request
    """Takes provider and refresh token."""
    read_refresh: Callable[[Provider, ResponseReceived], RefreshFact] = _no_answer
    login_over_message: Callable[[str], str | None] = _no_message
    """Takes the error code that ended a login. Returns a fixed text for people, or None for the usual one."""
    revocation_request: Callable[[Provider, Secret[str], str], Request | None] = _no_request
    """Takes provider, token and token type hint."""
    read_revocation: Callable[[Provider, ResponseReceived], RevocationFact] = _not_confirmed
    headers: Callable[[Provider, Credential], RequestHeaders] = _bearer
    """The headers of a request to the provider's API: by default the access token alone."""
    identify: Callable[[Secret[str] | None, Secret[str] | None], tuple[str | None, str | None]] = _nobody
    """Takes an access token and an ID token; either may be missing. Returns the account and the person that
    they name; None for one that they do not name.
    """
    profile: Callable[[Credential], Profile] = _nameless
    """How to address the person of a login."""
    why_denied: Callable[[str, Secret[str]], str | None] | None = None
    """Takes a redirect's error code and its description. Returns a fixed word for `details.reason`, or None
    if the code says enough.
    """
    _render: Renderers | Callable[[], Renderers] | None = attrs.field(default=None, alias="render")

    @property
    def render(self) -> Renderers | None:
        """The inverse of the readers; the field takes a function that loads it, too. Without it, a sign-in in
        this dialect writes no trace.
        """
        given = self._render
        return given() if callable(given) else given


def _checked_issuer(issuer: str) -> str:
    """The issuer to the letter: it is compared so (RFC 8414 §3.3, RFC 9207 §2.4). Raises ValueError unless it
    is `https`, or loopback `http`.
    """
    if "?" in issuer:
        raise ValueError("an issuer has no query")
    return _checked_url(issuer)


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if _PLAIN.fullmatch(url) is None:
        raise ValueError("an issuer or endpoint is plain ASCII without spaces")
    if not _is_host(parts) or parts.port == 0 or "@" in url or "#" in url:
        raise ValueError("an issuer or endpoint is https://HOST[:PORT][/PATH], without user or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("an issuer or endpoint is https, or http on a loopback address")
    return url


def is_page(url: str) -> bool:
    """Whether a URL may be shown and opened as a page: `https`, or `http` on a loopback address, in plain
    ASCII (RFC 8414 §6.2).
    """
    try:
        _checked_url(url)
    except ValueError:
        return False
    return True


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


def _checked_endpoint(url: str | None) -> str | None:
    return None if url is None else _checked_url(url)


def _endpoint() -> str | None:
    endpoint: str | None = attrs.field(default=None, converter=_checked_endpoint)
    return endpoint


@attrs.frozen(kw_only=True, repr=False)
class Provider:
    """An authorization server, and this client as the server knows it. `CODEX` and `CHATGPT` are the ones
    that come with this library; `at()` moves one to another issuer.

    A provider that lacks an endpoint has None for it: what needs the endpoint ends with an error, and nothing
    is sent anywhere else. The `issuer` is kept to the letter: a slash at its end is part of it (RFC 8414
    §3.3). The names of the fields are those of RFC 8414 §2, if it has the field.

    Raises ValueError for an issuer or endpoint that is neither `https` nor loopback `http`.
    """

    issuer: str = attrs.field(converter=_checked_issuer)
    client_id: str
    scopes: tuple[str, ...]
    authorization_endpoint: str | None = _endpoint()
    token_endpoint: str | None = _endpoint()
    revocation_endpoint: str | None = _endpoint()
    device_authorization_endpoint: str | None = _endpoint()
    device_token_endpoint: str | None = _endpoint()
    verification_uri: str | None = _endpoint()
    metadata_endpoint: str | None = _endpoint()
    """The URL of the server's metadata (OpenID Connect Discovery §4, RFC 8414 §3)."""
    jwks_uri: str | None = _endpoint()
    """The URL of the keys that sign its ID tokens (RFC 7517 §5)."""
    device_redirect_uri: str | None = _endpoint()
    redirect_host: str = "localhost"
    redirect_ports: tuple[int, ...] = ()
    redirect_path: str = "/"
    state_suffixes: tuple[str, ...] = ()
    authorize_parameters: tuple[tuple[str, str | Secret[str]], ...] = ()
    must_grant: frozenset[Required] = frozenset({Required.ACCESS_TOKEN})
    """What a sign-in must grant, beside an access token. If it is missing, the grant is refused and
    revoked.
    """
    issued_client_ids: str | None = None
    """A regular expression for the client ids that a redirect of this provider may issue; None if it issues
    none.
    """
    names_itself: bool = False
    """Whether every redirect has `iss` (`authorization_response_iss_parameter_supported`, RFC 9207 §3)."""
    hosts: tuple[str, ...] = ()
    """The hosts that may get its access tokens, by https: `HOST` or `HOST:PORT`. Without any, no host may."""
    has_nonce: bool = False
    """Whether a browser sign-in has a nonce."""
    resource: str | None = None
    """The resource that access tokens are for (RFC 8707)."""
    use_scope: str | None = None
    """The scope that requests need. A login without it is valid, but no request may be made with it."""
    application: str | None = None
    """The name of the program that embeds this library, for the people who approve it."""
    host_id: str | None = attrs.field(default=None, repr=False)
    """Names this installation, if a provider asks for that; it says nothing about the person."""
    verify_signature: Callable[[Mapping[str, Any], bytes, bytes], bool] | None = attrs.field(
        default=None, repr=False, eq=False
    )
    """Takes a key as a JWK (RFC 7517), the signed bytes and a signature. Returns whether the key made the
    signature. It is a parameter because a library must check signatures.
    """
    texts: Texts = attrs.field(default=NO_TEXTS, repr=False)
    token_check_url: str | None = _endpoint()
    """A URL of the API: a GET there is free, changes nothing, and tells whether the API accepts an access
    token.
    """
    model_api: ModelApi | None = attrs.field(default=None, repr=False)
    """The API that gives model answers for its access tokens; None if there is none."""
    originator: str = "codex-oauth"
    """Names the application that embeds this library; never another client."""
    more: object = attrs.field(default=None, repr=False)
    """Everything else that its dialect must know, in a type of the dialect's own, such as the keys that sign
    its tokens.
    """
    dialect: Dialect = attrs.field(repr=False)
    headers: RequestHeaders = (
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", USER_AGENT),
    )

    _constant: str = attrs.field(default="", init=False, eq=False)

    def called(self, constant: str) -> Provider:
        """The same provider, with `constant` as its repr, for help texts. A provider made from this one has
        the usual repr again.
        """
        twin = attrs.evolve(self)
        object.__setattr__(twin, "_constant", constant)
        return twin

    def __repr__(self) -> str:
        return self._constant or f"Provider(issuer={self.issuer!r}, client_id={self.client_id!r})"

    def at(self, issuer: str) -> Provider:
        """This provider at another issuer, with the same paths. The issuer gets a slash at its end if this
        one has a slash there. Raises ValueError as the class does.
        """
        slash = "/" if self.issuer.endswith("/") else ""
        old, new = self.issuer.rstrip("/"), _checked_issuer(issuer).rstrip("/")

        def move(url: str | None) -> str | None:
            ours = url is not None and (url == old or url.startswith(f"{old}/"))
            return new + url.removeprefix(old) if ours and url else url

        return attrs.evolve(
            self,
            issuer=new + slash,
            authorization_endpoint=move(self.authorization_endpoint),
            token_endpoint=move(self.token_endpoint),
            revocation_endpoint=move(self.revocation_endpoint),
            device_authorization_endpoint=move(self.device_authorization_endpoint),
            device_token_endpoint=move(self.device_token_endpoint),
            verification_uri=move(self.verification_uri),
            metadata_endpoint=move(self.metadata_endpoint),
            jwks_uri=move(self.jwks_uri),
            device_redirect_uri=move(self.device_redirect_uri),
        )

    @property
    def needs_signatures(self) -> bool:
        """Whether the library believes this provider's ID tokens only by their signature."""
        return self.jwks_uri is not None

    @property
    def is_registered(self) -> bool:
        """Whether the client id can sign in as it is, and is not one that a sign-in exchanges for another."""
        return self.issued_client_ids is None or self.issues(self.client_id)

    def issues(self, client_id: str) -> bool:
        """Whether a redirect from this provider may issue this client id."""
        issued = self.issued_client_ids
        return issued is not None and re.fullmatch(issued, client_id, re.ASCII) is not None

    def registered(self, client_id: str) -> Provider:
        """This provider, with the client id that it issued to this program before."""
        return attrs.evolve(self, client_id=client_id)

    def identified(self, credential: Credential) -> Credential:
        """The credential, with the account and the person that its tokens name, if it does not name them
        itself. An earlier release stored no person.
        """
        if credential.account_id and credential.user_id:
            return credential
        account_id, user_id = self.dialect.identify(credential.access_token, credential.id_token)
        return attrs.evolve(
            credential, account_id=credential.account_id or account_id, user_id=credential.user_id or user_id
        )

    def redirect_uri(self, port: int | None = None, host: str | None = None) -> str:
        """The redirect URI of the browser flow (RFC 8252 §7.3): by default on the first registered port, and
        without a port if the provider accepts any port.
        """
        port = port or next(iter(self.redirect_ports), 0)
        return f"http://{host or self.redirect_host}{f':{port}' if port else ''}{self.redirect_path}"


def use_is_off(credential: Credential, provider: Provider) -> bool:
    """Whether the login is good but its person has not allowed requests with it."""
    scope = provider.use_scope
    return scope is not None and scope not in (credential.scopes or ())
