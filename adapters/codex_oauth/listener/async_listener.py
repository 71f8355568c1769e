"""The callback listener of an asyncio or trio program: bound when it is made, unbound when its block ends.

Rules of this file: all that runs, runs in a task group of the `async with` block; an exception of the
block's own comes out as it is, and a cancellation leaves no task and no socket. One task a socket, and that
task alone waits on it, so nothing is held up by a peer that is slow. As a source of a world one more task
waits for what is heard. anyio is imported where it is used.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from codex_oauth.event_loops import load_anyio
from codex_oauth.listener.connection import MOST_LISTENED_TO, PAUSE, Connection, Connections, accept, backlog
from codex_oauth.listener.ports import Bound, bind
from codex_oauth_core.callback import Accepted, CallbackRule

if TYPE_CHECKING:
    from anyio import CancelScope
    from anyio.abc import TaskGroup

__all__ = ["AsyncCallbackListener", "AsyncListenerSource", "AsyncService"]


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
            for sock in backlog(listening, MOST_LISTENED_TO - len(self._connections)):
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


# -- the listener --------------------------------------------------------------------------------------


class AsyncCallbackListener:
    """`CallbackListener` for asyncio and trio: an asynchronous context manager with the same parameters.

    It listens as soon as you make it, so make it in the `async with` line: `async with
    AsyncCallbackListener(): ...`.
    """

    def __init__(
        self,
        ports: Sequence[int] = (1455, 1457),
        host: str = "localhost",
        path: str = "/auth/callback",
    ) -> None:
        self._bound = bind(ports, path, host)
        self._tasks: TaskGroup | None = None
        self._rule: CallbackRule | None = None
        self._service: AsyncService | None = None

    @property
    def redirect_uri(self) -> str:
        """The URI that the browser returns to. Put it into the flow."""
        return self._bound.redirect_uri

    @property
    def port(self) -> int:
        """The port of the redirect URI."""
        return self._bound.port

    async def wait(self, rule: CallbackRule, timeout: float) -> Accepted | None:  # noqa: ASYNC109  # it is a result
        """The genuine redirect, after its browser got its answer; None after `timeout` seconds.

        After None it goes on listening: call it again with the same rule, or leave the block. Raises
        RuntimeError outside the block and for a second rule, and ValueError if the rule is for another
        redirect URI.
        """
        import anyio

        service = self._serving(rule)
        with anyio.move_on_after(timeout):
            await service.over.wait()
        return service.accepted if service.over.is_set() else None

    def _serving(self, rule: CallbackRule) -> AsyncService:
        if self._service is not None and self._rule is rule:
            return self._service
        if self._tasks is None or self._service is not None:
            raise RuntimeError("a listener serves one sign-in, inside its `async with` block")
        if rule.redirect_uri != self.redirect_uri:
            raise ValueError("the rule is for another redirect URI")
        self._rule, self._service = rule, AsyncService(self._bound, rule, self._tasks)
        return self._service

    async def __aenter__(self) -> Self:
        load_anyio()
        import anyio

        try:
            tasks = anyio.create_task_group()
            self._tasks = await tasks.__aenter__()
        except BaseException:
            self._bound.close()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        tasks, self._tasks = self._tasks, None
        try:
            if tasks is not None:
                tasks.cancel_scope.cancel()
                # not told of the block's own exception, which it would wrap in a group
                await tasks.__aexit__(None, None, None)
        finally:
            self._bound.close()
            if self._service is not None:
                self._service.close()


# -- as a source of a world ----------------------------------------------------------------------------


class AsyncListenerSource:
    """`listener` as a `CallbackSource`. Use it in an `async with` block, inside the block of the listener."""

    def __init__(self, listener: AsyncCallbackListener) -> None:
        self._listener = listener
        self._tasks: TaskGroup | None = None
        self._waiting: CancelScope | None = None

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Judge whoever connects by `rule`; `accept` is called for the genuine redirect, once at most and
        after the browser has been answered. It must not block.

        Raises RuntimeError outside the block and for a second rule; ValueError if the rule is for another
        redirect URI.
        """
        from anyio import CancelScope

        if self._tasks is None or self._waiting is not None:
            raise RuntimeError("a listener serves one sign-in, inside its `async with` block")
        if rule.redirect_uri != self._listener.redirect_uri:
            raise ValueError("the rule is for another redirect URI")
        self._waiting = CancelScope()
        self._tasks.start_soon(self._bring, rule, accept, self._waiting, name="codex-oauth redirect")

    def stop(self) -> None:
        """Stop waiting. The listener itself goes on until its block ends."""
        if self._waiting is not None:
            self._waiting.cancel()

    async def _bring(
        self, rule: CallbackRule, accept: Callable[[Accepted], None], waiting: CancelScope
    ) -> None:
        with waiting:
            accepted = await self._listener.wait(rule, math.inf)
            if accepted is not None:
                accept(accepted)

    async def __aenter__(self) -> Self:
        import anyio

        tasks = anyio.create_task_group()
        self._tasks = await tasks.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
            # not told of the block's own exception, which it would wrap in a group
            await tasks.__aexit__(None, None, None)
