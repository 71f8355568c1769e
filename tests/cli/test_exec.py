"""U20: `codex-oauth exec`: the token is in the child's environment, and nowhere else."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from codex_oauth import Secret
from tests.cli.commands import COMMAND, environment, run_command
from tests.cli.test_commands import hold

LINUX = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


def test_the_child_finds_the_token_and_the_account(tmp_path: Path) -> None:
    hold(tmp_path)
    done = run_command(tmp_path, "exec", "--", sys.executable, "-c", SHOW, UNTOUCHED="yes")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["CODEX_OAUTH_TOKEN"] == "stored-access"
    assert (found["CODEX_OAUTH_ACCOUNT_ID"], found["UNTOUCHED"]) == ("acct_1", "yes")
    assert [name for name, value in found.items() if "stored-" in value] == ["CODEX_OAUTH_TOKEN"]


def test_under_the_name_that_was_asked_for_and_no_other(tmp_path: Path) -> None:
    hold(tmp_path)
    done = run_command(tmp_path, "exec", "--env", "OPENAI_API_KEY", "--", sys.executable, "-c", SHOW)
    found = json.loads(done.out)
    assert [name for name, value in found.items() if "stored-" in value] == ["OPENAI_API_KEY"]


SCAN = """
import os, sys
from pathlib import Path
lines = []
for folder in Path("/proc").iterdir():
    if folder.name.isdigit():
        try:
            lines.append((folder / "cmdline").read_bytes())
        except OSError:
            pass
assert os.environ["CODEX_OAUTH_TOKEN"].encode() == b"-".join([b"canary", b"of", b"exec"])
mine = Path("/proc/self/cmdline").read_bytes()
assert mine in lines
print(sum(os.environ["CODEX_OAUTH_TOKEN"].encode() in line for line in lines))
"""


@LINUX
def test_no_process_has_the_token_in_its_arguments(tmp_path: Path) -> None:
    hold(tmp_path, access_token=Secret("canary-of-exec"))
    done = run_command(tmp_path, "exec", "--", sys.executable, "-c", SCAN)
    assert (done.code, done.out) == (0, "0\n"), done.err


@LINUX
@pytest.mark.parametrize("more", [(), ("--verbose",), ("--env", "X")])
def test_this_process_becomes_the_command_with_no_argument_of_ours(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    hold(tmp_path, access_token=Secret("canary-of-exec"))
    with subprocess.Popen(
        [*COMMAND, "exec", *more, "--", "sh", "-c", "echo here; read line"],
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert Path(f"/proc/{process.pid}/cmdline").read_bytes() == b"sh\0-c\0echo here; read line\0"
        _, err = process.communicate("\n")
    assert "canary" not in err


def test_the_exit_code_is_the_commands(tmp_path: Path) -> None:
    hold(tmp_path)
    assert run_command(tmp_path, "exec", "--", "sh", "-c", "exit 42").code == 42
    assert run_command(tmp_path, "exec", "--", "sh", "-c", "kill -TERM $$").code == -signal.SIGTERM


def test_what_python_ignores_the_child_does_not(tmp_path: Path) -> None:
    """`yes | head` ends because SIGPIPE ends `yes`; Python ignores it, and children inherit that."""
    hold(tmp_path)
    code = "import signal; print(signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN)"
    sh = "trap - PIPE; grep SigIgn /proc/self/status" if Path("/proc/self/status").exists() else "exit 0"
    done = run_command(tmp_path, "exec", "--", "sh", "-c", sh)
    assert done.code == 0
    if done.out:
        assert not int(done.out.split()[1], 16) & (1 << (signal.SIGPIPE - 1))
    assert (
        run_command(tmp_path, "exec", "--", sys.executable, "-c", code).out == "True\n"
    )  # Python's own again


def test_the_child_may_write_a_core_as_before(tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("nobody may write one here")
    hold(tmp_path)
    ours = shlex.join([*COMMAND, "exec", "--", "sh", "-c", "ulimit -S -c"])
    done = subprocess.run(
        ["sh", "-c", f"ulimit -S -c 7 && exec {ours}"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "7\n"


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/", 126), ("a\0b", 126)])
def test_a_command_that_does_not_run(tmp_path: Path, command: str, code: int) -> None:
    from codex_oauth.cli.main import main

    hold(tmp_path)
    if "\0" in command:  # no process can be given such an argument, but a caller of `main` can
        where = str(tmp_path / "logins-of-the-test")
        assert main(["exec", "--store", where, "--", command]) == code
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN  # or a closed pipe would end the caller
        return
    done = run_command(tmp_path, "exec", "--", command)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("codex-oauth exec: ")
    assert "Traceback" not in done.err


def test_nothing_runs_where_there_is_no_login(tmp_path: Path) -> None:
    done = run_command(tmp_path, "exec", "--", "touch", "it-ran")
    assert done.code == 4
    assert not (tmp_path / "it-ran").exists()


def test_an_argument_is_no_shell_text(tmp_path: Path) -> None:
    hold(tmp_path)
    done = run_command(tmp_path, "exec", "--", "echo", "$CODEX_OAUTH_TOKEN", ";", "ls", "*")
    assert done.out == "$CODEX_OAUTH_TOKEN ; ls *\n"


def test_a_waiting_parent_leaves_signals_to_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other systems than POSIX do."""
    from codex_oauth.cli import child

    waits: list[int | BaseException] = [KeyboardInterrupt(), 5]

    class Process:
        def __init__(self, command: list[str], env: dict[str, str]) -> None:
            assert (command, env["X"]) == (["cmd"], "token")

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *exc_info: object) -> None:
            """Nothing is open."""

        def wait(self) -> int:
            found = waits.pop(0)
            if isinstance(found, int):
                return found
            raise found

    monkeypatch.setattr(subprocess, "Popen", Process)
    assert child._wait_for(["cmd"], {**os.environ, "X": "token"}) == 5
