"""Checks of a world: a request is sent once, whatever becomes of it, by whatever method, and to one address.

Rules of this file: a table of what a server does that makes libraries send again; the server counts.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import (
    Act,
    LoopbackRequest,
    LoopbackServer,
    answer,
    chunked,
    closing,
    in_turn,
    reset,
    resetting,
    silent,
)
from codex_oauth.testing.performing import BODY, HEADERS, CheckedClock, MakeAsyncWorld
from codex_oauth.testing.places import known_as
from codex_oauth.testing.tolerance import tolerated
from codex_oauth.testing.world_request_checks import ways
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.events import Event, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.reading.json_body import MAX_BODY
from codex_oauth_core.secret import Secret

__all__ = ["RESEND_CHECKS"]

_HALF: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nhalf"
_METHODS: Final = ("GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "PATCH")
_SHORT: Final = 0.08

_LOST: Final[Mapping[str, Act]] = {
    "is reset": resetting,
    "ends without an answer": closing(b""),
    "ends in the answer's head": closing(_HALF[:30]),
    "ends in the answer's body": closing(_HALF),
    "ends in a chunk": closing(chunked(b"half", end=False)),
    "brings what is no HTTP": closing(b"220 mail.example ESMTP\r\n"),
    "brings an interim answer and ends": closing(b"HTTP/1.1 100 Continue\r\n\r\n"),
}
"""What becomes of a connection. The answer to HEAD has no body to end in."""

_TOO_BIG: Final[Mapping[str, Act]] = {
    "brings too large a body": in_turn(answer(200, b"x" * (MAX_BODY + 1))),
    "brings too large a body in chunks": in_turn(chunked(b"x" * (MAX_BODY + 1))),
}


def _asks(status: int, **headers: str) -> Act:
    return in_turn(answer(status, b"", {name.replace("_", "-"): value for name, value in headers.items()}))


_ASKED_AGAIN: Final[Mapping[str, Act]] = {
    "408": _asks(408),
    "408 on a connection that it closes": _asks(408, Connection="close"),
    "425": _asks(425),
    "421": _asks(421),
    "417": _asks(417),
    "413 with Retry-After": _asks(413, Retry_After="0"),
    "429 with Retry-After": _asks(429, Retry_After="0"),
    "429": _asks(429),
    "449": in_turn(b"HTTP/1.1 449 Retry With\r\nContent-Length: 0\r\n\r\n"),
    "500": _asks(500),
    "502": _asks(502),
    "503 with Retry-After": _asks(503, Retry_After="0"),
    "503": _asks(503),
    "504": _asks(504),
    "401 with a challenge for a name and password": _asks(401, WWW_Authenticate='Basic realm="a"'),
    "401 with a digest challenge": _asks(401, WWW_Authenticate='Digest realm="a", nonce="b", qop="auth"'),
    "401 with a challenge for a token": _asks(401, WWW_Authenticate='Bearer error="invalid_token"'),
    "401 with a negotiation": _asks(401, WWW_Authenticate="Negotiate"),
    "407 from the server itself": _asks(407, Proxy_Authenticate='Basic realm="a"'),
    "400 with a nonce for DPoP": _asks(400, DPoP_Nonce="a"),
    "301 to itself": _asks(301, Location="/here"),
    "307 to itself": _asks(307, Location="/here"),
    "308 to itself": _asks(308, Location="/here"),
    "426": _asks(426, Upgrade="TLS/1.2"),
    "511": _asks(511),
    "101": closing(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
    "304": _asks(304),
    "200 that says it closes": _asks(200, Connection="close"),
}
"""What a server answers."""


async def nothing_that_was_lost_is_sent_again(make: MakeAsyncWorld) -> None:
    for name, act in _LOST.items():
        for method in _METHODS:
            with case(f"a connection that {name}, after {method}"):
                await _sent_once(
                    make, act, method, failing=not ((method == "HEAD" and "body" in name) or "chunk" in name)
                )
    for name, act in _TOO_BIG.items():
        for method in ("GET", "POST"):
            with case(f"a connection that {name}, after {method}"):
                await _sent_once(make, act, method, failing=True)


async def nothing_that_had_no_time_is_sent_again(make: MakeAsyncWorld) -> None:
    def half(sock: socket.socket, request: LoopbackRequest) -> None:
        sock.sendall(_HALF)
        silent(sock, request)

    for name, act, methods in (
        ("a silent server", silent, ("GET", "POST", "PUT")),
        ("one that falls silent", half, ("POST",)),
    ):
        for method in methods:
            body = b"" if method == "GET" else BODY
            for once in (False, True):
                with case(f"{name}, after {method}{', once' if once else ''}"), LoopbackServer(act) as server:
                    async with make(now=CheckedClock()) as world:
                        request = Request(method, f"{server.url}/here", HEADERS[:3], Secret(body))
                        event = await world.perform(SendRequest(request, _SHORT, once))
                    same(len(server.received), 1, "the number of requests that came for one")
                    _failed(event)


async def no_answer_makes_it_send_again(make: MakeAsyncWorld) -> None:
    for name, act in _ASKED_AGAIN.items():
        for method in ("POST", "GET") if name[:3] != "401" else ("POST", "GET", "PUT"):
            with case(f"the answer {name}, to {method}"):
                await _sent_once(make, act, method, failing=False)


async def no_other_address_is_tried_after_it_was_sent(make: MakeAsyncWorld) -> None:
    """A name has several addresses: when it was sent to one of them, it is sent to no other."""
    for name in ("is reset", "ends without an answer", "ends in the answer's body"):
        with ExitStack() as open_while:
            servers = _at_several_addresses(_LOST[name], open_while)
            host = open_while.enter_context(known_as(lambda _: ["127.0.0.1", "127.0.0.2"]))
            for method, body in (("POST", BODY), ("GET", b"")):
                for once in (False, True):
                    with case(f"a connection that {name}, after {method}{', once' if once else ''}"):
                        before = sum(len(server.received) for server in servers)
                        url = f"http://{host}:{servers[0].port}/here"
                        async with make(now=CheckedClock()) as world:
                            request = Request(method, url, HEADERS[:3], Secret(body))
                            event = await world.perform(SendRequest(request, 5.0, once))
                        came = sum(len(server.received) for server in servers) - before
                        true(came < 2, f"one request came {came} times, at several addresses")
                        _failed(event, Phase.MAYBE_SENT if came else Phase.NOT_SENT)


async def nothing_is_sent_again_on_another_connection(make: MakeAsyncWorld) -> None:
    """A connection that was kept dies under the next request, which is not sent on a new one."""

    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        first = request.connection not in seen
        seen.add(request.connection)
        if first:
            sock.sendall(answer(200, b"ok"))
        else:
            reset(sock)

    seen: set[int] = set()
    for method, body in (("GET", b""), ("POST", BODY), ("PUT", BODY), ("HEAD", b"")):
        if method in tolerated().methods:
            continue
        with case(method), LoopbackServer(act) as server:
            seen.clear()
            async with make(now=CheckedClock()) as world:
                for sent in range(1, 4):
                    request = Request(method, f"{server.url}/here", HEADERS[:3], Secret(body))
                    await world.perform(SendRequest(request, 5.0))
                    same(len(server.received), sent, "the number of requests that came for so many")


async def what_is_lost_in_an_upload_may_have_been_sent(make: MakeAsyncWorld) -> None:
    def resets(sock: socket.socket, request: LoopbackRequest) -> None:
        if data := sock.recv(2000):
            came.append(data)
        reset(sock)

    def ends(sock: socket.socket, request: LoopbackRequest) -> None:
        if data := sock.recv(2000):
            came.append(data)
        sock.shutdown(socket.SHUT_RDWR)

    for name, act in {"is reset": resets, "ends": ends}.items():
        for method in ("POST", "PUT"):
            for once in (False, True):
                came: list[bytes] = []
                with case(f"an upload that {name}, {method}"), LoopbackServer(act, raw=True) as server:
                    async with make(now=CheckedClock()) as world:
                        request = Request(method, f"{server.url}/here", HEADERS[:3], Secret(BODY * 3600))
                        event = await world.perform(SendRequest(request, 5.0, once))
                    same(len(came), 1, "the number of requests that came for one")
                    _failed(event)


def _at_several_addresses(act: Act, open_while: ExitStack) -> list[LoopbackServer]:
    """A server at each of two addresses, at one port; at one only, where this machine has no other."""
    first = open_while.enter_context(LoopbackServer(act))
    try:
        return [first, open_while.enter_context(LoopbackServer(act, host="127.0.0.2", port=first.port))]
    except OSError:
        return [first]


async def _sent_once(make: MakeAsyncWorld, act: Act, method: str, *, failing: bool) -> None:
    if method in tolerated().methods:
        return
    clock = CheckedClock()
    body = BODY if method in ("POST", "PUT", "PATCH") else b""
    with LoopbackServer(act) as server:
        request = Request(method, f"{server.url}/here", HEADERS[:3], Secret(body))
        async with make(now=clock) as world:
            for effect in ways(request, clock.instant()):
                before = len(server.received)
                event = await world.perform(effect)
                came = len(server.received) - before
                same(
                    came,
                    1,
                    f"the number of requests that came for one{', which was `once`' if effect.once else ''}",
                )
                if failing:
                    _failed(event)
                elif not isinstance(event, ResponseReceived | RequestFailed):
                    fail(f"the event is {type(event).__name__}")


def _failed(event: Event, phase: Phase = Phase.MAYBE_SENT) -> None:
    if not isinstance(event, RequestFailed):
        fail(f"no whole answer was sent, and the event is {type(event).__name__}")
    same(event.phase, phase, "the phase")


RESEND_CHECKS: Final = (
    nothing_that_was_lost_is_sent_again,
    nothing_that_had_no_time_is_sent_again,
    no_answer_makes_it_send_again,
    no_other_address_is_tried_after_it_was_sent,
    nothing_is_sent_again_on_another_connection,
    what_is_lost_in_an_upload_may_have_been_sent,
)
