"""How long one check may take: a port that hangs ends its check, and not the run.

Rules of this file: a blocking check runs on a thread of its own, which is abandoned when it hangs, because
nothing can end it; one of asyncio is abandoned as its task, after it was cancelled; on trio it is
cancelled.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

__all__ = ["CHECK_LIMIT", "run_limited", "run_limited_async"]

CHECK_LIMIT: Final = 60.0
"""Seconds after which a check is given up. The longest of a right world takes less than 10."""

_ADIEU: Final = 1.0
"""Seconds that a task gets to leave when it was cancelled."""


def run_limited(work: Callable[[], None]) -> None:
    """Run `work`, which blocks, and raise what it raises; AssertionError if it does not end."""
    raised: list[BaseException] = []
    context = contextvars.copy_context()

    def guarded() -> None:
        try:
            context.run(work)
        except BaseException as error:  # noqa: BLE001  # raised below, in the caller's thread
            raised.append(error)

    thread = threading.Thread(target=guarded, name="codex-oauth check", daemon=True)
    thread.start()
    thread.join(CHECK_LIMIT)
    if thread.is_alive():
        raise AssertionError(f"it did not end within {CHECK_LIMIT:.0f} s{_standing(thread)}")
    if raised:
        raise raised[0]


def _standing(thread: threading.Thread) -> str:
    """Where a thread stands."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  # as faulthandler does
    if frame is None:
        return ""
    places = traceback.extract_stack(frame)[-3:]
    return "; it stands in " + ", ".join(f"{place.filename}:{place.lineno} {place.name}" for place in places)


async def run_limited_async(work: Callable[[], Awaitable[None]]) -> None:
    """The same with `await`. Where neither asyncio nor trio runs, there is no limit."""
    loop = _running()
    if loop == "asyncio":
        await _on_asyncio(work)
    elif loop == "trio":
        with anyio.move_on_after(CHECK_LIMIT):
            await work()
            return
        raise _too_long()
    else:
        await work()


def _too_long() -> AssertionError:
    return AssertionError(f"it did not end within {CHECK_LIMIT:.0f} s")


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
        await asyncio.wait([task], timeout=CHECK_LIMIT)
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
