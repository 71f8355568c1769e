"""The callback listener of a blocking program: bound when it is made, unbound when it is closed.

Rules of this file: the caller is never held up by whoever connects; an exception of the caller's, Ctrl-C
among them, passes through and leaves no socket. One daemon thread and one selector serve every connection,
however many, until the redirect came, and a moment longer; when it ends, for whatever reason, everything it
opened is closed.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Self, assert_never, cast

from codex_oauth.clock import instant
from codex_oauth.listener.connection import MOST_LISTENED_TO, PAUSE, Connection, Connections, accept, backlog
from codex_oauth.listener.ports import Bound, bind
from codex_oauth_core.callback import Accepted, CallbackRule
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["CallbackListener", "Service", "Waker"]


class Waker:
    """Readable from `ring()` on until `clear()`. Rung from any thread, and from a signal handler."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant, for the signal handler
        self._bell, self._hammer = socket.socketpair()
        self._bell.setblocking(False)
        self._hammer.setblocking(False)

    def fileno(self) -> int:
        """What to wait on."""
        return self._bell.fileno()

    def ring(self) -> None:
        """Wake whoever waits. Does nothing once it is closed."""
        with self._lock, contextlib.suppress(OSError):  # OSError: closed, or rung very often
            self._hammer.send(b"\0")

    def clear(self) -> None:
        """Forget what was rung so far. Look at what the ringing was about after this, not before."""
        with contextlib.suppress(OSError):
            while self._bell.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        with self._lock:
            self._bell.close()
            self._hammer.close()


# -- the thread ----------------------------------------------------------------------------------------


_Source = socket.socket | Waker | Connection


class Service:
    """Serves `bound`: run it on a thread of its own. `announce` is called there, once at most, when the
    genuine redirect has come and its browser has been answered. Raises OSError.
    """

    def __init__(self, bound: Bound, rule: CallbackRule, announce: Callable[[Accepted], None]) -> None:
        self._bound = bound
        self._announce: Callable[[Accepted], None] | None = announce
        self._connections = Connections(rule)
        self._stopping = self._closing = False
        self._ends_at: float | None = None
        self._running = threading.RLock()
        self._serving = threading.RLock()  # reentrant: `announce` may stop us
        with contextlib.ExitStack() as opened:
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._bell = opened.enter_context(contextlib.closing(Waker()))
            opened.callback(bound.close)
            self._selector.register(self._bell, selectors.EVENT_READ, self._bell)
            for listening in bound.sockets:
                self._selector.register(listening, selectors.EVENT_READ, listening)
            self._opened = opened.pop_all()

    def stop(self) -> None:
        """Stop listening soon, and answer whoever is connected for a moment. From any thread. What comes
        after this is not announced, even by a round that had begun before.
        """
        with self._serving:
            self._stopping = True
        self._bell.ring()

    def close(self) -> None:
        """End `run()` soon. From any thread."""
        self._closing = True
        self._bell.ring()

    def release(self) -> None:
        """Close everything, as soon as `run()` does not run. Any number of times."""
        with self._running:
            self._opened.close()

    def run(self) -> None:
        """Serve until there is nobody left to serve."""
        with self._running:
            try:
                while not self._is_over():
                    self._round()
            finally:
                self._release_connections()
                self.release()

    def _is_over(self) -> bool:
        if self._closing or self._ends_at is None:
            return self._closing
        return not self._connections or time.monotonic() >= self._ends_at

    def _round(self) -> None:
        ready = [cast("_Source", key.data) for key, _ in self._selector.select(self._patience())]
        ready.sort(key=lambda source: isinstance(source, socket.socket))  # who is here, before who comes
        with self._serving:
            if self._stopping and self._ends_at is None:
                self._announce = None
                self._stop_listening()
            for source in ready:
                self._attend(source)
            for late in self._connections.late(time.monotonic()):
                self._drop(late)

    def _patience(self) -> float | None:
        deadline = self._connections.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _attend(self, source: _Source) -> None:
        match source:
            case Connection():
                self._turn(source)
            case Waker():
                source.clear()
            case socket.socket():
                self._welcome(source)
            case _:
                assert_never(source)

    def _welcome(self, listening: socket.socket) -> None:
        """Let one connection in, and read what it has sent already: the next one may displace it."""
        if self._ends_at is not None:  # closed in this very round
            return
        try:
            sock = accept(listening)
        except OSError:
            self._make_room()
            return
        if sock is not None:
            if surplus := self._connections.surplus():
                self._drop(surplus)
            self._turn(self._admit(sock))

    def _make_room(self) -> None:
        """In the system: other work of this program may need some, too."""
        spare = self._connections.spare()
        for each in spare:
            self._drop(each)
        if not spare:
            time.sleep(PAUSE)

    def _admit(self, sock: socket.socket) -> Connection:
        connection = self._connections.admit(sock, time.monotonic())
        self._selector.register(sock, selectors.EVENT_READ, connection)
        return connection

    def _turn(self, connection: Connection) -> None:
        self._connections.turn(connection, time.monotonic())
        if connection.over:
            self._drop(connection)
            return
        interest = selectors.EVENT_WRITE if connection.writing else selectors.EVENT_READ
        self._selector.modify(connection.sock, interest, connection)
        self._look_for_the_redirect()

    def _look_for_the_redirect(self) -> None:
        accepted = self._connections.accepted
        if accepted is None:
            return
        if self._ends_at is None:
            self._stop_listening()
        if self._connections.answered and self._announce is not None:
            announce, self._announce = self._announce, None
            announce(accepted)

    def _stop_listening(self) -> None:
        """Let in whoever has connected already, free the port, and hurry."""
        self._ends_at = self._connections.finish(time.monotonic())
        for listening in self._bound.sockets:
            self._selector.unregister(listening)
            for sock in backlog(listening, MOST_LISTENED_TO - len(self._connections)):
                self._admit(sock)
        self._bound.close()

    def _drop(self, connection: Connection) -> None:
        self._connections.forget(connection)
        self._selector.unregister(connection.sock)
        connection.sock.close()
        self._look_for_the_redirect()

    def _release_connections(self) -> None:
        for connection in self._connections:
            connection.sock.close()


