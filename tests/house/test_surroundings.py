"""The tests are green however they were started: in the background, beside another user's, below a private folder.

Rules of this file: each surrounding is made for a run of its own, and what runs there is a test that was red in
it once.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.listener import loopback
from tests.users import place_for_all

ROOT = Path(__file__).parents[2]
HEARS = "tests/worlds/test_interrupt.py::test_ctrl_c[wait]"

posix = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals of POSIX")


def ignored(*numbers: signal.Signals) -> Callable[[], None]:
    def ignore() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    return ignore


def blocked() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


@posix
@pytest.mark.parametrize(
    "before",
    [ignored(signal.SIGINT), ignored(signal.SIGINT, signal.SIGHUP, signal.SIGCHLD), blocked],
    ids=["in the background", "nohup, and no child is waited for", "blocked"],
)
def test_a_signal_is_heard_where_whoever_started_the_tests_was_deaf(before: Callable[[], None]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", HEARS],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=before,  # only signals are set there
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_registered_ports_are_locked_without_a_file_that_another_user_may_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = threading.Event()
    real = loopback._bound

    def bound(lock: socket.socket) -> bool:
        got = real(lock)
        if not got:
            tried.set()
        return got

    monkeypatch.setattr(loopback, "_bound", bound)

    def leave() -> None:
        tried.wait(60)
        other.close()

    waited = threading.Thread(target=leave)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:  # another user's test
        while not real(other):
            pass
        waited.start()
        with loopback.registered_ports() as ports:
            assert ports == (1455, 1457)
            assert tried.is_set()
    waited.join()


def test_a_private_folder_for_temporary_files_is_no_place_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path))
    place = place_for_all()
    assert place != tmp_path
    assert stat.S_IMODE(place.stat().st_mode) & 0o003 == 0o003
