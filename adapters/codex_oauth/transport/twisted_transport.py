"""A transport over Twisted: one request in, a `Deferred` of one event out.

Rules of this file: as in `httpx_transport`; callbacks, and nothing that needs a coroutine; cancelling the
`Deferred` aborts the connection. It connects directly: no proxies. Https needs Twisted's extra `tls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as Receiver
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has none

from codex_oauth.clock import Clock, now
from codex_oauth.transport.async_limit import LATE_TURNS, TURN
from codex_oauth.transport.deadline import NETWORK_SLICE, Deadline, TimeUp
from codex_oauth.transport.dial import MOST_RECEIVED
from codex_oauth.transport.progress import Stage
from codex_oauth.transport.writable import check_writable, request_target
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.events import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = ["Reactor", "Sent", "TwistedTransport"]

C = TypeVar("C", bound=type)

Sent = ResponseReceived | RequestFailed

_Agent: Any = Agent  # Twisted does not type these
_Pool: Any = HTTPConnectionPool
_implementer: Any = implementer

_BY_STAGE: Final = {
    Stage.CONNECTING: (Phase.NOT_SENT, Cause.CONNECT),
    Stage.HANDSHAKE: (Phase.NOT_SENT, Cause.TLS_EOF),
    Stage.SENT: (Phase.MAYBE_SENT, Cause.RESET),
    Stage.ANSWERED: (Phase.MAYBE_SENT, Cause.TRUNCATED),
}


class Reactor(Protocol):
    """What is used of a reactor, beside what Twisted's own endpoints use of it."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> Any:  # noqa: N802, A002  # Twisted's names
        """Call, so many seconds from now; the result has `cancel()` and `active()`."""
        ...

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None:  # noqa: N802, A002  # Twisted's names
        """Call soon, in the reactor's thread."""
        ...


def _implements(interface: object) -> Callable[[C], C]:
    return cast("Callable[[C], C]", _implementer(interface))


class _TooBig(Exception):
    """The body is larger than a body may be."""


class TwistedTransport:
    """Sends requests, each on a connection of its own."""

    def __init__(self, reactor: Reactor, *, now: Clock = now) -> None:
        self._reactor = reactor
        self._now = now

    def __call__(self, effect: SendRequest) -> Deferred[Sent]:
        """Send, within `effect.timeout` seconds. Raises ValueError for what cannot be written as HTTP, and
        RuntimeError for https without its libraries.
        """
        check_writable(effect.request)
        sent_at, _ = self._now()
        deadline = Deadline.of(effect, lambda: self._now()[0])
        exchange = _Exchange(self._reactor, effect, deadline)

        def answered(answer: tuple[int, dict[str, str], bytes]) -> Sent:
            at, wall = self._now()
            return ResponseReceived(sent_at, at, wall, *answer)

        def failed(failure: Failure) -> Sent:
            return RequestFailed(self._now()[0], *exchange.judge(failure))

        return exchange.start().addCallbacks(answered, failed)


class _ExactAgent(_Agent):  # type: ignore[misc]  # Twisted does not type it
    """Asks for `target`, and not for what a URL looks like once it was parsed: without an empty query."""

    target = b"/"

    def _requestWithEndpoint(self, *args: Any) -> Any:  # noqa: N802  # Twisted's name
        *others, _parsed_target = args
        theirs: Any = super()
        return theirs._requestWithEndpoint(*others, self.target)  # noqa: SLF001  # the one place for it


