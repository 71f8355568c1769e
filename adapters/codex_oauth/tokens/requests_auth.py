"""Auth for `requests`.

Rules of this file: the same as for httpx; `requests` itself is not needed to make one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codex_oauth.loading import loading
from codex_oauth.tokens.pages import is_page
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

__all__ = ["CodexRequestsAuth"]

_BEARER: Final = "Bearer "


class CodexRequestsAuth:
    """`auth=` of `requests` and its sessions: adds the token of `source`, the account and the originator.

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
