"""The transport over httpx: one request in, one event out.

Rules of this file: the request goes out as the core wrote it (with Host, Content-Length and
Connection); nothing is followed, decoded, remembered or retried; the body is revealed here and nowhere
else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import httpx

from codex_oauth.clock import Clock, now
from codex_oauth.transport.deadline import NETWORK_SLICE, Deadline, StopRequested, TimeUp
from codex_oauth.transport.failures import FAILURES, request_failed
from codex_oauth.transport.httpx_messages import NO_AUTH, headers_of, to_httpx
from codex_oauth.transport.network import BoundedTransport
from codex_oauth.transport.progress import Progress, Stage
from codex_oauth.transport.protocol import SendOutcome, never
from codex_oauth.transport.unlogged import unlogged
from codex_oauth.transport.writable import check_writable
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.events import Cancelled, Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY

__all__ = ["HttpxTransport"]


class HttpxTransport:
    """Sends requests, each on a connection of its own, by default with our TLS, proxies and limits.

    `client`: your own `httpx.Client`, which then sends the requests. It decides about TLS, proxies and the
    reuse of connections, and stays open. The limits are then those of httpx: each read may take
    `effect.timeout` seconds, and the total is checked between two pieces of the body. `write_by` is checked
    right before the request if the client's transport supports tracing, as httpx's own does; otherwise before
    it connects.
    """

    def __init__(self, client: httpx.Client | None = None, *, now: Clock = now) -> None:
        self._client = client
        self._now = now

    def __call__(self, effect: SendRequest, stopped: Callable[[], bool] = never) -> SendOutcome:
        """Send the request, as `Transport` says."""
        check_writable(effect.request)
        deadline = Deadline.of(effect, self._instant, stopped)
        progress = Progress(deadline.begin)
        try:
            with unlogged():
                return self._send(effect, deadline, progress)
        except StopRequested:
            return Cancelled(self._instant())
        except FAILURES as error:
            return request_failed(error, progress, self._instant())
        except BaseException as error:  # noqa: BLE001  # raised again
            raise error.with_traceback(None) from None  # its frames hold the bodies, as bytes

    def _send(self, effect: SendRequest, deadline: Deadline, progress: Progress) -> SendOutcome:
        request = to_httpx(effect, progress, _timeouts(effect, deadline), new_connection=True)
        deadline.slice()
        sent_at = self._instant()
        if self._client is not None:
            response = self._client.send(request, stream=True, auth=NO_AUTH, follow_redirects=False)
            return self._received(response, _Pieces(deadline), progress, sent_at)
        with contextlib.closing(BoundedTransport(deadline, progress)) as transport:
            return self._received(transport.handle_request(request), None, progress, sent_at)

    def _received(
        self, response: httpx.Response, pieces: _Pieces | None, progress: Progress, sent_at: float
    ) -> SendOutcome:
        """Read the answer, and close it. Without a client of the user's nothing else looks at it: an
        `httpx.Client` reads Location and Set-Cookie also where they are not followed or kept.
        """
        progress.stage = Stage.ANSWERED
        with contextlib.closing(response):
            body = _read(response, pieces)
        at, wall = self._now()
        if body is None:
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.TOO_BIG)
        return ResponseReceived(sent_at, at, wall, response.status_code, headers_of(response), body)

    def _instant(self) -> float:
        return self._now()[0]


def _timeouts(effect: SendRequest, deadline: Deadline) -> dict[str, float]:
    """What httpx limits each step of a client of the user's by."""
    left, each = deadline.left(), effect.timeout
    return {"connect": left, "pool": left, "read": each, "write": each}


class _Pieces:
    """The limit on the pieces of a body that a client of the user's reads."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._late_since: float | None = None

    def one_more(self) -> None:
        """Before one more is waited for. Raises as `Deadline.slice`, but not while what arrived is read."""
        try:
            self._deadline.slice()
        except TimeUp:
            left = self._deadline.left()
            if self._late_since is None:
                self._late_since = left
            if self._late_since - left > NETWORK_SLICE:
                raise


def _read(response: httpx.Response, pieces: _Pieces | None) -> bytes | None:
    """The body as it came, undecoded; None if it is larger than a body may be."""
    if response.is_stream_consumed:  # a mock's answer is read before we get it
        return response.content if len(response.content) <= MAX_BODY else None
    body = bytearray()
    for piece in response.iter_raw():
        if pieces is not None:
            pieces.one_more()
        body += piece
        if len(body) > MAX_BODY:
            return None
    return bytes(body)
