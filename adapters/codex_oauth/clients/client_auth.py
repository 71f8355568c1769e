"""The auth of a client that is made ready here: a token, one name of the program, and no useless repetition.

Rules of this file: what `TokenAuth` does stays as it is; a program is called the same in every header.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final, Self

from codex_oauth.clients.answers import is_usage_limit
from codex_oauth.tokens.auth import TokenAuth
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core._version import __version__
from codex_oauth_core.credential import Credential

__all__ = ["ClientAuth", "checked_app"]

_TOKEN: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105  # RFC 9110 §5.6.2
_APP: Final = re.compile(rf"{_TOKEN}/{_TOKEN}")


def checked_app(app: str | None) -> str | None:
    """`app`, if it is a product with a version (RFC 9110 §10.1.5); else ValueError."""
    if app is not None and _APP.fullmatch(app) is None:
        raise ValueError('app: your program and its version without spaces, as "example-notes/1.2"')
    return app


class ClientAuth(TokenAuth):
    """`TokenAuth` for a client that repeats requests by itself: an answer that says that the plan's limit is
    reached gets `x-should-retry: false`. `app` is the program as `NAME/VERSION`: its `User-Agent`, and its
    name where the backend wants one (`originator`).
    """

    def __new__(cls, source: TokenSource, app: str | None = None) -> Self:
        """See `TokenAuth`."""
        return super().__new__(cls, source)

    def __init__(self, source: TokenSource, app: str | None = None) -> None:
        super().__init__(source)
        self._app = checked_app(app)

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """For `Client`."""
        flow = super().sync_auth_flow(request)
        try:
            asked = next(flow)
            while True:
                response = yield asked
                if response.status_code == 429:
                    response.read()
                    _mark(response)
                asked = flow.send(response)
        except StopIteration:
            return
        finally:
            flow.close()

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """For `AsyncClient`."""
        flow = super().async_auth_flow(request)
        try:
            asked = await anext(flow)
            while True:
                response = yield asked
                if response.status_code == 429:
                    await response.aread()
                    _mark(response)
                asked = await flow.asend(response)
        except StopAsyncIteration:
            return
        finally:
            await flow.aclose()

    def _sign(self, request: Any, credential: Credential, origin: tuple[str, bytes, bytes]) -> None:
        super()._sign(request, credential, origin)
        ours = self._source.headers_of(credential)
        app = self._app or f"{ours.get('originator', 'codex-oauth')}/{__version__}"
        request.headers["User-Agent"] = app
        if "originator" in ours:
            request.headers["originator"] = app.partition("/")[0]


def _mark(response: Any) -> None:
    if is_usage_limit(response.content):
        response.headers["x-should-retry"] = "false"
