"""The blocking listener: as a context manager, as a source for a world, and at the end of a process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading

import pytest

from codex_oauth import CallbackListener
from codex_oauth.listener import sync_listener
from codex_oauth.listener.connection import Connection, Connections
from codex_oauth.listener.ports import bind
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core import ErrorKind, SignInError
from codex_oauth_core.callback import Accepted
from tests.listener.sign_ins import PATIENCE, QUERY, ask, connect, genuine, get, hear, limits, rule_for, say
from tests.transport.servers import at_most, no_new_sockets


def ignore(accepted: Accepted) -> None:
    raise AssertionError


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_it_is_a_source_of_callbacks() -> None:
    with CallbackListener((0,)) as listener:
        source: CallbackSource = listener
        source.stop()  # before its start: nothing to stop


def test_it_listens_from_the_start_and_answers_once_it_has_a_rule() -> None:
    with no_new_sockets(), CallbackListener((0,)) as listener, connect(listener.port) as early:
        early.sendall(genuine(listener.port))
        accepted = listener.wait(rule_for(listener.redirect_uri), PATIENCE)
        assert hear(early).startswith(b"HTTP/1.1 200")
    assert accepted is not None
    assert accepted.query.reveal() == QUERY


def test_the_browser_has_its_answer_before_the_redirect_is_handed_over() -> None:
    got: list[bytes] = []
    done = threading.Event()

    def accept(accepted: Accepted) -> None:
        browser.setblocking(False)
        got.append(browser.recv(12))
        with pytest.raises(ConnectionError):
            connect(listener.port)  # and the port is free by now
        done.set()

    with no_new_sockets(), CallbackListener((0,)) as listener:
        listener.start(rule_for(listener.redirect_uri), accept)
        with connect(listener.port) as browser:
            browser.sendall(genuine(listener.port))
            assert done.wait(PATIENCE)
    assert got == [b"HTTP/1.1 200"]


def test_a_wait_that_timed_out_is_taken_up_again() -> None:
    with no_new_sockets(), CallbackListener((0,)) as listener:
        rule = rule_for(listener.redirect_uri)
        assert listener.wait(rule, 0.05) is None
        ask(listener.port, genuine(listener.port))
        assert listener.wait(rule, PATIENCE) is listener.wait(rule, 0)


def test_the_end_of_a_long_wait_is_looked_for_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_listener, "_SLICE", 0.02)
    clock = iter(range(0, 10_000, 100))  # a suspended machine: the clock goes on, the wait does not
    monkeypatch.setattr(sync_listener, "instant", lambda: float(next(clock)))
    with at_most(1), CallbackListener((0,)) as listener:
        assert listener.wait(rule_for(listener.redirect_uri), 600) is None


def test_one_listener_serves_one_sign_in() -> None:
    with no_new_sockets(), CallbackListener((0,)) as listener:
        with pytest.raises(ValueError, match="another redirect URI"):
            listener.start(rule_for("http://localhost:1/auth/callback"), ignore)
        listener.start(rule_for(listener.redirect_uri), ignore)
        with pytest.raises(RuntimeError):
            listener.start(rule_for(listener.redirect_uri), ignore)
        with pytest.raises(RuntimeError):
            listener.wait(rule_for(listener.redirect_uri), 0)
    with pytest.raises(RuntimeError):
        CallbackListener.start(listener, rule_for(listener.redirect_uri), ignore)


def test_after_a_stop_the_connected_are_told_and_nothing_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits(monkeypatch)
    with no_new_sockets(), CallbackListener((0,)) as listener, connect(listener.port) as late:
        listener.start(rule_for(listener.redirect_uri), ignore)
        say(late, b"GET ")
        with at_most(0.5):
            listener.stop()
        say(late, genuine(listener.port)[4:])
        assert b"already" in hear(late).lower()
        late.close()
        again = bind([listener.port], "/")
        again.close()
        assert listener._thread is not None
        listener._thread.join(PATIENCE)  # it ends by itself, once nobody is left
        assert "codex-oauth callback" not in threads()


def test_a_stop_counts_for_a_round_that_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, stopped, turn = threading.Event(), threading.Event(), Connections.turn

    def slowly(connections: Connections, connection: Connection, now: float) -> None:
        begun.set()
        stopped.wait(0.2)
        turn(connections, connection, now)

    with no_new_sockets(), CallbackListener((0,)) as listener, connect(listener.port) as late:
        monkeypatch.setattr(Connections, "turn", slowly)
        listener.start(rule_for(listener.redirect_uri), ignore)
        say(late, b"GET ")
        assert begun.wait(PATIENCE)
        listener.stop()
        say(late, genuine(listener.port)[4:])
        stopped.set()
        assert b"already" in hear(late).lower()


def test_closing_ends_a_wait_and_the_thread_any_number_of_times() -> None:
    with no_new_sockets():
        listener = CallbackListener((0,))
        timer = threading.Timer(0.1, listener.close)
        timer.start()
        with connect(listener.port), at_most(1), pytest.raises(SignInError) as raised:
            listener.wait(rule_for(listener.redirect_uri), 60)
        timer.join()
        listener.close()
        listener.close()
    assert raised.value.kind is ErrorKind.CALLBACK_SERVER_FAILED
    assert "codex-oauth callback" not in threads()


def test_a_redirect_may_close_the_listener_itself() -> None:
    done = threading.Event()

    def accept(accepted: Accepted) -> None:
        listener.close()
        done.set()

    with no_new_sockets():
        listener = CallbackListener((0,))
        listener.start(rule_for(listener.redirect_uri), accept)
        assert ask(listener.port, genuine(listener.port)).startswith(b"HTTP/1.1 200")
        assert done.wait(PATIENCE)
        with at_most(1):
            listener.close()


def test_an_exception_in_the_block_leaves_nothing() -> None:
    def block() -> None:
        with CallbackListener((0,)) as listener:
            ports.append(listener.port)
            listener.start(rule_for(listener.redirect_uri), ignore)
            raise LookupError

    ports: list[int] = []
    with no_new_sockets(), pytest.raises(LookupError):
        block()
    with pytest.raises(ConnectionError):
        connect(ports[0])
    assert "codex-oauth callback" not in threads()


@pytest.mark.parametrize("fault", ["thread", "socket"])
def test_a_system_without_threads_or_sockets_says_so(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def no_socket() -> None:
        raise OSError(24, "too many open files")

    with no_new_sockets(), CallbackListener((0,)) as listener:
        if fault == "thread":
            monkeypatch.setattr(threading.Thread, "start", no_thread)
        else:
            monkeypatch.setattr(socket, "socketpair", no_socket)
        with pytest.raises(SignInError) as raised:
            listener.start(rule_for(listener.redirect_uri), ignore)
        monkeypatch.undo()
        assert raised.value.kind is ErrorKind.CALLBACK_SERVER_FAILED
        bind([listener.port], "/").close()


def test_twenty_listeners_leave_nothing() -> None:
    with no_new_sockets():
        for _ in range(20):
            with CallbackListener((0,)) as listener:
                listener.start(rule_for(listener.redirect_uri), lambda _: None)
                ask(listener.port, get("/", listener.port))
                ask(listener.port, genuine(listener.port))
    assert "codex-oauth callback" not in threads()


# -- the end of a process ------------------------------------------------------------------------------

PROGRAM = """
import os, sys
from codex_oauth.listener.sync_listener import CallbackListener
from codex_oauth_core import CallbackRule, Secret
assert not {"anyio", "asyncio", "httpx", "ssl"} & set(sys.modules)

