"""F7, R12: a forked child holds no lock of its parent, takes none from it, and keeps none after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codex_oauth import FileStore
from codex_oauth.stores.store import Saved
from tests.stores.logins import PRELUDE, child, login, renewed
from tests.transport.servers import BUSY

FORKED = """
slot = FileStore({home!r}, soft_lock={soft}).slot("acct_1")
save(slot, login(1), None)
held = locked(slot)
held.reserve(login(1))
before = {{name for name in os.listdir(slot.path.parent)}}
"""


def told(reason: str) -> str:
    return f"auth_write_failed {reason}"


# R12
@pytest.mark.parametrize("soft", [False, True])
def test_f7_a_forked_child_holds_nothing_and_takes_nothing_from_its_parent(home: Path, soft: bool) -> None:
    code = (
        FORKED.format(home=str(home), soft=soft)
        + """
if (pid := os.fork()) == 0:
    for use in (lambda: held.reserve(login(1)), lambda: held.delete(login(1).fingerprint)):
        try: use()
        except SignInError as error: print(*describe(error))
    print(slot.lock())
    held.release()
    print(slot.lock(), set(os.listdir(slot.path.parent)) == before, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(slot.lock(), held.save(renewed(login(1), 2), login(1).fingerprint), flush=True)
held.release()
print(locked(slot).load() == renewed(login(1), 2))
"""
    )
    done = child(code)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        told("lock_lost"),
        told("lock_lost"),
        "None",
        "None True",
        "None Saved()",
        "True",
    ]


@pytest.mark.parametrize("soft", [False, True])
def test_f7_a_child_that_outlives_its_killed_parent_keeps_no_lock(home: Path, soft: bool) -> None:
    code = (
        FORKED.format(home=str(home), soft=soft)
        + """
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
os.write(1, b"forked")
os.kill(os.getpid(), 9)
"""
    )
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, "-1", "-1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.wait(120) == -signal.SIGKILL
        slot = FileStore(home, soft_lock=soft).slot("acct_1")
        began = time.monotonic()
        while (held := slot.lock()) is None:
            assert time.monotonic() - began < BUSY
        with held:
            held.reserve(login(1))
            assert held.save(renewed(login(1), 2), login(1).fingerprint) == Saved()


def test_f7_a_child_may_lock_what_its_parent_gave_back(home: Path) -> None:
    code = (
        FORKED.format(home=str(home), soft=False)
        + """
held.release()
if (pid := os.fork()) == 0:
    theirs = locked(slot)
    theirs.reserve(login(1))
    print(theirs.save(renewed(login(1), 2), login(1).fingerprint), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(locked(slot).load() == renewed(login(1), 2))
"""
    )
    done = child(code)
    assert (done.stdout, done.stderr) == ("Saved()\nTrue\n", "")
