"""The fast part of the suite on every other interpreter that this machine has: `make pythons`.

Rules of this file: each interpreter has a folder of its own, built from the pinned lock; what was run is said;
one that starts and fails, fails the run; a machine with a single interpreter has nothing to do here.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import attrs

__all__ = ["FAST", "Interpreter", "candidates", "fast_part", "main", "others", "probed"]

ROOT: Final = Path(__file__).parents[2]
MINORS: Final = (11, 12, 13, 14)
"""The minor versions of Python 3 that are looked for."""

FAST: Final = tuple((ROOT / "tests" / "portable.txt").read_text(encoding="utf-8").splitlines())
"""What differs most between versions and systems: TLS, sockets, event loops, processes, SQLite, argparse, JSON,
enumerations, patterns, copies; and of the machines, which are the same on every one, one file each.
"""

_PROBE: Final = "import json, sys, venv; print(json.dumps([sys.implementation.name, *sys.version_info[:4], sys.executable]))"


@attrs.frozen(order=True)
class Interpreter:
    """A CPython that starts: its minor and micro version, and where it is."""

    minor: int
    micro: int
    path: str

    @property
    def folder(self) -> Path:
        """Where its packages are."""
        return ROOT / f".venv-3.{self.minor}"

    def __str__(self) -> str:
        return f"Python 3.{self.minor}.{self.micro}"


def candidates(path: str, home: Path, environ: dict[str, str]) -> Iterator[str]:
    """Commands that may be an interpreter: `python3.x` of every folder on `path`, and all of pyenv's."""
    for folder in path.split(os.pathsep):
        for minor in MINORS:
            command = Path(folder, f"python3.{minor}")
            if folder and os.access(command, os.X_OK):
                yield os.fspath(command)
    root = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    yield from (os.fspath(found) for found in sorted(root.glob("versions/3.*/bin/python")))


def probed(command: str) -> Interpreter | None:
    """The interpreter that a command starts; None if it starts none, or one that is not looked for."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [command, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True, env=environ
        )
        name, major, minor, micro, level, path = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    wanted = (name, major, level) == ("cpython", 3, "final") and minor in MINORS
    return Interpreter(minor, micro, path) if wanted else None


def others(found: Iterable[Interpreter | None], but: int) -> list[Interpreter]:
    """The newest of each minor version, without the one that the whole suite runs on."""
    newest: dict[int, Interpreter] = {}
    for each in found:
        if each is not None and each.minor != but:
            newest[each.minor] = max(each, newest.get(each.minor, each))
    return [newest[minor] for minor in sorted(newest)]


def fast_part(root: Path = ROOT) -> list[str]:
    """The files of the fast part."""
    return [os.fspath(file.relative_to(root)) for name in FAST for file in _files(root / name)]


def _files(place: Path) -> list[Path]:
    return [place] if place.suffix == ".py" else sorted(place.rglob("test_*.py"))


def install(each: Interpreter) -> Path:
    """Build its folder, unless that was built from the same lock. Its `python`."""
    python = each.folder / "bin" / "python"
    state = hashlib.sha256(each.path.encode())
    for name in ("requirements.lock", "pyproject.toml", "tests/tokens/openai2.lock"):
        state.update((ROOT / name).read_bytes())
    stamp = each.folder / ".installed"
    if stamp.is_file() and stamp.read_text() == state.hexdigest():
        return python
    uv = [sys.executable, "-m", "uv", "--quiet"]
    pip = [*uv, "pip", "install", "--python", os.fspath(python), "--no-deps"]
    for command in (
        [*uv, "venv", "--clear", "--no-python-downloads", "--python", each.path, os.fspath(each.folder)],
        [*pip, "--require-hashes", "-r", "requirements.lock"],
        [*pip, "--no-build-isolation", "-e", "."],
        [
            *(*pip, "--require-hashes", "--target", os.fspath(each.folder / "openai2")),
            *("-r", "tests/tokens/openai2.lock"),
        ],
    ):
        subprocess.run(command, cwd=ROOT, check=True)
    stamp.write_text(state.hexdigest())
    return python


def main() -> int:
    """Run it on each. The exit code: 0 if all were green."""
    commands = candidates(os.environ.get("PATH", ""), Path.home(), dict(os.environ))
    ours = ".".join(map(str, sys.version_info[:3]))
    there = others((probed(command) for command in commands), sys.version_info[1])
    names = ", ".join(map(str, there)) or "no other"
    print(f"The whole suite runs on Python {ours}, and the fast part on: {names}", flush=True)
    failed: list[str] = []
    for each in there:
        print(f"-- {each} ({each.path})", flush=True)
        try:
            command = [os.fspath(install(each)), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
            subprocess.run([*command, "-m", "not nightly", *fast_part()], cwd=ROOT, check=True)
        except subprocess.CalledProcessError as error:
            failed.append(f"{each} (exit {error.returncode})")
    if failed:
        print("The fast part failed on:", ", ".join(failed))
    else:
        print("The fast part is green on:", names)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
