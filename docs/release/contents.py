"""What a wheel and an sdist hold, against what they should: a kept list, and the project's own files.

Rules of this file: the standard library alone; a version in a name is written `VERSION`, so that the list
stays the same from release to release; what is missing and what is too much are both said.
"""

from __future__ import annotations

import re
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.house.tree import ROOT, own_files

__all__ = ["KEPT", "differences", "expected_of_sdist", "sdist_names", "source_names", "wheel_names"]

KEPT: Final = Path(__file__).resolve().parent / "wheel.txt"
"""The files of the wheel, one a line."""


def wheel_names(path: Path, version: str) -> set[str]:
    """The files of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name.replace(f"-{version}.", "-VERSION.") for name in archive.namelist()}


def source_names() -> set[str]:
    """The project's own files that a wheel takes, named as in it: those of its packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = [ROOT / each for each in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    return {
        path.relative_to(package.parent).as_posix()
        for path in own_files()
        for package in packages
        if path.is_relative_to(package)
    }


def sdist_names(path: Path) -> set[str]:
    """The files of an sdist, without the folder that they are all in."""
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def expected_of_sdist() -> set[str]:
    """The project's own files that pyproject.toml takes, and what every sdist has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    taken = tuple(project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
    names = {f"/{path.relative_to(ROOT).as_posix()}" for path in own_files()}
    found = {name for name in names if any(name == each or name.startswith(f"{each}/") for each in taken)}
    return {name.removeprefix("/") for name in found} | {"PKG-INFO", "pyproject.toml"}


def differences(found: set[str], expected: set[str], what: str) -> Iterator[str]:
    """What is too much, and what is missing, a line each."""
    yield from (f"{what} has {name}, which is in no list" for name in sorted(found - expected))
    yield from (f"{what} has no {name}" for name in sorted(expected - found))


def kept() -> set[str]:
    """The kept list of the wheel."""
    return {*KEPT.read_text(encoding="utf-8").splitlines()}


def is_version(text: str) -> bool:
    """Whether a text is a version as a release has it: three numbers."""
    return re.fullmatch(r"\d+\.\d+\.\d+", text) is not None
