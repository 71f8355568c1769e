"""A middleware of aiohttp (3.12 or later) that signs requests with a login.

Rules of this file: as for `TokenAuth`: a token goes to listed hosts only, one request is repeated once at
most, and only where a 401 concerns our token and the body can be sent again. A middleware is asked at each
redirect, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from codex_oauth.loading import loading
from codex_oauth.tokens.auth import is_page
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.credential import Credential

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientResponse

__all__ = ["aiohttp_middleware"]

_Handler = Callable[["ClientRequest"], Awaitable["ClientResponse"]]


def aiohttp_middleware(
    source: TokenSource,
) -> Callable[[ClientRequest, _Handler], Awaitable[ClientResponse]]:
    """A middleware for `middlewares=` of aiohttp's `ClientSession`, or of one request: adds the token of
    `source` and the other headers that the API of the login's provider needs.

    After a 401 the request is sent once more if there is another token. A 403 and a firewall's page are
    passed on, and a request is never sent again if its body is neither text nor bytes. A request to a host
    that is not listed raises HostNotAllowed, also after a redirect. A request without a usable login raises
    SignInError.
    """

    async def sign(request: ClientRequest, handler: _Handler) -> ClientResponse:
        url = str(request.url)
        source.check(url)
        login = await source.acredential()
        source.check(url, login)
        request.headers.update(source.headers_of(login))
        answer = await handler(request)
        if answer.status != 401 or is_page(answer.headers) or not _is_repeatable(request):
            return answer
        try:
            other: Credential = await source.acredential(rejected=login.access_token)
            source.check(url, other)  # which may be another provider's: a login is stored anew at any time
        except BaseException:
            answer.close()
            raise
        if other.access_token == login.access_token:
            return answer
        answer.release()
        request.headers.update(source.headers_of(other))
        return await handler(request)

    return sign


def _is_repeatable(request: ClientRequest) -> bool:
    """Whether the body is in memory: what is read from elsewhere has been read."""
    with loading("aiohttp.payload"):
        from aiohttp.payload import BytesPayload

    return not request.body or isinstance(request.body, BytesPayload)