class _Exchange:
    """One request and its answer."""

    def __init__(self, reactor: Reactor, effect: SendRequest, deadline: Deadline) -> None:
        self._request = effect.request
        self._reactor = reactor
        self._limit = _Limit(reactor, deadline)
        self._where = _Where(reactor, effect.request.url, deadline.begin)

    def start(self) -> Deferred[tuple[int, dict[str, str], bytes]]:
        """Status, headers by their names in lower case, and body; or a failure that `judge` takes."""
        request = self._request
        reactor = cast("Any", self._reactor)
        pool = _Pool(reactor, persistent=False)
        agent = _ExactAgent.usingEndpointFactory(reactor, self._where, pool)
        agent.target = request_target(request.url).encode("ascii")
        headers = Headers()
        for name, value in request.plain_headers():
            headers.addRawHeader(name, value)
        asked: Deferred[Any] = agent.request(
            request.method.encode("ascii"),
            _without_user(request.url).encode("ascii"),
            headers,
            _Body(request.body.reveal()),
        )
        return self._limit.on(asked.addCallback(self._read))

    def judge(self, failure: Failure) -> tuple[Phase, Cause]:
        """Phase and cause of a failed request."""
        self._where.abort()
        if self._where.received_too_much:
            return Phase.MAYBE_SENT, Cause.TOO_BIG
        stage = self._where.stage
        phase, likely = _BY_STAGE[stage]
        if stage < Stage.ANSWERED and any(_is_about_a_certificate(error) for error in _reasons(failure)):
            return Phase.NOT_SENT, Cause.TLS_CERTIFICATE  # it is checked before anything is said
        exact = (cause for at, kind, cause in _BY_KIND if at in (None, stage) and _is(failure, kind))
        return phase, next(exact, likely)

    def _read(self, response: Any) -> Deferred[tuple[int, dict[str, str], bytes]]:
        self._where.stage = Stage.ANSWERED
        body = _Received(self._where.abort)
        response.deliverBody(body)
        head = (int(response.code), _headers(response.headers))
        return body.whole.addCallback(lambda data: (*head, data))


_BY_KIND: Final[tuple[tuple[Stage | None, type[Exception], Cause], ...]] = (
    (None, TimeUp, Cause.TIMEOUT),
    (None, _TooBig, Cause.TOO_BIG),
    (Stage.CONNECTING, DNSLookupError, Cause.DNS),
    (Stage.CONNECTING, ValueError, Cause.DNS),  # a host that is no host name
)
"""What is more exact than the stage: at that stage (None: at any), an error of this kind."""


class _Limit:
    """Cancels what is late, by the clock of `deadline`. A reactor's timers are late too, if its process was
    stopped: so it gets some turns at the end to read what has arrived.
    """

    def __init__(self, reactor: Reactor, deadline: Deadline) -> None:
        self._reactor = reactor
        self._deadline = deadline
        self._turns = LATE_TURNS
        self._over = False
        self._timer: Any = None

    def on(self, asked: Deferred[Any]) -> Deferred[Any]:
        """The same, and a failure by `TimeUp` if it was cancelled here."""
        asked.addBoth(self._ended)
        self._look(asked)
        return asked

    def _look(self, asked: Deferred[Any]) -> None:
        if asked.called and self._timer is None:
            return  # it had ended at once
        left = self._deadline.left()
        if left > 0:
            self._timer = self._reactor.callLater(min(left, NETWORK_SLICE), self._look, asked)
        elif self._deadline.begun and self._turns:
            self._turns -= 1
            self._timer = self._reactor.callLater(TURN, self._look, asked)
        else:
            self._over = True
            asked.cancel()

    def _ended(self, result: Any) -> Any:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._over and isinstance(result, Failure):
            raise TimeUp
        return result


def _is(failure: Failure, kind: type[BaseException]) -> bool:
    return isinstance(cast("Any", failure).value, kind)


