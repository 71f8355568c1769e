"""Whole processes as contestants: how long one takes, and what it says.

Rules of this file: a process gets the environment that its row names and nothing else; a process that fails
ends the measurement, because what failed was not measured.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.bench.peers import VENV

__all__ = ["PYTHON", "clean_packages", "importing", "lasting", "said"]

PYTHON: Final = str(VENV / "bin" / "python")
_CLEAN: Final = (
    *("codex_oauth", "codex_oauth_core", "httpx", "httpcore", "h11", "anyio", "idna", "certifi", "sniffio"),
    *("typing_extensions", "attr", "attrs", "transitions", "six", "platformdirs", "filelock"),
)
"""What an installation without extras has."""


def said(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a process writes to stdout. Raises CalledProcessError."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **(environment or {})}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


def lasting(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Seconds from the start of a process to its end."""
    began = time.perf_counter()
    said(command, environment)
    return time.perf_counter() - began


@contextlib.contextmanager
def clean_packages() -> Generator[Path]:
    """A folder with this package and what it requires, and nothing beside: no extras, no tools."""
    with TemporaryDirectory() as folder:
        for name in _CLEAN:
            spec = find_spec(name)
            if spec is not None and spec.origin is not None:
                origin = Path(spec.origin)
                origin = origin.parent if origin.name == "__init__.py" else origin
                Path(folder, origin.name).symlink_to(origin)
        yield Path(folder)


def importing(statement: str, path: Path) -> float:
    """Seconds that an import takes in a new interpreter with `path` and the standard library, of which `os` is loaded, as
    `site` does it before any program.
    """
    code = f"import os, time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return float(said([PYTHON, "-S", "-c", code], {"PYTHONPATH": str(path)}))
