"""docs/consumers.md: its blocks run against the model stub, here those that need no environment of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from codex_oauth import CODEX, FileStore, login
from codex_oauth.authority import Authority, ModelFault, Policy
from codex_oauth.testing import FakeWorld, answered_by
from tests.clients.page import BLOCKS, FAULTS, MODEL, PAGE, QUESTION, TEXT, Block, Run, of, run, stub
from tests.tokens.test_openai import OPENAI_2, ROOT

LIGHT = ("openai", "openai-3", "httpx", "requests", "aiohttp")
HEAVY = ("agents", "instructor", "langchain", "litellm", "llamaindex", "llm", "niquests", "pydantic_ai")
CASES = [
    pytest.param(block, fault, id=f"line {block.line}-{fault or 'well'}")
    for block in of(*LIGHT)
    for fault in FAULTS
]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


def judge(block: Block, fault: str, seen: Run) -> None:
    """What every block does, whatever befalls it."""
    is_socket = "connect(" in block.code  # what befalls a request does not befall it
    assert seen.elsewhere == []
    if fault == "redirect" and not is_socket:
        assert (seen.printed.strip(), seen.statuses) in (("", [307]), ("None", [307]))
        return
    if "explain(" in block.code:
        assert seen.printed == "Instructions are required.\n"
        assert seen.statuses[-1] == 400
        return
    assert (seen.printed.strip(), seen.failed) == (TEXT, "")
    renewed = fault == "401" and not is_socket
    assert (seen.statuses, seen.refreshes) == (
        [401, 200] if renewed else [101 if is_socket else 200],
        int(renewed),
    )


of_the_library = pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager")


@of_the_library
@pytest.mark.parametrize(("block", "fault"), CASES)
def test_a_block_runs(block: Block, fault: str) -> None:
    judge(block, fault, run(block, *FAULTS[fault]))


@pytest.mark.parametrize("block", of("openai"), ids=lambda block: f"line {block.line}")
def test_our_client_is_called_the_same_in_every_header(block: Block) -> None:
    seen = run(block, headers="exact")
    assert 404 not in seen.statuses
    assert len({agent.partition("/")[0] for agent in seen.user_agents}) == 1


@of_the_library
def test_a_socket_that_was_refused_is_opened_with_another_token() -> None:
    (block,) = (each for each in of("openai-3") if "connect(" in each.code)
    refused = ModelFault(answer="token_invalidated", endpoint="websocket", requests=1)
    with stub(refused) as (server, source):
        names = {"source": source, "url": server.codex_base_url, "model": MODEL, "question": QUESTION}
        token = source.token()
        with pytest.raises(InvalidStatus):
            exec(block.code, {**names})
        assert source.rejected(token) != token
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(block.code, {**names})
    assert out.getvalue() == TEXT


def test_the_blocks_of_openai_run_with_version_2() -> None:
    path = os.pathsep.join((str(OPENAI_2), *sys.path))
    done = subprocess.run(
        [sys.executable, "-m", "tests.clients.page", "openai"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout.splitlines()[-1])
    blocks = {block.line: block for block in BLOCKS}
    assert len(runs) == len(of("openai")) * len(FAULTS)
    for line, fault, seen in runs:
        judge(blocks[line], fault, Run(**seen))


def test_every_block_says_where_it_runs_or_why_it_does_not() -> None:
    assert PAGE.count("```python\n") == len(BLOCKS)
    names, *others = BLOCKS
    assert names.mark == ""
    assert {block.runs_in for block in others if block.runs_in} == {*LIGHT, *HEAVY}
    assert [
        block.line for block in others if block.runs_in is None and not block.mark.startswith("not run: ")
    ] == []


def test_the_names_of_all_blocks_are_what_a_login_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path))
    world = FakeWorld(answered_by(Authority(policy=Policy(approve="auto"))), wall=time.time())
    login(
        device=True, provider=CODEX, store=FileStore(), on_prompt=lambda _: None, make_world=lambda _: world
    )
    names: dict[str, object] = {}
    exec(BLOCKS[0].code, names)
    assert names["url"] == "https://chatgpt.com/backend-api/codex"
    assert {"source", "model", "question"} <= set(names)


def test_the_table_names_every_section() -> None:
    sections = [line.removeprefix("## ") for line in PAGE.splitlines() if line.startswith("## ")]
    linked = PAGE.partition("## What works")[2].partition("## ")[0]
    of_consumers = sections[sections.index("openai") : sections.index("Try it without the backend")]
    assert [name for name in of_consumers if f"](#{name.lower().replace(' ', '-')})" not in linked] == []
