"""The transport over aiohttp: one request in, one event out, on an asyncio loop.

Rules of this file: as in `httpx_transport`; a session and a connection serve one request. The time limit
is around everything: asyncio's own for a request that may be repeated, else as `async_limit` says. A
cancelled task cuts the request, and what it opened is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from codex_oauth.clock import Clock, now
from codex_oauth.transport.async_limit import within
from codex_oauth.transport.bad_settings import UnusableSettingError, wants_credentials
from codex_oauth.transport.deadline import Deadline, TimeUp
from codex_oauth.transport.progress import Stage
from codex_oauth.transport.proxies import HttpProxy, http_proxy_for
from codex_oauth.transport.system_error import errno_name
from codex_oauth.transport.tls import tls_context
from codex_oauth.transport.unlogged import unlogged
from codex_oauth.transport.writable import check_writable, request_target
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.events import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = [
    "AiohttpConnector",
    "AiohttpProgress",
    "AiohttpTransport",
    "close_session",
    "in_thread",
    "new_session",
    "proxy_headers",
    "proxy_url",
    "received",
    "request_failed_of",
    "url_as_it_is",
]


T = TypeVar("T")

_PHASES: Final[Mapping[Stage, tuple[Phase, Cause]]] = {
    Stage.CONNECTING: (Phase.NOT_SENT, Cause.CONNECT),
    Stage.PROXY: (Phase.NOT_SENT, Cause.PROXY),
    Stage.SENT: (Phase.MAYBE_SENT, Cause.RESET),
    Stage.ANSWERED: (Phase.MAYBE_SENT, Cause.TRUNCATED),
}

# In this order. The last two: the loop has no other name for a peer that goes away in a TLS handshake.
_BY_KIND: Final[tuple[tuple[Stage | None, type[Exception], Cause], ...]] = (
    (None, TimeoutError, Cause.TIMEOUT),
    (None, TimeUp, Cause.TIMEOUT),
    (Stage.CONNECTING, aiohttp.ClientConnectorCertificateError, Cause.TLS_CERTIFICATE),
    (Stage.PROXY, aiohttp.ClientConnectorCertificateError, Cause.TLS_CERTIFICATE),
    (Stage.CONNECTING, socket.gaierror, Cause.DNS),
    (Stage.CONNECTING, UnicodeError, Cause.DNS),
    (Stage.CONNECTING, aiohttp.ClientConnectorSSLError, Cause.TLS_EOF),
    (Stage.CONNECTING, ConnectionResetError, Cause.TLS_EOF),
    (Stage.CONNECTING, ConnectionAbortedError, Cause.TLS_EOF),
)
"""What is more exact than the stage: at that stage (None: at any), an error of this kind."""


class _TooBig(Exception):
    """The body is larger than a body may be."""


class AiohttpTransport:
    """Sends requests, each on a connection of its own. Knows plain HTTP proxies, no SOCKS."""

    def __init__(self, *, now: Clock = now) -> None:
        self._now = now

    async def __call__(self, effect: SendRequest) -> ResponseReceived | RequestFailed:
        """Send, within `effect.timeout` seconds. Raises ValueError for what cannot be written as HTTP."""
        check_writable(effect.request)
        sent_at, _ = self._now()
        deadline = Deadline.of(effect, lambda: self._now()[0])
        progress = AiohttpProgress(deadline.begin)
        try:
            with unlogged():
                status, headers, body = await _limited(effect, progress, deadline)
            return ResponseReceived(sent_at, *self._now(), status, headers, body)
        except BaseException as error:  # noqa: BLE001  # what is no failure is raised again
            return request_failed_of(error, progress, self._now()[0])


def request_failed_of(error: BaseException, progress: AiohttpProgress, at: float) -> RequestFailed:
    """The event of a request that ended with `error` at the instant `at`. Raises ValueError for a request
    that cannot be written as HTTP, and what is no failure of the network as it is, without its frames: these
    hold the bodies, as bytes.
    """
    match error:
        case _TooBig():
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.TOO_BIG)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            raise ValueError("the request cannot be sent as HTTP") from None
        case UnusableSettingError():
            return error.failed(at)
        case aiohttp.ClientHttpProxyError(status=407):
            return wants_credentials(progress.proxy_setting, at)
        case OSError() | aiohttp.ClientError() | UnicodeError() | TimeUp():
            return RequestFailed(at, *_judge(error, progress.stage), errno=errno_name(error))
        case _:
            raise error.with_traceback(None) from None


def _judge(error: Exception, stage: Stage) -> tuple[Phase, Cause]:
    phase, likely = _PHASES[stage]
    behind = (error, getattr(error, "os_error", None))  # of a ClientConnectorError
    exact = (
        cause
        for at, kind, cause in _BY_KIND
        if at in (None, stage) and any(isinstance(one, kind) for one in behind)
    )
    return phase, next(exact, likely)


class AiohttpProgress:
    """How far a request has come: from `SENT` on the server may have seen it. `begin` is called right before
    it goes out; what it raises stops that.
    """

    __slots__ = ("_begin", "proxy_setting", "stage")

    def __init__(self, begin: Callable[[], None]) -> None:
        self.stage = Stage.CONNECTING
        self._begin = begin
        self.proxy_setting: str | None = None

    def trace(self) -> aiohttp.TraceConfig:
        """What tells a session to move the stage on."""
        config = aiohttp.TraceConfig()
        config.on_connection_create_start.append(self._connects)
        config.on_request_headers_sent.append(self._writes)
        return config

    async def _connects(self, *_: object) -> None:
        if self.stage >= Stage.SENT:  # aiohttp repeats what it takes for harmless: GET, PUT, DELETE
            raise aiohttp.ClientConnectionError("a request is sent once")

    async def _writes(self, *_: object) -> None:  # called before the headers are sent, whatever its name says
        self._begin()
        self.stage = Stage.SENT


async def _limited(
    effect: SendRequest, progress: AiohttpProgress, deadline: Deadline
) -> tuple[int, dict[str, str], bytes]:
    """The answer, within the limit. Raises what `request_failed_of` takes."""
    if effect.once or effect.write_by is not None:
        return await within(deadline, lambda: _exchange(effect, progress))
    async with asyncio.timeout(effect.timeout):
        return await _exchange(effect, progress)


async def _exchange(effect: SendRequest, progress: AiohttpProgress) -> tuple[int, dict[str, str], bytes]:
    request = effect.request
    proxy = await in_thread(lambda: http_proxy_for(urlsplit(request.url)))
    if proxy is not None:
        progress.stage, progress.proxy_setting = Stage.PROXY, proxy.setting
    async with (
        _session(progress, request.url) as session,
        session.request(
            request.method,
            url_as_it_is(request.url),
            headers=[
                *request.plain_headers(),
                ("Connection", "close"),
                *proxy_headers(proxy, request.url, "http"),
            ],
            data=request.body.reveal(),
            allow_redirects=False,
            proxy=proxy_url(proxy),
            proxy_headers=dict(proxy_headers(proxy, request.url, "https")) or None,
        ) as response,
    ):
        return await received(response, progress)


def url_as_it_is(url: str) -> URL:
    """The URL for aiohttp, which asks for its path. User information would become a header."""
    parts = urlsplit(url)
    authority = parts.netloc.rpartition("@")[2]
    return URL.build(scheme=parts.scheme, authority=authority, path=request_target(url), encoded=True)


async def received(
    response: aiohttp.ClientResponse, progress: AiohttpProgress
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer whose head is here. Raises what `request_failed_of` takes; close
    the response then.
    """
    _check(response)
    progress.stage = Stage.ANSWERED
    return response.status, _headers(response), await _read(response)


