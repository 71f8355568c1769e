"""What type checkers make of `login()`: a printer for one kind of prompt needs the way that shows that kind.

Rules of this file: one program, read by both checkers; each of its lines with `# E` is an error, and no other is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

from tests.house.tree import ROOT

PROGRAM = """\
from codex_oauth import BrowserPrompt, DevicePrompt, FileStore, alogin, login

def on_device(prompt: DevicePrompt) -> None: ...
def on_browser(prompt: BrowserPrompt) -> None: ...
def on_both(prompt: DevicePrompt | BrowserPrompt) -> None: ...
async def on_device_too(prompt: DevicePrompt) -> None: ...

login()
login(on_prompt=print)
login(on_prompt=on_both, account="anna@example.com")
login(device=True, on_prompt=on_device, store=FileStore(), revoke_old=True)
login(device=False, on_prompt=on_browser, ports=[1455], open_browser=False)
login(device=True)
login(device=None, on_prompt=on_both)
login(device=bool(input()), on_prompt=on_both)
login(on_prompt=on_device)  # E
login(on_prompt=on_browser)  # E
login(device=False, on_prompt=on_device)  # E
login(device=True, on_prompt=on_browser)  # E
login(device=True, on_prompt=on_device_too)  # E
login(device=True, acount="anna@example.com")  # E
login(device=True, revoke_old="yes")  # E
login(acount="anna@example.com")  # E

async def main() -> None:
    await alogin()
    await alogin(device=True, on_prompt=on_device)
    await alogin(device=True, on_prompt=on_device_too)
    await alogin(device=False, on_prompt=on_browser)
    await alogin(on_prompt=on_both)
    await alogin(on_prompt=on_device_too)  # E
    await alogin(device=False, on_prompt=on_device_too)  # E
    await alogin(device=True, acount="anna@example.com")  # E
"""

WRONG = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# E")}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def test_mypy(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # where its settings and its cache are
    options = ["--strict", "--no-error-summary", "--hide-error-context", "--output=json"]
    out, err, _ = api.run([*options, "--python-version=3.11", str(program)])
    assert err == ""
    found = [json.loads(line) for line in out.splitlines()]
    assert {row["line"] for row in found if row["severity"] == "error"} == WRONG, out


def test_pyright(program: Path) -> None:
    paths = [str(ROOT / "core"), str(ROOT / "adapters")]
    settings = {"typeCheckingMode": "strict", "extraPaths": paths, "pythonVersion": "3.11"}
    (program.parent / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    pyright = Path(sys.executable).parent / "pyright"
    done = subprocess.run(
        [pyright, "--outputjson", "--project", program.parent, program],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert {row["range"]["start"]["line"] + 1 for row in found} == WRONG, done.stdout
