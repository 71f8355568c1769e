"""The file system that the logins are on: its kind, its room, and whether it lets us write.

Rules of this file: what is not cheaply known is not told; nothing is written.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from codex_oauth.doctor.context import Area, Context, Finding, ok, problem, skipped, store_of, warn
from codex_oauth.doctor.place import nearest
from codex_oauth.stores.failures import ADVICE
from codex_oauth_core.errors import SignInError

__all__ = ["LEAST", "LITTLE", "MOUNTS", "check", "kind_of"]

LEAST: Final = 1024 * 1024
"""Bytes that must be free: a login is a few kilobytes, and is written beside the old one."""

LITTLE: Final = 20 * LEAST
MOUNTS: Path = Path("/proc/self/mountinfo")
_AREA: Final = Area.STORAGE
_SHARED: Final = re.compile(
    r"nfs\d?|cifs|smb\w*|afs|9p|ceph|lustre|gfs2?|ocfs2|vboxsf|drvfs|prl_fs|beegfs|gpfs|fuse(?:\..+)?|davfs"
)
"""File systems of a network, of a host of this machine, or of a program: not all of them keep locks."""

_LOCAL: Final = "If several machines or programs use it: " + ADVICE["no_locks"]
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def check(context: Context) -> Iterator[Finding]:
    """Kind and room, of the directory, or of the one that it will be made in."""
    store = store_of(context)
    if isinstance(store, SignInError):
        yield skipped("file-system", _AREA, "not looked at: there is no directory for logins")
        return
    place = nearest(store.home)
    yield _kind(place)
    yield _room(place)


def _kind(place: Path) -> Finding:
    kind = kind_of(place)
    if kind is None:
        return skipped("file-system", _AREA, "its kind is not known here")
    if _SHARED.fullmatch(kind):
        return warn("file-system", _AREA, f"{kind}: locks may not hold there", _LOCAL, subject=str(place))
    return ok("file-system", _AREA, kind, str(place))


def kind_of(place: Path) -> str | None:
    """The kind of the file system that a directory is on; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        device = place.stat().st_dev
    except OSError:
        return None
    real = Path(os.path.realpath(place))
    found = [row for line in lines if (row := _mount(line)) is not None and real.is_relative_to(row[1])]
    same = [row for row in found if row[0] == f"{os.major(device)}:{os.minor(device)}"] or found
    best = max(
        enumerate(same), key=lambda row: (len(row[1][1].parts), row[0]), default=None
    )  # the last on top
    return None if best is None else best[1][2]


def _mount(line: str) -> tuple[str, Path, str] | None:
    """Device, mount point and kind of a line (proc_pid_mountinfo(5))."""
    before, dash, after = line.partition(" - ")
    fields, more = before.split(" "), after.split(" ")
    if not dash or len(fields) < 5:
        return None
    return fields[2], Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])), more[0]


def _room(place: Path) -> Finding:
    name = str(place)
    if not os.access(place, os.W_OK):
        return problem("space", _AREA, "cannot be written", ADVICE["read_only"], subject=name)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return skipped("space", _AREA, f"not known: {error.strerror}", name)
    text = f"{free / LEAST:,.0f} MiB free"
    if free < LEAST:
        return problem("space", _AREA, text, ADVICE["disk_full"], subject=name)
    return (
        warn("space", _AREA, text, ADVICE["disk_full"], subject=name)
        if free < LITTLE
        else ok("space", _AREA, text, name)
    )
