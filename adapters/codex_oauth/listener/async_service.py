"""What the tasks of the asynchronous listener do: serve every connection until the redirect came, and a
moment longer.

Rules of this file: one task a socket, and that task alone waits on it; nothing is held up by a peer that
is slow; the task group of the caller bounds everything. anyio is imported where it is used.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from codex_oauth.listener.connection import Connection
from codex_oauth.listener.connections import MOST, PAUSE, Connections, accept, backlog
from codex_oauth.listener.ports import Bound
from codex_oauth_core.callback import Accepted, CallbackRule

if TYPE_CHECKING:
    from anyio import CancelScope
    from anyio.abc import TaskGroup

__all__ = ["AsyncService"]

_NAME = "codex-oauth callback"


class AsyncService:
    """Serves `bound` in the tasks of a group. `over` is set once the redirect has come and its browser
    has been answered, or when the service is closed.
    """

    def __init__(self, bound: Bound, rule: CallbackRule, tasks: TaskGroup) -> None:
        import anyio

        self.over = anyio.Event()
        self._bound = bound
        self._tasks = tasks
        self._connections = Connections(rule)
        self._scopes: dict[Connection, CancelScope] = {}
        for listening in bound.sockets:
            tasks.start_soon(self._listen, listening, name=_NAME)

    @property
    def accepted(self) -> Accepted | None:
        """The genuine redirect, once it has come."""
        return self._connections.accepted

    def close(self) -> None:
        """Close every socket, when no task runs any more."""
        for connection in self._connections:  # of tasks that were cancelled before they began
            connection.sock.close()
        self._bound.close()
        self.over.set()

    async def _listen(self, listening: socket.socket) -> None:
        import anyio

        while listening.fileno() >= 0:
            try:
                await anyio.wait_readable(listening)
            except anyio.ClosedResourceError:
                return
            if listening.fileno() >= 0:
                await self._welcome(listening)

    async def _welcome(self, listening: socket.socket) -> None:
        """Let one connection in."""
        try:
            sock = accept(listening)
        except OSError:
            await self._make_room()
            return
        if sock is not None:
            self._drop(self._connections.surplus())
            self._admit(sock)

    async def _make_room(self) -> None:
        """In the system: other work of this program may need some, too."""
        import anyio

        spare = self._connections.spare()
        for each in spare:
            self._drop(each)
        while any(each in self._scopes for each in spare):  # until their tasks have closed them
            await anyio.lowlevel.checkpoint()
        if not spare:
            await anyio.sleep(PAUSE)

    def _admit(self, sock: socket.socket) -> None:
        import anyio

        connection = self._connections.admit(sock, anyio.current_time())
        self._scopes[connection] = anyio.CancelScope()
        self._tasks.start_soon(self._serve, connection, name=_NAME)

    async def _serve(self, connection: Connection) -> None:
        scope = self._scopes[connection]
        try:
            with connection.sock, scope:
                while not connection.over:
                    await self._turn(connection, scope)
        finally:
            del self._scopes[connection]
            self._connections.forget(connection)
            self._look_for_the_redirect()

    async def _turn(self, connection: Connection, scope: CancelScope) -> None:
        import anyio

        self._connections.turn(connection, anyio.current_time())
        self._look_for_the_redirect()
        scope.deadline = connection.deadline
        if connection.writing:
            await anyio.wait_writable(connection.sock)
        elif not connection.over:
            await anyio.wait_readable(connection.sock)

    def _look_for_the_redirect(self) -> None:
        if self._connections.accepted is None:
            return
        self._stop_listening()
        if self._connections.answered:
            self.over.set()

    def _stop_listening(self) -> None:
        """Let in whoever has connected already, free the port, and hurry; only the first time."""
        import anyio

        if self._connections.finished:
            return
        latest = self._connections.finish(anyio.current_time())
        for listening in self._bound.sockets:
            for sock in backlog(listening, MOST - len(self._connections)):
                self._admit(sock)
            anyio.notify_closing(listening)
        self._bound.close()
        for scope in self._scopes.values():
            scope.deadline = min(scope.deadline, latest)

    def _drop(self, connection: Connection | None) -> None:
        """Close a connection: its task does it, at once."""
        if connection is not None:
            self._connections.forget(connection)
            self._scopes[connection].cancel()
