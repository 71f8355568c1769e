"""Secrets that can be recognised, a process that is watched while it runs, and where its secrets turned up.

Rules of this file: a secret is found by any twelve characters of any of its forms; a place is a stream, a
command line or a file, by a name that a failing test can show; no secret is shown, only what it is called.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final
from urllib.parse import quote

import attrs

from tests.cli.commands import SKIPPING, Done, environment, start_command
from tests.cli.running import Running

__all__ = ["PIECE", "Seen", "Watched", "canary", "files", "forms", "leaks", "watch"]

PIECE: Final = 12
"""How many characters of a secret are a leak."""

_LIMIT: Final = 60.0
_LOOK: Final = 0.02  # seconds


def canary() -> str:
    """A secret of its own, with characters that a token may have and that URLs write differently."""
    return "".join(f"{secrets.token_hex(4)}{mark}" for mark in "/+~-._") + secrets.token_hex(16)


def forms(secret: str) -> set[str]:
    """The ways to write a secret: as it is, in a URL, in JSON, in base64 wherever it begins."""
    data = secret.encode()
    written = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    for before in range(3):
        # the characters that neighbours share are left out
        for encoded in (
            base64.b64encode(b"\0" * before + data),
            base64.urlsafe_b64encode(b"\0" * before + data),
        ):
            written.add(encoded.decode().rstrip("=")[(0, 2, 3)[before] : -1])
    return written


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + PIECE] for at in range(len(text) - PIECE + 1))


def leaks(places: Mapping[str, str], hidden: Mapping[str, str]) -> set[tuple[str, str]]:
    """Which secret is in which place: `(place, name of the secret)`."""
    known = {
        name: {piece for form in forms(text) for piece in _pieces(form)} for name, text in hidden.items()
    }
    every = set[str]().union(*known.values())
    found: set[tuple[str, str]] = set()
    for place, text in places.items():
        if there := every.intersection(_pieces(text)):
            found |= {(place, name) for name, pieces in known.items() if pieces & there}
    return found


@attrs.frozen
class Seen:
    """A process that has ended: what it said, and the arguments of it and its children meanwhile."""

    done: Done
    arguments: frozenset[str]

    def places(self) -> dict[str, str]:
        """The places where a secret could be, but for files."""
        return {
            "stdout": self.done.out,
            "stderr": self.done.err,
            "arguments": "\n".join(sorted(self.arguments)),
        }


@attrs.define
class Watched:
    """A process, and every command line that was looked at."""

    process: Running
    arguments: set[str] = attrs.field(factory=set[str])

    def look(self) -> None:
        """Note the arguments of the process and of its children."""
        pending: list[int] = [self.process.pid]
        while pending:
            pid = pending.pop()
            folder = Path("/proc", str(pid))
            try:
                self.arguments.add((folder / "cmdline").read_bytes().decode(errors="replace"))
                pending += map(int, (folder / "task" / str(pid) / "children").read_text().split())
            except OSError:  # it has ended, or there is no such place here
                continue

    def wait(self) -> Seen:
        """Look until it ends."""
        with ThreadPoolExecutor(1) as pool:
            said = pool.submit(self.process.communicate, _LIMIT)
            while not said.done():
                self.look()
                wait([said], _LOOK)
            out, err = said.result()
        return Seen(Done(self.process.wait(), out, err), frozenset(self.arguments))


def watch(home: Path, *arguments: str, prelude: str = "", **extra: str) -> Watched:
    """Start a command in a home of its own, with its own directories for work and for temporary files."""
    for name in ("cwd", "tmp"):
        (home / name).mkdir(exist_ok=True)
    env = environment(home, TMPDIR=str(home / "tmp"), **extra)
    return Watched(start_command(home / "cwd", *arguments, env=env, prelude=f"{SKIPPING}\n{prelude}"))


def files(home: Path, besides: Iterable[str] = ()) -> dict[str, str]:
    """Every file in a home, with its name, but for those that match one of the patterns `besides`."""
    found: dict[str, str] = {}
    for folder, _, names in os.walk(home):
        for path in (Path(folder, name) for name in names):
            place = path.relative_to(home)
            if not any(place.match(pattern) for pattern in besides):
                found[f"file {place}"] = f"{place}\n{path.read_bytes().decode(errors='replace')}"
    return found
