"""A transport over Twisted: one request in, a `Deferred` of one event out.

Rules of this file: as in `httpx_transport`; callbacks, and nothing that needs a coroutine; cancelling the
`Deferred` aborts the connection. It connects directly: no proxies. Https needs Twisted's extra `tls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import Protocol as Receiver
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has none

from codex_oauth.clock import Clock, now
from codex_oauth.transport.progress import Stage
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


class _TimeUp(Exception):  # not an error: the limit did its work
    """The time for the request is over."""


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
        exchange = _Exchange(self._reactor, effect)
        sent_at, _ = self._now()

        def answered(answer: tuple[int, dict[str, str], bytes]) -> Sent:
            at, wall = self._now()
            return ResponseReceived(sent_at, at, wall, *answer)

        def failed(failure: Failure) -> Sent:
            return RequestFailed(self._now()[0], *exchange.judge(failure))

        return exchange.start().addCallbacks(answered, failed)


class _Exchange:
    """One request and its answer."""

    def __init__(self, reactor: Reactor, effect: SendRequest) -> None:
        self._effect = effect
        self._reactor = reactor
        self._where = _Where(reactor, effect.request.url)

    def start(self) -> Deferred[tuple[int, dict[str, str], bytes]]:
        """Status, headers by their names in lower case, and body; or a failure that `judge` takes."""
        request = self._effect.request
        reactor = cast("Any", self._reactor)
        pool = _Pool(reactor, persistent=False)
        agent = _Agent.usingEndpointFactory(reactor, self._where, pool)
        headers = Headers()
        for name, value in request.headers:
            headers.addRawHeader(name, value)
        asked: Deferred[Any] = agent.request(
            request.method.encode("ascii"),
            request.url.encode("ascii"),
            headers,
            _Body(request.body.reveal()),
        )
        return asked.addCallback(self._read).addTimeout(self._effect.timeout, reactor, _late)

    def judge(self, failure: Failure) -> tuple[Phase, Cause]:
        """Phase and cause of a failed request."""
        self._where.abort()
        stage = self._where.stage
        phase, likely = _BY_STAGE[stage]
        if any(_is_about_a_certificate(error) for error in _reasons(failure)):
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
    (None, _TimeUp, Cause.TIMEOUT),
    (None, _TooBig, Cause.TOO_BIG),
    (Stage.CONNECTING, DNSLookupError, Cause.DNS),
    (Stage.CONNECTING, ValueError, Cause.DNS),  # a host that is no host name
)
"""What is more exact than the stage: at that stage (None: at any), an error of this kind."""


def _late(result: Any, seconds: float) -> Any:
    if isinstance(result, Failure):
        raise _TimeUp
    return result


def _is(failure: Failure, kind: type[BaseException]) -> bool:
    return isinstance(cast("Any", failure).value, kind)


@_implements(IAgentEndpointFactory)
class _Where:
    """Where a request goes. `stage` is how far it came: once connected, it may have been sent."""

    def __init__(self, reactor: Reactor, url: str) -> None:
        self.stage = Stage.CONNECTING
        self._reactor = cast("Any", reactor)
        self._creator = _tls_to(url)
        self._transport: Any = None

    def endpointForURI(self, uri: Any) -> _Where:  # noqa: N802  # Twisted's name
        """What `Agent` connects with."""
        self._host, self._port = uri.host.decode("ascii"), uri.port
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect, and remember what to abort."""
        endpoint: Any = HostnameEndpoint(self._reactor, self._host, self._port)
        if self._creator is not None:
            from twisted.internet.endpoints import wrapClientTLS

            endpoint = wrapClientTLS(self._creator, endpoint, self._reactor)
        connected: Deferred[Any] = endpoint.connect(factory)
        return connected.addCallback(self._connected)

    def abort(self) -> None:
        """Close the connection, if there is one, now."""
        if self._transport is not None:
            self._transport.abortConnection()

    def _connected(self, protocol: Any) -> Any:
        self.stage, self._transport = Stage.SENT, protocol.transport
        return protocol


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
