"""What the listener's thread does: serve every connection until the redirect came, and a moment longer.

Rules of this file: one thread and one selector, however many connect; it waits for nobody in particular;
when `run()` ends, for whatever reason, everything that it opened is closed.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import assert_never, cast

from codex_oauth.listener.bell import Bell
from codex_oauth.listener.connection import Connection
from codex_oauth.listener.connections import MOST, PAUSE, Connections, accept, backlog
from codex_oauth.listener.ports import Bound
from codex_oauth_core.callback import Accepted, CallbackRule

__all__ = ["Service"]

_Source = socket.socket | Bell | Connection


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
            self._bell = opened.enter_context(contextlib.closing(Bell()))
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
            case Bell():
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
            for sock in backlog(listening, MOST - len(self._connections)):
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
