"""What asyncio and trio do differently, for code that runs on both: being woken, and not being cut.

Rules of this file: whatever was begun here is over when its caller goes on, so no task outlives anybody; a
cancellation that came meanwhile is never lost. anyio and asyncio are imported where they are used.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from codex_oauth.loading import are_loaded, loading

if TYPE_CHECKING:
    from asyncio import CancelledError

__all__ = [
    "Scheduler",
    "keep_out_of_the_loops_end",
    "load_anyio",
    "maybe_await",
    "on_this_loop",
    "outlive_the_loop",
    "run_blocking",
    "shielded",
    "this_loop",
    "uncut",
]

T = TypeVar("T")

Scheduler = Callable[[Callable[[], object]], None]
"""Has something done in an event loop, soon; from any thread, and from a signal handler."""


def load_anyio() -> None:
    """Load anyio, and its half for the event loop that runs here, so that no fork falls into it."""
    backend = "anyio._backends._asyncio" if _trio() is None else "anyio._backends._trio"
    if are_loaded("anyio", backend):
        return
    with loading("anyio", backend):
        from anyio import get_cancelled_exc_class

        get_cancelled_exc_class()


def on_this_loop() -> Scheduler:
    """A function that has work done in the event loop that runs here. It does nothing once the loop has
    ended.
    """
    trio = _trio()
    if trio is not None:
        soon = trio.lowlevel.current_trio_token().run_sync_soon
    else:
        from asyncio import get_running_loop

        soon = get_running_loop().call_soon_threadsafe

    def schedule(work: Callable[[], object]) -> None:
        try:
            soon(work)
        except RuntimeError:  # the loop has ended, and with it whoever waited
            return

    return schedule


def this_loop() -> object:
    """The event loop that runs here, to tell it from others."""
    trio = _trio()
    if trio is not None:
        token: object = trio.lowlevel.current_trio_token()
        return token
    from asyncio import get_running_loop

    return get_running_loop()


async def shielded(call: Callable[[], Awaitable[T]]) -> T:
    """Return what `call` returns, or raise what it raises. No cancellation interrupts it: not that of a
    scope, not that of an asyncio task, not the end of `asyncio.run`. The caller's next await raises a
    cancellation that came in the meantime. Ctrl-C is a cancellation in `asyncio.run`; in trio it is
    KeyboardInterrupt, which interrupts the call at once, as in blocking code.
    """
    load_anyio()
    if _trio() is None:
        return await _uncut_on_asyncio(call)
    from anyio import CancelScope

    with CancelScope(shield=True):
        return await call()
    raise AssertionError("nobody cancels that scope")


async def run_blocking(call: Callable[[], T]) -> T:
    """What `call`, which blocks, returns or raises: on a worker thread, and uncut.

    Where there is no thread to be had it is called here, and blocks.
    """
    load_anyio()
    from anyio import CapacityLimiter, to_thread

    begun = False

    def work() -> T:
        nonlocal begun
        begun = True
        return call()

    async def on_a_thread() -> T:
        return await to_thread.run_sync(work, limiter=CapacityLimiter(1))  # waits for no other thread

    try:
        return await shielded(on_a_thread)
    except RuntimeError:
        if begun:
            raise
    return call()


async def maybe_await(result: Awaitable[None] | None) -> None:
    """Wait for what a callback began, if it is a coroutine function."""
    if result is not None:
        await result


def _trio() -> Any:
    """The module, if its event loop runs here."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_task() else None


async def _uncut_on_asyncio(call: Callable[[], Awaitable[T]]) -> T:
    """In a task of its own: asyncio's `cancel()` goes through shields, so it must not find what to cut."""
    import asyncio

    from anyio import CancelScope

    async def work() -> T:
        return await call()

    task = asyncio.get_running_loop().create_task(work(), name="codex-oauth uncut")
    keep_out_of_the_loops_end(task)
    cancelled: asyncio.CancelledError | None = None
    with CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        _cancel_again(cancelled)
    return task.result()


def outlive_the_loop() -> None:
    """Keep the task that runs here out of what `asyncio.run` cancels at its end, as whoever waits for it is.
    On trio nothing is cancelled but by a scope.
    """
    if _trio() is None:
        from asyncio import current_task

        keep_out_of_the_loops_end(current_task())


def keep_out_of_the_loops_end(task: Any) -> None:
    """Keep a task out of `asyncio.all_tasks()`, which `asyncio.run` cancels at its end. Its caller waits."""
    from asyncio import tasks

    tasks._unregister_task(task)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # documented for task classes


def _cancel_again(cancelled: CancelledError) -> None:
    """Raise a cancellation at the next await; it counts once, for `asyncio.timeout` and task groups."""
    from asyncio import current_task

    task = current_task()
    assert task is not None
    task.uncancel()
    task.cancel(*cancelled.args)


uncut = shielded
"""The former name of `shielded`, for one release."""
