"""How a file of the store is reached: the directories that lead to it, opened and checked.

Rules of this file: a link is refused, or, where the store was told to, resolved before anything is opened,
so that checks are about what it leads to; what is written into belongs to us, and nobody else may
change it; a directory that serves more than a store keeps its mode.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from codex_oauth.stores.directory import Directory, open_directory, provide_directory, secure
from codex_oauth.stores.files import is_temporary
from codex_oauth.stores.paths import CURRENT, LOGINS

__all__ = ["Place", "directory_place", "file_place"]


@attrs.frozen
class Place:
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
            secure(directory, tighten=path.name == LOGINS or _is_ours_alone(directory))
        except BaseException:
            directory.__exit__()
            raise
        return directory


def file_place(home: Path, *names: str, follow: bool) -> Place:
    """The place of the file that is reached by these names, from a home. `follow`: through links."""
    if follow:
        real = Path(os.path.realpath(home.joinpath(*names)))
        return Place((real.parent,), real.name)
    directories = (home, *(home.joinpath(*names[:count]) for count in range(1, len(names))))
    return Place(directories, names[-1])


def directory_place(home: Path, name: str, *, follow: bool) -> Place:
    """The place of what is in a directory of a home."""
    inside = home / name
    return Place((Path(os.path.realpath(inside)),) if follow else (home, inside), "")


def _is_ours_alone(home: Directory) -> bool:
    return all(name in (LOGINS, CURRENT) or is_temporary(name, CURRENT) for name in home.names())
