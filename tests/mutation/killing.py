"""Runs tests against a copy of the core that has a fault in it.

Rules of this file: the working tree is read and never written; each copy is a folder of its own, put before the
real core on the path of the tests and of every process that they start; tests that hang count as a kill.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs

from tests.mutation.mutants import Mutant

__all__ = ["CORE", "ROOT", "Stage", "TestsFailed", "baseline", "killer"]

ROOT: Final = Path(__file__).parents[2]
CORE: Final = ROOT / "core"
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
_MEMORY: Final = 6 * 1024**3


class TestsFailed(Exception):
    """The tests are red without any fault, or there are none."""

    __test__ = False


@attrs.frozen
class Stage:
    """Tests that are run together, and how many seconds they may take with a fault in the core."""

    name: str
    tests: tuple[str, ...]
    limit: float = 600.0


def baseline(stage: Stage, folder: Path = CORE) -> Stage:
    """The stage with a limit by what it takes without a fault. Raises `TestsFailed` if it is red."""
    begun = time.monotonic()
    if said := _run(stage, folder):
        raise TestsFailed(f"{stage.name} is red without a fault: {said}")
    return attrs.evolve(stage, limit=20.0 + 4 * (time.monotonic() - begun))


def killer(mutant: Mutant, stages: tuple[Stage, ...], folder: Path = CORE) -> str | None:
    """What noticed the fault: the name of the stage and the first red test. None if nothing did."""
    with TemporaryDirectory(prefix="mutant-") as place:
        copy = Path(place, "core")
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / mutant.name
        path.write_bytes(mutant.applied(path.read_bytes()))
        for stage in stages:
            if said := _run(stage, copy):
                return f"{stage.name}: {said}"
    return None


def _run(stage: Stage, core: Path) -> str | None:
    """The first red test, or what else was wrong; None if all were green."""
    paths = " ".join((str(core), *(str(ROOT / name) for name in ("adapters", "."))))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        [*command, "-m", "not nightly", "-o", f"pythonpath={paths}", *stage.tests],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "HYPOTHESIS_PROFILE": "kill", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if hasattr(resource, "prlimit"):
        resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        said, _ = process.communicate(timeout=stage.limit)
    except subprocess.TimeoutExpired:
        return "a time limit"
    finally:
        _end(process)
    if process.returncode == 0:
        return None
    found = _FAILED.search(said)
    return found[1] if found else f"exit {process.returncode}"


def _end(process: subprocess.Popen[str]) -> None:
    """End it with all its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    process.wait()
