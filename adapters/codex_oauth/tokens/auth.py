"""Auth for `httpx` and for `httpx2`: one object that works in both, blocking and asynchronous.

Rules of this file: neither library is loaded before an auth is made; the token goes to listed hosts only;
one request is repeated once at most, and only where a 401 concerns our token and the request can be sent
again as it was.

Whether an answer was written by an API or by something in between.

Auth for `requests` and `niquests`.

Rules of this file: the same as for httpx; neither library is needed to make one; no header of ours follows a
redirect to a host that is not listed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from importlib import import_module
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urljoin

import attrs

from codex_oauth.loading import loading
from codex_oauth.tokens.hosts import HostNotAllowed
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.credential import Credential
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

__all__ = [
    "AsyncTokenRequestsAuth",
    "CodexAuth",
    "CodexRequestsAuth",
    "TokenAuth",
    "TokenRequestsAuth",
    "is_page",
]


_PAGES: Final = ("text/html", "application/xhtml+xml")


def is_page(headers: Mapping[str, str]) -> bool:
    """Whether it is a web page: of a proxy, a firewall or a captive portal. Names in any case must fit."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in _PAGES or "cf-mitigated" in headers


# -- httpx ---------------------------------------------------------------------------------------------


if TYPE_CHECKING:
    import httpx
    import httpx2

    class _Auth(httpx.Auth, httpx2.Auth):  # type: ignore[misc]  # their requests are alike, and not the same
        pass
else:
    _Auth = object


_Origin = tuple[str, bytes, bytes]
"""Scheme, user, and host with port, of a URL as either library has taken it apart."""


@attrs.frozen(repr=False, eq=False)
class _Signature:
    """The login that a request was signed with, and the headers that it got."""

    credential: Credential
    headers: tuple[tuple[str, str], ...]


_SIGNATURE: Final = "codex_oauth"
"""Under this name a request's extensions have it."""

_LIBRARIES: Final = ("httpx", "httpx2")


class TokenAuth(_Auth):
    """`auth=` of a `Client` or `AsyncClient` of httpx or httpx2: adds the token of `source` and the other
    headers that the API of the login's provider needs. They replace the client's own headers of the same
    names.

    After a 401 the request is sent once more if there is another token. A 403 and a firewall's page are
    passed on, and a request with a streamed body is not sent again. A request to a host that is not listed
    raises HostNotAllowed, and a request without a usable login raises SignInError. An auth does not see
    redirects: leave `follow_redirects` False, its default, or also give the client
    `event_hooks=auth.event_hooks()`.
    """

    def __new__(cls, source: TokenSource) -> Self:
        """An instance of `cls` that is also an `Auth` of every one of the two libraries that is there."""
        own: type[Any] = cls
        made: Self = object.__new__(_with_bases(own))
        return made

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._last: tuple[_Origin | None, _Signature | None] = None, None
        """Where the last request went, and what it was signed with: nearly all do the same again."""

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """For `Client`."""
        origin = self._origin(request.url)
        credential = self._source.credential()
        self._sign(request, credential, origin)
        response = yield request
        if self._is_refused(response, credential) and _is_repeatable(request):
            other = self._source.credential(rejected=credential.access_token)
            if other.access_token != credential.access_token:
                self._sign(request, other, origin)
                yield request

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """For `AsyncClient`."""
        origin = self._origin(request.url)
        credential = await self._source.acredential()
        self._sign(request, credential, origin)
        response = yield request
        if self._is_refused(response, credential) and _is_repeatable(request):
            other = await self._source.acredential(rejected=credential.access_token)
            if other.access_token != credential.access_token:
                self._sign(request, other, origin)
                yield request

    def _origin(self, url: Any) -> _Origin:
        """What a URL begins with. Raises HostNotAllowed before anybody is asked for a token."""
        origin = url.scheme, url.userinfo, url.netloc
        if origin != self._last[0]:
            self._source.check(str(url))
        return origin

    def event_hooks(self) -> dict[str, list[Callable[[Any], None]]]:
        """`event_hooks=` of a `Client` that follows redirects. They remove our headers from a redirect to a
        host that is not listed. The library itself removes only one of them.
        """
        return {"request": [self._keep_ours]}

    def async_event_hooks(self) -> dict[str, list[Callable[[Any], Awaitable[None]]]]:
        """`event_hooks()` for an `AsyncClient`."""

        async def keep_ours(request: Any) -> None:
            self._keep_ours(request)

        return {"request": [keep_ours]}

    def _keep_ours(self, request: Any) -> None:
        signed: _Signature | None = request.extensions.get(_SIGNATURE)  # which a redirect takes along
        if signed is None or _may_go(self._source, signed.credential, str(request.url)):
            return
        for name, value in signed.headers:
            if request.headers.get(name) == value:  # else it is another one's, who asks without this auth
                del request.headers[name]

    def _sign(self, request: Any, credential: Credential, origin: _Origin) -> None:
        """Raises HostNotAllowed where the URL is not for this login, which the request has not got then."""
        before, signed = self._last
        if signed is None or signed.credential is not credential or before != origin:
            self._source.check(str(request.url), credential)
            signed = _Signature(credential, tuple(self._source.headers_of(credential).items()))
            self._last = origin, signed
        request.extensions[_SIGNATURE] = signed
        headers = request.headers
        for name, value in signed.headers:  # update() takes four times as long
            headers[name] = value

    def _is_refused(self, response: Any, credential: Credential) -> bool:
        """Whether an API, and not a page in between, refused the token. After a redirect elsewhere the
        token was not sent, and what is said there is not about it.
        """
        if response.status_code != 401 or is_page(response.headers):
            return False
        sent, ours = response.request.headers, self._source.headers_of(credential)
        token = {name: value for name, value in ours.items() if _is_token(value, credential)} or ours
        return all(sent.get(name) == value for name, value in token.items())


