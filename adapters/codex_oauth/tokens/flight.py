"""A piece of work on a thread of its own, and everybody who waits for it.

Rules of this file: the work belongs to no caller, so a caller that is interrupted or cancelled only stops
waiting; the thread is no daemon, so that the interpreter lets it finish; nobody holds a thread to wait. Work
may tell its result before it ends: then it goes on in the background, for nobody.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import attrs

from codex_oauth.event_loops import load_anyio, on_this_loop, this_loop
from codex_oauth_core.secret import without_traceback

if TYPE_CHECKING:
    from anyio import Event

__all__ = ["Job"]

T = TypeVar("T")
_THREADS: Final = sys.platform != "emscripten"
_SLICE: Final = 0.5  # seconds; a wait for a lock does not hear Ctrl-C on Windows
_NAME: Final = "codex-oauth-renewal"


@attrs.frozen
class _Crashed:
    """The work failed in a way that is no outcome of it."""

    error: BaseException = attrs.field(repr=False)


class Job(Generic[T]):
    """One run of `work`. `after` gets a result when nobody waits any more; `cancel` asks it to end soon."""

    def __init__(
        self, work: Callable[[], T], *, after: Callable[[T], None], cancel: Callable[[], None]
    ) -> None:
        self._work = work
        self._after = after
        self._landed: Future[T | _Crashed] = Future()
        self._over: Future[T | _Crashed] = Future()
        self._events: dict[tuple[object, object], Event] = {}
        self.on_thread = False
        self.cancel = cancel

    @property
    def landed(self) -> bool:
        """Whether there is a result, or the work has failed."""
        return self._landed.done()

    @property
    def over(self) -> bool:
        """Whether the work has ended."""
        return self._over.done()

    def land(self, result: T) -> None:
        """Give those who wait their result now, from within the work, which goes on."""
        if not self._landed.done():
            self._landed.set_result(result)
            self._after(result)

    def start(self) -> bool:
        """Begin on a thread; False if there is none to be had: then call `run()`."""
        if not _THREADS:
            return False
        self.on_thread = True
        try:
            threading.Thread(target=self.run, name=_NAME, daemon=False).start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            self.on_thread = False
        return self.on_thread

    def run(self) -> None:
        """Do the work here, now."""
        try:
            result = without_traceback(self._work)
        except BaseException as error:
            self._end(_Crashed(error))
            if not isinstance(error, Exception):
                raise
        else:
            self._end(result)
            self._after(result)

    def _end(self, result: T | _Crashed) -> None:
        # over before landed: what has landed and is not over goes on, and begins nothing else meanwhile
        self._over.set_result(result)
        if not self._landed.done():
            self._landed.set_result(result)

    def wait(self, *, until_over: bool = False) -> T:
        """The result, for a caller that blocks. Ctrl-C ends the waiting, and not the work. `until_over`: the
        last result.
        """
        future = self._over if until_over else self._landed
        while True:
            try:
                landed = future.result(_SLICE)
            except NotYet:
                continue
            return _opened(landed)

    async def wait_async(self, *, until_over: bool = False) -> T:
        """The result, for a task of asyncio or trio. A cancel ends the waiting, and not the work."""
        future = self._over if until_over else self._landed
        if not future.done():
            await self._done_here(future).wait()
        return _opened(future.result(0))

    def _done_here(self, future: Future[T | _Crashed]) -> Event:
        """One for all tasks of the event loop that runs here; it is set when the future is done."""
        key = (this_loop(), future)
        if (done := self._events.get(key)) is None:
            load_anyio()
            from anyio import Event

            done = self._events[key] = Event()
            soon, ring = on_this_loop(), done.set
            future.add_done_callback(lambda _: soon(ring))
        return done


def _opened(landed: T | _Crashed) -> T:
    if isinstance(landed, _Crashed):
        raise landed.error.with_traceback(None) from None
    return landed