def sockets():
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass
    return sum(name.startswith("socket:") or "eventpoll" in name for name in names)

before = sockets()
how = sys.argv[1]
def rule(listener):
    print(listener.port, flush=True)
    return CallbackRule(listener.redirect_uri, Secret("x" * 43), (), "https://auth.example")
if how == "interrupted":
    try:
        with CallbackListener((0,)) as listener:
            listener.wait(rule(listener), 60)
    except KeyboardInterrupt:
        print(f"interrupted, left {sockets() - before}", flush=True)
elif how == "forgotten":
    listener = CallbackListener((0,))
    listener.start(rule(listener), print)
    sys.stdin.readline()
    print("the last line", flush=True)
"""


def started(how: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.skipif(sys.platform != "linux", reason="counts /proc/self/fd, and sends SIGINT")
def test_ctrl_c_while_connections_are_open() -> None:
    process, port = started("interrupted")
    with connect(port) as idle, at_most(1):  # and the interpreter's own end
        say(idle, b"GET ")
        ask(port, get("/", port))  # it serves by now
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, err, process.returncode) == ("interrupted, left 0\n", "", 0)
    bind([port], "/").close()


def test_a_listener_that_nobody_closed_does_not_keep_the_process_alive() -> None:
    process, port = started("forgotten")
    with connect(port), at_most(1):
        out, err = process.communicate("\n", timeout=PATIENCE)
    assert (out, err, process.returncode) == ("the last line\n", "", 0)
    bind([port], "/").close()