def _may_go(source: TokenSource, credential: Credential, url: str) -> bool:
    """Whether a login may be sent to `url`."""
    try:
        source.check(url, credential)
    except HostNotAllowed:
        return False
    return True


def _is_token(value: str, credential: Credential) -> bool:
    """Whether a header carries the token, whatever its name: that is the dialect's affair."""
    return credential.access_token.reveal() in value


_made: dict[type[Any], type[Any]] = {}


def _with_bases(cls: type[Any]) -> type[Any]:
    """The subclass of `cls` that is made; always the same one."""
    if cls not in _made:
        _made[cls] = _new_class(cls)
    return _made[cls]


def _new_class(cls: type[Any]) -> type[Any]:
    bases = tuple(base for name in _LIBRARIES if (base := _auth_of(name)) is not None)
    return type(cls.__name__, (cls, *bases), {"__module__": cls.__module__, "__doc__": cls.__doc__})


def _auth_of(library: str) -> type[Any] | None:
    try:
        with loading(library):
            auth: type[Any] = import_module(library).Auth
    except ImportError:
        return None
    return auth


def _is_repeatable(request: Any) -> bool:
    """Whether the body is in memory: a stream has been read."""
    try:
        return request.content is not None
    except RuntimeError:  # RequestNotRead of either library
        return False


# -- requests ------------------------------------------------------------------------------------------


_BEARER: Final = "Bearer "


