"""F35, F36: a process that may open or allocate no more, and one that ends in the middle of a renewal.

Whatever happens, the stored login can be read, and it is either the old one, with a mark if its refresh token
may be spent, or the new one.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.authority import AuthorityServer
from codex_oauth.stores.file_store import FileSlot
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.transport.network import BoundedTransport
from codex_oauth_core import ErrorKind
from tests.faults.child import due, only_login, process
from tests.faults.runs import (
    NEW,
    Fate,
    Peer,
    SkippingClock,
    answer,
    granting,
    in_turn,
    login,
    place_at,
    put,
    renew,
)
from tests.faults.signing_in import signed_in
from tests.transport.servers import read_request

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rlimits and process states of POSIX")

PATIENCE = 180.0
linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")


def lines(child: subprocess.Popen[str]) -> list[Any]:
    """What a child says until it ends well."""
    out, err = child.communicate(timeout=PATIENCE)
    assert (err, child.returncode) == ("", 0)
    return [json.loads(line) for line in out.splitlines()]


def refreshes(server: AuthorityServer) -> list[int]:
    """The statuses of all refreshes."""
    return [request.status for request in server.authority.received("refresh")]


# -- F35: limits -----------------------------------------------------------------------------------------

FILES = """
    say(renew_once(home, issuer))  # whatever is loaded lazily is loaded
    limit, usual = resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)
    for more in range(14):
        before = due(store)
        resource.setrlimit(limit, (max(map(int, os.listdir("/proc/self/fd"))) + more, usual[1]))
        ended = renew_once(home, issuer)
        resource.setrlimit(limit, usual)
        after = only_login(store)
        say([ended, after.generation - before.generation, bool(after.intent or after.uncertain_at)])
"""


# F35
@linux
def test_a_process_that_may_open_no_more_files_loses_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    with signed_in(store) as server:
        first, *tries = lines(process(FILES, store.home, server.url))
        statuses = refreshes(server)
    assert first == "Renewed"
    failed = [tries.pop(0) for each in list(tries) if each[0] != "Renewed"]
    assert {ended.partition(":")[0] for ended, *_ in failed} == {
        *("auth_read_failed", "auth_write_failed", "network")
    }
    assert all(each == [each[0], 0, False] for each in failed)
    assert tries
    assert all(each == ["Renewed", 1, False] for each in tries)
    assert statuses == [200] * (1 + len(tries))


# F35
@linux
def test_a_process_that_may_start_no_thread_gets_an_error_and_loses_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    code = """
        renew_once(home, issuer)
        due(store)
        threading.stack_size(1 << 30)
        resource.setrlimit(resource.RLIMIT_AS, (allocated() + (64 << 20), resource.RLIM_INFINITY))
        try:
            threading.Thread(target=print).start()
        except RuntimeError as error:
            say(str(error))
        (place,) = store.names()
        try:
            TokenSource(store, account=place, policy=NO_RETRY).token()
        except SignInError as error:
            say(error.kind)
    """
    with signed_in(store) as server:
        assert lines(process(code, store.home, server.url)) == ["can't start new thread", "network"]
        assert refreshes(server) == [200]
    after = only_login(store)
    assert (after.generation, after.intent, after.uncertain_at) == (1, None, None)


STEPS: dict[str, tuple[Any, str, bool]] = {
    "before the lock": (FileSlot, "lock", False),
    "before the place is reserved": (FileLockedLogin, "reserve", False),
    "in the request": (BoundedTransport, "__init__", True),
    "after the answer": (FileLockedLogin, "save", True),
}
"""Where it fails, and whether nobody can say then what became of the refresh token."""


# F35
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("name", STEPS)
def test_a_step_for_which_there_is_no_memory_leaves_no_half_state(
    name: str, error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, step, doubtful = STEPS[name]
    store, clock = FileStore(tmp_path / "home"), SkippingClock()

    def fail(*_: object, **__: object) -> None:
        raise error

    with Peer(granting()) as peer:
        before = put(store, login(peer.issuer, clock.wall(), -1.0))
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, fail)
            with pytest.raises(error):
                renew(peer.issuer, store, usable=False, clock=clock)
    after = only_login(store)
    assert attrs.evolve(after, intent=None) == before
    assert (after.intent is not None) is doubtful
    assert peer.sent == (name == "after the answer")
    held = store.slot(place_at(peer.issuer)).lock()
    assert held is not None  # an intent of a holder that is gone keeps nobody out
    held.release()


# -- F36: the end of a process ---------------------------------------------------------------------------


def _say_so(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("sent\n")
    child.stdin.flush()


@attrs.define
class Held:
    """A server that does something to a child when its request has come, and answers after that."""

    act: Callable[[subprocess.Popen[str]], None] = _say_so
    child: subprocess.Popen[str] | None = None

    def __call__(self, sock: socket.socket) -> None:
        """Hear the request, act, and answer when the child has gone, or half a second later."""
        read_request(sock)
        assert self.child is not None
        self.act(self.child)
        try:
            self.child.wait(0.5)
        except subprocess.TimeoutExpired:
            _granted(sock)


def _granted(sock: socket.socket) -> None:
    """Tokens, to a request that was read already."""
    body = json.dumps({"access_token": "at-canary-new", "refresh_token": NEW, "expires_in": 864_000}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    sock.sendall(head % len(body) + body)


WAY = """
    (place,) = store.names()
    source = TokenSource(store, account=place)
    work = {work}
    threading.Thread(target=work, daemon=True).start()
    sys.stdin.readline()
    say("main is over")
    {end}
