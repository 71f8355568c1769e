"""What Pyodide gets: the libraries of the core, whole, and nothing that is compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackagePath
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.house.tree import ROOT
from tests.ports import libraries


def test_the_core_runs_on_what_is_copied_and_nothing_else(tmp_path: Path) -> None:
    libraries.copy_libraries(tmp_path)
    code = "import codex_oauth_core as c; from codex_oauth.worlds.world import arun; print(c.DeviceFlow.__name__)"
    paths = os.pathsep.join(str(each) for each in (tmp_path, ROOT / "core", ROOT / "adapters"))
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        env={"PYTHONPATH": paths, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "DeviceFlow\n"), done.stderr
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".py"}


def test_what_is_compiled_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = SimpleNamespace(files=[PackagePath("attr/fast.so")])

    def distribution(name: str) -> SimpleNamespace:
        return compiled

    monkeypatch.setattr(libraries, "distribution", distribution)
    with pytest.raises(ValueError, match=r"^attrs is not plain Python: attr/fast\.so$"):
        libraries.copy_libraries(tmp_path)
