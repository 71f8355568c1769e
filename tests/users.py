"""Being another user, which a test that runs as root may be; and a place that such a user comes to.

Rules of this file: who became another user loads nothing more, on every machine, because a clone below
somebody's private folder is closed to it: what its work needs is loaded before.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from importlib.machinery import BuiltinImporter, FrozenImporter
from pathlib import Path
from typing import Final

__all__ = ["NOBODY", "become", "place_for_all"]

NOBODY: Final = 65534


def become(uid: int | None) -> None:
    """Be that user from now on; None changes nothing. For a process of a test's own."""
    if uid is None:
        return
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter]
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def place_for_all() -> Path:
    """A directory below which every user comes to what is its own, though TMPDIR may be somebody's alone."""
    for place in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")):
        if os.access(place, os.W_OK) and all(_open(each) for each in (place, *place.parents)):
            return place
    raise OSError("no directory for temporary files is open to every user; let TMPDIR name one")


def _open(place: Path) -> bool:
    return bool(place.stat().st_mode & stat.S_IXOTH)
