"""Nothing that arrives on the port hangs, ends or hijacks the sign-in: twelve disturbances, three moments."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time

import pytest

from tests.listener.disturbances import DISTURBANCES, Disturbance
from tests.listener.sign_ins import QUERY, WITHIN, Kind, SignIn, connect, genuine, hear, limits, sign_in
from tests.transport.servers import at_most

V4, V6 = "127.0.0.1", "::1"
EVERYWHERE = [*itertools.product(("sync", "asyncio"), (V4, V6)), ("trio", V4)]

each_kind = pytest.mark.parametrize(("kind", "address"), EVERYWHERE)
each_disturbance = pytest.mark.parametrize("disturb", DISTURBANCES.values(), ids=DISTURBANCES)


@pytest.fixture(autouse=True)
def no_limit_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch)


class Browser:
    """Its connections, all closed at the end."""

    def __init__(self, waiting: SignIn, address: str, stack: contextlib.ExitStack) -> None:
        self.port = waiting.port
        self._address = address
        self._stack = stack
        self._ready: list[socket.socket] = []

    def connect(self) -> socket.socket:
        if self._ready:
            return self._ready.pop()
        return self._stack.enter_context(connect(self.port, self._address))

    def connect_ahead(self, count: int) -> None:
        self._ready += [self.connect() for _ in range(count)]

    def nothing_is_there(self) -> socket.socket:
        """A prepared connection; else one to nobody: the port is free again."""
        if self._ready:
            return self._ready.pop()
        with pytest.raises(ConnectionError):
            self.connect()
        return self._stack.enter_context(socket.socket())


def finish(sock: socket.socket, last: bytes, waiting: SignIn) -> None:
    """The genuine redirect's last bytes: it is answered before any limit ends, and the call returns."""
    begun = time.monotonic()
    sock.sendall(last)
    sock.settimeout(WITHIN)
    assert sock.recv(12) == b"HTTP/1.1 200"
    assert time.monotonic() - begun < WITHIN
    assert waiting.query == QUERY


def refused_and_left(owed: list[socket.socket], waiting: SignIn) -> None:
    """They have their answers, and nobody who is still connected holds up the end."""
    for sock in owed:
        assert hear(sock)[:10] == b"HTTP/1.1 4"
    with at_most(1):
        waiting.leave()


@each_kind
@each_disturbance
def test_before_the_redirect(disturb: Disturbance, kind: Kind, address: str) -> None:
    with sign_in(kind) as waiting, contextlib.ExitStack() as stack:
        browser = Browser(waiting, address, stack)
        owed = disturb(browser.connect, browser.port)
        finish(browser.connect(), genuine(browser.port), waiting)
        refused_and_left(owed, waiting)


@each_kind
@each_disturbance
def test_while_the_redirect_comes_in(disturb: Disturbance, kind: Kind, address: str) -> None:
    with sign_in(kind) as waiting, contextlib.ExitStack() as stack:
        browser = Browser(waiting, address, stack)
        if disturb is DISTURBANCES["50 idle connections"]:
            browser.connect_ahead(50)  # later ones would displace a request that pauses in its middle
        sock, request = browser.connect(), genuine(browser.port)
        sock.sendall(request[:40])
        owed = disturb(browser.connect, browser.port)
        finish(sock, request[40:], waiting)
        refused_and_left(owed, waiting)


@each_kind
@each_disturbance
def test_after_the_redirect(disturb: Disturbance, kind: Kind, address: str) -> None:
    with sign_in(kind) as waiting, contextlib.ExitStack() as stack:
        browser = Browser(waiting, address, stack)
        sock = browser.connect()
        browser.connect_ahead(20)
        finish(sock, genuine(browser.port), waiting)
        owed = disturb(browser.nothing_is_there, browser.port)
        refused_and_left(owed, waiting)


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_all_of_them_at_once(kind: Kind) -> None:
    with sign_in(kind) as waiting, contextlib.ExitStack() as stack:
        browser = Browser(waiting, V4, stack)
        for disturb in DISTURBANCES.values():
            disturb(browser.connect, browser.port)
        finish(browser.connect(), genuine(browser.port), waiting)
