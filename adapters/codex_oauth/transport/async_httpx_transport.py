"""The transport over httpx for asyncio and trio: one request in, one event out.

Rules of this file: as in `httpx_transport`; and the time limit is a cancel scope around all of it, DNS and
TLS included: on the event loop's clock for a request that may be repeated, else as `async_limit` says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import anyio
import httpx

from codex_oauth.clock import Clock, now
from codex_oauth.event_loops import shielded
from codex_oauth.transport.async_limit import within
from codex_oauth.transport.async_network import AsyncBoundedTransport
from codex_oauth.transport.deadline import Deadline
from codex_oauth.transport.failures import FAILURES, request_failed
from codex_oauth.transport.httpx_messages import NO_AUTH, headers_of, to_httpx
from codex_oauth.transport.progress import Progress, Stage
from codex_oauth.transport.protocol import AsyncSendOutcome
from codex_oauth.transport.unlogged import unlogged
from codex_oauth.transport.writable import check_writable
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.events import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = ["AsyncHttpxTransport"]


class AsyncHttpxTransport:
    """Sends requests, by default with our TLS and proxies. A `once` request has a connection of its own;
    other requests use connections that may be used again. `aclose()` closes those. It sends any number of
    requests at a time.

    `client`: your own `httpx.AsyncClient`, which then sends the requests. It decides about TLS, proxies and
    the reuse of connections, and stays open. (httpcore 1.0 forgets a socket if its TLS handshake is
    cancelled; our own network does not.)
    """

    def __init__(self, client: httpx.AsyncClient | None = None, *, now: Clock = now) -> None:
        self._client = client
        self._now = now
        self._shared = AsyncBoundedTransport()

    async def __call__(self, effect: SendRequest) -> AsyncSendOutcome:
        """Send the request, as `AsyncTransport` says."""
        check_writable(effect.request)
        deadline = Deadline.of(effect, self._instant)
        progress = Progress(deadline.begin)
        try:
            deadline.slice()
            with unlogged():
                if effect.once or effect.write_by is not None:
                    return await within(deadline, lambda: self._send(effect, progress))
                with anyio.move_on_after(effect.timeout):
                    return await self._send(effect, progress)
            return self._failed(TimeoutError(), progress)
        except FAILURES as error:
            return self._failed(error, progress)
        except BaseException as error:  # noqa: BLE001  # raised again
            raise error.with_traceback(None) from None  # its frames hold the bodies, as bytes

    async def aclose(self) -> None:
        """Close the connections that are kept open. Your own client stays open."""
        if self._client is None:  # else there are none
            with unlogged():
                await shielded(self._shared.aclose)

    def _failed(self, error: Exception, progress: Progress) -> RequestFailed:
        return request_failed(error, progress, self._instant())

    async def _send(self, effect: SendRequest, progress: Progress) -> AsyncSendOutcome:
        request = to_httpx(effect, _trace(progress), new_connection=effect.once)
        request.stream = _Whole(request.content)
        sent_at = self._instant()
        if self._client is not None:
            response = await self._client.send(request, stream=True, auth=NO_AUTH, follow_redirects=False)
            return await self._received(response, progress, sent_at)
        if not effect.once:
            return await self._received(await self._shared.carry(request, progress), progress, sent_at)
        transport = AsyncBoundedTransport()
        try:
            return await self._received(await transport.carry(request, progress), progress, sent_at)
        finally:
            await transport.aclose()

    async def _received(
        self, response: httpx.Response, progress: Progress, sent_at: float
    ) -> AsyncSendOutcome:
        """Read the answer, and close it. Without a client of the user's nothing else looks at it."""
        progress.stage = Stage.ANSWERED
        try:
            body = await _read(response)
            at, wall = self._now()
        finally:
            await _close(response)
        if body is None:
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.TOO_BIG)
        return ResponseReceived(sent_at, at, wall, response.status_code, headers_of(response), body)

    def _instant(self) -> float:
        return self._now()[0]


class _Whole(httpx.AsyncByteStream):
    """A request's body. No generator: one that is left in its middle is a warning of trio's."""

    def __init__(self, body: bytes) -> None:
        self._pieces = [body]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


def _trace(progress: Progress) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    async def trace(name: str, info: Mapping[str, Any]) -> None:
        progress(name, info)

    return trace


async def _close(response: httpx.Response) -> None:
    if not response.is_closed:
        with anyio.CancelScope(shield=True):
            await response.aclose()


async def _read(response: httpx.Response) -> bytes | None:
    """The body as it came, undecoded; None if it is larger than a body may be."""
    if response.is_stream_consumed:  # a mock's answer is read before we get it
        return response.content if len(response.content) <= MAX_BODY else None
    body = bytearray()
    with anyio.CancelScope() as enough:
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > MAX_BODY:
                enough.cancel()  # raised by the next read, in generators that would be left in their middle
    return None if enough.cancel_called else bytes(body)
