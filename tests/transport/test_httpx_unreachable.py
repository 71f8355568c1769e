"""Failures before a byte of the request is out: phase `not_sent`, and within the limit."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived
from tests.transport.servers import OK, Server, answering, at_most, no_new_sockets, post


def verdict(url: str, timeout: float = 5.0) -> tuple[Phase, Cause]:
    with no_new_sockets():
        answer = HttpxTransport()(post(url, timeout))
    assert isinstance(answer, RequestFailed), answer
    return answer.phase, answer.cause


@pytest.fixture
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def _resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    def lookup(*args: Any, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def test_a_closed_port() -> None:
    assert verdict(f"http://127.0.0.1:{_closed_port()}/") == (Phase.NOT_SENT, Cause.CONNECT)


@pytest.mark.usefixtures("_direct")
def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert verdict("http://nowhere.test/") == (Phase.NOT_SENT, Cause.DNS)


@pytest.mark.usefixtures("_direct")
def test_a_name_that_cannot_be_one() -> None:
    assert verdict(f"http://{'x' * 64}.test/") == (Phase.NOT_SENT, Cause.DNS)


@pytest.mark.usefixtures("_direct")
def test_slow_dns_is_abandoned_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*args: Any, **kwargs: Any) -> Any:
        time.sleep(3)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with at_most(2):
        assert verdict("http://slow.test/", timeout=0.3) == (Phase.NOT_SENT, Cause.TIMEOUT)


@pytest.mark.usefixtures("_direct")
def test_no_thread_for_the_resolver_is_a_failure_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("codex_oauth.transport.dial.Thread.start", start)
    assert verdict("http://name.test/") == (Phase.NOT_SENT, Cause.CONNECT)


@pytest.mark.usefixtures("_direct")
def test_the_next_address_is_tried_after_a_refused_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_new_sockets(), Server(answering(OK)) as server:
        _resolving_to(monkeypatch, ("127.0.0.1", _closed_port()), ("127.0.0.1", server.port))
        with at_most(2):
            assert isinstance(HttpxTransport()(post("http://two.test/")), ResponseReceived)


def test_the_next_address_is_tried_beside_a_silent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_new_sockets(), _black_hole() as hole, Server(answering(OK)) as server:
        _resolving_to(monkeypatch, hole.getsockname(), ("127.0.0.1", server.port))
        with at_most(2.5):
            answer = HttpxTransport()(post("http://localhost/"))
            assert isinstance(answer, ResponseReceived)


def test_an_address_that_never_answers_ends_at_the_limit() -> None:
    with _black_hole() as hole, at_most(2):
        url = f"http://127.0.0.1:{hole.getsockname()[1]}/"
        assert verdict(url, timeout=0.4) == (Phase.NOT_SENT, Cause.TIMEOUT)


class _black_hole:  # noqa: N801  # used as a function
    """A listener whose queue is full: the system drops further connection attempts (Linux)."""

    def __enter__(self) -> socket.socket:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self._fillers = [socket.socket() for _ in range(4)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
        time.sleep(0.02)
        return self._listener

    def __exit__(self, *exc_info: object) -> None:
        for sock in (*self._fillers, self._listener):
            sock.close()


def test_no_time_at_all() -> None:
    assert verdict("http://127.0.0.1:9/", timeout=0.0) == (Phase.NOT_SENT, Cause.TIMEOUT)
