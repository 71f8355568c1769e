"""A sign-in that waits for its redirect in any of the listeners, and a browser made of raw sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from typing import Final, Literal

import anyio
import pytest

from codex_oauth import AsyncCallbackListener, CallbackListener
from codex_oauth.listener import connection
from codex_oauth_core import CODEX, CallbackRule, Secret
from codex_oauth_core.callback import Accepted
from tests.transport.servers import no_new_sockets

Kind = Literal["sync", "asyncio", "trio"]
KINDS: Final[tuple[Kind, ...]] = ("sync", "asyncio", "trio")

STATE: Final = "canary-state-0123456789-0123456789-0123456789"
CODE: Final = "canary-code-7766"
QUERY: Final = f"code={CODE}&state={STATE}"
WITHIN: Final = 20.0
"""Seconds in which the genuine redirect is answered on a machine however busy, whatever else arrives."""
PATIENCE: Final = 120.0
"""Seconds after which nobody waits any longer: what a limit of a listener is, where none must be waited for."""


def limits(monkeypatch: pytest.MonkeyPatch, *, request: float = PATIENCE, linger: float = PATIENCE) -> None:
    """Other limits for the connections of a listener: by default none ends while anybody waits."""
    monkeypatch.setattr(connection, "REQUEST_LIMIT", request)
    for module in (connection, connection):
        monkeypatch.setattr(module, "LINGER_LIMIT", linger)


def rule_for(redirect_uri: str) -> CallbackRule:
    return CallbackRule(redirect_uri, Secret(STATE), CODEX.state_suffixes, CODEX.issuer)


def get(target: str, port: int) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()


def genuine(port: int) -> bytes:
    return get(f"/auth/callback?{QUERY}", port)


def connect(port: int, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((address, port), timeout=PATIENCE)


def say(sock: socket.socket, data: bytes) -> None:
    """Send, if anybody is there."""
    with contextlib.suppress(OSError):
        sock.sendall(data)


def hear(sock: socket.socket) -> bytes:
    """All that the other side sends, until it closes or resets."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65536):
            heard += data
    return heard


def ask(port: int, request: bytes, address: str = "127.0.0.1") -> bytes:
    """The answer to one request on a connection of its own."""
    with connect(port, address) as sock:
        sock.sendall(request)
        return hear(sock)


class SignIn:
    """`wait()` on another thread. It stays in the listener's block until it is told to leave."""

    def __init__(self, kind: Kind, ports: tuple[int, ...], timeout: float) -> None:
        self.port = 0
        self.redirect_uri = ""
        self.returned = threading.Event()
        self.accepted: Accepted | None = None
        self._timeout = timeout
        self._ports = ports
        self._listening = threading.Event()
        self._leave = threading.Event()
        self._error: BaseException | None = None
        run = self._sync if kind == "sync" else lambda: anyio.run(self._async, backend=kind)
        self._thread = threading.Thread(target=self._run, args=(run,))
        self._thread.start()
        assert self._listening.wait(PATIENCE)
        if self._error is not None:
            self.leave()

    def _run(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  # raised in leave()
            self._error = error
        finally:
            self._listening.set()
            self.returned.set()

    def _began(self, listener: CallbackListener | AsyncCallbackListener) -> CallbackRule:
        self.port, self.redirect_uri = listener.port, listener.redirect_uri
        return rule_for(listener.redirect_uri)

    def _sync(self) -> None:
        with CallbackListener(self._ports) as listener:
            rule = self._began(listener)
            self._listening.set()
            self.accepted = listener.wait(rule, self._timeout)
            self.returned.set()
            assert self._leave.wait(PATIENCE)

    async def _async(self) -> None:
        async with AsyncCallbackListener(self._ports) as listener:
            rule = self._began(listener)
            self._listening.set()
            self.accepted = await listener.wait(rule, self._timeout)
            self.returned.set()
            while not self._leave.is_set():  # noqa: ASYNC110  # set by another thread
                await anyio.sleep(0.005)

    @property
    def query(self) -> str | None:
        """What it was given, once it has returned."""
        assert self.returned.wait(WITHIN)
        return None if self.accepted is None else self.accepted.query.reveal()

    def leave(self) -> None:
        """Leave the block, and wait until everything has ended."""
        self._leave.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        error, self._error = self._error, None
        if error is not None:
            raise error


@contextlib.contextmanager
def sign_in(kind: Kind, ports: tuple[int, ...] = (0,), timeout: float = PATIENCE) -> Generator[SignIn]:
    """A sign-in under way, which leaves neither a thread nor a socket."""
    before = set(threading.enumerate())
    with no_new_sockets():
        waiting = SignIn(kind, ports, timeout)
        try:
            yield waiting
        finally:
            if not waiting.returned.is_set():
                with contextlib.suppress(ConnectionError):  # it has returned just now
                    ask(waiting.port, genuine(waiting.port))
            waiting.leave()
    assert {one for one in threading.enumerate() if one not in before and "AnyIO" not in one.name} == set()
