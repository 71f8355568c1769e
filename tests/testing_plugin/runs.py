"""Runs of pytest in a process of its own, outside this project and its settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ENTRY_POINT", "installed", "passed", "pytest_run"]

ENTRY_POINT = "codex_oauth.testing.plugin"
"""The name under which the plugin is installed: its own, so that `-p` does not load it twice."""


def pytest_run(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What pytest makes of the tests in `folder`, with every warning as an error."""
    command = [sys.executable, "-W", "error", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-q"]
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return subprocess.run(
        [*command, *options],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def passed(done: subprocess.CompletedProcess[str]) -> int:
    """How many tests passed; 0 if any did not."""
    found = re.search(r"^(\d+) passed in ", done.stdout, re.MULTILINE)
    return int(found[1]) if found and done.returncode == 0 else 0


def installed(folder: Path) -> dict[str, str]:
    """An environment in which a distribution installs the plugin, as codex-oauth itself does."""
    info = folder / "site" / "somebodys_app-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: somebodys-app\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(f"[pytest11]\n{ENTRY_POINT} = {ENTRY_POINT}\n", encoding="utf-8")
    (info / "RECORD").write_text(
        "codex_oauth/__init__.py,,\ncodex_oauth_core/__init__.py,,\n", encoding="utf-8"
    )
    return {
        "PYTHONPATH": os.pathsep.join([str(info.parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    }
