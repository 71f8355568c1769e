"""Checks of a world: names, proxies and TLS: what is not sent is said to be, and goes nowhere else.

Rules of this file: tables of what a route meets; no network but loopback, so a proxy is one of ours, and
what is behind it does not exist.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Final

from codex_oauth.testing.checking import case, fail, same, true
from codex_oauth.testing.loopback import (
    OK_ANSWER,
    Act,
    LoopbackRequest,
    LoopbackServer,
    answer,
    closing,
    in_turn,
    reset,
    resetting,
    silent,
    until_left,
)
from codex_oauth.testing.performing import BODY, HEADERS, CheckedClock, MakeAsyncWorld
from codex_oauth.testing.places import known_as
from codex_oauth.testing.surroundings import environment, proxies, trusting
from codex_oauth.testing.tolerance import tolerated
from codex_oauth.testing.untrusted import Certificate, untrusted_context
from codex_oauth.testing.world_request_checks import ways
from codex_oauth.worlds.world import AsyncWorld
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.events import Cause, Event, Phase, RequestFailed
from codex_oauth_core.secret import Secret

__all__ = ["ROUTE_CHECKS", "ROUTE_OVER_TLS"]

_LONG_LABEL: Final = "x" * 64
_PATIENT: Final = 4.0
_NAMES: Final = {
    "a name with a label of 64 letters": f"{_LONG_LABEL}.invalid",
    "a label of 64 letters alone": _LONG_LABEL,
    "a name with an empty label": "a..invalid",
    "a name of 260 letters": ".".join(["x" * 50] * 5) + ".invalid",
}
_TELLTALE: Final = b"telltale"


def _schemes() -> tuple[str, ...]:
    return ("http", "https") if tolerated().tls else ("http",)


async def a_name_that_is_not_found_was_not_sent(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    may_be = (Cause.DNS, Cause.CONNECT) if tolerated().unknown_names else (Cause.DNS,)
    with known_as(lambda _: []) as nobody:
        async with make(now=clock) as world:
            for name, host in {"a name that nobody has": nobody, **_NAMES}.items():
                for scheme in _schemes() if host is nobody else ("http",):
                    request = Request("POST", f"{scheme}://{host}/", HEADERS, Secret(BODY))
                    for effect in ways(request, clock.instant(), _PATIENT):
                        with case(f"{name}, {scheme}{', once' if effect.once else ''}"):
                            begun = time.monotonic()
                            event = await world.perform(effect)
                            slow = time.monotonic() - begun > _PATIENT / 2  # the resolver of this machine
                            _not_sent(event, *may_be, *([Cause.TIMEOUT] if slow else []))


async def what_is_not_reached_was_not_sent(make: MakeAsyncWorld) -> None:
    """Refused at every address, by every way to send."""
    clock = CheckedClock()
    with socket.socket() as taken, known_as(lambda _: ["127.0.0.1", "127.0.0.2"]) as name:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with make(now=clock) as world:
            for host in ("127.0.0.1", "localhost", name):
                for method, body in (("POST", BODY), ("GET", b"")):
                    request = Request(method, f"http://{host}:{port}/", HEADERS[:3], Secret(body))
                    asks_elsewhere = (Cause.DNS, Cause.TIMEOUT) if host is name else ()
                    for effect in ways(request, clock.instant(), 1.0 if host is name else 5.0):
                        with case(f"{method} to a port of {host} that refuses"):
                            _not_sent(await world.perform(effect), Cause.CONNECT, *asks_elsewhere)


# -- TLS -----------------------------------------------------------------------------------------------


def _alert(sock: socket.socket, request: LoopbackRequest) -> None:
    """A fatal alert of TLS 1.2, handshake_failure (RFC 5246 §7.2)."""
    sock.recv(65536)
    sock.sendall(bytes.fromhex("15030300020228"))
    until_left(sock)


def _raw(sent: bytes) -> Act:
    def act(sock: socket.socket, request: LoopbackRequest) -> None:
        sock.recv(65536)
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        until_left(sock)

    return act


def _reset_after_hello(sock: socket.socket, request: LoopbackRequest) -> None:
    sock.recv(65536)
    reset(sock)


_HANDSHAKES: Final[Mapping[str, Act]] = {
    "is reset": _reset_after_hello,
    "is reset at once": lambda sock, _: reset(sock),
    "ends": _raw(b""),
    "is answered in plain HTTP": _raw(answer(400, b"plain")),
    "is refused by an alert": _alert,
    "ends in its middle": _raw(bytes.fromhex("160303007a0200")),
    "is answered with anything": _raw(b"\0\xff" * 200),
}
_OF_HANDSHAKES: Final = (Cause.TLS_EOF, Cause.CONNECT)


async def nothing_was_sent_where_a_handshake_fails(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    async with make(now=clock) as world:
        for name, act in _HANDSHAKES.items():
            came: list[bytes] = []
            with LoopbackServer(_noting(came, act), raw=True) as server:
                request = _told(server.url.replace("http:", "https:"))
                for effect in ways(request, clock.instant()):
                    with case(f"a handshake that {name}{', once' if effect.once else ''}"):
                        _not_sent(await world.perform(effect), *_OF_HANDSHAKES)
            with case(f"a handshake that {name}"):
                _nothing_in_plain(came)


async def no_certificate_is_taken_for_another(make: MakeAsyncWorld) -> None:
    """Of another host, or expired, though who signed it is trusted; or of nobody who is."""
    rows = {
        "for another name": Certificate("other.invalid"),
        "for another address": Certificate("127.0.0.9"),
        "that has expired": Certificate(expired=True),
    }
    for name, certificate in rows.items():
        with (
            case(f"a certificate {name}"),
            trusting(certificate.pem),
            LoopbackServer(in_turn(OK_ANSWER), certificate.context()) as server,
        ):
            await _is_not_trusted(make, server)
    with (
        case("a certificate that nobody trusts"),
        environment({"PYTHONHTTPSVERIFY": "0"}),
        LoopbackServer(in_turn(OK_ANSWER), untrusted_context()) as server,
    ):
        await _is_not_trusted(make, server)


async def _is_not_trusted(make: MakeAsyncWorld, server: LoopbackServer) -> None:
    clock = CheckedClock()
    async with make(now=clock) as world:
        for effect in ways(_told(server.url), clock.instant()):
            event = await world.perform(effect)
            same(len(server.received), 0, "the number of requests that came")
            _not_sent(event, Cause.TLS_CERTIFICATE)


def _told(url: str) -> Request:
    """A request that is recognised wherever it comes."""
    headers = (*HEADERS, ("X-Token", _TELLTALE.decode()))
    return Request("POST", f"{url}/{_TELLTALE.decode()}", headers, Secret(_TELLTALE + BODY))


def _noting(came: list[bytes], act: Act) -> Act:
    """`act`, of a raw server; `came` gets what comes first on each connection."""

    def noted(sock: socket.socket, request: LoopbackRequest) -> None:
        came.append(sock.recv(65536, socket.MSG_PEEK))
        act(sock, request)

    return noted


def _nothing_in_plain(came: list[bytes]) -> None:
    for first in came:
        true(_TELLTALE not in first and not first.startswith(b"POST"), "a request went out without TLS")


# -- proxies -------------------------------------------------------------------------------------------


_OF_PROXIES: Final = (Cause.PROXY, Cause.DNS, Cause.CONNECT, Cause.TIMEOUT)
"""A world that knows no proxies does not ask them, and finds no host of that name, however slowly."""


def _behind_it() -> AbstractContextManager[str]:
    """A name for what is behind a proxy: nobody is reached under it."""
    return known_as(lambda _: [])


_PROXIES: Final[Mapping[str, tuple[Act, tuple[Cause, ...]]]] = {
    "refuses": (in_turn(answer(403)), _OF_PROXIES),
    "does not reach it": (in_turn(answer(502, b"x" * 500)), _OF_PROXIES),
    "has no time": (in_turn(answer(503, b"", {"Retry-After": "0"})), _OF_PROXIES),
    "leads elsewhere": (in_turn(answer(302, b"", {"Location": "http://127.0.0.1:9/"})), _OF_PROXIES),
    "resets": (resetting, _OF_PROXIES),
    "ends": (closing(b""), _OF_PROXIES),
    "speaks something else": (closing(b"220 mail.example ESMTP\r\n\r\n"), _OF_PROXIES),
    "asks for credentials": (
        in_turn(answer(407, b"", {"Proxy-Authenticate": 'Basic realm="a"'})),
        (Cause.PROXY_AUTH, *_OF_PROXIES[1:]),
    ),
    "opens a tunnel to nobody": (
        closing(b"HTTP/1.1 200 Connection established\r\n\r\n"),
        (*_OF_HANDSHAKES, *_OF_PROXIES),
    ),
    "is silent": (silent, (Cause.TIMEOUT, *_OF_PROXIES[1:])),
}


async def nothing_was_sent_where_a_proxy_fails(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    for name, (act, causes) in _PROXIES.items():
        with LoopbackServer(act) as proxy, proxies(proxy.url), _behind_it() as host:
            async with make(now=clock) as world:
                for once in (False, True):
                    with case(f"a proxy that {name}{', once' if once else ''}"):
                        timeout = 0.3 if act is silent else 3.0
                        request = _told(f"https://{host}")
                        _not_sent(await world.perform(SendRequest(request, timeout, once)), *causes)
            _tunnels_only(proxy)


async def a_proxy_that_is_not_reached_was_not_sent(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with socket.socket() as taken, _behind_it() as host:
        taken.bind(("127.0.0.1", 0))
        with proxies(f"http://127.0.0.1:{taken.getsockname()[1]}"):
            async with make(now=clock) as world:
                for scheme in _schemes():
                    for effect in ways(_told(f"{scheme}://{host}"), clock.instant()):
                        with case(f"a proxy that is not reached, for {scheme}"):
                            _not_sent(await world.perform(effect), *_OF_PROXIES)


async def no_certificate_is_trusted_behind_a_proxy(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    certificate = Certificate("other.invalid")

    def tunnel(sock: socket.socket, request: LoopbackRequest) -> None:
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with certificate.context().wrap_socket(sock.dup(), server_side=True) as line:
            came.append(line.recv(65536))

    came: list[bytes] = []
    with LoopbackServer(tunnel) as proxy, proxies(proxy.url), trusting(certificate.pem), _behind_it() as host:
        async with make(now=clock) as world:
            for effect in ways(_told(f"https://{host}"), clock.instant()):
                event = await world.perform(effect)
                _not_sent(event, Cause.TLS_CERTIFICATE, *_OF_PROXIES[1:])
        _tunnels_only(proxy)
    true(not any(came), "a request went out to a host that is not the one it is for")


async def a_setting_that_cannot_be_used_is_no_exception(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    may_be = (Cause.MISCONFIGURED, *_OF_PROXIES)
    for value in (
        "http://[",
        "ftp://127.0.0.1:9",
        "http://127.0.0.1:99999",
        "http://",
        "socks9://127.0.0.1:9",
    ):
        with case(f"a proxy {value!r}"), proxies(value), _behind_it() as host:
            async with make(now=clock) as world:
                for once in (False, True):
                    request = _told(f"https://{host}")
                    _not_sent(await world.perform(SendRequest(request, 3.0, once)), *may_be)
    with (
        case("a file of certificates that is not there"),
        environment({"SSL_CERT_FILE": "/nonexistent/certificates.pem"}),
        LoopbackServer(in_turn(OK_ANSWER), untrusted_context()) as server,
    ):
        async with make(now=clock) as world:
            event = await world.perform(SendRequest(_told(server.url), 3.0))
        _not_sent(event, Cause.MISCONFIGURED, Cause.TLS_CERTIFICATE, Cause.CONNECT)
        same(len(server.received), 0, "the number of requests that came")


async def this_machine_is_not_asked_for_through_a_proxy(make: MakeAsyncWorld) -> None:
    clock = CheckedClock()
    with LoopbackServer(resetting, raw=True) as proxy, proxies(proxy.url):
        async with make(now=clock) as world:
            for host in ("127.0.0.1", "localhost", "LOCALHOST", "127.0.0.2", "::1"):
                await _is_reached_directly(world, host, proxy, clock)


async def _is_reached_directly(
    world: AsyncWorld, host: str, proxy: LoopbackServer, clock: CheckedClock
) -> None:
    address = "127.0.0.1" if host.lower() == "localhost" else host
    written = f"[{host}]" if ":" in host else host
    for scheme in _schemes():
        tls = untrusted_context() if scheme == "https" else None
        try:
            server = LoopbackServer(in_turn(OK_ANSWER), tls, host=address)
        except OSError:  # this machine has no such address
            return
        with server:
            request = Request("POST", f"{scheme}://{written}:{server.port}/", HEADERS, Secret(BODY))
            for effect in tuple(ways(request, clock.instant()))[:2]:
                with case(f"{scheme}://{written}"):
                    event = await world.perform(effect)
                    same(proxy.connections, 0, "the number of connections to a proxy")
                    if isinstance(event, RequestFailed) and event.phase is not Phase.NOT_SENT:
                        fail(f"the event is {event!r}")


def _tunnels_only(proxy: LoopbackServer) -> None:
    """A proxy was asked for tunnels, and for nothing else; none of the request was shown to it."""
    for request in proxy.received:
        same(request.method, "CONNECT", "the method of what a proxy was asked for an https URL")
        shown = " ".join([request.target, *(f"{name}: {value}" for name, value in request.headers)])
        true(
            _TELLTALE.decode() not in shown and _TELLTALE not in request.body, "a proxy was shown the request"
        )
        same(request.header("Authorization"), (), "the credentials that a proxy was shown")


def _not_sent(event: Event, *causes: Cause) -> None:
    if not isinstance(event, RequestFailed):
        fail(f"the event is {type(event).__name__}")
    if event.phase is not Phase.NOT_SENT or event.cause not in causes:
        wanted = " or ".join(dict.fromkeys(causes))
        fail(f"expected a failure not_sent, {wanted}; found {event.phase}, {event.cause}")


ROUTE_OVER_TLS: Final = (
    nothing_was_sent_where_a_handshake_fails,
    no_certificate_is_taken_for_another,
    nothing_was_sent_where_a_proxy_fails,
    no_certificate_is_trusted_behind_a_proxy,
    a_setting_that_cannot_be_used_is_no_exception,
)
"""Those that need TLS."""

ROUTE_CHECKS: Final = (
    a_name_that_is_not_found_was_not_sent,
    what_is_not_reached_was_not_sent,
    this_machine_is_not_asked_for_through_a_proxy,
    a_proxy_that_is_not_reached_was_not_sent,
    *ROUTE_OVER_TLS,
)
