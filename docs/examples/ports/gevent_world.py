"""A world on gevent: greenlets, sockets of gevent, and h11 for HTTP. Nothing is monkey-patched.

Rules of this file: each request is a greenlet of its own, and whoever waits for it looks at the clock in
slices; a cancel comes from any thread, by the one call of gevent's hub that may.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable
from typing import Any, Self, assert_never
from urllib.parse import urlsplit

import certifi
import gevent
import h11
from gevent import socket
from gevent.event import Event as Bell
from gevent.ssl import SSLContext

from codex_oauth import (
    MAX_BODY,
    CallbackSource,
    Cancelled,
    Cause,
    Clock,
    Deadline,
    Event,
    Phase,
    Register,
    Registered,
    Request,
    RequestFailed,
    ResponseReceived,
    SendOutcome,
    SendRequest,
    SignInEffect,
    Sources,
    StoreAnswered,
    TimeUp,
    Wait,
    answer_of,
    check_writable,
    now,
    request_target,
)

__all__ = ["GeventWorld"]

SLICE = 0.25
LATE_TURNS, TURN = 10, 0.02
"""How often, and for how many seconds, the hub may still look at its sockets when the time is up."""

FAILURES: tuple[tuple[type[Exception], Cause], ...] = (
    (socket.gaierror, Cause.DNS),
    (UnicodeError, Cause.DNS),  # a host that is none in IDNA
    (ssl.SSLCertVerificationError, Cause.TLS_CERTIFICATE),
    (ssl.SSLError, Cause.TLS_EOF),
)
"""Of connecting; the first that fits."""


class TooBig(Exception):
    """The body is larger than a body may be."""


class GeventWorld:
    """Performs effects in greenlets. Use it in a `with` block, for one run, in the thread of its hub."""

    def __init__(
        self,
        *,
        on_wait: Callable[[Wait], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        self._now = now
        self._on_wait = on_wait
        self._sources = Sources(callbacks)
        self._cancelled = False
        self._bell = Bell()
        self._ringer: Any = None

    def now(self) -> tuple[float, float]:
        """The instant, and Unix time; both in seconds."""
        return self._now()

    def __enter__(self) -> Self:
        self._ringer = gevent.get_hub().loop.async_()
        self._ringer.start(self._bell.set)
        return self

    def __exit__(self, *exc_info: object) -> None:
        ringer, self._ringer = self._ringer, None
        self._sources.stop()
        if ringer is not None:
            ringer.stop()
            ringer.close()

    def cancel(self) -> None:
        """Answer `Cancelled` as soon as possible; a `once` request is finished first. From any thread."""
        self._cancelled = True
        self._ring()

    def _ring(self) -> None:
        if ringer := self._ringer:
            ringer.send()

    def perform(self, effect: SignInEffect) -> Event:
        """Do what the effect asks. Other greenlets run meanwhile."""
        match effect:
            case SendRequest():
                return self._send(effect)
            case Wait():
                return self._wait(effect)
            case Register():
                return StoreAnswered(*self.now(), Registered())
            case _:
                assert_never(effect)

    def _wait(self, wait: Wait) -> Event:
        heard = self._sources.listen(wait.callback, self._ring, cancelled=self._cancelled)
        if self._on_wait is not None and not self._cancelled:
            self._on_wait(wait)
        while True:
            self._bell.clear()  # before the look at what it may have rung for
            at, _ = self._now()
            if event := answer_of(wait, heard, at, cancelled=self._cancelled):
                self._sources.stop()
                return event
            self._bell.wait(min(wait.until - at, 5.0))

    def _send(self, effect: SendRequest) -> SendOutcome:
        if self._cancelled and not effect.once:
            return Cancelled(self._now()[0])
        sent_at, _ = self._now()
        deadline = Deadline.of(effect, lambda: self._now()[0])
        exchange = Exchange(effect.request, deadline)
        sending: Any = gevent.spawn(exchange.run)
        try:
            while not sending.ready():
                if self._cancelled and not effect.once:
                    return Cancelled(self._now()[0])
                if deadline.left() <= 0:
                    if deadline.begun and self._comes_late(sending):
                        break
                    return self._failed(deadline, Cause.TIMEOUT)
                if effect.once:
                    sending.join(min(deadline.left(), SLICE))
                else:
                    self._rest(sending, min(deadline.left(), SLICE))
        except BaseException:
            if effect.once and deadline.begun:  # nothing cuts it: Ctrl-C and a killed greenlet wait for it
                sending.join(max(0.0, deadline.left()))
            raise
        finally:
            sending.kill()
            exchange.close()
        answer: Any = sending.value
        if isinstance(answer, Cause):
            return self._failed(deadline, answer)
        return ResponseReceived(sent_at, *self._now(), *answer)

    def _rest(self, sending: Any, seconds: float) -> None:
        """Until it is done, somebody cancels, or so many seconds are over."""
        self._bell.clear()
        sending.rawlink(self._done)
        if not (self._cancelled or sending.ready()):
            self._bell.wait(seconds)

    def _done(self, _: object) -> None:
        self._bell.set()

    def _comes_late(self, sending: Any) -> bool:
        for _ in range(LATE_TURNS):
            sending.join(TURN)
        return bool(sending.ready())

    def _failed(self, deadline: Deadline, cause: Cause) -> RequestFailed:
        phase = Phase.MAYBE_SENT if deadline.begun else Phase.NOT_SENT
        return RequestFailed(self._now()[0], phase, cause)


class Exchange:
    """One request and its answer, on a connection of its own. Raises ValueError for what is no HTTP."""

    def __init__(self, request: Request, deadline: Deadline) -> None:
        self._deadline = deadline
        self._sock: Any = None
        self._http = h11.Connection(h11.CLIENT)
        check_writable(request)
        self._url = url = urlsplit(request.url)
        self._port = url.port or {"http": 80, "https": 443}[url.scheme]
        self._host = url.hostname or ""
        body = request.body.reveal()
        headers = [("Host", url.netloc.rpartition("@")[2]), *request.plain_headers()]
        headers += [("Content-Length", str(len(body))), ("Connection", "close")]
        try:
            head = h11.Request(method=request.method, target=request_target(request.url), headers=headers)
            self._bytes = b"".join(
                self._http.send(part) or b"" for part in (head, h11.Data(data=body), h11.EndOfMessage())
            )
        except (h11.LocalProtocolError, UnicodeError):
            raise ValueError("the request cannot be sent as HTTP") from None

    def run(self) -> tuple[int, dict[str, str], bytes] | Cause:
        """Status, headers and body, or why there are none."""
        try:
            context = self._trust()
        except (OSError, ssl.SSLError):
            return Cause.MISCONFIGURED
        try:
            self._connect(context)
        except (OSError, UnicodeError) as error:
            return next((cause for kind, cause in FAILURES if isinstance(error, kind)), Cause.CONNECT)
        answered = False
        try:
            self._deadline.begin()
            self._sock.sendall(self._bytes)
            head = self._next()
            while isinstance(head, h11.InformationalResponse):
                head = self._next()
            answered = isinstance(head, h11.Response)
            if not answered:
                return Cause.RESET
            return head.status_code, joined(head.headers), self._read()
        except TimeUp:
            return Cause.TIMEOUT
        except TooBig:
            return Cause.TOO_BIG
        except (OSError, h11.RemoteProtocolError):
            return Cause.TRUNCATED if answered else Cause.RESET

    def close(self) -> None:
        """Close the connection. In the greenlet that began it."""
        if self._sock is not None:
            self._sock.close()

    def _trust(self) -> Any:
        if self._url.scheme != "https":
            return None
        context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(os.environ.get("SSL_CERT_FILE") or certifi.where())
        return context

    def _connect(self, context: Any) -> None:
        self._host.encode("idna")  # a host that can be none: gevent's own threads would print why
        self._sock = socket.create_connection((self._host, self._port))
        if context is not None:
            self._sock = context.wrap_socket(
                self._sock, server_hostname=self._host, do_handshake_on_connect=False
            )
            self._sock.do_handshake()  # only now, so that it is closed whatever becomes of that

    def _next(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(self._sock.recv(65536))
        return event

    def _read(self) -> bytes:
        body = bytearray()
        while isinstance(part := self._next(), h11.Data):
            body += part.data
            if len(body) > MAX_BODY:
                raise TooBig
        return bytes(body)


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Each by its name in lower case; one that came several times is joined."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


make = GeventWorld