@_implements(IAgentEndpointFactory)
class _Where:
    """Where a request goes. `stage` is how far it came: once connected, it may have been sent."""

    def __init__(self, reactor: Reactor, url: str, begin: Callable[[], None]) -> None:
        self.stage = Stage.CONNECTING
        self._begin = begin
        self._reactor = cast("Any", reactor)
        self._creator = _tls_to(url)
        self._transport: Any = None
        self._left = MOST_RECEIVED
        self.received_too_much = False

    def endpointForURI(self, uri: Any) -> _Where:  # noqa: N802  # Twisted's name
        """What `Agent` connects with."""
        self._host, self._port = uri.host.decode("ascii"), uri.port
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect, TLS included, and remember what to abort."""
        endpoint: Any = HostnameEndpoint(self._reactor, self._host, self._port)
        if self._creator is None:
            return cast("Deferred[Any]", endpoint.connect(factory)).addCallback(self._connected)
        from twisted.internet.endpoints import wrapClientTLS

        over_tls: Any = wrapClientTLS(self._creator, endpoint, self._reactor)
        secured: Deferred[Any] = over_tls.connect(_SecuredFactory(factory))
        return secured.addCallback(self._shake_hands).addCallback(self._connected)

    def abort(self) -> None:
        """Close the connection, if there is one, now."""
        if self._transport is not None:
            self._transport.abortConnection()

    def _shake_hands(self, secured: _Secured) -> Deferred[Any]:
        self.stage, self._transport = Stage.HANDSHAKE, cast("Any", secured).transport
        return secured.done

    def _connected(self, protocol: Any) -> Any:
        self._transport = protocol.transport
        self._begin()
        self.stage = Stage.SENT
        protocol.dataReceived = self._counted(protocol.dataReceived)
        return protocol

    def _counted(self, receive: Callable[[bytes], object]) -> Callable[[bytes], None]:
        """Receive no more than an answer may have: Twisted keeps heads and trailers of any length."""

        def counted(data: bytes) -> None:
            self._left -= len(data)
            if self._left >= 0:
                receive(data)
            elif not self.received_too_much:
                self.received_too_much = True
                self.abort()

        return counted


class _SecuredFactory(Factory):
    """Builds what `factory` builds, each in a `_Secured`."""

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802  # Twisted's name
        """One for a connection."""
        return _Secured(self._factory.buildProtocol(addr))


@_implements(IHandshakeListener)
class _Secured(Receiver):
    """`inner` over TLS. `done` fires with it when the handshake is done, or fails with why it is not: Twisted
    would have it write at once, and then nobody can tell whether the server has seen it.
    """

    def __init__(self, inner: Any) -> None:
        self.done: Deferred[Any] = Deferred(lambda _: cast("Any", self).transport.abortConnection())
        self._inner = inner

    def connectionMade(self) -> None:  # noqa: N802  # Twisted's name
        """TCP is there, TLS begins."""
        self._inner.makeConnection(cast("Any", self).transport)

    def handshakeCompleted(self) -> None:  # noqa: N802  # Twisted's name
        """TLS is there."""
        if not self.done.called:
            self.done.callback(self._inner)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  # Twisted's name
        """Hand on what came."""
        self._inner.dataReceived(data)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802  # Twisted's name
        """The end of TLS, or of the attempt."""
        self._inner.connectionLost(reason)
        if not self.done.called:
            self.done.errback(reason)


def _without_user(url: str) -> str:
    """The URL without its user information, which Twisted takes for a part of the host's name."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _tls_to(url: str) -> Any:
    """What makes TLS connections to the host of `url` with the system's trust; None for http."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("the request cannot be sent as HTTP")
    if parts.scheme == "http":
        return None
    try:
        from twisted.internet.ssl import optionsForClientTLS
    except ImportError:
        raise RuntimeError(
            "Twisted needs pyOpenSSL and service-identity for https: pip install 'twisted[tls]'"
        ) from None
    return optionsForClientTLS(parts.hostname)


@_implements(IBodyProducer)
class _Body:
    """The body of a request, written at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: Any) -> Deferred[None]:  # noqa: N802  # Twisted's name
        """Write all."""
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:  # noqa: N802  # Twisted's name
        """Too late: all is written."""

    def resumeProducing(self) -> None:  # noqa: N802  # Twisted's name
        """Nothing is left."""

    def stopProducing(self) -> None:  # noqa: N802  # Twisted's name
        """Nothing is left."""


class _Received(Receiver):
    """The body of an answer: `whole`, or why not."""

    def __init__(self, abort: Callable[[], None]) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: abort())
        self._abort = abort
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  # Twisted's name
        """Take one piece."""
        self._data += data
        if len(self._data) > MAX_BODY and not self.whole.called:
            self._abort()
            self.whole.errback(_TooBig())

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802  # Twisted's name
        """The end, whole or not. An old server ends its body by closing: `PotentialDataLoss`."""
        if self.whole.called:
            return
        if isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self.whole.callback(bytes(self._data))
        else:
            self.whole.errback(reason)


def _headers(headers: Headers) -> dict[str, str]:
    """Each header by its name in lower case; one that came several times is joined (RFC 9110 §5.3)."""
    return {
        name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
        for name, values in headers.getAllRawHeaders()
    }


def _reasons(failure: Failure) -> Iterator[BaseException]:
    """The exception of a failure, and what Twisted wrapped in it."""
    value = cast("Any", failure).value
    yield value
    for reason in getattr(value, "reasons", ()):
        yield from _reasons(reason)


def _is_about_a_certificate(error: BaseException) -> bool:
    """Whether TLS failed because of the server's certificate: `OpenSSL.SSL.Error` has no class for it."""
    texts = [str(part) for part in error.args]
    return type(error).__name__ == "VerificationError" or "certificate verify failed" in "".join(texts)
