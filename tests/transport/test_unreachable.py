"""Failures before a byte of the request is out, in every world: phase `not_sent`, and within the limit.

Rules of this file: a case is one row, and each row is met by every world, or says why not; nothing of the network
outside is asked.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from importlib import import_module
from typing import Any

import pytest

from codex_oauth_core import Cause, Phase
from tests.transport.asking import answered, failed, performed
from tests.transport.servers import (
    OK,
    Server,
    answering,
    at_most,
    black_hole,
    closed_port,
    no_new_sockets,
    post,
    read_request,
)
from tests.transport.worlds import WORLDS

SHORT = 0.2


def resolving(monkeypatch: pytest.MonkeyPatch, world: str, lookup: Any) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    if world == "twisted":  # each reactor has a resolver, whose function was found when Twisted was imported
        resolver = import_module("twisted.internet._resolver").GAIResolver
        monkeypatch.setattr(resolver.__init__, "__defaults__", (None, lookup))


def to(*addresses: tuple[str, int]) -> Any:
    def lookup(*args: Any, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    return lookup


OTHERS = [world for world in WORLDS if world != "twisted"]
"""Twisted has a pool of threads of its own, and a reactor that ends waits for all of them."""


@pytest.fixture
def patience() -> Generator[threading.Event]:
    """Set by the end of the test, so that nothing waits for long behind it."""
    over = threading.Event()
    yield over
    over.set()


# F18
def test_a_closed_port(world: str) -> None:
    assert failed(world, f"http://127.0.0.1:{closed_port()}/") == (Phase.NOT_SENT, Cause.CONNECT)


# F18
def test_a_name_that_does_not_exist(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    resolving(monkeypatch, world, lookup)
    assert failed(world, "http://nowhere.test/") == (Phase.NOT_SENT, Cause.DNS)


# F18
def test_a_name_that_cannot_be_one(world: str) -> None:
    assert failed(world, f"http://{'x' * 64}.test/") == (Phase.NOT_SENT, Cause.DNS)


# F18
@pytest.mark.parametrize("world", OTHERS, indirect=True)
def test_slow_dns_is_abandoned_at_the_limit(
    world: str, monkeypatch: pytest.MonkeyPatch, patience: threading.Event
) -> None:
    def lookup(*args: Any, **kwargs: Any) -> Any:
        patience.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    resolving(monkeypatch, world, lookup)
    with at_most(2):
        assert failed(world, "http://slow.test/", SHORT) == (Phase.NOT_SENT, Cause.TIMEOUT)


@pytest.mark.parametrize("world", OTHERS, indirect=True)
def test_no_thread_for_the_resolver_is_a_failure_and_not_a_crash(
    world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert failed(world, "http://name.test/") == (Phase.NOT_SENT, Cause.CONNECT)


def test_the_next_address_is_tried_after_a_refused_one(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(answering(OK)) as server, at_most(2):
        resolving(monkeypatch, world, to(("127.0.0.2", server.port), ("127.0.0.1", server.port)))
        assert answered(world, f"http://two.test:{server.port}/") == b"ok"


def test_the_next_address_is_tried_beside_a_silent_one(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(answering(OK)) as server, black_hole("127.0.0.2", server.port) as silent_one, at_most(2.5):
        resolving(monkeypatch, world, to(silent_one, ("127.0.0.1", server.port)))
        assert answered(world, f"http://localhost:{server.port}/") == b"ok"


def test_an_address_that_never_answers_ends_at_the_limit(world: str) -> None:
    with black_hole() as (host, port), at_most(2):
        assert failed(world, f"http://{host}:{port}/", SHORT) == (Phase.NOT_SENT, Cause.TIMEOUT)


def test_no_time_at_all(world: str) -> None:
    assert failed(world, "http://127.0.0.1:9/", 0.0) == (Phase.NOT_SENT, Cause.TIMEOUT)


NO_HTTP = ("gopher://127.0.0.1/", "http:///path", "http://127.0.0.1:99999/")


@pytest.mark.parametrize("url", NO_HTTP)
def test_what_is_no_http_url_is_a_bug_and_no_failure(world: str, url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        performed(world, post(url))
    assert "canary" not in str(caught.value)


def test_a_line_break_in_a_header_is_never_sent(world: str) -> None:
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(OK)

    with no_new_sockets(), Server(script) as server:
        effect = post(server.url)
        object.__setattr__(effect.request, "headers", (("X-One", "1\r\nX-Two: 2"),))
        try:
            performed(world, effect)
        except ValueError:
            assert heads == []
    assert b"\nX-Two" not in b"".join(heads)
