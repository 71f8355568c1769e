"""A call into something that may never return, for a bounded time.

Rules of this file: the call runs on a daemon thread, which is abandoned at the limit; there is never more
than one abandoned thread, and while it lives every further call fails at once; no failure brings a frame of
the call with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

import attrs

__all__ = ["Bounded", "Unfinished"]

_T = TypeVar("_T")


class Unfinished(Exception):
    """The call did not end in time, or an earlier one still runs."""


@attrs.define(eq=False)
class Bounded:
    """Calls that take at most `limit` seconds. `told`: the exceptions that a caller may see as they are."""

    limit: float
    told: tuple[type[Exception], ...] = ()
    _abandoned: threading.Thread | None = attrs.field(default=None, init=False, repr=False)

    def call(self, work: Callable[[], _T]) -> _T:
        """What `work` returns. Raises Unfinished; of `told` the exception itself, without frames; for any
        other a RuntimeError that says nothing.
        """
        if self._abandoned is not None and self._abandoned.is_alive():
            raise Unfinished
        ended: SimpleQueue[tuple[_T] | Exception] = SimpleQueue()
        thread = threading.Thread(target=lambda: ended.put(self._ended(work)), daemon=True)
        thread.start()
        try:
            found = ended.get(timeout=self.limit)
        except Empty:
            self._abandoned = thread
            raise Unfinished from None
        if isinstance(found, Exception):
            raise found
        return found[0]

    def _ended(self, work: Callable[[], _T]) -> tuple[_T] | Exception:
        try:
            return (work(),)
        except self.told as error:
            return _bare(error)
        except BaseException:  # noqa: BLE001  # whatever a foreign library raises
            return RuntimeError("the call failed")


def _bare(error: Exception) -> Exception:
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