# -- the listener --------------------------------------------------------------------------------------


_SLICE: Final = 0.5 if sys.platform == "win32" else 5.0
"""Seconds that a wait blocks at most, so that a resume from suspend and (on Windows) Ctrl-C are noticed."""


class CallbackListener:
    """Listens on a loopback port for the redirect of one sign-in (RFC 8252 §7.3). A context manager.

    It listens as soon as you make it: make it before you show the page, and put its `redirect_uri` into the
    flow. Then give it to a world (it is a `CallbackSource`), or call `wait()`. The defaults are the ports,
    host and path that are registered for Codex; port 0 means any free port. Raises SignInError and ValueError
    as `bind` does.
    """

    def __init__(
        self,
        ports: Sequence[int] = (1455, 1457),
        host: str = "localhost",
        path: str = "/auth/callback",
    ) -> None:
        self._bound = bind(ports, path, host)
        self._rule: CallbackRule | None = None
        self._service: Service | None = None
        self._thread: threading.Thread | None = None
        self._accepted: Accepted | None = None
        self._woken = threading.Event()
        self._closed = False

    @property
    def redirect_uri(self) -> str:
        """The URI that the browser returns to. Put it into the flow."""
        return self._bound.redirect_uri

    @property
    def port(self) -> int:
        """The port of the redirect URI."""
        return self._bound.port

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Check each request against `rule`, on a thread. That thread calls `accept` for the genuine
        redirect, at most once and after the browser got its answer. `accept` must not block.

        Raises RuntimeError if the listener has served a rule before or is closed; ValueError if the rule is
        for another redirect URI; SignInError (`callback_server_failed`) if the system gives no thread or
        socket.
        """
        if self._closed or self._rule is not None:
            raise RuntimeError("a listener serves one sign-in, and none once it is closed")
        if rule.redirect_uri != self.redirect_uri:
            raise ValueError("the rule is for another redirect URI")
        self._rule = rule
        try:
            service = self._service = Service(self._bound, rule, accept)
            self._thread = threading.Thread(
                target=self._run, args=(service,), name="codex-oauth callback", daemon=True
            )
            self._thread.start()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            self.close()
            raise SignInError.of(ErrorKind.CALLBACK_SERVER_FAILED, reason=type(error).__name__) from error

    def stop(self) -> None:
        """Stop listening. Connected clients get their answer within a second; this does not wait for that."""
        if self._service is not None:
            self._service.stop()

    def wait(self, rule: CallbackRule, timeout: float) -> Accepted | None:
        """Block until the genuine redirect has come, and return it; None after `timeout` seconds. Ctrl-C ends
        the wait.

        After None it goes on listening: call it again with the same rule, or close the listener. Raises what
        `start` raises, and SignInError (`callback_server_failed`) if the listener is closed in the meantime.
        """
        if self._rule is not rule:
            self.start(rule, self._accept)
        until = instant() + timeout
        while not self._woken.wait(max(0.0, min(until - instant(), _SLICE))):
            if instant() >= until:
                return None
        if self._accepted is None:
            raise SignInError.of(ErrorKind.CALLBACK_SERVER_FAILED, reason="closed")
        return self._accepted

    def _accept(self, accepted: Accepted) -> None:
        self._accepted = accepted
        self._woken.set()

    def _run(self, service: Service) -> None:
        try:
            service.run()
        finally:
            self._woken.set()

    def close(self) -> None:
        """Close every socket, and end the thread. Call it any number of times, from any thread."""
        self._closed = True
        service, thread = self._service, self._thread
        if service is None:
            self._bound.close()
            return
        service.close()
        if thread is threading.current_thread():  # an `accept` that closes: the thread ends by itself
            return
        if thread is not None and thread.is_alive():
            thread.join()
        service.release()  # where Ctrl-C came between: it waits for a thread that has only just begun

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
