"""Auth for `httpx` and for `httpx2`: one object that works in both, blocking and asynchronous.

Rules of this file: neither library is loaded before an auth is made; the token goes to listed hosts only;
one request is repeated once at most, and only where a 401 concerns our token and the request can be sent
again as it was.

Whether an answer was written by an API or by something in between.

Auth for `requests`.

Rules of this file: the same as for httpx; `requests` itself is not needed to make one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from codex_oauth.loading import loading
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.credential import Credential
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

__all__ = ["CodexAuth", "CodexRequestsAuth", "TokenAuth", "TokenRequestsAuth", "is_page"]


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

_Headers = tuple[tuple[str, str], ...]

_LIBRARIES: Final = ("httpx", "httpx2")


class TokenAuth(_Auth):
    """`auth=` of a `Client` or `AsyncClient` of httpx or httpx2: adds the token of `source` and
    what else the API of the login's provider wants, in place of what the client has of its own.

    After a 401 the request is sent once more if there is another token. A 403, a page of a firewall and a
    body that is a stream are left as they are. A request to a host that is not listed raises HostNotAllowed,
    and one without a usable login SignInError.
    """

    def __new__(cls, source: TokenSource) -> Self:
        """An instance of `cls` that is also an `Auth` of every one of the two libraries that is there."""
        own: type[Any] = cls
        made: Self = object.__new__(_with_bases(own))
        return made

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._last: tuple[_Origin | None, Credential | None, _Headers] = None, None, ()
        """Where the last request went, with which login and its headers: nearly all do the same again."""

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

    def _sign(self, request: Any, credential: Credential, origin: _Origin) -> None:
        """Raises HostNotAllowed where the URL is not for this login, which the request has not got then."""
        last = self._last
        if last[1] is not credential or last[0] != origin:
            self._source.check(str(request.url), credential)
            last = self._last = origin, credential, tuple(self._source.headers_of(credential).items())
        headers = request.headers
        for name, value in last[2]:  # update() takes four times as long
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


class TokenRequestsAuth:
    """`auth=` of `requests` and its sessions: adds the token of `source` and what else the API of
    the login's provider wants.

    After a 401 the request is sent once more if there is another token. A 403, a page of a firewall and a
    body that is a stream are left as they are. A request to a host that is not listed raises HostNotAllowed,
    and one without a usable login SignInError.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request that is being prepared."""
        request.headers.update(self._source.headers(request.url or ""))
        request.register_hook("response", self._after)
        return request

    def _after(self, response: Response, **options: Any) -> Response:
        """Repeat the request with another token, if its own was refused."""
        refused = _refused_token(response)
        if refused is None or not isinstance(response.request.body, str | bytes | None):
            return response
        try:
            other = self._source.credential(rejected=refused)
        except BaseException:
            response.close()  # nobody else can: it gets lost with the error
            raise
        if other.access_token == refused:
            return response
        self._source.check(response.request.url or "", other)
        again = _copy_after(response)
        again.headers.update(self._source.headers_of(other))
        repeated: Response = response.connection.send(again, **options)
        repeated.history.append(response)
        repeated.request = again
        return repeated


def _refused_token(response: Response) -> Secret[str] | None:
    """The token that an API, and not a page in between, refused; None also after a redirect elsewhere,
    where none was sent.
    """
    sent = response.request.headers.get("Authorization")
    if not isinstance(sent, str) or not sent.startswith(_BEARER):
        return None
    if response.status_code != 401 or is_page(response.headers):
        return None
    return Secret(sent.removeprefix(_BEARER))


def _copy_after(response: Response) -> PreparedRequest:
    """The same request for the same connection, which is drained and given back first."""
    with loading("requests.cookies"):
        from requests.cookies import extract_cookies_to_jar

    response.content  # noqa: B018  # reads it to its end
    response.close()
    again = response.request.copy()
    cookies: Any = vars(again)["_cookies"]  # as requests' own digest auth does
    extract_cookies_to_jar(cookies, response.request, response.raw)
    again.prepare_cookies(cookies)
    return again


CodexAuth = TokenAuth
"""The former name of `TokenAuth`, for one release."""

CodexRequestsAuth = TokenRequestsAuth
"""The former name of `TokenRequestsAuth`, for one release."""
