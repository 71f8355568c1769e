"""Where logins are kept, why there, and whether its directories and files are as they must be.

Rules of this file: names are looked at and nothing is opened, created or changed; what the store refuses by
these rules is a problem here, and what it would put right by itself is worth saying.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from codex_oauth.doctor.context import Area, Context, Finding, ok, problem, skipped, store_of, warn
from codex_oauth.stores.failures import ADVICE, advice_at
from codex_oauth.stores.names import CURRENT, HOME_VARIABLE, HOST_ID, LOGINS, REGISTRATIONS
from codex_oauth.stores.plain import POSIX, is_open_to_others, refused_file
from codex_oauth_core.errors import SignInError

__all__ = ["check", "nearest"]

_AREA: Final = Area.STORAGE
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_TELLS: Final = "If others could read it, sign out and sign in again: codex-oauth logout"
_WORDS: Final = {
    "symlink": "is a symbolic link",
    "not_a_directory": "is not a directory",
    "not_a_regular_file": "is not a plain file",
    "wrong_owner": "belongs to another user",
    "hard_link": "has another hard link",
    "too_open": "can be changed by other users",
}


def check(context: Context) -> Iterator[Finding]:
    """The place, its directories, its files."""
    store = store_of(context)
    if isinstance(store, SignInError):
        details = ", ".join(f"{name}: {value}" for name, value in store.details.items())
        yield problem("store", _AREA, f"{store.message} ({details})", *store.next_actions)
        return
    home = store.home
    yield ok("store", _AREA, f"{home}, {_why(context)}")
    if not os.path.lexists(home):
        yield _to_be_made(home)
        return
    places = (home, home / LOGINS, home / REGISTRATIONS)
    yield from (_directory(path) for path in places if os.path.lexists(path))
    yield from _files(home)


def _why(context: Context) -> str:
    if context.chosen_store:
        return "named by --store"
    if context.environment.get(HOME_VARIABLE):
        return f"named by {HOME_VARIABLE}"
    if Path(context.environment.get("XDG_STATE_HOME", "")).is_absolute():
        return "under XDG_STATE_HOME"
    return "the default of this user"


def nearest(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    above = (path, *path.parents)  # what cannot be looked at is not there for us
    return next((each for each in above if os.path.exists(each)), Path(path.anchor))  # noqa: PTH110


def _to_be_made(home: Path) -> Finding:
    above = nearest(home)
    if os.access(above, os.W_OK | os.X_OK):
        return ok("directory", _AREA, "does not exist yet; a sign-in makes it", str(home))
    return problem("directory", _AREA, f"cannot be made: {above} cannot be written", ADVICE["read_only"])


def _directory(path: Path) -> Finding:
    name = str(path)
    try:
        found = path.lstat()
    except OSError as error:
        return _unseen("directory", name, error)
    if reason := _wrong(found):
        return problem("directory", _AREA, _WORDS[reason], advice_at(reason, name), subject=name)
    mode = stat.S_IMODE(found.st_mode)
    if POSIX and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return problem(
            "directory", _AREA, f"mode {mode:04o}: this user cannot use it", ADVICE["denied"], subject=name
        )
    if is_open_to_others(found) and path.name in (LOGINS, REGISTRATIONS):
        tighten = f"A sign-in or a renewal sets it to 0700. To do it now: chmod 700 {name}"
        return warn("directory", _AREA, f"mode {mode:04o}: others can look into it", tighten, subject=name)
    return ok("directory", _AREA, f"yours, mode {mode:04o}" if POSIX else "there", name)


_REFUSED: Final[tuple[tuple[str, Callable[[os.stat_result], bool]], ...]] = (
    ("symlink", lambda found: stat.S_ISLNK(found.st_mode)),
    ("not_a_directory", lambda found: not stat.S_ISDIR(found.st_mode)),
    ("wrong_owner", lambda found: POSIX and found.st_uid != os.geteuid()),
    ("too_open", lambda found: POSIX and bool(found.st_mode & _OTHERS_WRITE)),
)
"""Why a store does not write into a directory."""


def _wrong(found: os.stat_result) -> str | None:
    return next((reason for reason, refuses in _REFUSED if refuses(found)), None)


def _files(home: Path) -> Iterator[Finding]:
    inside: list[Path] = []
    for place in (home / LOGINS, home / REGISTRATIONS):
        try:
            inside += sorted(place.iterdir()) if place.is_dir() else []
        except OSError as error:
            yield _unseen("file", str(place), error)
            return
    names = [path for path in inside if path.suffix in (".json", ".rescue", ".lock")]
    rows = [row for path in (*names, home / CURRENT, home / HOST_ID) if (row := _file(path)) is not None]
    yield from rows or [ok("file", _AREA, f"{len(names)} files, all of them yours and private")]


def _file(path: Path) -> Finding | None:
    """What is wrong with a file; None if nothing is."""
    name = str(path)
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unseen("file", name, error)
    if reason := refused_file(found):
        return problem("file", _AREA, _WORDS[reason], advice_at(reason, name), subject=name)
    if is_open_to_others(found) and path.suffix != ".lock":
        mode = stat.S_IMODE(found.st_mode)
        advice = f"codex-oauth makes it private when it reads it. {_TELLS}"
        text = f"mode {mode:04o}: open to other users"
        return warn("file", _AREA, text, *((advice,) if path.name != CURRENT else ()), subject=name)
    return None


def _unseen(name: str, path: str, error: OSError) -> Finding:
    if isinstance(error, FileNotFoundError):
        return skipped(name, _AREA, "deleted meanwhile", path)
    text = f"cannot be looked at: {error.strerror or type(error).__name__}"
    return problem(name, _AREA, text, ADVICE["denied"], subject=path)
