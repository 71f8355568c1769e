"""The asynchronous listener as a source of a world: what it hears ends the world's wait.

Rules of this file: one task waits on the listener, in a group of its own; it is over when the `async with`
block ends. anyio is imported where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from codex_oauth.listener.async_listener import AsyncCallbackListener
from codex_oauth_core.callback import Accepted, CallbackRule

if TYPE_CHECKING:
    from anyio import CancelScope
    from anyio.abc import TaskGroup

__all__ = ["AsyncListenerSource"]


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
