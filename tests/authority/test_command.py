"""`codex-oauth authority` as a process: its URL, its files, its signals, its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from codex_oauth.authority import read_both_faults, read_chatgpt_faults, read_faults, serve
from codex_oauth.cli.authority import FAULTS_FILES
from codex_oauth_core import CODEX
from tests.authority.peer import USERCODE
from tests.transport.servers import BUSY

PROGRAM = (
    "import argparse, sys\n"
    "from codex_oauth.cli.authority import add_arguments, main\n"
    "parser = argparse.ArgumentParser(prog='authority')\n"
    "add_arguments(parser)\n"
    "sys.exit(main(parser.parse_args()))\n"
)
COMMAND = (sys.executable, "-W", "error", "-c", PROGRAM)
WITHOUT_EXTRA = (
    sys.executable,
    "-c",
    "import sys\nsys.modules['uvicorn'] = None\n"
    "import importlib.util as util\nfind = util.find_spec\n"
    "util.find_spec = lambda name, *rest: None if name == 'uvicorn' else find(name, *rest)\n" + PROGRAM,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@contextmanager
def running(*arguments: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """The command as a process, and the URL that it printed."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().rstrip("\n")
        finally:
            process.kill()


def finished(*arguments: str, command: tuple[str, ...] = COMMAND) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_url_alone_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with running() as (process, url):
        assert httpx.get(f"{url}/codex/device", trust_env=False).status_code == 200
        begun = time.monotonic()
        process.send_signal(number)
        rest, hints = process.communicate(timeout=120)
        assert process.returncode == 0
        assert time.monotonic() - begun < BUSY
    assert url.startswith("http://127.0.0.1:")
    assert rest == ""
    assert "Traceback" not in hints
    assert f"--issuer {url}" in hints
    assert f"{url}/codex/device" in hints


@posix
def test_the_url_file_is_whole_while_it_runs_and_gone_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "url"
    with running("--url-file", str(file)) as (process, url):
        assert file.read_text(encoding="utf-8") == f"{url}\n"
        assert list(tmp_path.iterdir()) == [file]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert list(tmp_path.iterdir()) == []


@posix
def test_its_options_reach_the_authority(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"faults": [{"endpoint": "poll", "requests": 1, "status": 502}]}))
    options = ("--approve", "auto", "--interval", "2", "--lifetime", "30", "--faults", str(faults))
    with running(*options) as (_, url), httpx.Client(base_url=url, trust_env=False) as client:
        device = client.post(USERCODE, json={"client_id": CODEX.client_id}).json()
        assert (device["interval"], device["expires_in"]) == ("2", 30)
        body = {name: device[name] for name in ("device_auth_id", "user_code")}
        poll = "/api/accounts/deviceauth/token"
        assert [client.post(poll, json=body).status_code for _ in range(2)] == [502, 200]


def test_a_port_in_use_is_said_with_what_to_do() -> None:
    with serve() as server:
        done = finished("--port", str(server.port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"codex-oauth: Port {server.port} is in use by another program.",
        "  -> Choose another port with --port; 0 takes any that is free.",
    ]


@pytest.mark.parametrize("text", ["{", '{"faults":[{"endpoint":"nowhere"}]}', None])
def test_a_bad_faults_file_is_a_usage_error(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "faults.json"
    if text is not None:
        file.write_text(text)
    done = finished("--faults", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    said = " ".join(done.stderr.split())
    assert said.startswith(f"codex-oauth: The faults file {file} c")
    assert (
        " -> Check the path of --faults." if text is None else ' -> Write it like this: {"faults": [{'
    ) in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("provider", "read"),
    [("codex", read_faults), ("chatgpt", read_chatgpt_faults), ("both", read_both_faults)],
)
def test_what_is_proposed_in_place_of_a_bad_file_is_a_good_one(
    tmp_path: Path, provider: str, read: Callable[[str], object]
) -> None:
    file = tmp_path / "faults.json"
    file.write_text("[]")
    done = finished("--provider", provider, "--faults", str(file), "--json")
    (advice,) = json.loads(done.stdout)["error"]["next_actions"]
    assert advice == f"Write it like this: {FAULTS_FILES[provider]}"
    assert read(FAULTS_FILES[provider])


def test_for_a_program_the_error_has_the_next_action(tmp_path: Path) -> None:
    done = finished("--faults", str(tmp_path / "none"), "--json")
    error = json.loads(done.stdout)["error"]
    assert (
        error["message"]
        == f"The faults file {tmp_path / 'none'} could not be read: No such file or directory."
    )
    assert error["next_actions"] == ["Check the path of --faults."]


def test_a_url_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    done = finished("--url-file", str(tmp_path / "missing" / "url"))
    assert (done.returncode, done.stdout) == (1, "")
    assert " ".join(done.stderr.split()) == (
        f"codex-oauth: The authority could not run: No such file or directory: {tmp_path / 'missing' / 'url'}."
    )


def test_without_the_extra_it_says_how_to_get_it() -> None:
    done = finished(command=WITHOUT_EXTRA)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "codex-oauth: The authority needs the extra `authority`.\n"
        "  -> Install it: pip install 'codex-oauth[authority]'\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "65536"),
        ("--port", "-1"),
        ("--approve", "perhaps"),
        ("--interval", "0"),
        ("--interval", "1.5"),
        ("--lifetime", "nan"),
        ("--approve-after", "-1"),
    ],
)
def test_an_option_that_makes_no_sense_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    done = finished(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[0] in done.stderr


def test_the_command_line_loads_no_server_before_it_runs() -> None:
    code = (
        "import sys, argparse\nfrom codex_oauth.cli.authority import add_arguments\n"
        "add_arguments(argparse.ArgumentParser())\n"
        "heavy = {'uvicorn', 'starlette', 'httpx', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = finished(command=(sys.executable, "-c", code))
    assert done.returncode == 0, done.stderr


def test_the_rules_need_neither_a_server_nor_a_socket() -> None:
    code = (
        "import sys\nfrom codex_oauth.authority import Authority\nAuthority()\n"
        "heavy = {'uvicorn', 'starlette', 'httpx', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr


def test_where_the_models_are_fits_a_terminal_and_each_address_is_whole() -> None:
    with running("--models", "--port", "0") as (process, url):
        assert process.stderr is not None
        told = [process.stderr.readline().rstrip("\n") for _ in range(6)]
    assert f"Models:     {url}/backend-api/codex" in told
    assert f"Public API: {url}/v1" in told
    assert all(len(line) <= 80 for line in told)
