"""The page about checkpoints: its example runs, and it names every reason."""

from __future__ import annotations

import re
from typing import Any

from codex_oauth import CODEX, Credential
from codex_oauth.authority import Authority, Policy, serve
from codex_oauth_core.checkpoints import codec
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "checkpoints.md").read_text(encoding="utf-8")


def test_the_example_signs_in() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/checkpoints.md", "exec"), names)
    prompts: list[Any] = []
    with serve(Authority(policy=Policy(approve="auto", interval=1, strict_pace=False))) as server:
        provider = CODEX.at(server.url)
        sealed = names["start"](prompts.append, provider)
        outcome = names["finish"](sealed, provider)
    assert isinstance(outcome, Credential)
    assert [prompt.verification_uri for prompt in prompts] == [f"{server.url}/codex/device"]


def test_every_reason_is_explained() -> None:
    section = PAGE.partition("## What can be wrong with one")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \| ", section.partition("|---")[2], re.MULTILINE)
    assert sorted(listed) == sorted(codec._TEXTS)
