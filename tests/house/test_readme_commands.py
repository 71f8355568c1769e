"""The commands in README.md work as they stand.

Each line of a `console` block that calls `codex-oauth` is taken by its parser; the block that promises a
login without an account is run by a shell, word for word.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import IO, Final

import httpx
import pytest

from codex_oauth.cli.parser import parsed
from tests.house.tree import ROOT

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: Final[list[str]] = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS: Final = [
    line.split("#")[0].strip()
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("codex-oauth ")
]
(TRIAL,) = [block for block in BLOCKS if "kill %1" in block]
_LIMIT: Final = 60.0


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_that_there_is(line: str) -> None:
    words = [word for word in shlex.split(line)[1:] if word != "&"]
    assert parsed(words) is not None


@pytest.fixture
def trial(tmp_path: Path) -> Generator[subprocess.Popen[str]]:
    """A shell that runs the block as it stands, but for the folder, which has to be this test's own."""
    bin_of = Path(sys.executable).parent
    assert shutil.which("codex-oauth", path=str(bin_of)) is not None
    environ = {"PATH": f"{bin_of}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        ["/bin/bash", "-e", "-c", TRIAL.replace("/tmp/demo", str(tmp_path / "demo"))],
        env=environ,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    timer = threading.Timer(_LIMIT, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    yield process
    timer.cancel()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _find(stream: IO[str], pattern: str, said: list[str]) -> str:
    """Read lines until one is all of the pattern."""
    for line in stream:
        said.append(line)
        if re.fullmatch(pattern, line.strip()):
            return line.strip()
    raise AssertionError("".join(said))


def _approve(page: str, code: str) -> None:
    """Type the code, and say yes, as a browser does."""
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        origin = {"Origin": page.removesuffix("/codex/device")}
        asked = _submit(browser, browser.get(page), origin, user_code=code)
        assert "Approve this sign-in?" in asked.text
        assert "Sign-in approved" in _submit(browser, asked, origin, decision="approve").text


def _submit(
    browser: httpx.Client, shown: httpx.Response, headers: dict[str, str], **fields: str
) -> httpx.Response:
    (action,) = re.findall(r'<form[^>]* action="([^"]+)"', shown.text)
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown.text))
    return browser.post(shown.url.join(action), data={**hidden, **fields}, headers=headers)


def test_a_first_login_takes_no_more_than_three_commands(trial: subprocess.Popen[str]) -> None:
    lines = TRIAL.splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["authority", "login", "status"]
    said: list[str] = []
    assert trial.stdout is not None
    page = _find(trial.stdout, r"http://127\.0\.0\.1:8123/codex/device", said)
    code = _find(trial.stdout, r"[A-Z0-9]{4}-[A-Z0-9]{4,5}", said)
    _approve(page, code)
    said += trial.stdout
    assert trial.wait() == 0, "".join(said)
    text = "".join(said)
    assert "Signed in" in text
    assert "Traceback" not in text
