"""The page about the pool: its example runs, and it names what exists."""

from __future__ import annotations

import re
import subprocess
import sys

from codex_oauth import FlowPool
from codex_oauth.pool.flow_pool import Handle
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "pool.md").read_text(encoding="utf-8")


def test_the_example_runs() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    *prompts, last = done.stdout.splitlines()
    assert last == "20 have signed in"
    assert len({line.partition(" ")[0] for line in prompts}) == len(prompts) == 20


def test_it_names_what_exists_and_all_of_it() -> None:
    table = PAGE.partition("## Its parts")[2].partition("If a callback raises")[0]
    named = set(re.findall(r"\b(?:pool|handle)\.(\w+)", table))
    public = {name for kind in (FlowPool, Handle) for name in vars(kind) if name.islower() and name[0] != "_"}
    assert named == public - {"accept", "cancel", "key", "flow", "at", "over"} | {"accept", "cancel"}
