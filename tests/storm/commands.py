"""What a child does on a disk that was made for it: mounts, fills, stores, and runs the command line.

Rules of this file: each function is one child's work, and its answer is plain data; a mount is seen by
all children of one nursery, and by nobody else.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import attrs

from codex_oauth import FileStore
from codex_oauth_core import Record
from codex_oauth_core.record import read_record
from tests.storm.logins import put, token_mark
from tests.storm.nursery import Link
from tests.users import become

__all__ = [
    "Said",
    "Stored",
    "command",
    "empty",
    "fill",
    "fill_names",
    "mount",
    "remount",
    "store",
    "stored",
    "unmount",
]


@attrs.frozen
class Said:
    """How a command ended. `out` is a fingerprint where it was a token."""

    code: int
    out: str
    err: str


@attrs.frozen
class Stored:
    """What is stored: which token, after how many renewals, and the names of all files beside it."""

    token: str
    generation: int
    in_doubt: bool
    names: tuple[str, ...]


def mount(link: Link, place: Path, options: str) -> None:
    """A small disk of its own."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options},mode=0700", "none", place], check=True)


def remount(link: Link, place: Path, options: str) -> None:
    """Change a disk, to `ro` say."""
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def unmount(link: Link, place: Path) -> None:
    """Take a disk away."""
    subprocess.run(["umount", place], check=True)


def store(link: Link, home: Path, content: bytes, uid: int | None) -> None:
    """Store a login, as that user."""
    become(uid)
    record = read_record(content)
    assert isinstance(record, Record)
    put(FileStore(home), record)


def stored(link: Link, home: Path, key: str, uid: int | None) -> Stored:
    """What is there now, as that user sees it."""
    become(uid)
    record = FileStore(home).slot(key).load()
    assert record is not None
    names = tuple(sorted(path.name for path in (home / "logins").iterdir()))
    return Stored(token_mark(record), record.generation, record.in_doubt, names)


def fill(link: Link, place: Path) -> None:
    """Use up the space of a disk."""
    with (place / "fill-0").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(512)):
            pass


def fill_names(link: Link, place: Path) -> None:
    """Use up the names of a disk, and none of its space."""
    with contextlib.suppress(OSError):
        for number in count():
            (place / f"fill-{number}").touch()


def empty(link: Link, place: Path) -> None:
    """Give the space back."""
    for path in place.glob("fill-*"):
        path.unlink()


def command(link: Link, home: Path, uid: int | None, longest: int | None) -> Said:
    """`codex-oauth token`, as that user, with files of at most `longest` bytes."""
    from codex_oauth.cli.main import main
    from codex_oauth_core.secret import Secret

    become(uid)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        if longest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))
        code = main(["token", "--store", os.fspath(home)])
        printed, told = _written(out.fileno()), _written(err.fileno())
    return Said(code, Secret(printed.strip()).fingerprint() if code == 0 else printed, told)


def _written(fd: int) -> str:
    return os.pread(fd, 100_000, 0).decode()
