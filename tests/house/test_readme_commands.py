"""The commands in README.md and in the tutorial work as they stand.

Every `console` block is read: a line of `codex-oauth` is taken by its parser, one of `pip` or `uvx` names extras that
there are, one of `make` a target. The block "At a terminal" is then run by a shell, line by line, against an authority.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement

from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy, serve
from codex_oauth.cli.parser import parsed
from tests.house.tree import ROOT

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
ORDER: Final = (
    "Install",
    "Sign in and call a model",
    "At a terminal",
    "Which sign-in",
    "What it does that others do not",
    "Pages",
    "Work on it",
)
"""The headings, in the order in which somebody new wants them."""


def lines_of(markdown: str) -> list[str]:
    """Every line of its console blocks, without what explains it."""
    blocks = re.findall(r"^```console\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


LINES: Final = lines_of(README)
COMMANDS: Final = [line for line in LINES if line.startswith("codex-oauth ")]
INSTALLS: Final = [line for line in LINES if line.startswith(("pip ", "uvx "))]


# -- what the page is ----------------------------------------------------------------------------------


def test_the_page_has_the_order_of_somebody_new_and_is_short() -> None:
    assert tuple(re.findall(r"^## (.+)$", README, re.MULTILINE)) == ORDER
    assert len(README.splitlines()) < 150


def test_a_sentence_and_one_picture_come_before_everything() -> None:
    first = README.partition("\n## ")[0].strip().split("\n\n")
    assert [text[:2] for text in first] == ["# ", first[1][:2], "!["]
    assert re.fullmatch(r"[A-Z][^.]*\.", first[1])
    pictures = re.findall(r"!\[[^\]]+\]\((.+?)\)", README)
    assert len(pictures) == 1
    name = pictures[0].partition("/main/")[2]
    assert (ROOT / name).is_file()


def test_every_link_to_the_repository_leads_to_a_file_that_exists() -> None:
    home = PROJECT["urls"]["Homepage"]
    links = re.findall(rf"{re.escape(home)}/blob/main/([^)#\s]+)", README)
    assert len(links) > 15
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_two_commands_for_whoever_cloned_it_come_first() -> None:
    work = README.partition("\n## Work on it\n")[2]
    assert [line for line in lines_of(work) if line] == ["make demo", "make test"]


# -- what it says to run -------------------------------------------------------------------------------


def test_every_line_of_a_console_block_is_looked_at() -> None:
    rest = [line for line in LINES if line and line not in COMMANDS and line not in INSTALLS]
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+) ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert [line for line in rest if line.removeprefix("make ") not in targets] == []


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_that_there_is(line: str) -> None:
    assert parsed(shlex.split(line)[1:]) is not None


@pytest.mark.parametrize("line", INSTALLS)
def test_an_installation_names_this_project_and_extras_that_there_are(line: str) -> None:
    words = shlex.split(line)
    (named,) = (word for word in words if word.startswith("codex-oauth["))
    requirement = Requirement(named)
    assert requirement.name == PROJECT["name"]
    assert requirement.extras <= set(PROJECT["optional-dependencies"])
    after = words[words.index(named) + 1 :]
    assert not after or parsed(after[1:]) is not None


def test_both_ways_of_installing_are_there() -> None:
    assert {line.split()[0] for line in INSTALLS} == {"pip", "uvx"}


# -- the commands, run ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=Policy(approve=Approve.AUTO, interval=1, strict_pace=False))) as running:
        yield running


@pytest.fixture
def environ(tmp_path: Path, server: AuthorityServer) -> dict[str, str]:
    """`codex-oauth` of these tests, which signs in at the authority; `CMD`, which shows that it has the token."""
    program = tmp_path / "bin" / "codex-oauth"
    program.parent.mkdir()
    start = f"{shlex.quote(sys.executable)} -m codex_oauth.cli.main"
    at = f"--device --issuer {server.url} --store {tmp_path / 'store'}"
    program.write_text(
        f'#!/bin/sh\ncase $1 in\nlogin) shift; exec {start} login {at} "$@";;\n'
        f'doctor) shift; exec {start} doctor --offline "$@";;\n*) exec {start} "$@";;\nesac\n',
        encoding="utf-8",
    )
    command = tmp_path / "bin" / "CMD"
    command.write_text('#!/bin/sh\ntest -n "$CODEX_OAUTH_TOKEN" && echo it has the token\n', encoding="utf-8")
    for each in (program, command):
        each.chmod(0o755)
    return {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "CODEX_OAUTH_HOME": str(tmp_path / "store"),
        "PYTHONPATH": os.pathsep.join((str(ROOT / "core"), str(ROOT / "adapters"))),
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }


SAID: Final = {
    "login": "Signed in as somebody@example.com",
    "status": "somebody@example.com",
    "token": ".",
    "exec": "it has the token",
    "doctor": "",
    "logout": "",
}
"""What each of the six lines prints, in a part."""


def test_the_six_lines_at_a_terminal_run_one_after_the_other(environ: dict[str, str], tmp_path: Path) -> None:
    section = README.partition("\n## At a terminal\n")[2].partition("\n## ")[0]
    lines = lines_of(section)
    assert [line.split()[1] for line in lines] == list(SAID)
    for line in lines:
        done = subprocess.run(
            ["/bin/bash", "-e", "-c", line],
            env=environ,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert SAID[line.split()[1]] in done.stdout
        assert "Traceback" not in done.stderr
    after = subprocess.run(
        ["codex-oauth", "status"], env=environ, capture_output=True, check=False, timeout=60
    )
    assert after.returncode == 4, "nobody is signed in any more"
