"""The tutorial works as it stands: its files are saved, and its commands run one after the other by a shell."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from docs.release import tutorial
from packaging.requirements import Requirement

from codex_oauth.cli.parser import parsed
from tests.adapters.browsing import free_port
from tests.house.tree import ROOT

TEXT = tutorial.page()
COMMANDS = tutorial.commands(TEXT)
BEFORE = ("python3 -m venv", "pip install", "codex-oauth demo")


def test_it_takes_at_most_ten_commands() -> None:
    assert 5 < len(COMMANDS) <= 10


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("codex-oauth ")])
def test_a_command_of_it_is_one(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", "logins")  # as the page says before
    words = shlex.split(line.partition(" | ")[0].removesuffix(" &"))
    assert parsed(words[1:]) is not None


def test_every_file_has_a_name_of_its_own() -> None:
    names = [name for name, _ in tutorial.files(TEXT)]
    assert names == ["question.json", "hello.py", "test_hello.py"]


def test_what_is_installed_is_this_project() -> None:
    (line,) = (line for line in COMMANDS if line.startswith(tutorial.INSTALL))
    assert Requirement(shlex.split(line)[2]).name == "codex-oauth"
    assert "pip install './dist/x.whl[authority,cli,openai]' pytest" in tutorial.script(
        TEXT, install="./dist/x.whl", port=1
    )


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    """All but those that build an environment, and the demo, which `test_demo.py` runs: `make release-check` runs
    those as well.
    """
    for name, text in tutorial.files(TEXT):
        (tmp_path / name).write_text(text, encoding="utf-8")
    lines = tutorial.script(TEXT, install="", port=free_port()).splitlines()
    script = "\n".join(line for line in lines if not any(text in line for text in BEFORE))
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join((str(ROOT / "core"), str(ROOT / "adapters"))),
            "HTTPS_PROXY": "http://127.0.0.1:9",
        },
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.findall(r"^\$ (\S+)", done.stdout, re.MULTILINE) == [line.split()[0] for line in COMMANDS[3:]]
    assert '"type":"response.completed"' in done.stdout.replace('": "', '":"')
    assert "\nThis is a fake answer.\n" in done.stdout
    assert "1 passed" in done.stdout
    assert {path.name for path in (tmp_path / "logins").iterdir()} >= {"logins", "current"}
    assert not (tmp_path / "home").exists()
