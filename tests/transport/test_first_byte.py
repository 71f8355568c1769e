"""`write_by` over real TLS, and processes that are really stopped, in every world."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator

import pytest

from codex_oauth.clock import instant
from codex_oauth.testing.performing import CheckedClock
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived
from tests.house.tree import ROOT
from tests.transport.certificates import Authority
from tests.transport.servers import (
    OK,
    Server,
    answering,
    no_new_sockets,
    over_tls,
    post,
    read_request,
)
from tests.transport.worlds import WORLDS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Stopped:
    """Asks for nothing until the client has connected; then the time jumps, once, at the next look."""

    def __init__(self, seconds: float) -> None:
        self.clock = CheckedClock()
        self._seconds = seconds
        self._connected = False

    def connected(self) -> None:
        self._connected = True

    def __call__(self) -> tuple[float, float]:
        if self._connected:
            self._connected = False
            self.clock.step(self._seconds)
        return self.clock()


# C3
@pytest.mark.parametrize("world", WORLDS)
def test_a_process_that_was_stopped_in_the_tls_handshake_sends_nothing(
    world: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    stopped, context, heads = Stopped(30.0), authority.server("127.0.0.1"), list[bytes]()

    def script(sock: socket.socket) -> None:
        stopped.connected()  # before the server has said a word of TLS
        with context.wrap_socket(sock, server_side=True) as tls:
            heads.append(read_request(tls)[0])

    with no_new_sockets(), Server(script) as server:
        url = server.url.replace("http", "https", 1)
        write_by = stopped.clock.instant() + 15.0
        event = WORLDS[world](post(url, 60.0, once=True, write_by=write_by), stopped)
    assert isinstance(event, RequestFailed), event
    assert (event.phase, event.cause) == (Phase.NOT_SENT, Cause.TIMEOUT)
    assert heads == []


@pytest.mark.parametrize("world", WORLDS)
def test_through_tls_an_answer_counts_from_the_first_byte(
    world: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    stopped, context = Stopped(12.0), authority.server("127.0.0.1")

    def script(sock: socket.socket) -> None:
        stopped.connected()
        over_tls(answering(OK), context)(sock)

    with no_new_sockets(), Server(script) as server:
        url = server.url.replace("http", "https", 1)
        write_by = stopped.clock.instant() + 15.0
        event = WORLDS[world](post(url, 10.0, once=True, write_by=write_by), stopped)
    assert isinstance(event, ResponseReceived), event


# C10
@pytest.mark.parametrize("world", WORLDS)
def test_through_tls_what_arrived_while_the_machine_slept_is_read(
    world: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    clock = CheckedClock()

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK[:-1])
        time.sleep(0.1)
        with clock.stopped(30_000.0):
            sock.sendall(OK[-1:])
        with contextlib.suppress(OSError):
            sock.recv(1)

    with no_new_sockets(), Server(over_tls(script, authority.server("127.0.0.1"))) as server:
        url = server.url.replace("http", "https", 1)
        event = WORLDS[world](post(url, 60.0, once=True, write_by=clock.instant() + 15.0), clock)
    assert isinstance(event, ResponseReceived), event


CHILD = """
import sys
from codex_oauth.clock import now
from tests.transport.servers import post
from tests.transport.worlds import WORLDS
event = WORLDS[sys.argv[1]](post(sys.argv[2], 3.0, once=True, write_by=now()[0] + 60.0), now)
print(type(event).__name__, getattr(event, "status", event))
"""


@contextlib.contextmanager
def child(world: str, url: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, world, url],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'core'}:{ROOT / 'adapters'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


# C10
@pytest.mark.skipif(sys.platform == "win32", reason="stops a process")
@pytest.mark.parametrize("world", WORLDS)
def test_a_process_that_was_stopped_finds_its_answer_in_the_socket(world: str) -> None:
    pids: list[int] = []

    def script(sock: socket.socket) -> None:
        read_request(sock)
        os.kill(pids[0], signal.SIGSTOP)
        sock.sendall(OK[:30])
        sock.sendall(OK[30:])
        begun = instant()
        while instant() - begun < 3.1:  # longer than its time limit
            time.sleep(0.05)
        os.kill(pids[0], signal.SIGCONT)
        with contextlib.suppress(OSError):
            sock.recv(1)

    with Server(script) as server, child(world, server.url) as process:
        pids.append(process.pid)
        out, _ = process.communicate(timeout=60)
    assert out == "ResponseReceived 200\n"
