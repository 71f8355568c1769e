"""The callback listener of an asyncio or trio program: bound when it is made, unbound when its block ends.

Rules of this file: all that runs, runs in a task group of the `async with` block; an exception of the
block's own comes out as it is, and a cancellation leaves no task and no socket. anyio is imported where it
is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from codex_oauth.event_loops import load_anyio
from codex_oauth.listener.async_service import AsyncService
from codex_oauth.listener.ports import bind
from codex_oauth_core.callback import Accepted, CallbackRule

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["AsyncCallbackListener"]


class AsyncCallbackListener:
    """`CallbackListener` for asyncio and trio: an asynchronous context manager with the same parameters.

    It listens from the start, so make it where its block begins: `async with AsyncCallbackListener(): ...`.
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
        """Where the browser comes back to."""
        return self._bound.redirect_uri

    @property
    def port(self) -> int:
        """The port of the redirect URI."""
        return self._bound.port

    async def wait(self, rule: CallbackRule, timeout: float) -> Accepted | None:  # noqa: ASYNC109  # it is a result
        """The genuine redirect, once its browser has been answered; None after `timeout` seconds.

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
