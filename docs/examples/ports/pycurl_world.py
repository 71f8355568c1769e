"""A world over libcurl: `SyncWorld` with a transport of pycurl's multi interface.

Rules of this file: one request, one handle, one connection; libcurl is turned by hand, in slices, so that the
time limit, a cancel and a clock of somebody else's count; what libcurl would do by itself is turned off.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import certifi
import pycurl

from codex_oauth import (
    LATE_READS,
    MAX_BODY,
    CallbackSource,
    Cancelled,
    Cause,
    Clock,
    Deadline,
    Phase,
    Request,
    RequestFailed,
    ResponseReceived,
    SendOutcome,
    SendRequest,
    StopRequested,
    SyncWorld,
    TimeUp,
    Wait,
    check_writable,
    never,
    now,
    request_target,
)

__all__ = ["PycurlTransport", "PycurlWorld"]

ACCEPTED: int = pycurl.PREREQFUNC_OK  # since libcurl 7.80
REFUSED: int = pycurl.PREREQFUNC_ABORT

NOT_SENT = {
    pycurl.E_COULDNT_RESOLVE_HOST: Cause.DNS,
    pycurl.E_URL_MALFORMAT: Cause.DNS,  # the rest of the URL was looked at before: a host that can be none
    pycurl.E_COULDNT_CONNECT: Cause.CONNECT,
    pycurl.E_PEER_FAILED_VERIFICATION: Cause.TLS_CERTIFICATE,
    pycurl.E_SSL_CERTPROBLEM: Cause.TLS_CERTIFICATE,
    pycurl.E_SSL_CACERT_BADFILE: Cause.MISCONFIGURED,
    pycurl.E_SSL_CONNECT_ERROR: Cause.TLS_EOF,
}


class PycurlTransport:
    """Sends requests, each on a connection of its own. Knows no proxy."""

    def __init__(self, *, now: Clock = now) -> None:
        self._now = now

    def __call__(self, effect: SendRequest, stopped: Callable[[], bool] = never) -> SendOutcome:
        """Send, as `Transport` says."""
        sent_at, _ = self._now()
        deadline = Deadline.of(effect, lambda: self._now()[0], stopped)
        transfer = Transfer(effect.request, deadline)
        try:
            failed = transfer.run()
        except StopRequested:
            return Cancelled(self._now()[0])
        except TimeUp:
            failed = Cause.TIMEOUT
        if failed is None:
            return ResponseReceived(
                sent_at, *self._now(), transfer.status, transfer.headers, bytes(transfer.body)
            )
        phase = Phase.MAYBE_SENT if deadline.begun else Phase.NOT_SENT
        return RequestFailed(self._now()[0], phase, failed)


class Transfer:
    """One request and its answer. Raises ValueError for what is no HTTP."""

    def __init__(self, request: Request, deadline: Deadline) -> None:
        self.status, self.headers, self.body = 0, dict[str, str](), bytearray()
        self._deadline = deadline
        self._late = False
        self._head_is_over = False
        self._handle = handle = pycurl.Curl()
        check_writable(request)
        body = request.body.reveal()
        for option, value in (
            (pycurl.URL, without_user(request.url).encode()),
            (
                pycurl.REQUEST_TARGET,
                request_target(request.url),
            ),  # libcurl would write `%2d` as `%2D`
            (pycurl.CUSTOMREQUEST, request.method),
            (pycurl.HTTPHEADER, header_lines(request)),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.PROXY, ""),  # none, whatever the environment says
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.FRESH_CONNECT, 1),
            (pycurl.FORBID_REUSE, 1),
            (pycurl.NOSIGNAL, 1),
            (pycurl.CONNECTTIMEOUT_MS, 24 * 3600 * 1000),  # ours is around all; libcurl's own is 300 s
            (pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where()),
            (pycurl.PREREQFUNCTION, self._begin),
            (pycurl.HEADERFUNCTION, self._head),
            (pycurl.WRITEFUNCTION, self._take),
        ):
            handle.setopt(option, value)
        if body or request.method not in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE"):
            handle.setopt(pycurl.POSTFIELDS, body)
        if request.method == "HEAD":
            handle.setopt(pycurl.NOBODY, 1)

    def run(self) -> Cause | None:
        """None when the answer is whole. Raises TimeUp and StopRequested."""
        with contextlib.closing(self._handle), contextlib.closing(pycurl.CurlMulti()) as multi:
            multi.add_handle(self._handle)
            try:
                number = self._turn(multi)
            finally:
                multi.remove_handle(self._handle)
            if self._late:
                raise TimeUp
            return self._judge(number)

    def _turn(self, multi: Any) -> int:
        """What became of it: the number that libcurl has for it."""
        late_reads = LATE_READS
        while True:
            while multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
                pass
            _, done, failed = multi.info_read()
            if done:
                return int(pycurl.E_OK)
            if failed:
                return int(failed[0][1])
            try:
                multi.select(self._deadline.slice())
            except TimeUp:
                late_reads -= 1
                if not (self._deadline.begun and late_reads and multi.select(0.001) > 0):
                    raise

    def _judge(self, number: int) -> Cause | None:
        if number == pycurl.E_OK:
            return None if self._head_is_over else Cause.RESET  # libcurl takes a head that breaks off
        if len(self.body) > MAX_BODY:
            return Cause.TOO_BIG
        if not self._deadline.begun:
            return NOT_SENT.get(number, Cause.CONNECT)
        return Cause.TRUNCATED if self._head_is_over else Cause.RESET

    def _begin(self, *_: object) -> Any:
        """Right before the first byte."""
        try:
            self._deadline.begin()
        except TimeUp:
            self._late = True
            return REFUSED
        return ACCEPTED

    def _head(self, line: bytes) -> None:
        """A line of a head; also of an interim one, and of the trailers."""
        text = line.decode("latin-1").rstrip("\r\n")
        if text.startswith("HTTP/") and not (self._head_is_over and self.status >= 200):
            self.status, self.headers, self._head_is_over = int(text.split()[1]), {}, False
        elif not text:
            self._head_is_over = self.status >= 200
        elif not self._head_is_over and ":" in text:
            name, _, value = text.partition(":")
            name, value = name.strip().lower(), value.strip()
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    def _take(self, piece: bytes) -> int | None:
        self.body += piece
        return None if len(self.body) <= MAX_BODY else 0


def without_user(url: str) -> str:
    """The URL without user information, which would become a header."""
    netloc = urlsplit(url).netloc
    return url.replace(netloc, netloc.rpartition("@")[2], 1)


def header_lines(request: Request) -> list[bytes]:
    """Ours, and what libcurl must not add."""
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in request.plain_headers()]
    given = {name.lower() for name, _ in request.plain_headers()}
    unwanted = ("Accept", "Content-Type", "Expect", "User-Agent")
    lines += [f"{name}:" for name in unwanted if name.lower() not in given]
    return [line.encode("latin-1") for line in (*lines, "Connection: close")]


class PycurlWorld(SyncWorld):
    """`SyncWorld` with `PycurlTransport`; the parameters are theirs."""

    def __init__(
        self,
        *,
        on_wait: Callable[[Wait], None] | None = None,
        callbacks: Iterable[CallbackSource] = (),
        now: Clock = now,
    ) -> None:
        super().__init__(PycurlTransport(now=now), on_wait=on_wait, callbacks=callbacks, now=now)


make = PycurlWorld
