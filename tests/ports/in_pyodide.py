"""Runs cases in Pyodide, under node, and says what came of them.

Rules of this file: Pyodide is the one of `make ports`; it gets the core and the adapters as they are in this
checkout, and loads nothing from a network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.house.tree import ROOT

__all__ = ["HOME", "PLACES", "in_pyodide"]

HOME: Final = ROOT / ".venv" / "ports" / "pyodide"
PLACES: Final[dict[Path, str]] = {
    HOME / "python": "/libraries",
    ROOT / "core": "/core",
    ROOT / "adapters": "/adapters",
    ROOT / "docs" / "examples" / "ports": "/ports",
}
"""What is on Python's path there."""

_HERE: Final = Path(__file__).parent / "pyodide"
_LIMIT: Final = 180


def in_pyodide(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What came of each case, as tests/ports/pyodide/cases.py tells it; one after another, in one Pyodide."""
    node = shutil.which("node")
    if node is None or not (HOME / "node_modules").exists():
        pytest.fail("Pyodide is missing: make ports (it needs node and npm)")
    mounted = [f"{folder}={place}" for folder, place in PLACES.items()]
    done = subprocess.run(
        [node, str(_HERE / "run.mjs"), str(HOME), str(_HERE / "cases.py"), *mounted],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found