@contextlib.asynccontextmanager
async def _session(progress: AiohttpProgress, url: str) -> AsyncGenerator[aiohttp.ClientSession]:
    """A session for one request, whose connection is closed at the end, whatever its peer does."""
    context = tls_context() if urlsplit(url).scheme == "https" else True
    connector = AiohttpConnector(ssl=context, force_close=True)
    session = new_session(connector, progress.trace())
    try:
        yield session
    finally:
        await close_session(session)


async def close_session(session: aiohttp.ClientSession) -> None:
    """Close it, its connections, and their sockets."""
    await session.close()
    await asyncio.sleep(0)  # one turn of the loop closes the sockets


def new_session(connector: aiohttp.BaseConnector, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
    """A session that adds nothing of its own to requests, and sets no limits: these are around everything."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        trace_configs=list(traces),
    )


class AiohttpConnector(aiohttp.TCPConnector):
    """Opens connections that are closed at once when they are closed: aiohttp leaves one over TLS to say its
    farewells, for up to half a minute.
    """

    def __init__(self, **options: Any) -> None:
        connector: Any = super()  # aiohttp's constructor is not wholly typed
        connector.__init__(resolver=_Resolver(), use_dns_cache=False, **options)
        self._factory: Any = functools.partial(_Connection, loop=self._loop)


class _Connection(ResponseHandler):
    def close(self) -> None:
        transport = self.transport
        super().close()
        if transport is not None:
            transport.abort()


def proxy_url(proxy: HttpProxy | None) -> URL | None:
    """The proxy as aiohttp wants it, without credentials."""
    return URL.build(scheme="http", host=proxy.host, port=proxy.port) if proxy else None


def proxy_headers(proxy: HttpProxy | None, url: str, scheme: str) -> list[tuple[str, str]]:
    """What the proxy must see: with the request itself (`http`), or before the tunnel (`https`)."""
    secret = proxy.authorization.reveal() if proxy is not None else ""
    return [("Proxy-Authorization", secret)] if secret and urlsplit(url).scheme == scheme else []


def _check(response: aiohttp.ClientResponse) -> None:
    """Raises ClientError for an answer that other readers may understand differently (RFC 9112 §6.3)."""
    lengths = set(response.headers.getall("Content-Length", ()))
    if response.status == 101 or len(lengths) > 1:
        raise aiohttp.ClientError("no answer that can be read in one way only")


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Each header by its name in lower case; one that came several times is joined (RFC 9110 §5.3)."""
    found: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body as it came, undecoded. Raises `_TooBig`."""
    first = await response.content.readany()
    if response.content.at_eof() and len(first) <= MAX_BODY:
        return first  # most are this short
    body = bytearray(first)
    while len(body) <= MAX_BODY:
        if not (piece := await response.content.readany()):
            return bytes(body)
        body += piece
    response.close()
    raise _TooBig


class _Resolver(AbstractResolver):
    """The system's resolver, on a thread that nobody waits for: the loop's own would delay its end."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await in_thread(lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))
        return [
            ResolveResult(
                hostname=host,
                host=str(sockaddr[0]),
                port=port,
                family=family,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for family, _, proto, _, sockaddr in found
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def in_thread(call: Callable[[], T]) -> T:
    """What `call` returns or raises. A cancelled caller abandons the thread.

    Raises OSError, too, if no thread can be started.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # so that a caller who left does not trip the thread

    def work() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001  # handed on to the caller, whatever it is
            future.set_exception(error)

    try:
        Thread(target=work, name="codex-oauth-resolver", daemon=True).start()
    except RuntimeError as error:
        raise OSError(str(error)) from error
    return await asyncio.wrap_future(future)
