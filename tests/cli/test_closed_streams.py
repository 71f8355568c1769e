"""stdin, stdout or stderr that is closed: no file is opened in its place, here or in a command of `exec`."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

from tests.cli.commands import COMMAND, environment
from tests.cli.test_commands import hold

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")

SOME: Final = [closed for count in (1, 2, 3) for closed in combinations(range(3), count)]
_ARGUMENTS: Final = {"token": ["token"], "list": ["list"], "usage": ["token", "--nonsense"]}

_SIGNALLED: Final = """
import os, sys
from codex_oauth.cli.main import main
main(sys.argv[2:])
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
from codex_oauth.cli.output import hint_from_a_signal
hint_from_a_signal("Waiting for the renewal to end.")
os.write(1, b"a result")
os._exit(0 if lock > 2 and not os.fstat(lock).st_size and not os.read(0, 1) else 9)
"""
_CHILD: Final = """
import os, sys
opened = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(opened, repr([os.fstat(fd) is not None for fd in range(3)]).encode())
os._exit(0 if opened > 2 else 9)
"""


def closed_in(words: list[str], closed: tuple[int, ...], home: Path) -> int:
    """The exit code of a program that begins with these descriptors closed."""
    redirections = " ".join(f"{fd}>&-" for fd in closed)
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" "$@" {redirections}', *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(home),
        timeout=60,
        check=False,
    )
    return done.returncode


@pytest.mark.parametrize("closed", SOME, ids=str)
@pytest.mark.parametrize("way", _ARGUMENTS)
def test_what_a_signal_says_lands_in_no_file(tmp_path: Path, closed: tuple[int, ...], way: str) -> None:
    hold(tmp_path)
    words = [sys.executable, "-c", _SIGNALLED, str(tmp_path / "some.lock"), *_ARGUMENTS[way]]
    assert closed_in(words, closed, tmp_path) == 0


@pytest.mark.parametrize("closed", SOME, ids=str)
def test_a_command_of_exec_has_all_three(tmp_path: Path, closed: tuple[int, ...]) -> None:
    hold(tmp_path)
    seen = tmp_path / "seen"
    words = [*COMMAND, "exec", "--", sys.executable, "-c", _CHILD, str(seen)]
    assert closed_in(words, closed, tmp_path) == 0
    assert seen.read_text() == "[True, True, True]"
