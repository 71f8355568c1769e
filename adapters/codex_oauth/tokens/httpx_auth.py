"""Auth for `httpx` and for `httpx2`: one object that works in both, blocking and asynchronous.

Rules of this file: neither library is loaded before an auth is made; the token goes to listed hosts only;
one request is repeated once at most, and only where a 401 concerns our token and the request can be sent
again as it was.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from codex_oauth.loading import loading
from codex_oauth.tokens.pages import is_page
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.credential import Credential

if TYPE_CHECKING:
    import httpx
    import httpx2

    class _Auth(httpx.Auth, httpx2.Auth):  # type: ignore[misc]  # their requests are alike, and not the same
        pass
else:
    _Auth = object

__all__ = ["CodexAuth"]

_LIBRARIES: Final = ("httpx", "httpx2")


class CodexAuth(_Auth):
    """`auth=` of a `Client` or `AsyncClient` of httpx or httpx2: adds the token of `source`, the account and
    the originator, in place of what the client has of its own.

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

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """For `Client`."""
        self._source.check(str(request.url))
        credential = self._source.credential()
        self._sign(request, credential)
        response = yield request
        if self._is_refused(response, credential) and _is_repeatable(request):
            other = self._source.credential(rejected=credential.access_token)
            if other.access_token != credential.access_token:
                self._sign(request, other)
                yield request

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """For `AsyncClient`."""
        self._source.check(str(request.url))
        credential = await self._source.acredential()
        self._sign(request, credential)
        response = yield request
        if self._is_refused(response, credential) and _is_repeatable(request):
            other = await self._source.acredential(rejected=credential.access_token)
            if other.access_token != credential.access_token:
                self._sign(request, other)
                yield request

    def _sign(self, request: Any, credential: Credential) -> None:
        for name, value in self._source.headers_of(credential).items():  # update() takes four times as long
            request.headers[name] = value

    def _is_refused(self, response: Any, credential: Credential) -> bool:
        """Whether an API, and not a page in between, refused the token. After a redirect elsewhere the
        token was not sent, and what is said there is not about it.
        """
        if response.status_code != 401 or is_page(response.headers):
            return False
        sent: str | None = response.request.headers.get("Authorization")
        return sent == self._source.headers_of(credential)["Authorization"]


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
