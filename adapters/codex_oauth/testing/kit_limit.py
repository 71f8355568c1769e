"""How long one check may take: a port that hangs ends its check, and not the run.

Rules of this file: a blocking check runs on a thread of its own, which is abandoned when it hangs, because
nothing can end it; one of asyncio is abandoned as its task, after it was cancelled; on trio it is
cancelled.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from codex_oauth.testing.bounded import Elsewhere

__all__ = ["WORLD_CHECK_LIMIT", "run_limited", "run_limited_async"]

WORLD_CHECK_LIMIT: Final = 60.0
"""Seconds after which a check is given up. The longest of a right world takes less than 10."""

_ADIEU: Final = 1.0
"""Seconds that a task gets to leave when it was cancelled."""


def run_limited(work: Callable[[], None]) -> None:
    """Run `work`, which blocks, and raise what it raises; AssertionError if it does not end."""
    Elsewhere(work).result(WORLD_CHECK_LIMIT)


async def run_limited_async(work: Callable[[], Awaitable[None]]) -> None:
    """The same with `await`. Where neither asyncio nor trio runs, there is no limit."""
    loop = _running()
    if loop == "asyncio":
        await _on_asyncio(work)
    elif loop == "trio":
        with anyio.move_on_after(WORLD_CHECK_LIMIT):
            await work()
            return
        raise _too_long()
    else:
        await work()


def _too_long() -> AssertionError:
    return AssertionError(f"it did not end within {WORLD_CHECK_LIMIT:.0f} s")


def _running() -> str:
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return "trio"
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return ""
    return "asyncio"


async def _on_asyncio(work: Callable[[], Awaitable[None]]) -> None:
    import asyncio

    from codex_oauth.event_loops import keep_out_of_the_loops_end

    async def checking() -> None:
        await work()

    task = asyncio.get_running_loop().create_task(checking(), name="codex-oauth check")
    try:
        await asyncio.wait([task], timeout=WORLD_CHECK_LIMIT)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task], timeout=_ADIEU)
        raise
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_ADIEU)
        keep_out_of_the_loops_end(task)  # else the loop would wait for a task that never ends
        raise _too_long()
    task.result()
