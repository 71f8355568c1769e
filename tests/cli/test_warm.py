"""A command that is forked is the command that an interpreter starts: the same streams, surroundings and end."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth.authority import Authority, serve
from tests.cli.commands import COMMAND, Done, can_be_warm, environment, run_command, start_command
from tests.cli.test_commands import AT_ONCE, hold, login

SURROUNDINGS = """
import atexit, json, os, signal, sys, threading
report = {
    "cwd": os.getcwd(),
    "environ": dict(os.environ),
    "leader": os.getsid(0) == os.getpid(),
    "stdin": sys.stdin.read(),
    "terminals": [stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "names": [stream.name for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "int": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
    "descriptors": len(os.listdir("/dev/fd")) - 1,
    "threads": threading.active_count(),
    "warnings": sys.warnoptions,
}
print(json.dumps(report))
"""


def by_an_interpreter(home: Path, *arguments: str) -> Done:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("list", "--json"), ("token",), ("statsu",), ("--help",), ("exec", "--", "false")],
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_it_says_and_ends_the_same(tmp_path: Path, arguments: tuple[str, ...], signed_in: bool) -> None:
    if signed_in:
        hold(tmp_path)
    assert run_command(tmp_path, *arguments) == by_an_interpreter(tmp_path, *arguments)


def surroundings(home: Path) -> dict[str, Any]:
    with start_command(home, "list", prelude=SURROUNDINGS) as running:
        out, err = running.communicate()
    assert running.wait() == 0, err
    report: dict[str, Any] = json.loads(out.splitlines()[0])
    return report


def test_its_surroundings_are_those_of_a_new_process(tmp_path: Path) -> None:
    with start_command(tmp_path, "authority") as other:  # whose descriptors are not its own
        found = surroundings(tmp_path)
        other.send_signal(signal.SIGINT)
        other.communicate()
    assert found == {
        "cwd": str(tmp_path),
        "environ": environment(tmp_path),
        "leader": True,
        "stdin": "",
        "terminals": [False] * 3,
        "names": ["<stdin>", "<stdout>", "<stderr>"],
        "int": True,
        "term": True,
        "descriptors": 3,
        "threads": 1,
        "warnings": ["error"],
    }


def test_it_ends_as_a_program_does(tmp_path: Path) -> None:
    prelude = """
import atexit, sys, threading, time
atexit.register(lambda: print("at the end"))
threading.Thread(target=lambda: (time.sleep(0.2), print("a thread"))).start()
"""
    with start_command(tmp_path, "list", "--json", prelude=prelude) as running:
        out, _ = running.communicate()
    assert out.splitlines()[1:] == ["a thread", "at the end"]


def test_one_that_is_killed_says_by_what(tmp_path: Path) -> None:
    with start_command(tmp_path, "authority") as running:
        assert running.stdout is not None
        assert running.stdout.readline()
        assert running.poll() is None
        running.kill()
        assert running.wait() == -signal.SIGKILL


def test_what_only_a_new_interpreter_reads_needs_one(tmp_path: Path) -> None:
    assert can_be_warm(environment(tmp_path, NO_COLOR="1"))
    for name in ("LANG", "LC_ALL", "PYTHONUTF8", "PYTHONPATH", "TZ"):
        assert not can_be_warm(environment(tmp_path, **{name: "x"}))
    without = environment(tmp_path)
    del without["LANG"]
    assert not can_be_warm(without)
    assert run_command(tmp_path, "list", LANG="C").code == 0


def test_waits_take_no_time_and_the_clock_has_moved_but_not_the_calendar(tmp_path: Path) -> None:
    begun = time.monotonic()
    with serve(Authority(policy=attrs.evolve(AT_ONCE, interval=300))) as server:
        events = login(tmp_path, server, "--json").documents
    assert time.monotonic() - begun < 120
    assert events[-1]["event"] == "done"
    prelude = """
from tests.cli.skipping import skip_waits
from codex_oauth.clock import now
from codex_oauth.worlds.sync_world import SyncWorld
from codex_oauth_core.effects import Wait, Why
skip_waits()
(began, wall), later = now(), None
with SyncWorld(None) as world:
    world.perform(Wait(began + 500, Why.RETRY))
at, then = now()
print(500 <= at - began < 520, 0 <= then - wall < 20)
"""
    with start_command(tmp_path, "list", prelude=prelude) as running:
        out, err = running.communicate()
    assert out.splitlines()[0] == "True True", err
