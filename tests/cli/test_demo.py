"""`codex-oauth demo`: from a sign-in to a model's answer, with nothing of the person who runs it, and nothing left."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from codex_oauth import CODEX, MemoryStore, login
from codex_oauth.authority import Authority, ModelPolicy, Policy, serve
from codex_oauth.cli import demo
from codex_oauth.cli.commands import COMMANDS
from codex_oauth.cli.main import main
from tests.cli.commands import environment, run_in_real_time, start_command
from tests.cli.schemas import valid
from tests.cli.test_commands import hold

NO_LIBRARY: Final = "import sys; sys.modules['{}'] = None"
ANSWER: Final = "You are signed in, and this answer came from a model that is a stub, word by word."


@pytest.fixture(autouse=True)
def _leaves_nothing(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "tmp").mkdir()
    yield
    assert [*(tmp_path / "tmp").glob("codex-oauth-demo-*")] == []


def settings(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"TMPDIR": str(tmp_path / "tmp"), **more}


def test_it_signs_in_and_gets_an_answer_of_a_model_with_nothing_of_the_person(tmp_path: Path) -> None:
    hold(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    strange = {
        "CODEX_OAUTH_ACCOUNT": "nobody@example.com",
        "CODEX_OAUTH_PROVIDER": "chatgpt",
        "CODEX_OAUTH_ISSUER": "https://127.0.0.1:9",
    }
    done = run_in_real_time(tmp_path, "demo", **settings(tmp_path, **strange))
    assert done.code == 0, done.err
    assert done.out == f"{ANSWER}\n"
    assert "Signed in as somebody@example.com" in done.err
    assert "\n$ codex-oauth login --device --issuer http://127.0.0.1:" in done.err
    assert "\n$ codex-oauth status --store " in done.err
    assert "The server approves the sign-in by itself after 3 seconds." in done.err
    assert "That was the demo" in done.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_settings_are_there_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_OAUTH_ACCOUNT", "me")
    with demo._own_settings():
        assert "CODEX_OAUTH_ACCOUNT" not in os.environ
    assert os.environ["CODEX_OAUTH_ACCOUNT"] == "me"


def test_as_json_it_is_one_document(tmp_path: Path) -> None:
    (document,) = valid("demo", run_in_real_time(tmp_path, "demo", "--json", **settings(tmp_path)))
    assert document["text"] == ANSWER


@pytest.mark.parametrize("library", ["starlette", "uvicorn", "websockets"])
def test_without_the_extra_it_says_what_to_install(tmp_path: Path, library: str) -> None:
    for more in ((), ("--json",)):
        env = environment(tmp_path, **settings(tmp_path))
        with start_command(tmp_path, "demo", *more, env=env, prelude=NO_LIBRARY.format(library)) as running:
            out, err = running.communicate(60)
        assert running.returncode == 2
        assert "pip install 'codex-oauth[authority]'" in (out if more else err)
        assert all(len(line) <= 80 for line in err.splitlines())
        assert "Traceback" not in err


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    with start_command(tmp_path, "demo", env=environment(tmp_path, **settings(tmp_path))) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "$ codex-oauth login" in line:
                break
        running.send_signal(signal.SIGINT)
        running.communicate(60)
    assert running.returncode == 130


def test_a_person_approves_on_the_page_of_the_server(tmp_path: Path) -> None:
    env = environment(tmp_path, **settings(tmp_path))
    with start_command(tmp_path, "demo", "--approve", "ask", env=env) as running:
        assert running.stderr is not None
        page = next(
            found[0] for line in running.stderr if (found := re.search(r"http://127\S+authorize\?\S+", line))
        )
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            shown = browser.get(page)
            (action,) = re.findall(r'<form[^>]* action="([^"]+)"', shown.text)
            hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown.text))
            origin = {"Origin": page.partition("/oauth")[0]}
            said = browser.post(
                shown.url.join(action), data={**hidden, "decision": "approve"}, headers=origin
            )
            assert said.status_code == 200, said.text
        out, err = running.communicate(60)
    assert (running.returncode, ANSWER in out) == (0, True), err


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert demo._is_at_a_desktop() is False


def test_the_answer_comes_in_parts() -> None:
    policy = Policy(approve="auto", interval=1, strict_pace=False)
    with serve(Authority(policy=policy, models=ModelPolicy(text="one two three four"))) as server:
        store = MemoryStore()
        login(on_prompt=lambda _: None, device=True, provider=CODEX.at(server.url), store=store)
        parts = list(demo.ask(server.url, store, ModelPolicy().models[0].slug))
    assert len(parts) > 1
    assert "".join(parts) == "one two three four"


def test_a_stream_is_read_event_by_event() -> None:
    lines = [
        "event: response.created",
        'data: {"type": "response.created"}',
        "",
        ": a comment",
        'data: {"type": "response.output_text.delta", "delta": "a"}',
        'data:{"type": "response.output_text.delta", "delta": "b"}',
        'data: {"type": "response.completed"}',
    ]
    assert "".join(demo.texts(lines)) == "ab"


def test_help_names_the_extra(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    assert "extra" in capsys.readouterr().out
    assert "extra" in COMMANDS["demo"].about
