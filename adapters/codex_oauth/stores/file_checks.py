"""How a file of the store is reached, checked on the way; and calls that may never return, bounded in time.

Rules of this file: a link is refused, or, where the store was told to, resolved before anything is opened,
so that checks are about what it leads to; what is written into belongs to us, and nobody else may change
it; a directory that serves more than a store keeps its mode.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import attrs

from codex_oauth.loading import loading
from codex_oauth.stores.files import Directory, is_temporary, open_directory, provide_directory, secure
from codex_oauth.stores.names import CURRENT, HOST_ID, LOGINS, REGISTRATIONS

__all__ = ["Bounded", "SafePath", "Unfinished", "directory_place", "file_place"]


@attrs.frozen
class SafePath:
    """A file's name, and the directories that lead to it, each in the one before."""

    directories: tuple[Path, ...]
    name: str

    @contextmanager
    def reading(self) -> Generator[Directory | None, None, None]:
        """The innermost directory; None if it is not there. Raises FileProblem, OSError."""
        with ExitStack() as opened:
            directory: Directory | None = None
            for path in self.directories:
                directory = open_directory(path, directory)
                if directory is None:
                    break
                opened.enter_context(directory)
            yield directory

    def writable(self) -> Directory:
        """The innermost directory, created with the others where they are missing. Nobody else may write
        to any of them. Close it. Raises FileProblem, OSError.
        """
        outer, directory = None, self._secured(self.directories[0], None)
        for path in self.directories[1:]:
            outer = directory
            with outer:
                directory = self._secured(path, outer)
        return directory

    @staticmethod
    def _secured(path: Path, parent: Directory | None) -> Directory:
        directory = provide_directory(path, parent)
        try:
            secure(directory, tighten=path.name in _OURS or _is_ours_alone(directory))
        except BaseException:
            directory.__exit__()
            raise
        return directory


def file_place(home: Path, *names: str, follow: bool) -> SafePath:
    """The place of the file that is reached by these names, from a home. `follow`: through links."""
    if follow:
        real = Path(os.path.realpath(home.joinpath(*names)))
        return SafePath((real.parent,), real.name)
    directories = (home, *(home.joinpath(*names[:count]) for count in range(1, len(names))))
    return SafePath(directories, names[-1])


def directory_place(home: Path, name: str, *, follow: bool) -> SafePath:
    """The place of what is in a directory of a home."""
    inside = home / name
    return SafePath((Path(os.path.realpath(inside)),) if follow else (home, inside), "")


_OURS: Final = (LOGINS, REGISTRATIONS)
_FILES: Final = (CURRENT, HOST_ID)
_LOCKS: Final = (f"{HOST_ID}.lock", f"{HOST_ID}.softlock")


def _is_ours_alone(home: Directory) -> bool:
    return all(
        name in (*_OURS, *_FILES, *_LOCKS) or any(is_temporary(name, file) for file in _FILES)
        for name in home.names()
    )


# -- calls that may never return -----------------------------------------------------------------------


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
        with loading("queue"):
            from queue import Empty, SimpleQueue

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
