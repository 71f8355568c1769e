"""How many may be connected and for how long, and what becomes of those who are left at the end."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth.listener import async_listener, connection, sync_listener
from codex_oauth.listener.ports import bind
from codex_oauth_core.callback import Accepted
from codex_oauth_core.receiver import CallbackReceiver
from tests.listener.sign_ins import (
    KINDS,
    PATIENCE,
    QUERY,
    Kind,
    ask,
    connect,
    genuine,
    get,
    hear,
    limits,
    rule_for,
    say,
    sign_in,
)
from tests.transport.servers import at_most

each_kind = pytest.mark.parametrize("kind", KINDS)


def is_open(sock: socket.socket) -> bool:
    """Whether the other side has neither closed nor sent anything."""
    sock.setblocking(False)
    try:
        sock.recv(1)
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    return False


def has_sent(sock: socket.socket) -> bool:
    """Whether something has come that was not read yet."""
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.005)


@each_kind
def test_the_33rd_displaces_the_oldest(kind: Kind) -> None:
    with sign_in(kind) as waiting, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(waiting.port)) for _ in range(32)]
        time.sleep(0.1)
        assert all(is_open(sock) for sock in idle)
        idle += [stack.enter_context(connect(waiting.port)) for _ in range(2)]
        until(lambda: not is_open(idle[1]))
        assert [is_open(sock) for sock in idle] == [False, False, *[True] * 32]


def test_who_has_sent_a_request_gives_way_last() -> None:
    present = connection.Connections(rule_for("http://localhost:1455/auth/callback"))
    with contextlib.ExitStack() as stack:
        here: list[connection.Connection] = []
        theirs: list[socket.socket] = []
        for _ in range(connection.MOST_LISTENED_TO):
            assert present.surplus() is None
            ours, their = (stack.enter_context(one) for one in socket.socketpair())
            ours.setblocking(False)
            theirs.append(their)
            here.append(present.admit(ours, 0.0))
        for number, their in enumerate(theirs):
            assert present.surplus() is here[number]
            say(their, get("/", 1455))
            present.turn(here[number], 1.0)
        assert present.surplus() is here[0]


def test_a_request_that_is_there_counts_before_a_newcomer_displaces_it() -> None:
    accepted: list[Accepted] = []
    bound = bind([0], "/auth/callback")
    serving = sync_listener.Service(bound, rule_for(bound.redirect_uri), accepted.append)
    with contextlib.ExitStack() as stack:
        stack.callback(serving.release)
        stack.callback(serving._release_connections)
        here = [stack.enter_context(connect(bound.port)) for _ in range(connection.MOST_LISTENED_TO)]
        while len(serving._connections) < connection.MOST_LISTENED_TO:
            serving._round()
        stack.enter_context(connect(bound.port))
        say(here[0], genuine(bound.port))  # noticed in the same round as the newcomer, and after it
        serving._round()
    assert len(accepted) == 1


@each_kind
def test_a_request_must_have_come_in_five_seconds_however_slowly(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connection.REQUEST_LIMIT == 5
    limits(monkeypatch, request=0.2)
    with sign_in(kind) as waiting, connect(waiting.port) as idle, connect(waiting.port) as trickling:
        begun = time.monotonic()
        idle.setblocking(False)
        while is_open(trickling):
            say(trickling, b"G")
            time.sleep(0.02)
        assert time.monotonic() - begun > 0.15
        until(lambda: not is_open(idle))
        assert not waiting.returned.is_set()


@each_kind
def test_those_who_are_left_are_closed_after_a_second(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection.LINGER_LIMIT == 1
    limits(monkeypatch, linger=0.2)
    with sign_in(kind) as waiting, connect(waiting.port) as idle:
        begun = time.monotonic()
        assert ask(waiting.port, genuine(waiting.port)).startswith(b"HTTP/1.1 200")
        assert waiting.query == QUERY
        assert hear(idle) == b""
        assert time.monotonic() - begun > 0.15


@each_kind
def test_those_who_are_left_are_told_until_then(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch)
    with sign_in(kind) as waiting, connect(waiting.port) as idle, connect(waiting.port) as asking:
        assert ask(waiting.port, genuine(waiting.port)).startswith(b"HTTP/1.1 200")
        assert waiting.query == QUERY
        assert is_open(idle)
        say(asking, genuine(waiting.port))
        assert b"already" in hear(asking).lower()


@each_kind
def test_who_has_connected_but_was_not_accepted_yet_is_answered(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sign_in(kind) as waiting, contextlib.ExitStack() as stack:
        sock = stack.enter_context(connect(waiting.port))
        say(sock, genuine(waiting.port)[:20])
        real = connection.Connections.turn
        waiters: list[socket.socket] = []

        def turn(self: connection.Connections, one: connection.Connection, now: float) -> None:
            if not waiters and has_sent(one.sock):
                waiters.extend(stack.enter_context(connect(waiting.port)) for _ in range(5))
            real(self, one, now)

        time.sleep(0.05)
        monkeypatch.setattr(connection.Connections, "turn", turn)
        with connect(waiting.port) as redirect:
            say(redirect, genuine(waiting.port))
            assert waiting.query == QUERY
        assert len(waiters) == 5
        for waiter in waiters:
            say(waiter, get("/", waiting.port))
            assert hear(waiter).startswith(b"HTTP/1.1 4")


class Endless(CallbackReceiver):
    """Its answers are larger than any buffer of the system."""

    def receive(self, data: bytes) -> bytes:
        return super().receive(data) + b"x" * 9_000_000


@each_kind
def test_a_browser_that_does_not_read_its_answer_delays_nobody(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits(monkeypatch, linger=0.3)
    monkeypatch.setattr(connection, "CallbackReceiver", Endless)
    with sign_in(kind) as waiting, connect(waiting.port) as deaf:
        say(deaf, get("/", waiting.port))
        with connect(waiting.port) as redirect:
            say(redirect, genuine(waiting.port))
            assert not waiting.returned.wait(0.1)  # the answer is not written yet
            assert waiting.query == QUERY


@each_kind
def test_an_answer_in_many_pieces_arrives_whole(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch)
    monkeypatch.setattr(connection, "CallbackReceiver", Endless)
    with sign_in(kind) as waiting:
        assert len(ask(waiting.port, genuine(waiting.port))) > 9_000_000
        assert waiting.query == QUERY


@each_kind
def test_a_request_with_a_body_gets_its_answer_and_no_reset(kind: Kind) -> None:
    with sign_in(kind) as waiting, connect(waiting.port) as sock:
        head = f"POST /auth/callback HTTP/1.1\r\nHost: localhost:{waiting.port}\r\nContent-Length: 900000\r\n\r\n"
        sock.sendall(head.encode())
        time.sleep(0.02)
        say(sock, b"x" * 900_000)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(12) == b"HTTP/1.1 405"


@each_kind
def test_a_peer_that_sends_no_more_is_still_answered(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch)
    with sign_in(kind) as waiting, connect(waiting.port) as sock:
        sock.sendall(genuine(waiting.port))
        sock.shutdown(socket.SHUT_WR)
        with at_most(1):
            assert hear(sock).startswith(b"HTTP/1.1 200")
        assert waiting.query == QUERY


@each_kind
def test_a_system_without_room_makes_some(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    full = 3

    def accept(listening: socket.socket) -> socket.socket | None:
        nonlocal full
        if full:
            full -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return connection.accept(listening)

    with sign_in(kind) as waiting, connect(waiting.port) as idle:
        time.sleep(0.05)
        for module in (sync_listener, async_listener):
            monkeypatch.setattr(module, "accept", accept)
        assert ask(waiting.port, genuine(waiting.port)).startswith(b"HTTP/1.1 200")
        assert full == 0
        until(lambda: not is_open(idle))


@each_kind
@pytest.mark.parametrize("room", [1, 2, 5, 31])
def test_many_idle_connections_and_little_room_do_not_hold_the_redirect_up(
    kind: Kind, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here: list[socket.socket] = []

    def accept(listening: socket.socket) -> socket.socket | None:
        if sum(sock.fileno() >= 0 for sock in here) >= room:
            raise OSError(errno.EMFILE, "too many open files")
        sock = connection.accept(listening)
        if sock is not None:
            here.append(sock)
        return sock

    for module in (sync_listener, async_listener):
        monkeypatch.setattr(module, "accept", accept)
        monkeypatch.setattr(module, "PAUSE", 3600)  # it is not paused at all while anybody can give way
    with sign_in(kind) as waiting, contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(waiting.port))
        assert ask(waiting.port, genuine(waiting.port)).startswith(b"HTTP/1.1 200")
        assert waiting.query == QUERY


def test_half_of_the_silent_give_way_at_once_and_the_oldest_first() -> None:
    present = connection.Connections(rule_for("http://localhost:1455/auth/callback"))
    assert present.spare() == []
    with contextlib.ExitStack() as stack:
        here: list[connection.Connection] = []
        for count in range(1, 6):
            ours, their = (stack.enter_context(one) for one in socket.socketpair())
            ours.setblocking(False)
            here.append(present.admit(ours, 0.0))
            assert present.spare() == here[: (count + 1) // 2]
            if count == 1:
                say(their, get("/", 1455))
                present.turn(here[0], 1.0)
                assert present.spare() == here  # nobody else is there
                present.forget(here.pop())
                here.append(present.admit(ours, 0.0))


IN_LITTLE_ROOM = """
import resource, sys
from codex_oauth.listener import async_listener, sync_listener
sync_listener.PAUSE = async_listener.PAUSE = 3600
from tests.listener.sign_ins import SignIn
waiting = SignIn(sys.argv[1], (0,), 600)
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]) + len(os.listdir("/dev/fd")), 64))
print(waiting.port, flush=True)
waiting.returned.wait()
print(waiting.accepted is not None, flush=True)
waiting.leave()
"""


@each_kind
@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="nobody says which descriptors are open")
def test_a_process_with_few_descriptors_answers_the_redirect_behind_many(kind: Kind) -> None:
    words = [sys.executable, "-c", "import os\n" + IN_LITTLE_ROOM, kind, "6"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(process.kill)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        for _ in range(100):
            stack.enter_context(connect(port))
        assert ask(port, genuine(port)).startswith(b"HTTP/1.1 200")
        assert process.stdout.readline() == "True\n"
        assert process.wait(60) == 0


@each_kind
def test_nobody_comes(kind: Kind) -> None:
    with sign_in(kind, timeout=0.1) as waiting:
        assert waiting.query is None
        waiting.leave()


@each_kind
def test_the_return_and_the_end_are_prompt_while_fifty_are_connected(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits(monkeypatch)
    with sign_in(kind) as waiting, contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(connect(waiting.port))
        with at_most(1):
            assert ask(waiting.port, genuine(waiting.port)).startswith(b"HTTP/1.1 200")
            assert waiting.query == QUERY
            waiting.leave()
