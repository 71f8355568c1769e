"""The project's own files, for the tests of the house. Whatever `.gitignore` names is not one of them."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

__all__ = ["ROOT", "libraries", "own_files", "python_files", "top_level"]

ROOT: Final = Path(__file__).resolve().parents[2]
_IGNORED: Final = (".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()))


def libraries() -> Path:
    """Where the libraries are that the tests run with. As a path entry it brings no editable install."""
    return Path(sysconfig.get_path("purelib"))


def _is_own(name: str) -> bool:
    return not any(fnmatch(name, pattern) for pattern in _IGNORED)


def top_level() -> set[str]:
    """The names at the top of the project."""
    return {path.name for path in ROOT.iterdir() if _is_own(path.name)}


def own_files() -> Iterator[Path]:
    """Every file of the project."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = filter(_is_own, folders)
        yield from (Path(folder, name) for name in files if _is_own(name))


def python_files(*folders: str) -> list[Path]:
    """The Python files under these top-level folders, in order."""
    return sorted(
        path for path in own_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders
    )