class _RequestsAuth:
    """What both auths have in common. `_signed` is the login that a request was signed with last."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._signed: Credential | None = None

    def _sign(self, request: PreparedRequest, credential: Credential) -> None:
        self._source.check(request.url or "", credential)
        self._signed = credential
        request.headers.update(self._source.headers_of(credential))

    def _keep_ours(self, response: Response, *requests: PreparedRequest) -> None:
        """Take our headers off what is about to follow a redirect to where the token may not go: the library
        itself takes off one of them.
        """
        if not response.is_redirect or (signed := self._signed) is None:
            return
        location = response.headers["location"]
        # what cannot be printed, who follows may read in another way
        if location.isprintable() and _may_go(self._source, signed, urljoin(response.url, location)):
            return
        for request in requests:
            for name in self._source.headers_of(signed):
                request.headers.pop(name, None)


class TokenRequestsAuth(_RequestsAuth):
    """`auth=` of `requests` and of blocking `niquests`, and of their sessions: adds the token of `source` and
    the other headers that the API of the login's provider needs.

    After a 401 the request is sent once more if there is another token. A 403 and a firewall's page are
    passed on, and a request with a streamed body is not sent again. A request to a host that is not listed
    raises HostNotAllowed, and a request without a usable login raises SignInError. A redirect to a host that
    is not listed gets none of these headers.
    """

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the headers to a request that is being prepared."""
        self._source.check(request.url or "")
        self._sign(request, self._source.credential())
        request.register_hook("response", self._after)
        return request

    def _after(self, response: Response, **options: Any) -> Response:
        """Repeat the request with another token, if its own was refused."""
        refused, first = _refused_token(response), response.request
        if refused is None:
            self._keep_ours(response, first)
            return response
        if iscoroutinefunction(response.connection.send):
            raise TypeError("an AsyncSession takes AsyncTokenRequestsAuth(source)")
        try:
            other = self._source.credential(rejected=refused)
        except BaseException:
            response.close()  # nobody else can: it gets lost with the error
            raise
        if other.access_token == refused:
            return response
        response.content  # noqa: B018  # reads it to its end
        response.close()
        self._source.check(response.request.url or "", other)
        again = _copy_after(response)
        self._sign(again, other)
        repeated: Response = response.connection.send(again, **options)
        repeated.history.append(response)
        repeated.request = again
        self._keep_ours(repeated, again, first)
        return repeated


class AsyncTokenRequestsAuth(_RequestsAuth):
    """`TokenRequestsAuth` for the `AsyncSession` of `niquests`."""

    async def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the headers to a request that is being prepared."""
        self._source.check(request.url or "")
        self._sign(request, await self._source.acredential())
        request.register_hook("response", self._after)
        return request

    async def _after(self, response: Any, **options: Any) -> Any:
        """Repeat the request with another token, if its own was refused."""
        refused, first = _refused_token(response), response.request
        if refused is None:
            self._keep_ours(response, first)
            return response
        try:
            other = await self._source.acredential(rejected=refused)
        except BaseException:
            await response.close()
            raise
        if other.access_token == refused:
            return response
        await response.content  # reads it to its end
        await response.close()
        self._source.check(response.request.url or "", other)
        again = _copy_after(response)
        self._sign(again, other)
        repeated = await response.connection.send(again, **options)
        repeated.history.append(response)
        repeated.request = again
        self._keep_ours(repeated, again, first)
        return repeated


def _refused_token(response: Response) -> Secret[str] | None:
    """The token that an API, and not a page in between, refused, if the request can be repeated; None also
    after a redirect elsewhere, where none was sent.
    """
    sent = response.request.headers.get("Authorization")
    if not isinstance(sent, str) or not sent.startswith(_BEARER):
        return None
    if response.status_code != 401 or is_page(response.headers):
        return None
    if not isinstance(response.request.body, str | bytes | None):
        return None
    return Secret(sent.removeprefix(_BEARER))


def _copy_after(response: Response) -> PreparedRequest:
    """The same request, after the answer."""
    names = [each.__module__.partition(".")[0] for each in type(response).__mro__]
    cookies_of = next(name for name in names if name in ("requests", "niquests")) + ".cookies"
    with loading(cookies_of):
        extract_cookies_to_jar = import_module(cookies_of).extract_cookies_to_jar

    again = response.request.copy()
    cookies: Any = vars(again)["_cookies"]  # as requests' own digest auth does
    extract_cookies_to_jar(cookies, response.request, response.raw)
    again.prepare_cookies(cookies)
    return again


CodexAuth = TokenAuth
"""The former name of `TokenAuth`, for one release."""

CodexRequestsAuth = TokenRequestsAuth
"""The former name of `TokenRequestsAuth`, for one release."""
