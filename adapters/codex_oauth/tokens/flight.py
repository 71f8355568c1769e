"""A piece of work on a thread of its own, and everybody who waits for it.

Rules of this file: the work belongs to no caller, so a caller that is interrupted or cancelled only stops
waiting; the thread is no daemon, so that the interpreter lets it finish; nobody holds a thread to wait.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import attrs

from codex_oauth.event_loops import on_this_loop, this_loop
from codex_oauth_core.secret import unseen

if TYPE_CHECKING:
    from anyio import Event

__all__ = ["Flight"]

T = TypeVar("T")
_THREADS: Final = sys.platform != "emscripten"
_SLICE: Final = 0.5  # seconds; a wait for a lock does not hear Ctrl-C on Windows
_NAME: Final = "codex-oauth-renewal"


@attrs.frozen
class _Crashed:
    """The work failed in a way that is no outcome of it."""

    error: BaseException = attrs.field(repr=False)


class Flight(Generic[T]):
    """One run of `work`. `after` gets its result when nobody waits any more; `cancel` asks it to end soon."""

    def __init__(
        self, work: Callable[[], T], *, after: Callable[[T], None], cancel: Callable[[], None]
    ) -> None:
        self._work = work
        self._after = after
        self._landed: Future[T | _Crashed] = Future()
        self._events: dict[object, Event] = {}
        self.cancel = cancel

    @property
    def landed(self) -> bool:
        """Whether the work is done, or has failed."""
        return self._landed.done()

    def start(self) -> bool:
        """Begin on a thread; False if there is none to be had: then call `run()`."""
        if not _THREADS:
            return False
        try:
            threading.Thread(target=self.run, name=_NAME, daemon=False).start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            return False
        return True

    def run(self) -> None:
        """Do the work here, now."""
        try:
            result = unseen(self._work)
        except BaseException as error:
            self._landed.set_result(_Crashed(error))
            if not isinstance(error, Exception):
                raise
        else:
            self._landed.set_result(result)
            self._after(result)

    def wait(self) -> T:
        """The result, for a caller that blocks. Ctrl-C ends the waiting, and not the work."""
        while True:
            try:
                landed = self._landed.result(_SLICE)
            except NotYet:
                continue
            return _opened(landed)

    async def wait_async(self) -> T:
        """The result, for a task of asyncio or trio. A cancel ends the waiting, and not the work."""
        if not self._landed.done():
            await self._landed_here().wait()
        return _opened(self._landed.result(0))

    def _landed_here(self) -> Event:
        """One for all tasks of the event loop that runs here; it is set when the work is done."""
        from anyio import Event

        loop = this_loop()
        landed = self._events.get(loop)
        if landed is None:
            landed = self._events[loop] = Event()
            soon, ring = on_this_loop(), landed.set
            self._landed.add_done_callback(lambda _: soon(ring))
        return landed


def _opened(landed: T | _Crashed) -> T:
    if isinstance(landed, _Crashed):
        raise landed.error.with_traceback(None) from None
    return landed
