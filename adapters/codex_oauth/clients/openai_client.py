"""The OpenAI client, version 2 or 3, for a login.

Rules of this file: `openai` is loaded by a call, and decides which HTTP library is used; what the login's
provider says decides address and headers, but the login of a test server on this machine needs an address;
what two would decide is refused with a word on what to do.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from codex_oauth.clients.client_auth import ClientAuth
from codex_oauth.clients.transport import AsyncCodexTransport, CodexTransport
from codex_oauth.extras import needed
from codex_oauth.loading import LOADING, loading
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.codex import CODEX_API
from codex_oauth_core.errors import SignInError
from codex_oauth_core.model_api import ModelApi
from codex_oauth_core.provider import is_loopback

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

_OF_A_TEST: Final = (
    "base_url: the login is of a test server, {}, and opens nothing elsewhere. Name the address of its "
    "models, and allow its host: TokenSource(store, hosts=[...])"
)


def openai_client(
    source: TokenSource,
    *,
    base_url: str | None = None,
    dialect: bool = False,
    app: str | None = None,
    transport: Any = None,
    **options: Any,
) -> OpenAI:
    """An `openai.OpenAI`, of the installed version, that sends requests with the login of `source`.

    After a 401 the client renews the token and repeats the request once. It follows no redirect. If an answer
    says that the plan's limit is reached, it repeats nothing. A call raises SignInError at once if no login
    is usable.

    The client does not send what the environment says for API keys (`OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`,
    `OPENAI_CUSTOM_HEADERS`). Its copies, such as those of `with_options()`, do not send it either.

    `base_url` is by default that of the login's provider. To find it, this function reads the store. It
    raises SignInError if nobody is signed in, and ValueError for a login of a test server on this machine.
    `dialect=True` makes plain calls work, also those of libraries
    that do not know the backend's rules: see `CodexTransport`. `app` names your program in the headers, such
    as `"example-notes/1.2"`. `transport` sends the requests; it belongs to the HTTP library that `openai`
    uses: httpx2 for version 3, httpx for version 2. `options` are those of `OpenAI`. Raises TypeError for
    options that the login decides, and HostNotAllowed for a `base_url` or a `websocket_base_url` that must
    not have the token.
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
    """`openai_client()` for asyncio and trio: an `openai.AsyncOpenAI`. It is not a coroutine: it blocks while
    it reads the store. With `base_url`, and without `dialect`, it reads nothing.
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
    with needed("openai", by="This client", extra="openai"), loading("openai"):
        import openai

    return openai


def _address(
    source: TokenSource, base_url: str | None, options: Mapping[str, Any], *, dialect: bool
) -> tuple[str, ModelApi]:
    """Where to ask, and by which rules."""
    api: ModelApi | None = None
    if base_url is None or dialect:
        try:
            provider = source.provider()
            api = provider.model_api
        except SignInError:
            if base_url is None:
                raise
        else:
            if base_url is None and api is not None and _is_here(provider.issuer) > _is_here(api.base_url):
                raise ValueError(_OF_A_TEST.format(provider.issuer))
    if base_url is None and api is None:
        raise ValueError("base_url: the login's provider names no model API")
    url = base_url or (api or CODEX_API).base_url
    source.check(url)
    if (sockets := options.get("websocket_base_url")) is not None:
        source.check(str(sockets))  # the library sends the token there without asking the auth
    return url, api or CODEX_API


def _is_here(url: str) -> bool:
    """Whether it is a server of this machine."""
    return is_loopback(urlsplit(url).hostname or "")


@cache
def _kind_of(kind: Any) -> Any:
    """The class of the library, whose copies read nothing of the environment either."""

    @wraps(kind.copy)
    def copy(client: Any, **changed: Any) -> Any:
        made = kind.copy(client, **changed)
        headers: dict[str, Any] | None = changed.get("set_default_headers")
        if headers is None:
            more: dict[str, Any] = changed.get("default_headers") or {}
            headers = {**client._custom_headers, **more}  # noqa: SLF001
        given = {name: changed.get(name) or getattr(client, name) for name in ("organization", "project")}
        _forget_others(made, {**given, "default_headers": headers})
        return made

    return type(kind.__name__, (kind,), {"copy": copy, "with_options": copy, "__module__": kind.__module__})


def _forget_others(client: Any, options: Mapping[str, Any]) -> None:
    """Leave out the organization, the project and the headers that the environment names for API keys."""
    for name in ("organization", "project"):
        setattr(client, name, options.get(name))
    client._custom_headers = dict(options.get("default_headers") or {})  # noqa: SLF001  # no option leaves it out
