"""What to do about an error is said once: by the command, though a traceback of the same error would say it, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_oauth.cli.main import main

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("command", [["token"], ["status"], ["refresh"]])
def test_a_command_says_it_once(command: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main([*command, "--store", str(tmp_path / "home")]) == 4
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert len(lines) == len(set(lines))
    assert "login_required: " not in lines[0]


def test_json_has_it_once_too(tmp_path: Path, capsys: Captured) -> None:
    assert main(["token", "--json", "--store", str(tmp_path / "home")]) == 4
    error = json.loads(capsys.readouterr().out)["error"]
    assert not error["message"].startswith("login_required")
    assert len(error["next_actions"]) == len(set(error["next_actions"]))
