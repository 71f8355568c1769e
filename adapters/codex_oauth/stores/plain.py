"""Which files and directories are read as a store's own.

Rules of this file: judgement over what `stat` says, and the flags with which a name is opened so that what
was judged is what is read; cheap to load, because commands that only print a token start with this.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

__all__ = ["CLOSED_FLAGS", "DIRECTORY_FLAGS", "POSIX", "is_open_to_others", "refused_file"]

POSIX: Final = os.name == "posix"
"""Whether files have owners and modes, and directories can be opened."""

CLOSED_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
DIRECTORY_FLAGS: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_OTHERS: Final = 0o077


def _is_foreign(found: os.stat_result) -> bool:
    return POSIX and found.st_uid != os.geteuid()


_REFUSED: Final[tuple[tuple[str, Callable[[os.stat_result], bool]], ...]] = (
    ("symlink", lambda found: stat.S_ISLNK(found.st_mode)),
    ("not_a_regular_file", lambda found: not stat.S_ISREG(found.st_mode)),
    ("wrong_owner", _is_foreign),
    ("hard_link", lambda found: found.st_nlink > 1),  # 0 is a file that was replaced just now
)


def refused_file(found: os.stat_result) -> str | None:
    """Why something is not read as a file of ours: a reason for a `FileProblem`; None for a plain file."""
    return next((reason for reason, refuses in _REFUSED if refuses(found)), None)


def is_open_to_others(found: os.stat_result) -> bool:
    """Whether other users may read or change a file."""
    return POSIX and bool(stat.S_IMODE(found.st_mode) & _OTHERS)
