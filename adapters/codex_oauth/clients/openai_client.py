"""The OpenAI client, version 2 or 3, for a login.

Rules of this file: `openai` is loaded by a call, and decides which HTTP library is used; what the login's
provider says decides address and headers; what two would decide is refused with a word on what to do.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.clients.client_auth import ClientAuth
from codex_oauth.clients.transport import AsyncCodexTransport, CodexTransport
from codex_oauth.loading import LOADING, loading
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.codex import CODEX_API
from codex_oauth_core.errors import SignInError
from codex_oauth_core.model_api import ModelApi

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

__all__ = ["async_openai_client", "openai_client"]

_INSTEAD: Final = {
    "api_key": "leave it out: the token of the login is the key",
    "admin_api_key": "leave it out: the token of the login is the key",
    "workload_identity": "leave it out: the login is who asks",
    "provider": "leave it out: the login is who asks, and base_url is where",
    "http_client": "leave it out, and give transport= for proxies or certificates of your own",
}


def openai_client(
    source: TokenSource,
    *,
    base_url: str | None = None,
    dialect: bool = False,
    app: str | None = None,
    transport: Any = None,
    **options: Any,
) -> OpenAI:
    """An `openai.OpenAI`, of the version that is installed, that asks with the login of `source`.

    After a 401 the token is renewed, and the request repeated once. No redirect is followed. After an answer
    that says that the plan's limit is reached, nothing is repeated. A call raises SignInError at once where
    there is no usable login.

    What the environment says for API keys (`OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`, `OPENAI_CUSTOM_HEADERS`) is
    not sent, also not by copies of the client: `with_options()`.

    `base_url` is by default that of the login's provider, for which the store is read now: SignInError if
    nobody is signed in. `dialect=True` makes plain calls work, and those of libraries that do not know the
    backend's rules: see `CodexTransport`. `app` names your program in the headers, as `"example-notes/1.2"`.
    `transport` is what to send with, of the HTTP library that `openai` uses: httpx2 for version 3, httpx for
    version 2. `options` are those of `OpenAI`; TypeError for those that the login decides, HostNotAllowed for
    a `base_url`, or a `websocket_base_url`, to which the token may not go.
    """
    openai = _openai(options)
    url, api = _address(source, base_url, options, dialect=dialect)
    if dialect:
        transport = CodexTransport(transport, api=api)
    with _first_time(openai_client, transport):
        auth = ClientAuth(source, app)
        http = openai.DefaultHttpxClient(
            auth=auth, transport=transport, follow_redirects=False, event_hooks=auth.event_hooks()
        )
        kind = _kind_of(openai.OpenAI)
        client: OpenAI = kind(base_url=url, api_key=source.token, http_client=http, **options)
    _forget_others(client, options)
    return client


def async_openai_client(
    source: TokenSource,
    *,
    base_url: str | None = None,
    dialect: bool = False,
    app: str | None = None,
    transport: Any = None,
    **options: Any,
) -> AsyncOpenAI:
    """`openai_client()` for asyncio and trio: an `openai.AsyncOpenAI`. It is no coroutine: where it reads the
    store, it blocks for so long; with `base_url`, and without `dialect`, nothing is read.
    """
    openai = _openai(options)
    url, api = _address(source, base_url, options, dialect=dialect)
    if dialect:
        transport = AsyncCodexTransport(transport, api=api)
    with _first_time(async_openai_client, transport):
        auth = ClientAuth(source, app)
        http = openai.DefaultAsyncHttpxClient(
            auth=auth, transport=transport, follow_redirects=False, event_hooks=auth.async_event_hooks()
        )
        kind = _kind_of(openai.AsyncOpenAI)
        client: AsyncOpenAI = kind(base_url=url, api_key=source.atoken, http_client=http, **options)
    _forget_others(client, options)
    return client


_MADE: Final[set[object]] = set()


@contextmanager
def _first_time(kind: object, transport: object) -> Generator[None]:
    """In this block one is made, which loads modules the first time."""
    case = kind, transport is None
    with nullcontext() if case in _MADE else LOADING:
        yield
    _MADE.add(case)


def _openai(options: Mapping[str, Any]) -> Any:
    """The library, if the options are none that the login decides."""
    for name in options:
        if name in _INSTEAD:
            raise TypeError(f"{name}: {_INSTEAD[name]}")
    with loading("openai"):
        import openai

    return openai


def _address(
    source: TokenSource, base_url: str | None, options: Mapping[str, Any], *, dialect: bool
) -> tuple[str, ModelApi]:
    """Where to ask, and by which rules."""
    api: ModelApi | None = None
    if base_url is None or dialect:
        try:
            api = source.provider().model_api
        except SignInError:
            if base_url is None:
                raise
    if base_url is None and api is None:
        raise ValueError("base_url: the login's provider names no model API")
    url = base_url or (api or CODEX_API).base_url
    source.check(url)
    if (sockets := options.get("websocket_base_url")) is not None:
        source.check(str(sockets))  # the library sends the token there without asking the auth
    return url, api or CODEX_API


@cache
def _kind_of(kind: Any) -> Any:
    """The class of the library, whose copies read nothing of the environment either."""

    @wraps(kind.copy)
    def copy(client: Any, **changed: Any) -> Any:
        made = kind.copy(client, **changed)
        headers = changed.get("set_default_headers")
        if headers is None:
            headers = {**client._custom_headers, **(changed.get("default_headers") or {})}  # noqa: SLF001
        given = {name: changed.get(name) or getattr(client, name) for name in ("organization", "project")}
        _forget_others(made, {**given, "default_headers": headers})
        return made

    return type(kind.__name__, (kind,), {"copy": copy, "with_options": copy, "__module__": kind.__module__})


def _forget_others(client: Any, options: Mapping[str, Any]) -> None:
    """Leave out the organization, the project and the headers that the environment names for API keys."""
    for name in ("organization", "project"):
        setattr(client, name, options.get(name))
    client._custom_headers = dict(options.get("default_headers") or {})  # noqa: SLF001  # no option leaves it out
