"""A limit of the kit's own: what hangs ends its check, and not the run; it is said where it hangs.

Rules of this file: whatever belongs to somebody else runs in a thread that the interpreter does not wait for
at its end, so that even the process ends; no value of a frame is shown, its line and its name are.
"""

from __future__ import annotations

import functools
import linecache
import sys
import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Generic, TypeVar, cast

from codex_oauth.testing.checking import check_error, fail

__all__ = ["ELSEWHERE_LIMIT", "STORE_CHECK_LIMIT", "Elsewhere", "all_at_once", "elsewhere", "limited", "told"]

_T = TypeVar("_T")
_A = TypeVar("_A")
_C = TypeVar("_C", bound=Callable[..., None])

STORE_CHECK_LIMIT: Final = 90.0
"""Seconds for a check. The slowest one of a store that is right takes a few."""

ELSEWHERE_LIMIT: Final = 30.0
"""Seconds for what a check does in another thread."""

_HERE: Final = Path(__file__).parent
_HELPERS: Final = {Path(__file__).name}


class Elsewhere(Generic[_T]):
    """Work in a thread of its own, begun at once."""

    def __init__(self, work: Callable[[], _T]) -> None:
        self._work = work
        self._returned: list[_T] = []
        self._raised: BaseException | None = None
        run = copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name="check", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._returned.append(self._work())
        except BaseException as error:  # noqa: BLE001  # raised by `result`
            self._raised = error

    def result(self, seconds: float = ELSEWHERE_LIMIT) -> _T:
        """What the work returned. Raises what it raised, and AssertionError after so many seconds."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            fail(f"{_whereabouts(_outward(frame))} had not come back after {seconds:g} s")
        if self._raised is not None:
            raise self._raised
        return self._returned[0]


def elsewhere(work: Callable[..., _T], *arguments: object) -> _T:
    """What `work` returns or raises, in another thread."""
    return Elsewhere(functools.partial(work, *arguments)).result()


def all_at_once(work: Callable[[_A], _T], arguments: Iterable[_A], threads: int = 4) -> list[_T]:
    """What `work` makes of each argument, in that order; so many threads share them."""
    todo = list(enumerate(arguments))
    done: dict[int, _T] = {}

    def share() -> None:
        while True:
            try:
                number, argument = todo.pop(0)
            except IndexError:
                return
            done[number] = work(argument)

    working = [Elsewhere(share) for _ in range(threads)]
    for each in working:
        each.result()
    return [done[number] for number in sorted(done)]


def limited(check: _C, seconds: float = STORE_CHECK_LIMIT) -> _C:
    """The same check, which ends after so many seconds."""

    @functools.wraps(check)
    def within(*arguments: Any) -> None:
        Elsewhere(lambda: check(*arguments)).result(seconds)

    return cast("_C", within)


def told(check: object, error: Exception) -> AssertionError:
    """As `check_error`. What was raised is told with the line of the check that met it; its own text is not,
    since somebody else wrote it, and it may show a secret.
    """
    if isinstance(error, AssertionError) and str(error):
        return check_error(check, error)
    wrong = f"{type(error).__name__} was raised at `{_raised_at(error.__traceback__)}`"
    return AssertionError(f"{getattr(check, '__name__', check)}: {wrong}")


def _raised_at(traceback: TracebackType | None) -> str:
    frames: list[tuple[FrameType, int]] = []
    while traceback is not None:
        frames.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    asked = [(frame, line) for frame, line in frames if _is_ours(frame)]
    return _line(*asked[-1]) if asked else ""


def _outward(frame: FrameType | None) -> list[FrameType]:
    """From the outermost frame to the innermost."""
    found: list[FrameType] = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


def _whereabouts(frames: list[FrameType]) -> str:
    """The last line of a check, and what it called that is not the kit's."""
    asked = [number for number, frame in enumerate(frames) if _is_ours(frame)]
    if not asked:
        return "a check"
    last = frames[asked[-1]]
    called = frames[asked[-1] + 1 :][:1]
    inside = f", in {called[0].f_code.co_qualname}," if called else ""
    return f"`{_line(last, last.f_lineno)}`{inside}"


def _is_ours(frame: FrameType) -> bool:
    place = Path(frame.f_code.co_filename)
    return place.parent == _HERE and place.name not in _HELPERS


def _line(frame: FrameType, number: int) -> str:
    return linecache.getline(frame.f_code.co_filename, number).strip()
