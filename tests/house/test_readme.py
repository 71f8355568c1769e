"""The code in README.md runs as it stands, over real HTTP.

Each `python` block runs from top to bottom in an interpreter of its own, with a fresh home and warnings as
errors; the one thing changed is where `CODEX` and its models are: at an authority on loopback, which approves by
itself and has a stub of the models. A block after `<!-- not run: reason -->` is only compiled.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

from codex_oauth.authority import Approve, Authority, ModelPolicy, Policy, serve
from tests.house.tree import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]*?) ?-->\s*)?^```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LIMIT = 30.0
_SIGNED_IN = "signed in:"
_RUNNER = """
import os, runpy, sys, attrs
from codex_oauth_core import codex
issuer = os.environ["README_ISSUER"]
models = attrs.evolve(codex.CODEX_API, base_url=issuer + "/backend-api/codex")
moved = attrs.evolve(codex.CODEX.at(issuer), hosts=("127.0.0.1",), model_api=models)
codex.CODEX, codex.CODEX_API = moved, models  # before anything has taken them from there
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@attrs.frozen
class Block:
    line: int
    code: str
    reason: str | None


BLOCKS = [
    Block(README.count("\n", 0, match.start("code")) + 1, match["code"], match["reason"])
    for match in _BLOCK.finditer(README)
]
RUN = [block for block in BLOCKS if block.reason is None]
SKIPPED = [block for block in BLOCKS if block.reason is not None]


@pytest.fixture(scope="module")
def issuer() -> Generator[str]:
    with serve(Authority(policy=Policy(approve=Approve.AUTO, interval=1), models=ModelPolicy())) as server:
        yield server.url


def _environment(home: Path, issuer: str) -> dict[str, str]:
    """A fresh home; a proxy that nobody serves stands for the network beyond this machine."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {
        "HOME": str(home),
        "CODEX_OAUTH_HOME": str(home / "codex-oauth"),
        "PYTHONPATH": os.pathsep.join((str(ROOT / "core"), str(ROOT / "adapters"))),
        "README_ISSUER": issuer,
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }


def test_the_readme_has_code_that_runs() -> None:
    assert len(RUN) >= 2
    assert README.count("```python\n") == len(BLOCKS)


@pytest.mark.parametrize("block", RUN, ids=lambda block: f"line {block.line}")
def test_a_block_runs(block: Block, issuer: str, tmp_path: Path) -> None:
    script = tmp_path / "readme_block.py"
    script.write_text(
        "\n" * (block.line - 1) + block.code, encoding="utf-8"
    )  # a traceback's lines are README's
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _RUNNER, str(script)],
        cwd=tmp_path,
        env=_environment(tmp_path, issuer),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (_SIGNED_IN in done.stdout) == (_SIGNED_IN in block.code), done.stdout


def test_a_block_that_is_not_run_compiles_and_says_why_not() -> None:
    for block in SKIPPED:
        assert block.reason
        compile(block.code, f"README.md line {block.line}", "exec")


def test_the_reader_of_blocks_tells_run_from_not_run() -> None:
    skipped = "<!-- not run: opens a browser -->\n```python\na = 1\n```\n\n"
    text = skipped + "```python\nb = 2\n```\n```console\nx\n```\n"
    found = [(match["reason"], match["code"]) for match in _BLOCK.finditer(text)]
    assert found == [("opens a browser", "a = 1\n"), (None, "b = 2\n")]
