"""A world without a third-party library: `SyncWorld` over `http.client` and `urllib`.

Rules of this file: nothing beyond the core and the standard library is imported, so a program that must
not have httpx can sign in.

A transport made of the standard library alone: `http.client` speaks HTTP, `urllib` finds the proxy.

Rules of this file: as in `httpx_transport`; beside it, an answer that two readers could understand
differently is no answer. Trust is the system's (or as `tls` says): there is no certifi here.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, InvalidURL
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

from codex_oauth.clock import Clock, now
from codex_oauth.transport.bad_settings import UnusableSettingError, wants_credentials
from codex_oauth.transport.deadline import Deadline, StopRequested, TimeUp
from codex_oauth.transport.dial import BoundedSocket, ReceivedTooMuch, dial, resolve, run_in_worker
from codex_oauth.transport.progress import Stage
from codex_oauth.transport.protocol import SendOutcome, never
from codex_oauth.transport.proxies import PORTS, HttpProxy, http_proxy_for
from codex_oauth.transport.system_error import errno_name
from codex_oauth.transport.tls import system_tls_context
from codex_oauth.transport.writable import check_writable, request_target
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.sync_world import SyncWorld
from codex_oauth_core.effects import Request, SendRequest, Wait
from codex_oauth_core.events import Cancelled, Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = ["UrllibTransport", "UrllibWorld"]


_PIECE: Final = 64 * 1024

_BY_STAGE: Final[Mapping[Stage, tuple[Phase, Cause]]] = {
    Stage.CONNECTING: (Phase.NOT_SENT, Cause.CONNECT),
    Stage.PROXY: (Phase.NOT_SENT, Cause.PROXY),
    Stage.HANDSHAKE: (Phase.NOT_SENT, Cause.TLS_EOF),
    Stage.SENT: (Phase.MAYBE_SENT, Cause.RESET),
    Stage.ANSWERED: (Phase.MAYBE_SENT, Cause.TRUNCATED),
}

_BY_KIND: Final[tuple[tuple[Stage | None, type[Exception], Cause], ...]] = (
    (None, TimeUp, Cause.TIMEOUT),
    (None, ReceivedTooMuch, Cause.TOO_BIG),
    (Stage.CONNECTING, socket.gaierror, Cause.DNS),
    (Stage.CONNECTING, UnicodeError, Cause.DNS),  # a host that is no host name in IDNA
    (Stage.HANDSHAKE, ssl.SSLCertVerificationError, Cause.TLS_CERTIFICATE),
)
"""What is more exact than the stage: at that stage (None: at any), an error of this kind."""


class _AsksForCredentials(OSError):
    """The proxy that `setting` names answered 407."""

    def __init__(self, setting: str) -> None:
        super().__init__("the proxy asks for credentials")
        self.setting = setting


_FAILURES: Final = (OSError, HTTPException, UnicodeError, TimeUp, ReceivedTooMuch)


class UrllibTransport:
    """Sends requests, each on a connection of its own. Knows plain HTTP proxies, no SOCKS."""

    def __init__(self, *, now: Clock = now) -> None:
        self._now = now

    def __call__(self, effect: SendRequest, stopped: Callable[[], bool] = never) -> SendOutcome:
        """Send, as `Transport` says."""
        check_writable(effect.request)
        exchange = _Exchange(effect.request, Deadline.of(effect, self._instant, stopped))
        try:
            sent_at = self._instant()
            status, headers, body = exchange.run()
            return ResponseReceived(sent_at, *self._now(), status, headers, body)
        except StopRequested:
            return Cancelled(self._instant())
        except UnusableSettingError as error:
            return error.failed(self._instant())
        except _AsksForCredentials as error:
            return wants_credentials(error.setting, self._instant())
        except _FAILURES as error:
            failed = _judge(error, exchange.stage)
            return RequestFailed(self._instant(), *failed, errno=errno_name(error))
        except BaseException as error:  # noqa: BLE001  # raised again
            raise error.with_traceback(None) from None  # its frames hold the bodies, as bytes

    def _instant(self) -> float:
        return self._now()[0]


def _judge(error: Exception, stage: Stage) -> tuple[Phase, Cause]:
    phase, likely = _BY_STAGE[stage]
    exact = (cause for at, kind, cause in _BY_KIND if at in (None, stage) and isinstance(error, kind))
    return phase, next(exact, likely)


class _Exchange:
    """One request and its answer. `stage` says how far it came. Raises ValueError for what is no URL."""

    def __init__(self, request: Request, deadline: Deadline) -> None:
        self.stage = Stage.CONNECTING
        self._request = request
        self._deadline = deadline
        with _only_http():
            self._url = urlsplit(request.url)
            self._port = self._url.port or PORTS[self._url.scheme]
            _written(request, self._url, None)  # before anybody is called: a bug is no failure

    def run(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by their names in lower case, and body. Raises one of `_FAILURES`, and what
        `Deadline.slice` raises.
        """
        proxy = self._proxy()
        context = system_tls_context() if self._url.scheme == "https" else None
        with contextlib.closing(self._connect(proxy)) as sock:
            if context is not None:
                if proxy is not None:
                    self._tunnel(sock, proxy)
                self.stage = Stage.HANDSHAKE
                sock.start_tls(context, self._host)
                proxy = None
            answer = self._ask(sock, proxy)
            self.stage = Stage.ANSWERED
            body = _read(answer)
            return answer.status, _headers(answer), body

    @property
    def _host(self) -> str:
        return self._url.hostname or ""

    def _proxy(self) -> HttpProxy | None:
        return run_in_worker(lambda: http_proxy_for(self._url), self._deadline)

    def _connect(self, proxy: HttpProxy | None) -> BoundedSocket:
        if proxy is not None:
            self.stage = Stage.PROXY
        host, port = (proxy.host, proxy.port) if proxy else (self._host, self._port)
        return BoundedSocket(dial(resolve(host, port, self._deadline), self._deadline), self._deadline)

    def _tunnel(self, sock: BoundedSocket, proxy: HttpProxy) -> None:
        """Ask the proxy for a connection to the server (RFC 9110 §9.3.6)."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        lines = [f"CONNECT {host}:{self._port} HTTP/1.1", f"Host: {host}:{self._port}"]
        if secret := proxy.authorization.reveal():
            lines.append(f"Proxy-Authorization: {secret}")
        sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        answer = _final(sock, "CONNECT")
        if answer.status == 407:
            raise _AsksForCredentials(proxy.setting)
        if not 200 <= answer.status < 300:
            raise OSError("the proxy refuses")

    def _ask(self, sock: BoundedSocket, proxy: HttpProxy | None) -> HTTPResponse:
        connection = _written(self._request, self._url, proxy)
        connection.sock = cast("Any", _Asking(sock, self._begin))
        with contextlib.suppress(ConnectionError):  # a server may answer before it took everything
            connection.endheaders(self._request.body.reveal())
        return _final(sock, self._request.method)

    def _begin(self) -> None:
        self._deadline.begin()
        self.stage = Stage.SENT


class _Asking:
    """A socket for the request alone, whose head and body `http.client` sends one by one."""

    def __init__(self, sock: BoundedSocket, begin: Callable[[], None]) -> None:
        self._sock = sock
        self._begin = begin

    def sendall(self, data: bytes) -> None:
        """Ask whether it may go out, and send it. Raises as `Deadline.begin` and `BoundedSocket.sendall`."""
        self._begin()
        self._sock.sendall(data)


@contextlib.contextmanager
def _only_http() -> Any:
    try:
        yield
    except (ValueError, KeyError, InvalidURL):
        raise ValueError("the request cannot be sent as HTTP") from None


def _written(request: Request, url: SplitResult, proxy: HttpProxy | None) -> HTTPConnection:
    """A connection that is not connected, with the request's head in its buffer."""
    if not url.hostname:
        raise ValueError("the request cannot be sent as HTTP")
    host = url.netloc.rpartition("@")[2]
    path = request_target(request.url)
    connection = HTTPConnection(url.hostname, 80)
    connection.auto_open = 0
    connection.set_debuglevel(0)  # a program that debugs its own requests sets it for all: it prints
    target = path if proxy is None else f"{url.scheme}://{host}{path}"
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host)
    for name, value in request.plain_headers():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(request.body.reveal())))
    connection.putheader("Connection", "close")
    if proxy is not None and (secret := proxy.authorization.reveal()):
        connection.putheader("Proxy-Authorization", secret)
    return connection