"""
BY_THE_SOURCE = "source.token"
BY_A_DAEMON = "lambda: renew_once(home, issuer)"

ENDS: dict[str, tuple[str, str, int, Fate]] = {
    "the main thread returns": (BY_THE_SOURCE, "", 0, Fate.RENEWED),
    "sys.exit": (BY_THE_SOURCE, "sys.exit(7)", 7, Fate.RENEWED),
    "os._exit": (BY_THE_SOURCE, "os._exit(9)", 9, Fate.INTACT),
    "SIGKILL to itself": (BY_THE_SOURCE, "os.kill(os.getpid(), 9)", -9, Fate.INTACT),
    "a daemon thread of the program's own": (BY_A_DAEMON, "", 0, Fate.INTACT),
}


# F36, F2
@pytest.mark.parametrize("name", ENDS)
def test_a_process_that_ends_while_a_request_is_out_leaves_no_half_state(name: str, tmp_path: Path) -> None:
    work, end, code, fate = ENDS[name]
    store, clock = FileStore(tmp_path / "home"), SkippingClock()
    held = Held()
    reused = answer(401, {"error": {"code": "refresh_token_reused"}})
    with Peer(in_turn(held, reused)) as peer:
        put(store, login(peer.issuer, clock.wall(), -1.0))
        before = due(store)
        held.child = process(WAY.format(work=work, end=end), store.home, peer.issuer)
        told = _ended(held.child)
        assert told == ('"main is over"\n', "", code)
        after = only_login(store)
        if fate is Fate.RENEWED:
            assert (after.generation, after.parent, after.intent) == (4, before.fingerprint, None)
            return
        assert after.intent is not None
        assert attrs.evolve(after, intent=None) == before
        _the_next_process_names_the_crash(peer, store, clock, after.intent.pid)


def _ended(child: subprocess.Popen[str]) -> tuple[str, str, int]:
    """What a child has said, and how it ended. Its stdin is the server's until then."""
    child.wait(PATIENCE)
    assert child.stdin is not None
    child.stdin.close()
    child.stdin = None
    out, err = child.communicate()
    return out, err, child.returncode


ON_A_SIGNAL = """
    import signal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    (place,) = store.names()
    try:
        TokenSource(store, account=place).token()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        say(only_login(store).generation)
"""


# F3, R2
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_wait_at_once_and_the_renewal_when_it_is_stored(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "home")
    held = Held(lambda child: child.send_signal(number))
    with Peer(held) as peer:
        put(store, login(peer.issuer, SkippingClock().wall(), -1.0))
        before = due(store)
        held.child = process(ON_A_SIGNAL, store.home, peer.issuer)
        assert _ended(held.child) == ("3\n", "", code)
    after = only_login(store)
    assert (after.generation, after.parent, peer.sent) == (4, before.fingerprint, 1)


def _the_next_process_names_the_crash(peer: Peer, store: FileStore, clock: SkippingClock, pid: int) -> None:
    ended = renew(peer.issuer, store, usable=False, clock=clock)
    assert (ended.error.kind, ended.error.details["pid"]) == (ErrorKind.LOGIN_REQUIRED, pid)
    assert "was interrupted" in ended.error.message
    assert (peer.sent, peer.connections) == (2, 2)
