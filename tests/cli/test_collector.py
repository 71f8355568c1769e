"""Python's collector of garbage: it waits until a command has been loaded, in a process of the command's own."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from codex_oauth.cli import stored
from codex_oauth.cli.main import main

TOLD = """
import gc, sys
from codex_oauth.cli import stored
stored.run_status = lambda args: print(gc.isenabled(), gc.get_freeze_count() > 1000) or 0
from codex_oauth.cli.main import main
sys.exit(main())
"""


def test_a_command_runs_with_the_collector_and_what_is_loaded_is_out_of_its_sight(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TOLD, "status", "--store", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_program_that_calls_main_keeps_its_own_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, enabled: bool
) -> None:
    seen: list[bool] = []

    def look(_: object) -> int:
        seen.append(gc.isenabled())
        return 0

    monkeypatch.setattr(stored, "run_status", look)
    frozen = gc.get_freeze_count()
    if not enabled:
        gc.disable()
    try:
        assert main(["status", "--store", str(tmp_path)]) == 0
    finally:
        gc.enable()
    assert seen == [enabled]
    assert gc.get_freeze_count() == frozen
