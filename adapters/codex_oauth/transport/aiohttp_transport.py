"""The transport over aiohttp: one request in, one event out, on an asyncio loop.

Rules of this file: as in `httpx_transport`; a session and a connection serve one request. The time limit is
around everything: asyncio's own for a request that may be repeated, else as `async_limit` says. A cancelled
task cuts the request, and what it opened is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from codex_oauth.clock import Clock, now
from codex_oauth.transport.async_limit import within
from codex_oauth.transport.bad_settings import UnusableSettingError, wants_credentials
from codex_oauth.transport.deadline import Deadline, TimeUp
from codex_oauth.transport.progress import Stage
from codex_oauth.transport.proxies import HttpProxy, http_proxy_for
from codex_oauth.transport.tls import tls_context
from codex_oauth.transport.unlogged import unlogged
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.events import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = ["AiohttpTransport"]


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
    (Stage.CONNECTING, aiohttp.ClientConnectorDNSError, Cause.DNS),
    (Stage.CONNECTING, UnicodeError, Cause.DNS),
    (Stage.CONNECTING, aiohttp.ClientConnectorSSLError, Cause.TLS_EOF),
    (Stage.CONNECTING, ConnectionResetError, Cause.TLS_EOF),
    (Stage.CONNECTING, ConnectionAbortedError, Cause.TLS_EOF),
)
"""What is more exact than the stage: at that stage (None: at any), an error of this kind."""

_FAILURES: Final = (OSError, aiohttp.ClientError, UnicodeError, TimeUp)


class _TooBig(Exception):
    """The body is larger than a body may be."""


class AiohttpTransport:
    """Sends requests, each on a connection of its own. Knows plain HTTP proxies, no SOCKS."""

    def __init__(self, *, now: Clock = now) -> None:
        self._now = now

    async def __call__(self, effect: SendRequest) -> ResponseReceived | RequestFailed:
        """Send, within `effect.timeout` seconds. Raises ValueError for what cannot be written as HTTP."""
        sent_at, _ = self._now()
        deadline = Deadline.of(effect, lambda: self._now()[0])
        progress = _Progress(deadline.begin)
        try:
            with unlogged():
                status, headers, body = await _limited(effect, progress, deadline)
            return ResponseReceived(sent_at, *self._now(), status, headers, body)
        except _TooBig:
            return RequestFailed(self._now()[0], Phase.MAYBE_SENT, Cause.TOO_BIG)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise ValueError("the request cannot be sent as HTTP") from None
        except UnusableSettingError as error:
            return error.failed(self._now()[0])
        except aiohttp.ClientHttpProxyError as error:
            if error.status == 407:
                return wants_credentials(progress.proxy_setting, self._now()[0])
            return RequestFailed(self._now()[0], *_judge(error, progress.stage))
        except _FAILURES as error:
            return RequestFailed(self._now()[0], *_judge(error, progress.stage))
        except BaseException as error:  # noqa: BLE001  # raised again
            raise error.with_traceback(None) from None  # its frames hold the bodies, as bytes


def _judge(error: Exception, stage: Stage) -> tuple[Phase, Cause]:
    phase, likely = _PHASES[stage]
    behind = (error, getattr(error, "os_error", None))  # of a ClientConnectorError
    exact = (
        cause
        for at, kind, cause in _BY_KIND
        if at in (None, stage) and any(isinstance(one, kind) for one in behind)
    )
    return phase, next(exact, likely)


class _Progress:
    """How far a request has come: from `SENT` on the server may have seen it. `begin` is called right before
    it goes out; what it raises stops that.
    """

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
    effect: SendRequest, progress: _Progress, deadline: Deadline
) -> tuple[int, dict[str, str], bytes]:
    """The answer, within the limit. Raises `TimeUp` or TimeoutError, and one of `_FAILURES`."""
    if effect.once or effect.write_by is not None:
        return await within(deadline, lambda: _exchange(effect, progress))
    async with asyncio.timeout(effect.timeout):
        return await _exchange(effect, progress)


async def _exchange(effect: SendRequest, progress: _Progress) -> tuple[int, dict[str, str], bytes]:
    request = effect.request
    proxy = await _in_thread(lambda: http_proxy_for(urlsplit(request.url)))
    if proxy is not None:
        progress.stage, progress.proxy_setting = Stage.PROXY, proxy.setting
    async with (
        _session(progress, request.url) as session,
        session.request(
            request.method,
            URL(request.url, encoded=True).with_user(None),  # user information would become a header
            headers=[
                *request.plain_headers(),
                ("Connection", "close"),
                *_for_proxy(proxy, request.url, "http"),
            ],
            data=request.body.reveal(),
            allow_redirects=False,
            proxy=URL.build(scheme="http", host=proxy.host, port=proxy.port) if proxy else None,
            proxy_headers=dict(_for_proxy(proxy, request.url, "https")) or None,
        ) as response,
    ):
        _check(response)
        progress.stage = Stage.ANSWERED
        return response.status, _headers(response), await _read(response)


@contextlib.asynccontextmanager
async def _session(progress: _Progress, url: str) -> AsyncGenerator[aiohttp.ClientSession]:
    """A session for one request, whose connection is closed at the end, whatever its peer does."""
    context = tls_context() if urlsplit(url).scheme == "https" else True
    connector = _Connector(ssl=context, resolver=_Resolver(), use_dns_cache=False, force_close=True)
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            timeout=aiohttp.ClientTimeout(),  # none: the limit is around everything
            auto_decompress=False,
            trace_configs=[progress.trace()],
        ) as session:
            yield session
    finally:
        for transport in connector.opened:
            transport.abort()
        await asyncio.sleep(0)  # one turn of the loop closes their sockets


class _Connector(aiohttp.TCPConnector):
    """Knows what it opened: aiohttp leaves a TLS connection to say its farewells, for up to half a minute."""

    def __init__(self, **options: Any) -> None:
        connector: Any = super()  # aiohttp's constructor is not wholly typed
        connector.__init__(**options)
        self.opened: list[asyncio.WriteTransport] = []

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109  # aiohttp's names
        protocol: Any = await super()._create_connection(req, traces, timeout)
        if protocol.transport is not None:
            self.opened.append(protocol.transport)
        return protocol


def _for_proxy(proxy: HttpProxy | None, url: str, scheme: str) -> list[tuple[str, str]]:
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
    names = {name.lower() for name in response.headers}
    return {name: ", ".join(response.headers.getall(name)) for name in names}


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body as it came, undecoded. Raises `_TooBig`."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_BODY:
            response.close()
            raise _TooBig
    return bytes(body)


class _Resolver(AbstractResolver):
    """The system's resolver, on a thread that nobody waits for: the loop's own would delay its end."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await _in_thread(lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))
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


async def _in_thread(call: Callable[[], T]) -> T:
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