def _final(sock: BoundedSocket, method: str) -> HTTPResponse:
    """The answer after the interim ones (RFC 9110 §15.2), its body still to be read."""
    while True:
        answer = HTTPResponse(cast("Any", sock), method=method)
        answer.begin()
        if answer.status >= 200 or answer.status == 101:
            _check(answer)
            return answer


def _check(answer: HTTPResponse) -> None:
    """Raises HTTPException for an answer that other readers may understand differently (RFC 9112 §6.3)."""
    lengths = set(answer.headers.get_all("content-length", ()))
    codings = [coding.strip().lower() for coding in answer.headers.get_all("transfer-encoding", ())]
    framed = codings in ([], ["chunked"]) and len(lengths) < 2 and all(text.isdigit() for text in lengths)
    if answer.headers.defects or not framed or answer.status == 101:
        raise HTTPException("no answer that can be read in one way only")


def _read(answer: HTTPResponse) -> bytes:
    """The body as it came, undecoded. Raises `ReceivedTooMuch`, and HTTPException for one cut short."""
    body = bytearray()
    while piece := answer.read(_PIECE):
        body += piece
        if len(body) > MAX_BODY:
            raise ReceivedTooMuch
    if answer.length:
        raise HTTPException("the body ends too soon")
    return bytes(body)


def _headers(answer: HTTPResponse) -> dict[str, str]:
    """Each header by its name in lower case; one that came several times is joined (RFC 9110 §5.3)."""
    found: dict[str, str] = {}
    for name, value in answer.headers.items():
        key, kept = name.lower(), value.strip(" \t")
        found[key] = f"{found[key]}, {kept}" if key in found else kept
    return found


# -- the world -----------------------------------------------------------------------------------------


class UrllibWorld(SyncWorld):
    """`SyncWorld` with `UrllibTransport`. It takes the parameters of both."""

    def __init__(
        self,
        *,
        on_wait: Callable[[Wait], None] | None = None,
        on_tick: Callable[[Wait, float], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        transport = UrllibTransport(now=now)
        super().__init__(transport, on_wait=on_wait, on_tick=on_tick, callbacks=callbacks, now=now)
