"""A world over niquests, on asyncio: `AnyioWorld` with a transport of `niquests.AsyncSession`.

Rules of this file: an adapter and a connection serve one request; HTTP/1.1 alone; what niquests would do by
itself is turned off, or left out with its session: OCSP, redirects, cookies, `.netrc`, proxies, headers.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import niquests
from niquests.adapters import AsyncHTTPAdapter
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError, NameResolutionError, ProtocolError, SSLError
from urllib3.util import SKIP_HEADER

from codex_oauth import (
    MAX_BODY,
    AnyioWorld,
    AsyncSendOutcome,
    CallbackSource,
    Cause,
    Clock,
    Deadline,
    Phase,
    Request,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    TimeUp,
    Wait,
    check_writable,
    now,
    request_target,
    unlogged,
    within,
)
from codex_oauth.testing import Tolerance

__all__ = ["NiquestsTransport", "NiquestsWorld"]

LOGGERS = tuple(
    f"urllib3.{name}" for name in ("_async.connection", "_async.connectionpool", "connection", "response")
)
"""What urllib3-future, which carries the requests, logs them by."""


class UnusableCertificates(Exception):
    """The file that SSL_CERT_FILE names is none of certificates."""


FAILURES = (
    OSError,
    HTTPError,
    TimeUp,
    niquests.RequestException,
    UnicodeError,
    UnusableCertificates,
    RecursionError,
)
"""The last: urllib3-future calls itself for each interim answer, of which there may be many."""


class NiquestsTransport:
    """Sends requests, each on a connection of its own. Knows no proxy."""

    def __init__(self, *, now: Clock = now) -> None:
        self._now = now

    async def __call__(self, effect: SendRequest) -> AsyncSendOutcome:
        """Send, as `AsyncTransport` says."""
        sent_at, _ = self._now()
        deadline = Deadline.of(effect, lambda: self._now()[0])
        exchange = Exchange(effect.request, deadline)
        try:
            with unlogged(*LOGGERS):
                status, headers, body = await within(deadline, exchange.run)
        except FAILURES as error:
            phase = Phase.MAYBE_SENT if deadline.begun else Phase.NOT_SENT
            return RequestFailed(self._now()[0], phase, exchange.judge(error))
        if len(body) > MAX_BODY:
            return RequestFailed(self._now()[0], Phase.MAYBE_SENT, Cause.TOO_BIG)
        return ResponseReceived(sent_at, *self._now(), status, headers, body)


class AsItIs(niquests.PreparedRequest):  # type: ignore[misc]
    """A request whose target is written as it is: niquests drops an empty query."""

    @property
    def path_url(self) -> str:
        """What stands in the request line."""
        return request_target(self.url)


class Exchange:
    """One request and its answer. Raises ValueError for what is no HTTP."""

    def __init__(self, request: Request, deadline: Deadline) -> None:
        self._request = request
        self._deadline = deadline
        self._answered = False
        check_writable(request)
        self._url = without_user(request.url)

    async def run(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        adapter = AsyncHTTPAdapter(
            disable_http2=True,
            disable_http3=True,
            revocation_configuration=None,  # else it asks other servers about the certificate
            max_retries=0,
            keepalive_delay=None,
        )
        try:
            answer = await adapter.send(
                self._prepared(),
                stream=True,
                timeout=None,
                verify=trusted(),
                on_post_connection=self._begin,
            )
            self._answered = True
            return answer.status_code or 0, joined(answer.raw.headers), await self._read(answer.raw)
        finally:
            await adapter.close()

    def _prepared(self) -> niquests.PreparedRequest:
        """The request as it is. A session would change it, and read where a redirect leads."""
        prepared = AsItIs()
        prepared.method = self._request.method
        prepared.url = self._url
        prepared.headers = HTTPHeaderDict(self._headers())
        prepared.body = self._request.body.reveal() or None
        return prepared

    def _headers(self) -> Iterable[tuple[str, str]]:
        given = {name.lower() for name, _ in self._request.plain_headers()}
        yield from self._request.plain_headers()
        yield "Content-Length", str(len(self._request.body.reveal()))
        yield "Connection", "close"
        for name in ("User-Agent", "Accept-Encoding"):
            if name.lower() not in given:
                yield name, SKIP_HEADER

    async def _begin(self, *_: object) -> None:
        """Right before the first byte: it is connected."""
        if self._deadline.begun:
            raise ProtocolError("a request is sent once")
        self._deadline.begin()

    async def _read(self, raw: Any) -> bytes:
        body = bytearray()
        while len(body) <= MAX_BODY and (piece := await raw.read(65536, decode_content=False)):
            body += piece
        return bytes(body)

    def judge(self, error: BaseException) -> Cause:
        """Why there is no answer."""
        if isinstance(error, TimeUp):
            return Cause.TIMEOUT
        if isinstance(error, UnusableCertificates):
            return Cause.MISCONFIGURED
        if self._deadline.begun:
            return Cause.TRUNCATED if self._answered else Cause.RESET
        causes = list(behind(error))
        if any(isinstance(each, NameResolutionError | UnicodeError) for each in causes):
            return Cause.DNS
        if any("CERTIFICATE_VERIFY_FAILED" in str(each) for each in causes):
            return Cause.TLS_CERTIFICATE
        if any(isinstance(each, SSLError | niquests.exceptions.SSLError) for each in causes):
            return Cause.TLS_EOF
        return Cause.CONNECT


def behind(error: Any) -> Iterable[BaseException]:
    """The error, and what it was made of."""
    seen: list[Any] = []
    left = [error]
    while left:
        each = left.pop()
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            left += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return seen


def trusted() -> str | bool:
    """Whose certificates: the system's, or those of a file that can be read."""
    path = os.environ.get("SSL_CERT_FILE")
    if not path:
        return True
    try:
        ssl.create_default_context(cafile=path)
    except OSError:  # an SSLError is one
        raise UnusableCertificates from None
    return path


def without_user(url: str) -> str:
    """The URL without user information, which would become a header."""
    netloc = urlsplit(url).netloc
    return url.replace(netloc, netloc.rpartition("@")[2], 1)


def joined(headers: Any) -> dict[str, str]:
    """Each by its name in lower case; one that came several times is joined."""
    found: dict[str, str] = {}
    for name, value in headers.iteritems():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


class NiquestsWorld(AnyioWorld):
    """`AnyioWorld` with `NiquestsTransport`, on asyncio; the parameters are theirs."""

    def __init__(
        self,
        *,
        on_wait: Callable[[Wait], Awaitable[None] | None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        super().__init__(NiquestsTransport(now=now), on_wait=on_wait, callbacks=callbacks, now=now)


make = NiquestsWorld
TOLERATED = Tolerance(target_form=True)
"""urllib3-future writes `%2e` as `%2E`, which means the same."""
AWAITS = True
