"""Checks of a world: what a request is when it arrives, and what an answer is when it is an event.

Rules of this file: the simplest of their kind, with which a new world is built; each kind has a table of
its own in another file.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

from codex_oauth.testing.checking import same, true
from codex_oauth.testing.loopback import OK_ANSWER, LoopbackServer, answer, chunked, closing, in_turn
from codex_oauth.testing.performing import (
    BODY,
    HEADERS,
    CheckedClock,
    MakeAsyncWorld,
    answered,
    event_of,
    failed,
    post,
    response,
)
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.events import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY
from codex_oauth_core.secret import Secret

__all__ = ["ANSWER_CHECKS"]


_STATUSES: Final = (200, 201, 204, 400, 401, 403, 404, 405, 409, 422, 429, 500, 502, 503, 504)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_NOT_OURS: Final = ("Authorization", "Proxy-Authorization", "Cookie", "Referer")
_NOWHERE: Final = "http://127.0.0.1:9"
_OTHERS: Final = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


async def a_request_goes_out_as_it_is(make: MakeAsyncWorld) -> None:
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        async with make(now=CheckedClock()) as world:
            await world.perform(post(f"{server.url}/path?q=%2F+1"))
    same(len(server.received), 1, "the number of requests that came")
    found = server.received[0]
    same((found.method, found.target), ("POST", "/path?q=%2F+1"), "the method and the target")
    same(found.body == BODY, True, "whether the body came as it is")
    for name, value in HEADERS:
        same(found.header(name), (value,), f"the values of the header {name}")
    same(found.header("Host"), (f"127.0.0.1:{server.port}",), "the values of the header Host")


async def a_header_that_is_secret_is_sent(make: MakeAsyncWorld) -> None:
    with LoopbackServer(in_turn(OK_ANSWER, OK_ANSWER)) as server:
        async with make(now=CheckedClock()) as world:
            for secret in ("Basic one", "Basic two"):
                more = ("Authorization", Secret(secret))
                request = Request("POST", server.url, (*HEADERS, more), Secret(BODY))
                await world.perform(SendRequest(request, 3.0))
    found = [received.header("Authorization") for received in server.received]
    same(found == [("Basic one",), ("Basic two",)], True, "whether secret headers came as they are")


async def a_request_without_a_body_has_none(make: MakeAsyncWorld) -> None:
    with LoopbackServer(in_turn(OK_ANSWER)) as server:
        async with make(now=CheckedClock()) as world:
            request = Request("GET", f"{server.url}/get", HEADERS[:3], Secret(b""))
            response(await world.perform(SendRequest(request, 3.0)))
    found = server.received[0]
    same((found.method, found.target), ("GET", "/get"), "the method and the target")
    same(found.header("Transfer-Encoding"), (), "the transfer encoding of a request without a body")
    same(found.header("Content-Type"), (), "the content type of a request without a body")


async def the_environment_adds_nothing(make: MakeAsyncWorld) -> None:
    with _tempting_environment(), LoopbackServer(in_turn(OK_ANSWER)) as server:
        async with make(now=CheckedClock()) as world:
            event = await world.perform(post(server.url))
    true(isinstance(event, ResponseReceived), f"a loopback server is reached without a proxy, not {event!r}")
    for name in _NOT_OURS:
        same(server.received[0].header(name), (), f"the values of the header {name}, which nobody asked for")


async def every_status_is_an_answer(make: MakeAsyncWorld) -> None:
    for status in _STATUSES:
        found = await answered(make, in_turn(answer(status, b"" if status == 204 else b"{}")))
        same(found.status, status, "the status of the answer")


async def a_redirect_is_not_followed(make: MakeAsyncWorld) -> None:
    for status in _REDIRECTS:
        with LoopbackServer(in_turn(OK_ANSWER)) as other:
            found = await answered(make, in_turn(answer(status, b"", {"Location": f"{other.url}/"})))
        same(found.status, status, "the status of a redirect")
        same(other.connections, 0, "the number of connections to where a redirect leads")


async def no_cookie_is_kept(make: MakeAsyncWorld) -> None:
    with LoopbackServer(in_turn(answer(200, b"", {"Set-Cookie": "sid=1; Path=/"}))) as server:
        async with make(now=CheckedClock()) as world:
            for _ in range(2):
                response(await world.perform(post(server.url)))
    same(server.received[1].header("Cookie"), (), "the cookies of the second request")


async def headers_are_delivered(make: MakeAsyncWorld) -> None:
    sent = {"Retry-After": "7", "Date": "Tue, 15 Nov 1994 08:12:31 GMT", "X-Custom": "a, b", "x-EmPty": ""}
    found = await answered(make, in_turn(answer(429, b"", sent)))
    delivered = {name.lower(): value for name, value in found.headers.items()}
    for name, value in sent.items():
        same(delivered.get(name.lower()), value, f"the header {name} of an answer")


async def odd_headers_are_no_exception(make: MakeAsyncWorld) -> None:
    odd = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Odd: \xff\xfe\x80\r\nX-Odd: again\r\nx-odd: \r\n\r\n"
    event = await event_of(make, in_turn(odd))
    true(isinstance(event, ResponseReceived | RequestFailed), f"the event of odd headers is {event!r}")


async def a_body_is_delivered_byte_for_byte(make: MakeAsyncWorld) -> None:
    for body in (b"", b"{}", BODY * 3, b"\r\n\r\n\0" * 2000):
        for sent in (answer(200, body), chunked(body)):
            found = await answered(make, in_turn(sent))
            same(found.body.reveal() == body, True, f"whether a body of {len(body)} bytes came as it is")
    found = await answered(make, closing(b"HTTP/1.1 200 OK\r\n\r\n" + BODY))
    same(found.body.reveal() == BODY, True, "whether a body came as it is that ends with its connection")


async def a_body_is_not_decoded(make: MakeAsyncWorld) -> None:
    packed = gzip.compress(b"x" * 4 * MAX_BODY)
    found = await answered(make, in_turn(answer(200, packed, {"Content-Encoding": "gzip"})))
    same(found.body.reveal() == packed, True, "whether a compressed body came as it is")


async def a_body_of_the_largest_size_is_delivered(make: MakeAsyncWorld) -> None:
    found = await answered(make, in_turn(answer(200, b"x" * MAX_BODY)))
    same(len(found.body.reveal()), MAX_BODY, "the size of the largest body")


async def a_larger_body_is_too_big(make: MakeAsyncWorld) -> None:
    body = b"x" * (MAX_BODY + 1)
    for sent in (answer(200, body), chunked(body)):
        failed(await event_of(make, in_turn(sent)), Phase.MAYBE_SENT, Cause.TOO_BIG)


@contextlib.contextmanager
def _tempting_environment() -> Generator[None]:
    """A proxy that does not exist, and credentials for every host."""
    with tempfile.TemporaryDirectory() as folder:
        netrc = Path(folder, "netrc")
        netrc.write_text("machine 127.0.0.1 login me password fake\ndefault login me password fake\n")
        netrc.chmod(0o600)
        with _environment({"NETRC": str(netrc), **dict.fromkeys(_OTHERS, _NOWHERE)}):
            yield


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in (*values, "no_proxy", "NO_PROXY")}
    for name in ("no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in before:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if value is not None})


ANSWER_CHECKS: Final = (
    a_request_goes_out_as_it_is,
    a_header_that_is_secret_is_sent,
    a_request_without_a_body_has_none,
    the_environment_adds_nothing,
    every_status_is_an_answer,
    a_redirect_is_not_followed,
    no_cookie_is_kept,
    headers_are_delivered,
    odd_headers_are_no_exception,
    a_body_is_delivered_byte_for_byte,
    a_body_is_not_decoded,
    a_body_of_the_largest_size_is_delivered,
    a_larger_body_is_too_big,
)
